"""Drawing with a bundle, and finding out that one was altered."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.bare_python import run_bare
from support.generators import BUNDLE_FILES, make_generator, oracle_outputs, oracle_pixels
from support.told import Told

from ganexport import open_bundle
from ganexport.bundle import Bundle, check_files
from ganexport.convert import ConvertOptions
from ganexport.errors import BundleError, OptionError, ParityError, RuntimeUnavailableError
from ganexport.exporters import EXPORTERS, ExportOptions
from ganexport.generator import Generator, load
from ganexport.latents import mix_styles, z_from_seeds
from ganexport.manifest import MANIFEST_NAME, read_manifest
from ganexport.runtimes import RUNTIMES
from ganexport.runtimes.onnxruntime import OnnxSession
from ganexport.verify import verify
from ganexport.weights import file_sha256

SEEDS = tuple(range(100, 116))


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return open_bundle(tiny_bundle)


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy of a bundle, to be spoilt."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "tiny"))


@pytest.fixture
def onnxruntime_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Node, which would take its time."""
    for name in [n for n in RUNTIMES if n != "onnxruntime-cpu"]:
        monkeypatch.delitem(RUNTIMES, name)


# -------------------------------------------------------------------------------------------------------- pictures


def oracle_pictures(
    generator: Generator,
    seeds: tuple[int, ...],
    label: int,
    psi: float | None,
    *,
    cutoff: int | None = None,
    noise: bool = True,
) -> np.ndarray:
    """uint8 pictures of the independent oracle, from seeds as NVIDIA's programs take them."""
    spec = generator.spec
    feeds: dict[str, np.ndarray] = {"z": np.stack([np.random.RandomState(seed).randn(spec.z_dim) for seed in seeds])}
    if spec.c_dim:
        feeds["c"] = np.eye(spec.c_dim)[[label] * len(seeds)]
    if spec.has_w_space:
        feeds["truncation_psi"] = np.ones((len(seeds), spec.num_ws))
        feeds["truncation_psi"][:, :cutoff] = psi
    if getattr(spec, "noise", False) and noise:
        feeds["noise_scale"] = np.ones(len(seeds))
    return oracle_pixels(oracle_outputs(generator, {n: a.astype(np.float32) for n, a in feeds.items()})["image"])


