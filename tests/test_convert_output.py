"""A bundle appears whole or not at all, and takes the place of nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.generators import dcgan_spec, make_generator
from support.told import Told
from support.trees import files_of

from ganexport.bundle import check_files
from ganexport.convert import ConvertOptions, convert
from ganexport.errors import GanExportError, OutputExistsError, ParityError
from ganexport.exporters import EXPORTERS, ExportOptions
from ganexport.generator import Generator
from ganexport.manifest import MANIFEST_NAME, read_manifest

ONNX = ConvertOptions(targets=("onnx",))


def broken(generator: Generator, folder: Path, options: ExportOptions) -> None:
    (folder / "onnx").mkdir()
    raise ParityError("it went wrong")


def test_an_existing_folder_is_kept_without_force(tiny_generator: Generator, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(OutputExistsError, match=r"out exists; choose another output or pass --force"):
        convert(tiny_generator, tmp_path / "out", ONNX)
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_no_bundle_is_kept_also_with_force(tiny_generator: Generator, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("home", "file"):
        with pytest.raises(OutputExistsError, match=rf"{name} exists and is no bundle that could be replaced"):
            convert(tiny_generator, tmp_path / name, ConvertOptions(targets=("onnx",), force=True))
    assert files_of(tmp_path) == {"home/mine.txt", "file"}


def test_an_existing_folder_is_kept_when_a_forced_conversion_fails(
    tiny_generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / MANIFEST_NAME).write_text("mine")
    monkeypatch.setitem(EXPORTERS, "onnx", broken)
    with pytest.raises(ParityError):
        convert(tiny_generator, tmp_path / "out", ConvertOptions(targets=("onnx",), force=True))
    assert files_of(tmp_path) == {f"out/{MANIFEST_NAME}"}
    assert (tmp_path / "out" / MANIFEST_NAME).read_text() == "mine"


def test_a_failed_conversion_makes_no_folder_above_it(
    tiny_generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXPORTERS, "onnx", broken)
    with pytest.raises(ParityError):
        convert(tiny_generator, tmp_path / "new" / "out", ONNX)
    assert list(tmp_path.iterdir()) == []


def test_a_net_that_a_target_cannot_draw_says_so(tmp_path: Path) -> None:
    layers = (
        {"channels": 4, "kernel": 4, "stride": 1, "padding": 0, "activation": "relu"},
        {"channels": 3, "kernel": 2, "stride": 3, "padding": 0, "activation": "tanh"},
    )
    generator = make_generator(dcgan_spec(layers=layers, resolution=11))
    with pytest.raises(GanExportError):
        convert(generator, tmp_path / "out", ConvertOptions(targets=("tfjs",)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("files", [(), ("old.txt", MANIFEST_NAME)])
def test_force_replaces_what_was_there_as_a_whole(
    files: tuple[str, ...], tiny_generator: Generator, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    for name in files:
        (tmp_path / "out" / name).write_text("old")
    convert(tiny_generator, tmp_path / "out", ConvertOptions(targets=("onnx",), force=True))
    check_files(tmp_path / "out", read_manifest(tmp_path / "out"))
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


STAGES = ["writing onnx", "drawing the oracle's pictures", "verifying in onnxruntime-cpu", "writing the bundle"]


def test_stages_are_told(tiny_generator: Generator, tmp_path: Path) -> None:
    told = Told()
    manifest = convert(tiny_generator, tmp_path / "out", ONNX, progress=told)
    assert told.stages == STAGES
    cases = len(manifest.goldens.cases)
    assert told.steps == {STAGES[1]: (cases, cases), STAGES[2]: (cases, cases)}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("force", [False, True])
def test_ctrl_c_in_the_middle_leaves_nothing(
    stage: str, force: bool, tiny_generator: Generator, tmp_path: Path
) -> None:
    before = set()
    if force:
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / MANIFEST_NAME).write_text("mine")
        before = {f"out/{MANIFEST_NAME}"}

    class Stop(Told):
        def stage(self, text: str, steps: int | None = None) -> None:
            super().stage(text, steps)
            if text == stage:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(tiny_generator, tmp_path / "out", ConvertOptions(targets=("onnx",), force=force), progress=Stop())
    assert files_of(tmp_path) == before
    assert [p.name for p in tmp_path.iterdir()] == (["out"] if force else [])


def test_while_it_is_made_the_name_is_free(tiny_generator: Generator, tmp_path: Path) -> None:
    seen: list[bool] = []

    class Look(Told):
        def stage(self, text: str, steps: int | None = None) -> None:
            super().stage(text, steps)
            seen.append((tmp_path / "out").exists())

    convert(tiny_generator, tmp_path / "out", ONNX, progress=Look())
    assert seen
    assert not any(seen)
