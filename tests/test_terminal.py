"""What reaches a terminal is one line of text, whatever a file says."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from ganexport import terminal
from ganexport.terminal import plain, progress


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("digits", "digits"),
        ("ä 3² 😀", "ä 3² 😀"),
        ("[red]x[/] [/x]", "[red]x[/] [/x]"),
        ("a\nerror: forged", "a error: forged"),
        ("\x1b[2J\x1b]0;title\x07", "?[2J?]0;title?"),
        ("\x9b2J \u202eabc \ud800", "?2J ?abc ?"),
        ("x" * 5000, "x" * 4000 + "…"),
    ],
)
def test_plain(text: str, shown: str) -> None:
    out = io.StringIO()
    Console(file=out, highlight=False, width=10_000).print(plain(text), soft_wrap=True)
    assert out.getvalue() == shown + "\n"


def test_what_is_printed_under_a_bar_stays_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "errors", Console(file=io.StringIO(), force_terminal=True))
    with progress():
        print("for scripts")
    assert capsys.readouterr().out == "for scripts\n"


def test_progress_shows_steps_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(terminal, "errors", Console(file=out, force_terminal=True, width=120, color_system=None))
    with progress() as shown:
        shown.stage("drawing [b]x", 4)
        shown.step()
        time.sleep(0.2)
        shown.stage("writing")
    assert "drawing [b]x" in out.getvalue()
    assert "1/4" in out.getvalue()
    assert "writing" in out.getvalue()
    assert out.getvalue().endswith("\x1b[2K")  # the line was wiped


def test_progress_is_silent_where_nobody_looks(capfd: pytest.CaptureFixture[str]) -> None:
    with progress() as shown:
        shown.stage("drawing", 2)
        shown.step()
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(os.name == "nt", reason="not run: Windows has no SIGTERM that a program could answer")
def test_a_program_that_is_asked_to_end_leaves_nothing(tiny_checkpoint: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ganexport", "convert", str(tiny_checkpoint), "-o", str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not any(tmp_path.iterdir()):  # until it has begun to write
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 143
    assert list(tmp_path.iterdir()) == []