def assert_same(got: np.ndarray, expected: np.ndarray) -> None:
    """Within one grey level, and far from another picture."""
    assert got.dtype == np.uint8
    assert got.shape == expected.shape
    assert abs(got.astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize(
    ("bundle", "psi"),
    [
        ("tiny_bundle", 1.0),
        ("tiny_bundle", 0.5),
        ("digits_bundle", 1.0),
        ("digits_bundle", 0.5),
        ("dcgan_bundle", None),
    ],
)
def test_pictures_are_the_oracles(bundle: str, psi: float | None, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(bundle)
    opened, generator = open_bundle(folder), load(folder / "checkpoint.safetensors")
    assert generator.spec.has_w_space == (psi is not None)
    for label in range(min(3, max(1, generator.spec.c_dim))):
        expected = oracle_pictures(generator, SEEDS, label, psi)
        got = opened.generate(SEEDS, label if generator.spec.c_dim else None, psi)
        assert_same(got, expected)
        assert expected.std() > 10
        assert not np.array_equal(expected[0], expected[1])


def test_cutoff_and_noise(tiny: Bundle, tiny_generator: Generator) -> None:
    pictures = {
        "plain": oracle_pictures(tiny_generator, SEEDS[:4], 2, 0.3),
        "cutoff": oracle_pictures(tiny_generator, SEEDS[:4], 2, 0.3, cutoff=2),
        "quiet": oracle_pictures(tiny_generator, SEEDS[:4], 2, 0.3, noise=False),
    }
    assert_same(tiny.generate(SEEDS[:4], 2, 0.3), pictures["plain"])
    assert_same(tiny.generate(SEEDS[:4], 2, 0.3, cutoff=2), pictures["cutoff"])
    assert_same(tiny.generate(SEEDS[:4], 2, 0.3, noise="none"), pictures["quiet"])
    assert_same(tiny.generate(SEEDS[:4], 2, 0.3, noise="const"), pictures["plain"])
    assert all((a != b).any() for a in pictures.values() for b in pictures.values() if a is not b)


def test_a_picture_depends_on_its_seed_and_not_on_its_neighbours(tiny: Bundle) -> None:
    together = tiny.generate([5, 6, 7, 5], [0, 1, 2, 0])
    np.testing.assert_array_equal(together[0], together[3])
    assert_same(tiny.generate([6], 1), together[1:2])


def test_labels_by_index_by_name_and_one_for_each(tiny: Bundle) -> None:
    expected = tiny.generate([1, 2], 1)
    for label in (1, "1", "birch", [1, 1], ["birch", 1], ("1", "birch"), np.asarray([1, 1])):
        np.testing.assert_array_equal(tiny.generate([1, 2], label), expected)
    mixed = tiny.generate([1, 2], ["cedar", 1])
    np.testing.assert_array_equal(mixed[1:], expected[1:])
    assert (mixed[0] != expected[0]).any()


def test_a_label_may_be_a_numpy_integer(tiny: Bundle) -> None:
    np.testing.assert_array_equal(tiny.generate([1], np.int64(1)), tiny.generate([1], 1))  # type: ignore[arg-type]


def test_psi_zero_is_the_average_whatever_the_seed(tiny: Bundle) -> None:
    pictures = tiny.generate([1, 2, 3], 0, 0.0)
    assert_same(pictures, np.repeat(pictures[:1], 3, axis=0))


def test_no_seeds_no_pictures(tiny: Bundle) -> None:
    assert tiny.generate([], 0).shape == (0, 16, 16, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1],), r"this generator has 3 classes: say which"),
        (([1], 3), r"class 3 is unknown; choose from: ash, birch, cedar"),
        (([1], "oak"), r"class 'oak' is unknown; choose from: ash, birch, cedar"),
        (([1], -1), r"class -1 is unknown"),
        (([1, 2], [0]), r"1 labels for 2 seeds"),
        (([1, 2], [0, 9]), r"class 9 is unknown"),
        (([-1], 0), r"a seed is a whole number from 0 to 4294967295, found -1"),
        (([2**32], 0), r"a seed is a whole number"),
        (([1], 0, float("nan")), r"psi must be a finite number, found nan"),
    ],
)
def test_arguments_that_mean_nothing(arguments: tuple[Any, ...], message: str, tiny: Bundle) -> None:
    with pytest.raises(OptionError, match=message):
        tiny.generate(*arguments)


def test_arguments_that_mean_nothing_without_classes_or_w_space(tiny: Bundle, dcgan_bundle: Path) -> None:
    with pytest.raises(OptionError, match="cutoff counts layers from 0"):
        tiny.generate([1], 0, cutoff=-1)
    dcgan = open_bundle(dcgan_bundle)
    assert dcgan.generate([1]).shape == (1, 16, 16, 3)
    with pytest.raises(OptionError, match="has no classes"):
        dcgan.generate([1], 0)
    with pytest.raises(OptionError, match="no w space, so psi and cutoff mean nothing"):
        dcgan.generate([1], psi=0.5)
    with pytest.raises(OptionError, match="no w space, so psi and cutoff mean nothing"):
        dcgan.generate([1], cutoff=1)
    with pytest.raises(OptionError, match="made without noise"):
        dcgan.generate([1], noise="const")


def test_a_bundle_without_onnx_says_what_to_do(copy: Path) -> None:
    data = json.loads((copy / MANIFEST_NAME).read_text())
    del data["targets"]["onnx"]
    (copy / MANIFEST_NAME).write_text(json.dumps(data))
    with pytest.raises(BundleError, match="has no ONNX target; convert again with --to onnx,tfjs"):
        open_bundle(copy).generate([1], 0)


