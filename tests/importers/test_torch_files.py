"""PyTorch's files: storages of every type, views, byte orders, both layouts; and the table of importers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.goldens import golden_file
from support.torch_writer import Named, Saved, call, rebuild_call, torch_was_not_needed

import ganexport.importers
from ganexport.errors import CheckpointError
from ganexport.importers import IMPORTERS
from ganexport.importers.inert.containers import open_container

LAYOUTS = ["zip_file", "legacy_file"]


def read(path: Path, data: bytes) -> Any:
    path.write_bytes(data)
    return open_container(path).root


def expected_views() -> dict[str, np.ndarray]:
    numbers = np.arange(24)
    channels_last = np.arange(24).reshape(2, 3, 2, 2)
    return {"a": numbers[2:8].reshape(2, 3), "b": numbers.reshape(4, 6).T, "c": channels_last, "d": numbers[::3]}


@pytest.mark.parametrize("name", ["torch_views.pt", "torch_views_legacy.pt"])
def test_views_as_recorded(name: str) -> None:
    root = open_container(golden_file(name)).root
    for key, expected in expected_views().items():
        np.testing.assert_array_equal(root[key].array(), expected)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i4", "i2", "u1"])
def test_every_type_in_either_order(dtype: str, layout: str, order: str, tmp_path: Path) -> None:
    saved = Saved(order)
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    root = read(tmp_path / "a.pt", getattr(saved, layout)({"a": saved.tensor(array)}))
    np.testing.assert_array_equal(root["a"].array(), array)
    assert root["a"].array().dtype.newbyteorder("=") == np.dtype(dtype)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_bfloat16_and_bool(layout: str, order: str, tmp_path: Path) -> None:
    saved = Saved(order)
    numbers = np.array([1.0, -2.5, 0.0, 3.0e38, 1e-30], np.float32)
    bf16 = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    bools = np.array([1, 0, 1], np.uint8)
    root = {
        "bf16": rebuild_call(saved.storage(bf16.astype(np.int16), "BFloat16Storage"), 0, (5,)),
        "bool": rebuild_call(saved.storage(bools, "BoolStorage"), 0, (3,)),
    }
    got = read(tmp_path / "a.pt", getattr(saved, layout)(root))
    np.testing.assert_array_equal(got["bf16"].array(), (bf16.astype(np.uint32) << 16).view(np.float32))
    assert got["bool"].array().tolist() == [True, False, True]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_views_share_their_storage(layout: str, tmp_path: Path) -> None:
    saved = Saved()
    storage = saved.storage(np.arange(24, dtype=np.float32))
    tree = {
        "a": rebuild_call(storage, 2, (2, 3)),
        "b": rebuild_call(storage, 0, (6, 4), (1, 6)),
        "c": rebuild_call(storage, 0, (2, 3, 2, 2), (12, 1, 6, 3)),
        "d": rebuild_call(storage, 0, (8,), (3,)),
        "empty": rebuild_call(storage, 24, (0, 3)),
        "scalar": rebuild_call(storage, 5, ()),
        "repeated": rebuild_call(storage, 3, (4, 2), (0, 1)),
    }
    got = read(tmp_path / "a.pt", getattr(saved, layout)(tree))
    numbers = np.arange(24, dtype=np.float32)
    np.testing.assert_array_equal(got["a"].array(), numbers[2:8].reshape(2, 3))
    np.testing.assert_array_equal(got["b"].array(), numbers.reshape(4, 6).T)
    np.testing.assert_array_equal(got["c"].array(), numbers.reshape(2, 2, 2, 3).transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(got["d"].array(), numbers[::3])
    assert got["empty"].array().shape == (0, 3) and got["scalar"].array() == 5
    np.testing.assert_array_equal(got["repeated"].array(), [[3, 4]] * 4)
    assert got["a"].storage is got["b"].storage
    assert not got["a"].array().flags.writeable


def test_other_ways_to_write_a_tensor(tmp_path: Path) -> None:
    saved = Saved()
    array = np.arange(6, dtype=np.float32)
    plain = saved.tensor(array)
    untyped = saved.storage(array.view(np.uint8), "UntypedStorage")
    dtype = Named("torch", "float32")
    tree = {
        "parameter": call("torch._utils", "_rebuild_parameter", (plain, True, {})),
        "subclass": call(
            "torch._tensor",
            "_rebuild_from_type_v2",
            (Named("torch._utils", "_rebuild_tensor_v2"), Named("torch", "Tensor"), plain.args, {}),
        ),
        "v3": call("torch._utils", "_rebuild_tensor_v3", (untyped, 0, (6,), (1,), False, {}, dtype)),
        "size": call("torch", "Size", ((2, 3),)),
    }
    got = read(tmp_path / "a.pt", saved.zip_file(tree))
    for name in ("parameter", "subclass", "v3"):
        np.testing.assert_array_equal(got[name].array(), array)
    assert got["size"] == (2, 3)
    assert torch_was_not_needed()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_protocols(protocol: int, tmp_path: Path) -> None:
    saved = Saved()
    data = saved.zip_file({"a": saved.tensor(np.ones(3, np.float32))}, protocol=protocol)
    assert read(tmp_path / "a.pt", data)["a"].array().tolist() == [1, 1, 1]


def test_members_that_were_packed_are_unpacked(tmp_path: Path) -> None:
    import zipfile

    saved = Saved()
    (tmp_path / "a.pt").write_bytes(saved.zip_file({"a": saved.tensor(np.arange(999, dtype=np.float32))}))
    with (
        zipfile.ZipFile(tmp_path / "a.pt") as old,
        zipfile.ZipFile(tmp_path / "b.pt", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    np.testing.assert_array_equal(open_container(tmp_path / "b.pt").root["a"].array(), np.arange(999))


def test_a_legacy_file_must_hold_its_storages(tmp_path: Path) -> None:
    saved = Saved()
    data = saved.legacy_file({"a": saved.tensor(np.ones(3, np.float32))})
    for cut in (1, 4, 12, 20, 30):
        with pytest.raises(CheckpointError):
            read(tmp_path / "a.pt", data[:-cut])


def test_the_folder_is_the_table() -> None:
    folder = Path(ganexport.importers.__file__).parent
    files = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}
    assert files == set(IMPORTERS)
    for importer in IMPORTERS.values():
        assert callable(importer.recognises) and callable(importer.read)
        assert list(Path(__file__).parent.glob(f"test_{importer.__name__.rpartition('.')[2]}*.py"))
