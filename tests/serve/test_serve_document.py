"""docs/serve.md: its commands and snippets are run as they stand there."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.serving import Server, served
from support.shipped import DIGITS

from ganexport.bundle import Bundle
from ganexport.cli import app

TEXT = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(?P<language>\w+)(?: (?P<file>\S+))?\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = list(FENCE.finditer(TEXT))
COMMANDS = [
    line for block in BLOCKS if block["language"] == "sh" for line in block["code"].replace("\\\n", " ").splitlines()
]
CURLS = [line for line in COMMANDS if line.startswith("curl ")]
SNIPPETS = {block["file"]: block["code"] for block in BLOCKS if block["file"]}


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The server of the document's second line, on a port that is free."""
    (command,) = [line for line in COMMANDS if line.startswith("ganexport serve")]
    folder = tmp_path_factory.mktemp("documented")
    (folder / "digits").symlink_to(DIGITS)
    _, _, bundle, _, port = shlex.split(command)
    assert (bundle, port) == ("digits", "8080")
    with served(folder, folder / bundle) as server:
        yield server


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_commands(documented: Server, digits: Bundle, tmp_path: Path) -> None:
    assert len(CURLS) == 2
    for line in CURLS:
        command = shlex.split(line.replace("http://127.0.0.1:8080", documented.address))
        if "--json" in command:  # curl 7.82 and later
            at = command.index("--json")
            command[at : at + 1] = ["-H", "Content-Type: application/json", "-d"]
        subprocess.run([*command, "-sSf"], cwd=tmp_path, check=True, timeout=60)
    drawn = np.asarray(Image.open(tmp_path / "three.png")).astype(int)
    assert np.abs(drawn - digits.generate([42], 3, 0.7)[0, :, :, 0]).max() <= 1
    assert np.load(tmp_path / "pictures.npz", allow_pickle=False)["images"].shape == (24, 32, 32, 1)


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_the_client(documented: Server, tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(SNIPPETS["client.py"].replace("127.0.0.1:8080", documented.address[7:]))
    done = run("client.py", folder=tmp_path)
    assert done.stdout == "(1, 32, 32, 1) uint8\n", done.stderr


def test_the_application(tmp_path: Path) -> None:
    (tmp_path / "digits").symlink_to(DIGITS)
    (tmp_path / "service.py").write_text(SNIPPETS["service.py"])
    program = "import service; print(sorted(service.app.openapi()['paths'])[:2])"
    done = run("-c", program, folder=tmp_path)
    assert done.stdout == "['/healthz', '/metrics']\n", done.stderr


def test_every_option_that_it_names_is_there() -> None:
    import typer.main

    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    known = {name for parameter in command.params for name in parameter.opts}
    named = set(re.findall(r"`(--[a-z-]+)", TEXT))
    assert named <= known, named - known
