"""An encoder in a bundle: proven, as a whole or not at all; and what a bundle's encoder finds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from oracles import encoder as oracle
from PIL import Image
from support.encoders import encoder_for
from support.generators import make_generator, stylegan2_spec
from support.interpreters import relative_error
from support.trees import tree

from ganexport import add_encoder as adding
from ganexport import cli, open_bundle
from ganexport.add_encoder import add_encoder, remove_encoder
from ganexport.bundle import Bundle, Encoded, check_files
from ganexport.convert import ConvertOptions
from ganexport.describe import describe
from ganexport.encoders.encoder import Encoder
from ganexport.errors import BundleError, OptionError, OutputExistsError, ParityError
from ganexport.exporters.graphs import ExportOptions
from ganexport.latent_files import read_latents
from ganexport.manifest import Manifest, read_manifest
from ganexport.pictures import from_uint8, read_picture, save_picture
from ganexport.play import draw_classes, encode_files
from ganexport.revision import Revision, revised
from ganexport.site import _for_pages
from ganexport.verify import verify

FILES = {"encoder.safetensors", "onnx/encoder.onnx"}


@pytest.fixture(scope="module")
def plain(bundle_of: Callable[..., Path], tiny_generator: Any) -> Path:
    """The tiny generator for ONNX alone, which is soon proven."""
    return bundle_of(tiny_generator, "tiny", ConvertOptions(targets=("onnx",)))


@pytest.fixture(scope="module")
def encoder(tiny_generator: Any) -> Encoder:
    return encoder_for(tiny_generator.spec, tiny_generator.provenance.weights_sha256)


@pytest.fixture(scope="module")
def encoded(plain: Path, encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with an encoder, to be read."""
    copy = Path(shutil.copytree(plain, tmp_path_factory.mktemp("encoded") / "tiny"))
    add_encoder(copy, encoder)
    return copy


@pytest.fixture
def bundle(plain: Path, tmp_path: Path) -> Path:
    """A copy of `plain`, to be changed."""
    return Path(shutil.copytree(plain, tmp_path / "there" / "tiny"))


@pytest.mark.slow
def test_an_encoder_is_proven_in_every_runtime(tiny_bundle: Path, encoder: Encoder, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "tiny"))
    entry = add_encoder(bundle, encoder)
    manifest = read_manifest(bundle)
    check_files(bundle, manifest)
    assert manifest.encoder == entry
    assert (entry.space, entry.file, entry.weights_sha256) == ("z", "encoder.safetensors", encoder.weights_sha256)
    shapes = {t: [(x.name, x.shape) for x in (*g.inputs, *g.outputs)] for t, g in entry.graphs.items()}
    found = [("z", ("N", 8)), ("c_logits", ("N", 3))]
    assert shapes == {
        "onnx": [("image", ("N", 3, 16, 16)), *found],
        "tfjs": [("image", ("N", 16, 16, 3)), *found],
    }
    rows = [r for r in manifest.parity if r.case.startswith("encode ")]
    cases = {f"encode {case.name}" for case in manifest.goldens.cases}
    compared = {(r.runtime, r.case, r.tensor) for r in rows if r.status == "ok" and r.tensor != "weights_sha256"}
    runtimes = ("onnxruntime-cpu", "tfjs-cpu", "tfjs-wasm")
    assert compared == {(r, c, t) for r in runtimes for c in cases for t in ("z", "c_logits")}
    assert {r.case for r in rows if r.tensor == "weights_sha256"} == {
        "encode onnx/encoder.onnx",
        "encode tfjs/encoder/model.json",
    }
    assert [r for r in verify(bundle) if r.case.startswith("encode ")] == rows

    pages = _for_pages(manifest)
    assert pages.encoder is not None
    assert pages.encoder.file is None
    assert {"onnx/encoder.onnx", "tfjs/encoder/model.json", "tfjs/encoder/group1-shard1of1.bin"} <= pages.files.keys()
    assert "encoder.safetensors" not in pages.files

    before = tree(tiny_bundle)
    remove_encoder(bundle)
    assert tree(bundle) == before


def test_a_bundle_says_that_it_has_an_encoder(encoded: Path, plain: Path) -> None:
    assert describe(encoded)["encoder"] == "from pictures to z"
    card = (encoded / "README.md").read_text(encoding="utf-8")
    assert card.index("## Proof") < card.index("## Encoder") < card.index("## Use")
    assert "- error: 0.5" in card
    assert tree(encoded).keys() - tree(plain).keys() == FILES