def test_without_onnxruntime_it_says_what_to_install(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(RuntimeUnavailableError, match=r"install \"ganexport\[cpu\]\""):
        open_bundle(tiny_bundle).generate([1], 0)


def test_a_broken_graph_is_named(copy: Path) -> None:
    (copy / "onnx" / "synthesis.onnx").write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"onnxruntime cannot run .*synthesis\.onnx"):
        open_bundle(copy).generate([1], 0)


@pytest.mark.parametrize("path", ["none", "file", "."])
def test_what_is_no_bundle(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    with pytest.raises(BundleError):
        open_bundle(tmp_path / path)
    with pytest.raises(BundleError):
        open_bundle(str(tmp_path / path))


def test_latents_are_drawn_as_they_come(tiny: Bundle) -> None:
    ws = tiny.latents([3, 4], [0, 2], 0.5, cutoff=2)
    assert ws.shape == (2, 6, 7)
    assert ws.dtype == np.float32
    assert_same(tiny.draw(ws), tiny.generate([3, 4], [0, 2], 0.5, cutoff=2))
    mixed = mix_styles(ws[:1], ws[1:], (0, 6))
    assert_same(tiny.draw(mixed), tiny.draw(ws[1:]))
    assert tiny.draw(ws[:0]).shape == (0, 16, 16, 3)
    mapped = tiny.latents((), [0, 2], 0.5, cutoff=2, z=z_from_seeds([3, 4], 8))
    np.testing.assert_array_equal(mapped, ws)
    with pytest.raises(OptionError, match=r"latents must be z \[1, 8\], found \[1, 7\]"):
        tiny.latents((), 0, z=z_from_seeds([3], 7))


def test_c_itself_may_stand_for_the_labels(tiny: Bundle, conditional_dcgan_bundle: Path) -> None:
    dcgan = open_bundle(conditional_dcgan_bundle)
    c = np.asarray([[1, 0, 0], [0.5, 0.25, 0.25]], np.float32)
    z = z_from_seeds([3, 4], 8)
    np.testing.assert_array_equal(tiny.latents((), c[:1], z=z[:1]), tiny.latents([3], 0))
    assert abs(tiny.latents((), c[1:], z=z[1:]) - tiny.latents([4], 0)).max() > 1e-3
    found, ends = dcgan.generate([3], c[1:, :2]), dcgan.generate([3, 3], [0, 1])
    assert abs(found.astype(int) - ends.astype(int)).max(axis=(1, 2, 3)).min() > 1
    for bundle, wrong in ((tiny, c[:1]), (dcgan, c)):
        with pytest.raises(OptionError, match=r"latents must be c \[2, \d\], found"):
            bundle.generate([3, 4], wrong)
    with pytest.raises(OptionError, match=r"latents c hold values that are not finite"):
        tiny.generate([3, 4], c * np.nan)


def test_latents_that_cannot_be_drawn(tiny: Bundle, dcgan_bundle: Path) -> None:
    dcgan = open_bundle(dcgan_bundle)
    ws = tiny.latents([1], 0)
    for wrong in (ws[0], ws[:, :5], dcgan.latents([1])):
        with pytest.raises(OptionError, match=r"latents must be ws \[\d, 6, 7\], found"):
            tiny.draw(wrong)
    with pytest.raises(OptionError, match="latents ws hold values that are not finite"):
        tiny.draw(ws * np.nan)
    with pytest.raises(OptionError, match="ws have their class in them, so class 1 has no meaning here"):
        tiny.draw(ws, 1)
    with pytest.raises(OptionError, match="must be z"):
        dcgan.draw(ws)
    z = dcgan.latents([1, 2])
    np.testing.assert_array_equal(z, z_from_seeds([1, 2], 10))
    assert_same(dcgan.draw(z), dcgan.generate([1, 2]))


# ----------------------------------------------------------------------------------------------------------- files


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", BUNDLE_FILES)
def test_one_flipped_bit_is_found(name: str, copy: Path) -> None:
    size = (copy / name).stat().st_size
    for at in (0, size // 2, size - 1):
        flip(copy / name, at)
        with pytest.raises(BundleError, match=f"{name} was altered: its SHA-256 is not the manifest's"):
            verify(copy)
        flip(copy / name, at)
    check_files(copy, read_manifest(copy))


def test_every_kind_of_file_was_flipped(tiny_bundle: Path) -> None:
    assert set(read_manifest(tiny_bundle).files) == set(BUNDLE_FILES)


def test_every_flipped_hash_in_the_manifest_is_found(copy: Path) -> None:
    text = (copy / MANIFEST_NAME).read_text(encoding="utf-8")
    manifest = read_manifest(copy)
    for entry in manifest.files.values():
        digit = "0" if entry.sha256[0] != "0" else "1"
        (copy / MANIFEST_NAME).write_text(text.replace(entry.sha256, digit + entry.sha256[1:]), encoding="utf-8")
        with pytest.raises(BundleError, match="was altered"):
            verify(copy)
    sha = manifest.provenance.weights_sha256
    digit = "0" if sha[0] != "0" else "1"
    (copy / MANIFEST_NAME).write_text(text.replace(sha, digit + sha[1:]), encoding="utf-8")
    with pytest.raises(BundleError, match="holds other weights than the manifest says"):
        verify(copy)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "preview.webp").unlink(), r"preview\.webp is missing"),
        (lambda folder: (folder / "extra.bin").write_bytes(b"x"), r"extra\.bin is not in the manifest"),
        (lambda folder: (folder / "onnx" / ".hidden").write_bytes(b""), r"onnx/\.hidden is not in the manifest"),
        (lambda folder: (folder / "README.md").write_bytes(b""), r"README\.md has 0 bytes, expected \d+"),
        (
            lambda folder: (folder / "preview.webp").rename(folder / "moved.webp"),
            r"preview\.webp is missing; moved\.webp is not in the manifest",
        ),
    ],
)
def test_files_that_are_missing_or_left_over(change: Callable[[Path], Any], message: str, copy: Path) -> None:
    change(copy)
    with pytest.raises(BundleError, match=message):
        verify(copy)


