"""docs/bulk.md: its commands and programs are run as they stand there, in their order."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ganexport import cli

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "bulk.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(sh|python)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_the_document(
    digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "digits").symlink_to(digits_bundle)
    monkeypatch.chdir(tmp_path)
    for command in [line for language, code in BLOCKS if language == "sh" for line in code.splitlines()]:
        monkeypatch.setattr(sys, "argv", shlex.split(command))
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert not stopped.value.code, capsys.readouterr().err
    assert json.loads((tmp_path / "shared" / "manifest.json").read_text())["pictures"] == 400
    program = "\n".join(code for language, code in BLOCKS if language == "python")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False, env=environment()
    )
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert first == "500 {'index': 12, 'seed': 12, 'label': 2, 'class': '2'} (32, 32)"
    assert second == "(100, 32, 32, 1) [0 1 2] [3 7 3 3 7 3]"
    assert third == f"200 {tmp_path / 'from-python'}"


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}