def test_one_encoder_replaces_another(bundle: Path, encoder: Encoder) -> None:
    add_encoder(bundle, encoder)
    before = tree(bundle)
    other = replace(encoder, weights={n: -a for n, a in encoder.weights.items()}, figures={})
    with pytest.raises(OutputExistsError, match="has an encoder already; pass --force"):
        add_encoder(bundle, other)
    add_encoder(bundle, other, force=True)
    manifest = read_manifest(bundle)
    check_files(bundle, manifest)
    assert manifest.encoder is not None
    assert manifest.encoder.weights_sha256 == other.weights_sha256
    add_encoder(bundle, encoder, force=True)
    assert tree(bundle) == before


def test_an_encoder_of_another_generator_is_refused(bundle: Path, encoder: Encoder) -> None:
    before = tree(bundle)
    with pytest.raises(OptionError, match="trained for other weights"):
        add_encoder(bundle, replace(encoder, generator_sha256="ab" * 32))
    other = encoder_for(stylegan2_spec(z_dim=9), encoder.generator_sha256)
    with pytest.raises(OptionError, match="does not fit this generator: it has latent_dim 9 for 8"):
        add_encoder(bundle, other)
    with pytest.raises(OptionError, match="encoder's error is nan: its training went astray"):
        add_encoder(bundle, replace(encoder, figures={"error": float("nan")}))
    with pytest.raises(OptionError, match="has no encoder that could be removed"):
        remove_encoder(bundle)
    assert tree(bundle) == before


def flipped_kernel(encoder: Encoder) -> Encoder:
    name = "b8.conv0.weight"
    return replace(encoder, weights={**encoder.weights, name: encoder.weights[name][:, :, ::-1].copy()})


def not_a_number(encoder: Encoder) -> Encoder:
    weights = {**encoder.weights, "latent.bias": encoder.weights["latent.bias"] * 1e38 * 10}
    made = object.__new__(Encoder)
    made.__dict__.update({**vars(encoder), "weights": weights})
    return made


