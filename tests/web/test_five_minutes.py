"""docs/five-minutes.md from an empty folder: its commands are run and its page is opened as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from authors_page import listen, picture
from watched import Watched

import ganexport
from ganexport.runtimes.browser import open_browser

pytestmark = [pytest.mark.web, pytest.mark.slow]

CLONE = Path(__file__).parents[2]
DOCUMENT = CLONE / "docs" / "five-minutes.md"
FENCE = re.compile(r"^```(?P<language>\w+)(?: (?P<file>\S+))?\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Reader:
    """Somebody who follows the document, in a folder of their own and with a clone at home."""

    folder: Path
    environment: dict[str, str]

    def run(self, commands: str) -> str:
        done = subprocess.run(
            ["bash", "-euc", commands],
            cwd=self.folder,
            env=self.environment,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def preview(self, command: str) -> Iterator[str]:
        """The address that it prints; any free port, since others may be at work here."""
        arguments = ["bash", "-c", f"exec {command.strip()} --port 0"]
        pipes = {"stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(arguments, cwd=self.folder, env=self.environment, **pipes) as process:
            try:
                yield process.stdout.readline().split()[0]
            finally:
                process.terminate()


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    home = tmp_path / "home"
    home.mkdir()
    (home / "ganexport").symlink_to(CLONE)
    folder = tmp_path / "empty"
    folder.mkdir()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return Reader(folder, {**os.environ, "HOME": str(home), "PATH": path, "PYTHONPATH": str(CLONE)})


def test_the_path_leads_to_a_picture(reader: Reader, digits_bundle: Path) -> None:
    blocks = list(FENCE.finditer(DOCUMENT.read_text(encoding="utf-8")))
    install, checkpoint, site, look, page, embedded = blocks
    assert install["code"].startswith("pip install ")  # the clone's own is used in its place
    for block in (checkpoint, site):
        reader.run(block["code"])
    with open_browser() as browser:
        with reader.preview(look["code"]) as url:
            watched = Watched(browser.new_page())
            watched.page.goto(url)
            watched.page.get_by_text("digits").first.wait_for()
        file = reader.folder / page["file"]
        file.write_text(page["code"], encoding="utf-8")
        file.with_name("favicon.ico").touch()  # browsers ask for one, and complain
        with reader.preview(embedded["code"]) as url:
            watched = Watched(browser.new_page())
            listen(watched.page)
            watched.page.goto(url)
            drawn = picture(watched.page)
            assert watched.messages == []
    expected = ganexport.open_bundle(digits_bundle).generate([42], label=3)[0]  # [H, W, 1]
    assert np.abs(drawn[..., :3] - expected).max() <= 1
