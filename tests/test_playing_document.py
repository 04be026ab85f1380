"""docs/playing.md: its commands are run as they stand there, and draw the pictures that it shows."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganexport import cli

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "playing.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(?P<language>\w+)(?: (?P<file>\S+))?\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = list(FENCE.finditer(TEXT))
COMMANDS = [line for block in BLOCKS if block["language"] == "sh" for line in block["code"].splitlines()]
SHOWN = re.findall(r"\]\(pictures/(play-\S+)\)", TEXT)


@pytest.fixture
def folder(digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a reader, with the digits and the document's own files."""
    (tmp_path / "digits").symlink_to(digits_bundle)
    for block in BLOCKS:
        if block["file"]:
            (tmp_path / block["file"]).write_text(block["code"], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def frames(path: Path) -> list[np.ndarray]:
    with Image.open(path) as image:
        found = []
        for i in range(getattr(image, "n_frames", 1)):
            image.seek(i)
            found.append(np.asarray(image.convert("RGB")).astype(int))
        return found


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_draws_what_is_shown(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = shlex.split(command)
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert not stopped.value.code
    output = folder / arguments[arguments.index("-o") + 1]
    assert output.is_file()
    if output.name in SHOWN:
        for found, shown in zip(frames(output), frames(DOCS / "pictures" / output.name), strict=True):
            np.testing.assert_allclose(found, shown, atol=1)


def test_every_picture_is_drawn_by_a_command() -> None:
    outputs = [command.split("-o ")[1] for command in COMMANDS]
    assert set(SHOWN) == {path.name for path in (DOCS / "pictures").glob("play-*")}
    assert set(SHOWN) <= set(outputs)
    assert len(set(outputs)) == len(outputs)


def test_the_program(folder: Path) -> None:
    (code,) = [block["code"] for block in BLOCKS if block["language"] == "python"]
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["pictures"].shape == (100, 32, 32, 1)
    np.testing.assert_array_equal(names["picture"][-32:, -32:], names["pictures"][-1])
    last = names["studio"].bundle.generate([19], 8)[0].astype(int)
    np.testing.assert_allclose(names["pictures"][-1].astype(int), last, atol=1)