@pytest.mark.filterwarnings("ignore:overflow")
@pytest.mark.parametrize("mutate", [flipped_kernel, not_a_number])
def test_a_graph_that_finds_something_else_is_not_let_in(
    mutate: Callable[[Encoder], Encoder], bundle: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real = tree(bundle.parent), adding.ENCODER_EXPORTERS["onnx"]

    def wrong(encoder: Encoder, folder: Path) -> Any:
        return real(mutate(encoder), folder)

    monkeypatch.setitem(adding.ENCODER_EXPORTERS, "onnx", wrong)
    with pytest.raises(ParityError, match="encode one"):
        add_encoder(bundle, encoder)
    assert tree(bundle.parent) == before


@pytest.mark.parametrize("where", ["revised", "with_encoder", "check_encoder"])
@pytest.mark.parametrize("stop", [OSError("disk full"), KeyboardInterrupt()])
def test_a_bundle_is_never_half_changed(
    where: str, stop: BaseException, bundle: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(bundle.parent)

    def fail(*arguments: object, **more: object) -> None:
        raise stop

    monkeypatch.setattr(adding, where, fail)
    with pytest.raises(type(stop)):
        add_encoder(bundle, encoder)
    assert tree(bundle.parent) == before


def test_what_lies_where_an_encoder_goes_is_not_written_through(
    bundle: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with revised(bundle) as revision:
        revision.new("onnx/encoder.onnx").write_text("something else")
        revision.save(revision.before)
    before = tree(bundle)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr(adding, "check_encoder", Mock(side_effect=OSError("disk full")))
        add_encoder(bundle, encoder)
    assert tree(bundle) == before
    add_encoder(bundle, encoder)
    check_files(bundle, read_manifest(bundle))


def rewritten(folder: Path, change: Callable[[Manifest], Manifest]) -> None:
    """Another manifest, with the right hashes."""
    manifest = change(read_manifest(folder))
    Revision(folder, manifest.model_copy(update={"files": {}})).save(manifest)


def test_verify_sees_an_encoder_that_was_exchanged(encoded: Path, encoder: Encoder, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(encoded, tmp_path / "tiny"))
    other = flipped_kernel(encoder)
    other.save(bundle / "encoder.safetensors")
    rewritten(bundle, lambda manifest: manifest)
    with pytest.raises(BundleError, match="holds other weights than the manifest says"):
        verify(bundle)
    update = {"weights_sha256": other.weights_sha256}
    rewritten(bundle, lambda m: m.model_copy(update={"encoder": m.encoder and m.encoder.model_copy(update=update)}))
    with pytest.raises(ParityError, match=r"encode onnx/encoder.onnx weights_sha256: made of other weights"):
        verify(bundle)
    (bundle / "encoder.safetensors").unlink()
    rewritten(
        bundle, lambda m: m.model_copy(update={"encoder": m.encoder and m.encoder.model_copy(update={"file": None})})
    )
    rows = [r for r in verify(bundle) if r.case.startswith("encode ")]
    assert [(r.status, r.reason) for r in rows] == [
        ("not verified", "the bundle has no canonical weights of its encoder")
    ]


# --------------------------------------------------------------------------------------------------- what it finds


def test_a_bundle_finds_what_the_oracle_finds(encoded: Path, encoder: Encoder) -> None:
    bundle = open_bundle(encoded)
    pictures = bundle.generate([1, 2, 3], [0, 1, 2])
    found = bundle.encode(pictures)
    expected = oracle.encode(encoder.weights, from_uint8(pictures, (-1.0, 1.0)), reach="sphere", num_ws=0)
    assert relative_error(found.latents, expected["z"]) < 1e-4
    shares = np.exp(expected["c_logits"])
    assert found.probabilities is not None
    assert relative_error(found.probabilities, shares / shares.sum(axis=1, keepdims=True)) < 1e-4
    assert found.labels == expected["c_logits"].argmax(axis=1).tolist()


def saved(pictures: np.ndarray, folder: Path) -> list[Path]:
    """A file for each."""
    files = [folder / f"{i}.png" for i in range(len(pictures))]
    for file, picture in zip(files, pictures, strict=True):
        save_picture(picture, file, {})
    return files


def test_files_are_encoded_a_few_at_a_time_and_drawn_again(
    encoded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = open_bundle(encoded)
    pictures = bundle.generate([1, 2, 3], [0, 1, 2])
    whole, batches = bundle.encode(pictures), []

    def encode(self: Bundle, pictures: np.ndarray) -> Encoded:
        batches.append(len(pictures))
        return real(self, pictures)

    real = Bundle.encode
    monkeypatch.setattr("ganexport.bundle.PIXELS_A_RUN", 2 * 16 * 16)
    monkeypatch.setattr(Bundle, "encode", encode)
    found = encode_files(bundle, saved(pictures, tmp_path))
    assert batches == [2, 1]
    np.testing.assert_allclose(found.points.latents, whole.latents, rtol=1e-5, atol=1e-5)
    assert found.encoded.labels == whole.labels
    again = bundle.draw(bundle.latents((), found.encoded.labels, 1.0, z=found.points.latents))
    np.testing.assert_allclose(found.drawn.astype(int), again, atol=1)
    every = draw_classes(bundle, found)
    assert every.shape == (3, 3, 16, 16, 3)
    for i, label in enumerate(found.encoded.labels or ()):
        np.testing.assert_allclose(every[i, label].astype(int), again[i], atol=1)
    with pytest.raises(OptionError, match="no picture to find latents of"):
        encode_files(bundle, [])


def test_what_cannot_be_encoded_is_refused(encoded: Path, plain: Path) -> None:
    bundle = open_bundle(encoded)
    with pytest.raises(OptionError, match=r"uint8 \[N, 16, 16, 3\], found uint8 \[1, 8, 8, 3\]"):
        bundle.encode(np.zeros((1, 8, 8, 3), np.uint8))
    with pytest.raises(OptionError, match=r"found float32 \[1, 16, 16, 3\]"):
        bundle.encode(np.zeros((1, 16, 16, 3), np.float32))  # type: ignore[arg-type]
    with pytest.raises(BundleError, match="has no encoder for ONNX; put one in with `ganexport add-encoder`"):
        open_bundle(plain).encode(np.zeros((1, 16, 16, 3), np.uint8))


@pytest.mark.slow
def test_ws_are_found_and_drawn_with_noise_as_an_input(bundle_of: Callable[..., Path], tmp_path: Path) -> None:
    generator = make_generator(stylegan2_spec(c_dim=0))
    folder = bundle_of(generator, "w", ConvertOptions(targets=("onnx",), export=ExportOptions(noise="input")))
    add_encoder(folder, encoder_for(generator.spec, generator.provenance.weights_sha256))
    bundle = open_bundle(folder)
    found = encode_files(bundle, saved(bundle.generate([4], noise="none"), tmp_path))
    assert (found.points.latents.shape, found.encoded.probabilities, found.encoded.labels) == ((1, 6, 7), None, None)
    np.testing.assert_array_equal(found.drawn, bundle.draw(found.points.latents, noise="random", seeds=[0]))
    with pytest.raises(OptionError, match="has no classes"):
        draw_classes(bundle, found)


# -------------------------------------------------------------------------------------------------- pictures, files


def test_a_picture_file_becomes_one_of_the_generators(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    wide = np.zeros((40, 100, 3), np.uint8)
    wide[:, 30:70] = (10, 200, 30)  # the square in the middle
    Image.fromarray(wide).save(path)
    np.testing.assert_array_equal(read_picture(path, 16, 3), np.full((16, 16, 3), (10, 200, 30), np.uint8))
    indexed = Image.fromarray(wide).quantize(4)
    indexed.save(path)
    assert np.abs(read_picture(path, 16, 3).astype(int) - (10, 200, 30)).max() <= 4
    Image.new("LA", (8, 8), (7, 0)).save(path)
    assert (read_picture(path, 16, 3) == 255).all()
    deep = np.full((16, 16), 40_000, np.uint16)
    Image.fromarray(deep).save(path)
    with pytest.raises(OptionError, match=r"wide.png cannot be read as a picture: its pixels are I;16"):
        read_picture(path, 16, 3)
    path.write_text("no picture")
    with pytest.raises(OptionError, match=r"wide.png cannot be read as a picture"):
        read_picture(path, 16, 3)


def test_the_command_line_encodes(encoded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = open_bundle(encoded)
    drawn = bundle.generate([5, 6], 1)
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file, picture in zip(files, drawn, strict=True):
        Image.fromarray(picture).save(file)
    outputs = {"-o": tmp_path / "l.safetensors", "--draw": tmp_path / "d.png", "--classes": tmp_path / "c.png"}
    arguments = ["encode", str(encoded), *map(str, files), *[str(x) for pair in outputs.items() for x in pair]]
    cli.app([*arguments, "--json"], standalone_mode=False)
    said = json.loads(capsys.readouterr().out)
    found = encode_files(bundle, files)
    assert [one["picture"] for one in said] == ["a.png", "b.png"]
    assert [one["label"] for one in said] == found.encoded.labels
    assert [one["error"] for one in said] == [round(error, 2) for error in found.errors]
    rms = np.sqrt(np.mean((found.drawn[0].astype(float) - drawn[0]) ** 2))
    assert found.errors[0] == pytest.approx(rms)
    latents = read_latents(tmp_path / "l.safetensors")
    assert (latents.space, latents.names) == ("z", ("a.png", "b.png"))
    np.testing.assert_array_equal(latents.latents, found.points.latents)
    assert latents.c is not None
    assert latents.c.argmax(axis=1).tolist() == found.encoded.labels
    for name, size in (("d.png", (32, 32)), ("c.png", (64, 32))):
        with Image.open(tmp_path / name) as picture:
            assert picture.size == size
    cli.app(arguments, standalone_mode=False)
    assert "wrote" in capsys.readouterr().out


def test_the_command_line_adds_and_removes(
    bundle: Path, encoder: Encoder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder.save(tmp_path / "e.safetensors")
    before = tree(bundle)
    cli.app(["add-encoder", str(bundle), str(tmp_path / "e.safetensors")], standalone_mode=False)
    assert "has an encoder now" in capsys.readouterr().out
    assert tree(bundle).keys() - before.keys() == FILES
    cli.app(["add-encoder", str(bundle), "--remove"], standalone_mode=False)
    assert "has no encoder now" in capsys.readouterr().out
    assert tree(bundle) == before
    with pytest.raises(OptionError, match="give an encoder's file, or --remove"):
        cli.app(["add-encoder", str(bundle)], standalone_mode=False)
