"""The canonical checkpoint: written, read back, and refused when anything about it is wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from support.generators import make_generator, stylegan2_spec

from ganexport.errors import CheckpointError, OptionError, OutputExistsError, SpecError, WeightsError
from ganexport.generator import METADATA_KEY, Generator, load, with_labels
from ganexport.weights import file_sha256, read_tensors


def header_of(path: Path) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(read_tensors(path)[1][METADATA_KEY])
    return header


def rewrite(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Write a checkpoint again with another header."""
    header = header_of(path)
    changed = change(header)
    text = changed if isinstance(changed, str) else json.dumps(header if changed is None else changed)
    save_file(load_file(path), path, {METADATA_KEY: text})


@pytest.fixture
def checkpoint(tiny_generator: Generator, tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    tiny_generator.save(path)
    return path


# ------------------------------------------------------------------------------------------------------ round trip


def test_what_is_saved_is_loaded(tiny_generator: Generator, checkpoint: Path) -> None:
    found = load(checkpoint)
    assert found.spec == tiny_generator.spec
    assert type(found.spec) is type(tiny_generator.spec)
    assert found.labels == tiny_generator.labels == ("ash", "birch", "cedar")
    assert found.weights.keys() == tiny_generator.weights.keys()
    for name, tensor in tiny_generator.weights.items():
        assert found.weights[name].shape == tensor.shape
        np.testing.assert_array_equal(found.weights[name], tensor)
    assert found.parameters == sum(t.size for t in tiny_generator.weights.values())


def test_loading_says_which_file_it_was(tiny_generator: Generator, checkpoint: Path) -> None:
    found = load(checkpoint).provenance
    assert found.source_sha256 == file_sha256(checkpoint)
    assert found.source_format == "ganexport checkpoint"
    assert found.weights_sha256 == tiny_generator.provenance.weights_sha256
    assert found.licence == tiny_generator.provenance.licence


def test_a_known_source_stays_the_source(tiny_generator: Generator, tmp_path: Path) -> None:
    provenance = tiny_generator.provenance.model_copy(update={"source_sha256": "ab" * 32, "source_format": "pickle"})
    Generator(tiny_generator.spec, tiny_generator.weights, provenance).save(tmp_path / "net")
    assert load(tmp_path / "net").provenance == provenance


def test_equal_generators_give_equal_files(tiny_generator: Generator, checkpoint: Path, tmp_path: Path) -> None:
    reordered = dict(reversed(tiny_generator.weights.items()))
    Generator(tiny_generator.spec, reordered, tiny_generator.provenance, tiny_generator.labels).save(tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == checkpoint.read_bytes()


def test_saving_keeps_an_existing_file_when_told(tiny_generator: Generator, checkpoint: Path) -> None:
    before = checkpoint.read_bytes()
    with pytest.raises(OutputExistsError):
        tiny_generator.save(checkpoint, force=False)
    assert checkpoint.read_bytes() == before


# ----------------------------------------------------------------------------------------------------- the tensors


def test_an_altered_tensor_is_detected(checkpoint: Path) -> None:
    tensors, (_, metadata) = load_file(checkpoint), read_tensors(checkpoint)
    tensors["synthesis.b8.conv1.weight"][0, 0, 0, 0] += 1e-3
    save_file(tensors, checkpoint, metadata)
    with pytest.raises(CheckpointError, match="the tensors were changed: their hash is"):
        load(checkpoint)


def test_a_flipped_bit_at_the_very_end_is_detected(checkpoint: Path) -> None:
    data = bytearray(checkpoint.read_bytes())
    data[-1] ^= 1
    checkpoint.write_bytes(data)
    with pytest.raises(CheckpointError):
        load(checkpoint)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.update({"\x1b[2J\n": t["mapping.w_avg"]}), r"unused \?\[2J\? \[7\]"),
        (lambda t: t.update({str(i): np.zeros(1) for i in range(90)}), "; and 70 more$"),
        (lambda t: t.pop("mapping.w_avg"), r"missing mapping\.w_avg \[7\]"),
        (lambda t: t.update(more=t["mapping.w_avg"]), r"unused more \[7\]"),
        (
            lambda t: t.update({"synthesis.b4.const": t["synthesis.b4.const"][:, :, :3]}),
            r"synthesis\.b4\.const is \[8, 4, 3\], expected \[8, 4, 4\]",
        ),
        (
            lambda t: t.update({"mapping.w_avg": t["mapping.w_avg"].astype(np.float16)}),
            r"mapping\.w_avg is float16, expected float32",
        ),
    ],
)
def test_tensors_that_do_not_fit_the_spec_are_named(
    checkpoint: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    tensors, (_, metadata) = load_file(checkpoint), read_tensors(checkpoint)
    change(tensors)
    save_file({n: np.ascontiguousarray(t) if t.ndim else t for n, t in tensors.items()}, checkpoint, metadata)
    with pytest.raises(WeightsError, match=message):
        load(checkpoint)


def test_a_generator_is_checked_when_it_is_made() -> None:
    spec = stylegan2_spec()
    good = make_generator(spec)
    with pytest.raises(WeightsError, match=r"missing mapping\.w_avg"):
        Generator(spec, {n: t for n, t in good.weights.items() if n != "mapping.w_avg"}, good.provenance)
    with pytest.raises(WeightsError, match="not finite"):
        broken = {**good.weights, "mapping.w_avg": np.full(7, np.nan, np.float32)}
        Generator(spec, broken, good.provenance)


# ------------------------------------------------------------------------------------------------------ the header


@pytest.mark.parametrize(
    "change",
    [
        lambda header: "{",
        lambda header: "",
        lambda header: "[]",
        lambda header: "5",
        lambda header: "null",
        pytest.param(lambda header: "[" * 100_000, id="nested-deeply"),
        pytest.param(lambda header: "1" * 5000, id="number-of-many-digits"),
        pytest.param(lambda header: {**header, "version": "v" * 1_000_000}, id="long-version"),
        lambda header: {},
        lambda header: {**header, "version": 2},
        lambda header: {**header, "version": "1"},
        lambda header: {k: v for k, v in header.items() if k != "spec"},
        lambda header: {k: v for k, v in header.items() if k != "labels"},
        lambda header: {k: v for k, v in header.items() if k != "provenance"},
        lambda header: {**header, "provenance": None},
        lambda header: {**header, "provenance": {**header["provenance"], "weights_sha256": "abc"}},
        lambda header: {**header, "provenance": {**header["provenance"], "weights_sha256": "ab" * 32}},
        lambda header: {**header, "provenance": {**header["provenance"], "more": 1}},
        lambda header: {**header, "labels": 5},
        pytest.param(
            lambda header: {**header, "labels": [1, 2, 3]},
            id="labels-are-numbers",
        ),
        pytest.param(
            lambda header: {**header, "labels": "abc"},
            id="labels-are-one-text",
        ),
    ],
)
def test_a_broken_header_is_no_checkpoint(checkpoint: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    rewrite(checkpoint, change)
    with pytest.raises(CheckpointError) as caught:
        load(checkpoint)
    assert "net.safetensors" in str(caught.value)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: {**h, "spec": {**h["spec"], "architecture": "biggan"}}, "unknown architecture 'biggan'"),
        (lambda h: {**h, "spec": {**h["spec"], "resolution": 17}}, "resolution"),
        (lambda h: {**h, "spec": {**h["spec"], "more": 1}}, "more: Extra inputs"),
        (lambda h: {**h, "spec": {**h["spec"], "\x1b[2J\n": 1}}, r"\?\[2J\?: Extra inputs"),
        (lambda h: {**h, "labels": ["ash", "\ud800", "cedar"]}, "no valid Unicode"),
        (lambda h: {**h, "labels": ["ash", "birch"]}, "2 label names for 3 classes"),
        (lambda h: {**h, "labels": ["ash", "ash", "cedar"]}, "two classes have the same name"),
    ],
)
def test_a_spec_that_makes_no_sense_says_why(
    checkpoint: Path, change: Callable[[dict[str, Any]], Any], message: str
) -> None:
    rewrite(checkpoint, change)
    with pytest.raises(SpecError, match=message):
        load(checkpoint)