def test_a_link_in_place_of_a_file_is_found(copy: Path, tmp_path: Path) -> None:
    (copy / "preview.webp").rename(tmp_path / "elsewhere.webp")
    (copy / "preview.webp").symlink_to(tmp_path / "elsewhere.webp")
    with pytest.raises(BundleError, match=r"preview\.webp is missing"):
        verify(copy)


# ---------------------------------------------------------------------------------------------------------- verify


@pytest.mark.usefixtures("onnxruntime_only")
def test_a_whole_bundle_is_verified_against_the_oracle(tiny_bundle: Path) -> None:
    told = Told()
    results = verify(tiny_bundle, progress=told, allow_unverified=True)
    assert told.stages[0] == "checking the files"
    assert {r.tensor for r in results} == {"weights_sha256", "ws", "rgb_b4", "rgb_b8", "image", "images"}
    assert {r.status for r in results} == {"ok"}


def resign(folder: Path, drop: str | None = None) -> None:
    """Write the manifest again for the files that are there, as a careful forger would."""
    data = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
    if drop:
        (folder / drop).unlink()
        del data["files"][drop]
    for name, entry in data["files"].items():
        entry |= {"bytes": (folder / name).stat().st_size, "sha256": file_sha256(folder / name)}
    (folder / MANIFEST_NAME).write_text(json.dumps(data), encoding="utf-8")


@pytest.mark.usefixtures("onnxruntime_only")
def test_without_its_checkpoint_it_is_held_against_its_recorded_pictures(copy: Path) -> None:
    resign(copy, drop="checkpoint.safetensors")
    results = verify(copy, allow_unverified=True)
    assert {r.tensor for r in results} == {"weights_sha256", "images"}
    assert {r.status for r in results} == {"ok"}


