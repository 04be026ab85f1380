"""Reading, splitting and sampling training sets, and every way a training set can be bad."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganexport.errors import DataError, OptionError
from train.data import Dataset, Sampler, load_dataset, sample_batch, split, to_float


def png(value: int = 100, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((size[1], size[0]), value, np.uint8)).convert(mode).save(buffer, "PNG")
    return buffer.getvalue()


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def labelled(counts: list[int]) -> Dataset:
    labels = np.repeat(np.arange(len(counts)), counts)
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    return Dataset(images, labels, name="made")


def test_embedded_digits_are_padded_with_black() -> None:
    digits = load_dataset("mnist10k", resolution=32)
    assert digits.images.shape == (10000, 32, 32, 1)
    assert digits.c_dim == 10 and digits.label_names == tuple("0123456789")
    assert digits.images[:, :2].max() == 0 and digits.images[:, :, -2:].max() == 0
    raw = load_dataset("mnist10k", resolution=28)
    np.testing.assert_array_equal(digits.images[:, 2:30, 2:30], raw.images)
    assert "CC BY-SA" in digits.licence


def test_embedded_digits_in_colour_and_small() -> None:
    digits = load_dataset("mnist10k", resolution=16, channels=3)
    assert digits.images.shape == (10000, 16, 16, 3)
    np.testing.assert_array_equal(digits.images[..., 0], digits.images[..., 2])


def test_npz_keeps_labels_and_their_names(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    np.savez(
        path,
        images=np.zeros((3, 8, 8, 3), np.uint8),
        labels=np.array([1, 0, 1], np.uint8),
        label_names=["a", "b", "c"],
    )
    data = load_dataset(str(path), resolution=8)
    assert (data.c_dim, data.channels, data.resolution) == (3, 3, 8)
    assert data.label_names == ("a", "b", "c") and data.labels is not None and data.labels.tolist() == [1, 0, 1]


def test_small_pictures_are_padded_in_their_own_background(tmp_path: Path) -> None:
    images = np.full((2, 4, 6, 3), [255, 250, 9], np.uint8)
    images[:, 1:3, 1:5] = 7
    np.savez(tmp_path / "set.npz", images=images)
    got = load_dataset(str(tmp_path / "set.npz"), resolution=8).images
    assert got[0, 0, 0].tolist() == [255, 250, 9]
    np.testing.assert_array_equal(got[:, 2:6, 1:7], images)


def test_large_pictures_are_cropped_to_the_centre_and_scaled(tmp_path: Path) -> None:
    picture = np.zeros((16, 48), np.uint8)
    picture[:, 16:32] = 200
    Image.fromarray(picture).save(tmp_path / "a.png")
    data = load_dataset(str(tmp_path), resolution=8)
    assert data.images.shape == (1, 8, 8, 1) and (data.images == 200).all()


def test_long_thin_pictures_are_cut_and_padded(tmp_path: Path) -> None:
    write(tmp_path, {"a.png": png(9, size=(40, 4), mode="L")})
    assert load_dataset(str(tmp_path), resolution=8).images.shape == (1, 8, 8, 1)


@pytest.mark.parametrize("zipped", [False, True])
def test_sub_folders_are_classes(tmp_path: Path, zipped: bool) -> None:
    files = {
        "dog/2.png": png(2),
        "cat/9.png": png(9),
        "cat/1.png": png(1),
        "cat/notes.txt": b"",
        "__MACOSX/dog/._2.png": b"x",
    }
    source = pack(tmp_path / "p.zip", files) if zipped else write(tmp_path / "p", files)
    data = load_dataset(str(source), resolution=8)
    assert data.label_names == ("cat", "dog") and data.labels is not None
    assert data.labels.tolist() == [0, 0, 1] and data.images[:, 0, 0, 0].tolist() == [1, 9, 2]


@pytest.mark.parametrize("labels", [[["00000/b.png", 3], ["00000/a.png", 0]], None])
def test_nvidia_dataset_json(tmp_path: Path, labels: list[list[object]] | None) -> None:
    files = {
        "00000/a.png": png(),
        "00000/b.png": png(),
        "dataset.json": json.dumps({"labels": labels}).encode(),
    }
    data = load_dataset(str(pack(tmp_path / "p.zip", files)), resolution=8)
    assert data.c_dim == (4 if labels else 0)
    assert (data.labels is None) if labels is None else (data.labels is not None and data.labels.tolist() == [0, 3])


def test_pictures_at_the_top_have_no_labels(tmp_path: Path) -> None:
    data = load_dataset(str(write(tmp_path, {"a.png": png(), "x/b.png": png(), "y/b.png": png()})), resolution=8)
    assert data.labels is None and data.label_names is None and data.c_dim == 0


def test_transparency_is_laid_on_white_or_kept(tmp_path: Path) -> None:
    Image.new("RGBA", (8, 8), (10, 20, 30, 0)).save(tmp_path / "a.png")
    assert (load_dataset(str(tmp_path), resolution=8).images == 255).all()
    assert load_dataset(str(tmp_path), resolution=8, channels=4).images[0, 0, 0].tolist() == [10, 20, 30, 0]


def test_luma_equals_pillows(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    got = load_dataset(str(tmp_path), resolution=8, channels=1).images[0, ..., 0]
    np.testing.assert_array_equal(got, np.asarray(Image.fromarray(pixels).convert("L")))


def test_missing_and_unknown_sources(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    for source in (str(tmp_path / "none"), str(tmp_path / "a.txt"), "keras:imagenet"):
        with pytest.raises(DataError, match=r"mnist"):
            load_dataset(source, resolution=8)
    with pytest.raises(OptionError, match="resolution 2"):
        load_dataset("mnist10k", resolution=2)


def test_keras_without_a_network_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    tf = pytest.importorskip("tensorflow")

    def fail() -> None:
        raise Exception("URL fetch failure on https://…: None -- [Errno -3]\nno name")

    monkeypatch.setattr(tf.keras.datasets.mnist, "load_data", fail)
    with pytest.raises(DataError, match=r"could not be downloaded .*needs a network"):
        load_dataset("keras:mnist", resolution=32)


def test_keras_joins_its_two_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    tf = pytest.importorskip("tensorflow")
    part = (np.zeros((2, 32, 32, 3), np.uint8), np.array([[9], [0]], np.uint8))
    monkeypatch.setattr(tf.keras.datasets.cifar10, "load_data", lambda: (part, part))
    data = load_dataset("keras:cifar10", resolution=32)
    assert len(data) == 4 and data.c_dim == 10 and data.label_names is not None and data.label_names[9] == "truck"


GOOD = np.zeros((2, 8, 8), np.uint8)
BAD_ARRAYS = {
    "no array `images`": {"pictures": GOOD},
    "expected uint8": {"images": GOOD.astype(np.float32)},
    "expected \\[N, H, W\\]": {"images": np.zeros((2, 8, 8, 2), np.uint8)},
    "at least one picture": {"images": GOOD[:0]},
    "mixed sizes": {"images": np.array([GOOD, None], object)},
    "expected whole numbers \\[2\\]": {"images": GOOD, "labels": np.zeros(3, int)},
    "found label -1": {"images": GOOD, "labels": np.array([-1, 0])},
    "found label 2, expected 0 to 1": {"images": GOOD, "labels": np.array([0, 2]), "label_names": ["a", "b"]},
}


@pytest.mark.parametrize("message", BAD_ARRAYS)
def test_bad_npz(tmp_path: Path, message: str) -> None:
    np.savez(tmp_path / "bad.npz", **BAD_ARRAYS[message])  # type: ignore[arg-type]
    with pytest.raises(DataError, match=message):
        load_dataset(str(tmp_path / "bad.npz"), resolution=8)


def test_damaged_npz(tmp_path: Path) -> None:
    path = tmp_path / "bad.npz"
    np.savez_compressed(path, images=np.random.default_rng(0).integers(0, 255, (9, 8, 8), np.uint8))
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[200] ^= 0xFF
    for data in (whole[:300], b"text", b"", bytes(changed)):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"bad\.npz"):
            load_dataset(str(path), resolution=8)


def nvidia(labels: object) -> dict[str, bytes]:
    return {"a.png": png(), "dataset.json": json.dumps({"labels": labels}).encode()}


BAD_FILES: dict[str, dict[str, bytes]] = {
    "no pictures among 1 files": {"a.txt": b"x"},
    "'b.png' is no readable picture": {"a.png": png(), "b.png": png()[:-40]},
    "'c.png' is no readable picture": {"c.png": b"no picture"},
    "dataset.json: cannot be read": {"a.png": png(), "dataset.json": b"{"},
    "dataset.json: no label for 'a.png'": nvidia([]),
    "dataset.json: names 'z.png'": nvidia([["a.png", 0], ["z.png", 1]]),
    "expected a class from 0": nvidia([["a.png", 0.5]]),
    "found label 70000": nvidia([["a.png", 70000]]),
}


@pytest.mark.parametrize("message", BAD_FILES)
@pytest.mark.parametrize("zipped", [False, True])
def test_bad_pictures(tmp_path: Path, message: str, zipped: bool) -> None:
    files = BAD_FILES[message]
    source = pack(tmp_path / "p.zip", files) if zipped else write(tmp_path / "p", files)
    with pytest.raises(DataError, match=message):
        load_dataset(str(source), resolution=8)


def test_over_eight_bits_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"'a\.png' has over 8 bits"):
        load_dataset(str(tmp_path), resolution=8)


def test_bad_zips(tmp_path: Path) -> None:
    for name in ("../a.png", "/a.png", "x\\..\\..\\a.png"):
        with pytest.raises(DataError, match="leads out of the zip"):
            load_dataset(str(pack(tmp_path / "p.zip", {name: png()})), resolution=8)
    whole = pack(tmp_path / "p.zip", {"a.png": png()}).read_bytes()
    (tmp_path / "p.zip").write_bytes(whole[:60])
    with pytest.raises(DataError, match="not a readable zip"):
        load_dataset(str(tmp_path / "p.zip"), resolution=8)


def test_split_is_exact_and_repeats() -> None:
    data = labelled([20, 30])
    training, held_out = split(data, 10, seed=3)
    assert (len(training), len(held_out)) == (40, 10)
    both = np.concatenate([training.images, held_out.images])[:, 0, 0, 0]
    assert sorted(both.tolist()) == list(range(50))
    np.testing.assert_array_equal(split(data, 10, seed=3)[1].images, held_out.images)
    assert not np.array_equal(split(data, 10, seed=4)[1].images, held_out.images)
    assert held_out.c_dim == training.c_dim == 2
    with pytest.raises(OptionError, match="cannot hold out 50"):
        split(data, 50, seed=0)


def test_to_float_covers_the_range_and_returns() -> None:
    values = np.arange(256, dtype=np.uint8)
    floats = to_float(values)
    assert floats.dtype == np.float32 and floats[0] == -1 and floats[255] == 1
    np.testing.assert_array_equal(np.floor(np.clip((floats + 1) * 127.5 + 0.5, 0, 255)), values)


def test_batches_depend_on_seed_and_step_alone() -> None:
    data = labelled([20, 30])
    sampler = Sampler(data, seed=1, batch=8, group=2, mirror=True)
    backwards = [sampler.sample(step) for step in (2, 1, 0)][::-1]
    for step in range(3):
        images, labels = sample_batch(data, seed=1, step=step, batch=8, group=2, mirror=True)
        np.testing.assert_array_equal(images, backwards[step][0])
        np.testing.assert_array_equal(labels, backwards[step][1])
    assert not np.array_equal(backwards[0][0], backwards[1][0])
    assert not np.array_equal(sample_batch(data, seed=2, step=0, batch=8, group=2)[0], backwards[0][0])


def test_groups_share_a_label_and_no_picture_comes_twice() -> None:
    data = labelled([100, 100, 50])
    assert data.labels is not None
    seen = np.zeros(3)
    sampler = Sampler(data, seed=0, batch=16, group=4)
    for step in range(500):
        images, labels = sampler.sample(step)
        assert labels is not None and (labels.reshape(4, 4) == labels.reshape(4, 4)[:, :1]).all()
        index = np.round((images[:, 0, 0, 0] + 1) * 127.5).astype(int)
        np.testing.assert_array_equal(data.labels[index], labels)
        assert len(set(index.tolist())) == 16
        seen += np.bincount(labels, minlength=3)
    np.testing.assert_allclose(seen / seen.sum(), [0.4, 0.4, 0.2], atol=0.04)


def test_rare_classes_repeat_evenly() -> None:
    images, labels = sample_batch(labelled([3]), seed=0, step=0, batch=12, group=4)
    assert labels is not None and np.unique(images[:, 0, 0, 0], return_counts=True)[1].tolist() == [4, 4, 4]


def test_absent_classes_are_never_drawn() -> None:
    data = Dataset(np.zeros((4, 4, 4, 1), np.uint8), np.array([0, 3, 3, 0]), tuple("abcd"))
    drawn = {int(x) for s in range(50) for x in sample_batch(data, seed=0, step=s, batch=2)[1]}  # type: ignore[union-attr]
    assert drawn == {0, 3} and data.c_dim == 4


def test_unlabelled_batches() -> None:
    data = Dataset(np.zeros((9, 4, 4, 3), np.uint8))
    images, labels = sample_batch(data, seed=0, step=0, batch=8, group=4)
    assert images.shape == (8, 4, 4, 3) and labels is None


def test_mirror_flips_about_half_and_leaves_the_source_alone() -> None:
    ramp = np.tile(np.arange(4, dtype=np.uint8), (500, 4, 1))[..., None]
    data = Dataset(ramp.copy())
    images, _ = sample_batch(data, seed=0, step=0, batch=400, mirror=True)
    flipped = (images[:, 0, 0, 0] > images[:, 0, 3, 0]).mean()
    assert 0.4 < flipped < 0.6
    np.testing.assert_array_equal(data.images, ramp)


def test_bad_batches() -> None:
    with pytest.raises(OptionError, match="not a multiple"):
        Sampler(labelled([4]), seed=0, batch=6, group=4)
    with pytest.raises(DataError, match="no pictures"):
        Sampler(labelled([0]), seed=0, batch=4)
