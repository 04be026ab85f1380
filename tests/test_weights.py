"""Canonical tensors: exact cover, whole files, equal bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ganexport.atomic import atomic_path
from ganexport.errors import CheckpointError, OutputExistsError, WeightsError
from ganexport.weights import check_cover, file_sha256, hash_tensors, read_tensors, write_tensors

SHAPES = {"a.weight": (2, 3), "a.bias": (2,), "strength": ()}


def tensors() -> dict[str, np.ndarray]:
    return {
        "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
        "a.bias": np.asarray([0.5, -1], np.float32),
        "strength": np.asarray(0.25, np.float32),
    }


def left_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


# ---------------------------------------------------------------------------------------------------------- cover


def test_exact_cover_passes() -> None:
    check_cover(tensors(), SHAPES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a.bias": None}, r"missing a\.bias \[2\]"),
        ({"extra": np.zeros((4, 5), np.float32)}, r"unused extra \[4, 5\]"),
        ({"a.weight": np.zeros((3, 2), np.float32)}, r"a\.weight is \[3, 2\], expected \[2, 3\]"),
        ({"strength": np.zeros(1, np.float32)}, r"strength is \[1\], expected \[\]"),
        ({"a.bias": np.zeros((2, 1), np.float32)}, r"a\.bias is \[2, 1\], expected \[2\]"),
        ({"a.bias": np.zeros(2)}, r"a\.bias is float64, expected float32"),
        ({"a.bias": np.zeros(2, np.float16)}, r"a\.bias is float16, expected float32"),
        ({"a.bias": np.zeros(2, np.int32)}, r"a\.bias is int32, expected float32"),
        ({"a.bias": np.asarray([1, np.nan], np.float32)}, r"a\.bias holds values that are not finite"),
        ({"a.bias": np.asarray([1, np.inf], np.float32)}, r"a\.bias holds values that are not finite"),
        ({"strength": np.asarray(-np.inf, np.float32)}, r"strength holds values that are not finite"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, np.ndarray | None], message: str) -> None:
    changed = {n: a for n, a in {**tensors(), **changes}.items() if a is not None}
    with pytest.raises(WeightsError, match=message):
        check_cover(changed, SHAPES)


def test_every_fault_is_named_at_once() -> None:
    faulty = {"b": np.zeros(1, np.float32), "a.bias": np.zeros(3, np.float32), "strength": np.asarray(np.nan, "f4")}
    with pytest.raises(WeightsError) as caught:
        check_cover(faulty, SHAPES)
    for part in ("missing a.weight [2, 3]", "unused b [1]", "a.bias is [3], expected [2]", "strength holds"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------------------------------------------- files


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "w.safetensors"
    write_tensors(path, tensors(), {"key": "wörter"})
    found, metadata = read_tensors(path)
    assert metadata == {"key": "wörter"}
    assert found.keys() == SHAPES.keys()
    for name, array in tensors().items():
        assert found[name].shape == SHAPES[name]  # a scalar stays one
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], array)
    assert left_in(tmp_path / "sub") == ["w.safetensors"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_views_are_written_as_what_they_show(tmp_path: Path) -> None:
    base = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    views = {"turned": base.T, "every_second": base[:, ::-2], "flipped": base[..., ::-1]}
    write_tensors(tmp_path / "w", views, {})
    for name, array in read_tensors(tmp_path / "w")[0].items():
        np.testing.assert_array_equal(array, views[name])


def test_equal_contents_give_equal_bytes(tmp_path: Path) -> None:
    metadata = {"one": "1"}
    write_tensors(tmp_path / "a", tensors(), metadata)
    write_tensors(tmp_path / "b", dict(reversed(tensors().items())), metadata)
    assert file_sha256(tmp_path / "a") == file_sha256(tmp_path / "b")
    write_tensors(tmp_path / "b", {**tensors(), "strength": np.asarray(0.5, np.float32)}, metadata)
    assert file_sha256(tmp_path / "a") != file_sha256(tmp_path / "b")


def test_more_than_one_string_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at most one string"):
        write_tensors(tmp_path / "w", tensors(), {"one": "1", "two": "2"})
    assert not list(tmp_path.iterdir())


def test_a_truncated_file_is_no_checkpoint_wherever_it_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_tensors(path, tensors(), {"key": "value"})
    whole = path.read_bytes()
    for length in {0, 4, 8, 20, len(whole) // 2, len(whole) - 4, len(whole) - 1}:
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match=r"w\.safetensors is not a complete safetensors file"):
            read_tensors(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(CheckpointError, match="not a complete safetensors file"):
        read_tensors(path)


@pytest.mark.parametrize("content", [b"", b"no tensors here", b"\x80\x04.", b"\xff" * 64, b"\0" * 64])
def test_other_files_are_no_checkpoint(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w").write_bytes(content)
    with pytest.raises(CheckpointError, match="not a complete safetensors file"):
        read_tensors(tmp_path / "w")


def test_a_missing_file_and_a_folder_are_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        read_tensors(tmp_path / "none")
    with pytest.raises(CheckpointError):
        read_tensors(tmp_path)


# ---------------------------------------------------------------------------------------------------------- hashes


def test_hash_tells_names_types_shapes_and_values_apart() -> None:
    base = tensors()
    assert hash_tensors(base) == hash_tensors(dict(reversed(base.items())))
    assert hash_tensors(base) == hash_tensors({n: np.asfortranarray(a) for n, a in base.items()})
    changed = [
        {**base, "a.bias": base["a.bias"] + np.float32(1e-7)},
        {**base, "a.bias": base["a.bias"].astype(np.float64)},
        {**base, "a.weight": base["a.weight"].reshape(3, 2)},
        {**base, "b": base["a.bias"]},
        {"a.weight": base["a.weight"], "a.bias": base["a.bias"], "strong": base["strength"]},
        {**base, "a.bias": np.asarray([0.5, 1], np.float32)},
    ]
    hashes = [hash_tensors(one) for one in [base, *changed]]
    assert len(set(hashes)) == len(hashes)


def test_hash_is_the_same_for_ever() -> None:
    # Written into checkpoints and bundles: a new rule would disown them all.
    assert hash_tensors({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    found = hash_tensors({"a": np.asarray([1, 2], np.float32), "b": np.zeros((1, 2), np.float32)})
    assert found == "b923aacf146a7fac291df2717d5406de5d750b01923bd4be86e56ff76df1f1d1"
    assert (
        hash_tensors({"s": np.asarray(0.5, np.float32)})
        == "c96d735e88b6c96bc5685a7e47681fcdd5b179bb2633417490f6ce273b293ef7"
    )


# ---------------------------------------------------------------------------------------------------- whole or not


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "deep" / "new.bin") as temporary:
        temporary.write_bytes(b"half")
        raise ZeroDivisionError
    assert left_in(tmp_path) == []


def test_a_failed_write_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "old.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_path(path, force=True) as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert left_in(tmp_path) == ["old.bin"]
    assert path.read_bytes() == b"old"


def test_tensors_that_cannot_be_written_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"."):
        write_tensors(tmp_path / "w", {"a": np.asarray(["text"])}, {})
    assert left_in(tmp_path) == []


def test_an_existing_file_is_kept_without_force(tmp_path: Path) -> None:
    path = tmp_path / "w"
    write_tensors(path, tensors(), {})
    before = path.read_bytes()
    with pytest.raises(OutputExistsError, match=r"exists; choose another name or pass --force"):
        write_tensors(path, {}, {}, force=False)
    assert path.read_bytes() == before
    write_tensors(path, {}, {}, force=True)
    assert path.read_bytes() != before


def test_while_it_is_written_the_old_file_stands(tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"old")
    with atomic_path(path, force=True) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
        assert temporary.parent == path.parent  # so that the last step is a rename
    assert path.read_bytes() == b"new"