@pytest.mark.usefixtures("onnxruntime_only")
@pytest.mark.parametrize("drop", [None, "checkpoint.safetensors"])
def test_another_generators_graphs_fail_even_with_fitting_hashes(
    drop: str | None, copy: Path, tiny_generator: Generator
) -> None:
    weights = {**tiny_generator.weights}
    weights["synthesis.b16.torgb.bias"] = weights["synthesis.b16.torgb.bias"] + np.float32(0.2)
    lookalike = make_generator(tiny_generator.spec, weights)
    object.__setattr__(lookalike, "provenance", tiny_generator.provenance)  # which no honest program can do
    shutil.rmtree(copy / "onnx")
    EXPORTERS["onnx"](lookalike, copy, ExportOptions())
    resign(copy, drop=drop)
    with pytest.raises(ParityError, match="does not draw the same picture"):
        verify(copy, allow_unverified=True)


def test_verify_is_closed_where_nothing_can_run(
    bundle_of: Callable[..., Path], tiny_generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bundle_of(tiny_generator, "onnx-alone", ConvertOptions(targets=("onnx",)))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ParityError, match="no runtime could verify the onnx target"):
        verify(folder)
    (result,) = verify(folder, allow_unverified=True)
    assert result.status == "not verified"


# --------------------------------------------------------------------------------------------------- what it needs

DRAW = """
import ganexport

assert not {n.partition(".")[0] for n in sys.modules} & {"numpy", "onnx", "onnxruntime", "pydantic", "rich", "typer"}
pictures = ganexport.open_bundle(sys.argv[1]).generate(seeds=[1, 2], label=0, psi=0.7)
assert pictures.shape[0] == 2 and pictures.dtype.name == "uint8"
print(json.dumps([wanted, sorted({n.partition(".")[0] for n in sys.modules})]))
"""


def test_drawing_needs_onnxruntime_and_little_else(digits_bundle: Path) -> None:
    done = run_bare(DRAW, str(digits_bundle))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    _, loaded = json.loads(done.stdout)
    # What would make the first picture wait: of the base dependencies too, only those that drawing needs.
    assert not set(loaded) & {"onnx", "typer", "rich", "tensorflow", "keras", "torch"}


def test_a_conversion_without_onnxruntime_is_possible_but_said(tiny_checkpoint: Path, tmp_path: Path) -> None:
    program = """
from pathlib import Path
import ganexport

from ganexport import convert

generator = ganexport.load(Path(sys.argv[1]))
try:
    convert.convert(generator, Path(sys.argv[2]), convert.ConvertOptions(targets=("onnx",)))
except ganexport.GanExportError as error:
    print(error)
options = convert.ConvertOptions(targets=("onnx",), allow_unverified=True)
print(convert.convert(generator, Path(sys.argv[2]), options).parity[0].status)
"""
    done = run_bare(program, str(tiny_checkpoint), str(tmp_path / "out"), extras=())
    assert done.returncode == 0, done.stderr
    refusal, status = done.stdout.splitlines()
    assert "no runtime could verify the onnx target" in refusal
    assert "onnxruntime is not installed" in refusal
    assert status == "not verified"


def test_many_pictures_go_through_the_graphs_in_batches(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that memory does not grow with their number; they are the same pictures."""
    bundle = open_bundle(tiny_bundle)
    whole = bundle.generate(range(7), label=1)
    sizes: list[int] = []
    run = OnnxSession.run

    def counted(self: OnnxSession, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        sizes.append(len(next(iter(feeds.values()))))
        return run(self, feeds)

    monkeypatch.setattr(OnnxSession, "run", counted)
    monkeypatch.setattr("ganexport.bundle.PIXELS_A_RUN", 3 * bundle.manifest.spec.resolution**2)
    np.testing.assert_array_equal(bundle.generate(range(7), label=1), whole)
    assert max(sizes[1:]) == 3  # the first is the mapping
