"""The inert unpickler: what good pickles come out as, for every protocol."""

from __future__ import annotations

import pickle  # writes what the reader under test must read without it
from collections import Counter, OrderedDict, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.torch_writer import Named, Object, dumps

from ganexport.errors import CheckpointError
from ganexport.importers.inert.containers import open_container
from ganexport.importers.inert.globals import InertWorld
from ganexport.importers.inert.stubs import Audit, NumpyArray, Stub
from ganexport.importers.inert.unpickle import Budget, Unpickler

PROTOCOLS = range(6)


def read(data: bytes) -> Any:
    budget = Budget(copied=len(data))
    return plain(Unpickler(memoryview(data), InertWorld(Audit(), budget), budget).load())


def plain(value: Any) -> Any:
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, list | tuple):
        return type(value)(plain(item) for item in value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        [0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, -(2**31), 2**40, -(2**70), 10**100],
        [0.0, -1.5, 1e300, float("inf")],
        ["", "a", "ünïcode ☃ 𝄞", "line\nbreak\\ 'quotes' \"", "x" * 300, "\u1234" * 70_000],
        [b"", b"abc\x00\xff", bytes(range(256)) * 40, bytearray(b"ab")],
        [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [[]], {}],
        {"a": 1, 2: "b", (1, "x"): None, True: 2.5, b"k": []},
        {1, 2, "three"},
        OrderedDict([("b", 1), ("a", 2)]),
        list(range(3000)),
        {str(i): i for i in range(3000)},
    ],
    ids=lambda value: type(value).__name__,
)
def test_plain_data(value: Any, protocol: int) -> None:
    got = read(pickle.dumps(value, protocol))
    assert got == value
    assert isinstance(got, dict if isinstance(value, OrderedDict) else type(value))


json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(value=json_like, protocol=st.sampled_from(PROTOCOLS))
def test_any_plain_data(value: Any, protocol: int) -> None:
    assert read(pickle.dumps(value, protocol)) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_shared_stays_shared_and_loops_are_kept(protocol: int) -> None:
    shared: list[Any] = [1]
    shared.append(shared)
    got = Unpickler(
        memoryview(pickle.dumps([shared, shared], protocol)), InertWorld(Audit(), Budget()), Budget()
    ).load()
    assert got[0] is got[1] and got[0][1] is got[0]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "?", ">f4", ">i2"])
def test_numpy_arrays_and_scalars(dtype: str, protocol: int) -> None:
    array = np.arange(12).reshape(3, 4).astype(dtype)
    columns = np.asfortranarray(array)
    got = read(
        pickle.dumps(
            [array, columns, array[0, 1], np.zeros((0, 3), dtype), array.reshape(())[()] if 0 else 1], protocol
        )
    )
    for found, expected in zip(got, [array, columns], strict=False):
        assert isinstance(found, NumpyArray)
        assert found.array().dtype == np.dtype(dtype)
        np.testing.assert_array_equal(found.array(), expected)
    assert got[2] == array[0, 1].item()
    assert got[3].array().shape == (0, 3)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
@pytest.mark.parametrize(("old", "new"), [("core", "_core"), ("_core", "core")])
def test_numpy_1_and_2_name_their_functions_differently(old: str, new: str, protocol: int) -> None:
    data = pickle.dumps([np.arange(3.0), np.float32(2)], protocol)
    for text in (f"numpy.{old}.multiarray",):
        other = f"numpy.{new}.multiarray"
        if protocol < 4:
            data = data.replace(f"c{text}\n".encode(), f"c{other}\n".encode())
        else:
            as_text = [bytes([0x8C, len(name)]) + name.encode() for name in (text, other)]
            framed = data[:2] + data[11:]  # without the frame, whose length would no longer be right
            data = framed.replace(*as_text)
    got = read(data)
    np.testing.assert_array_equal(got[0].array(), np.arange(3.0))
    assert got[1] == 2.0


def test_strings_of_python_2() -> None:
    assert read(b"(S'it\\'s \\x41'\nU\x02\xe9bT\x03\x00\x00\x00abcV\\u2603\nl.") == ["it's A", "éb", "abc", "☃"]
    array = b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(S'f4'\nI0\nI1\ntRS'\\x00\\x00\\x80?'\ntR."
    assert read(array) == 1.0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_dicts_of_other_kinds(protocol: int) -> None:
    made: dict[str, Any] = defaultdict(list, {"a": [1]})
    assert read(pickle.dumps(Counter("abca"), protocol)) == {"a": 2, "b": 1, "c": 1}
    with pytest.raises(CheckpointError, match=r"list"):
        read(pickle.dumps(made, protocol))  # its factory is a name that is not known


def test_objects_become_stubs_with_their_state() -> None:
    got = read(dumps(Object(Named("torch.nn.modules.conv", "Conv2d"), {"stride": (1, 1)})))
    assert isinstance(got, Stub)
    assert (got.class_name, got.attributes, got.args) == ("Conv2d", {"stride": (1, 1)}, ())
    old = b"(itypes\nSimpleNamespace\n}Vx\nI5\nsb."
    assert read(old).attributes == {"x": 5}
    assert (
        read(b"ccopy_reg\n_reconstructor\n(cargparse\nNamespace\nc__builtin__\nobject\nNtR.").class_name == "Namespace"
    )


def test_long_bytes_are_not_copied(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"a": bytes(10_000)}, 4))
    assert isinstance(open_container(tmp_path / "a.pkl").root["a"], memoryview)


def test_the_audit_counts_names_and_notes_what_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([OrderedDict(a=1), np.arange(3)], 4) + b"more")
    audit = open_container(tmp_path / "a.pkl").audit
    assert audit.globals["collections.OrderedDict"] == 1
    assert audit.ignored == {"bytes after the end of the pickle": 1}
    assert not audit.refused


@pytest.mark.parametrize("length", [0, 254, 255, 256, 257, 70_000])
def test_lines_of_any_length(length: int) -> None:
    assert read(b"(V" + b"x" * length + b"\nVy\nl.") == ["x" * length, "y"]