@pytest.mark.parametrize("spec", [None, [], 5, "stylegan2"])
def test_a_spec_that_is_no_object_is_no_checkpoint(checkpoint: Path, spec: Any) -> None:
    rewrite(checkpoint, lambda header: {**header, "spec": spec})
    with pytest.raises(CheckpointError):
        load(checkpoint)


def test_other_safetensors_files_are_no_checkpoint(tmp_path: Path) -> None:
    save_file({"a": np.zeros(3, np.float32)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="no ganexport checkpoint: it holds no spec"):
        load(tmp_path / "other.safetensors")


@pytest.mark.parametrize("length", [0, 7, 100, -100, -1])
def test_a_truncated_checkpoint_is_no_checkpoint(checkpoint: Path, length: int) -> None:
    checkpoint.write_bytes(checkpoint.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="not a complete safetensors file"):
        load(checkpoint)


def test_a_folder_and_a_missing_file_are_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a folder"):
        load(tmp_path)
    with pytest.raises(CheckpointError, match="does not exist"):
        load(tmp_path / "none.safetensors")


# -------------------------------------------------------------------------------------------------------- labels


def test_names_come_from_a_text_file(tiny_generator: Generator, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("  Ahorn\n\nBuche \nRüster\n", encoding="utf-8")
    named = with_labels(tiny_generator, names)
    assert named.labels == ("Ahorn", "Buche", "Rüster")
    assert named.weights is tiny_generator.weights


@pytest.mark.parametrize("text", ["one\ntwo\n", "one\ntwo\nthree\nfour\n", "", "one\ntwo\none\n"])
def test_as_many_names_as_classes(tiny_generator: Generator, tmp_path: Path, text: str) -> None:
    (tmp_path / "names.txt").write_text(text)
    with pytest.raises(SpecError):
        with_labels(tiny_generator, tmp_path / "names.txt")


def test_names_that_cannot_be_read(tiny_generator: Generator, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="cannot read the class names"):
        with_labels(tiny_generator, tmp_path / "none.txt")
    (tmp_path / "latin1.txt").write_bytes(b"R\xfcster\nb\nc\n")
    with pytest.raises(OptionError, match="cannot read the class names"):
        with_labels(tiny_generator, tmp_path / "latin1.txt")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "long.txt").write_bytes(b"x" * ((1 << 20) + 1))
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path / "long.txt", tmp_path):
        with pytest.raises(OptionError, match="cannot read the class names"):
            with_labels(tiny_generator, path)
