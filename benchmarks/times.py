"""What a user waits for at the command line, each a whole process: `python -m benchmarks times`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.processes import NotMeasuredError
from benchmarks.rounds import interleave
from ganexport.progress import SILENT, Progress

__all__ = ["measure"]

ROOT = Path(__file__).parents[1]
DIGITS = ROOT / "converted_models" / "digits"

FIRST_PICTURE = f"""
import ganexport
ganexport.open_bundle({str(DIGITS)!r}).generate(seeds=[1], label=3)
"""


def measure(runs: int, progress: Progress = SILENT) -> dict[str, dict[str, float | list[float]]]:
    """Wall-clock seconds of each command."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, output = str(DIGITS / "checkpoint.safetensors"), str(Path(folder) / "digits")
        program = [sys.executable, "-m", "ganexport"]
        commands = {
            "python start": [sys.executable, "-c", "pass"],
            "import numpy": [sys.executable, "-c", "import numpy"],
            "import to first picture": [sys.executable, "-c", FIRST_PICTURE],
            "convert the digits, gate included": [*program, "convert", checkpoint, "-o", output, "--force"],
            "verify the digits": [*program, "verify", output],
        }
        progress.stage("whole commands", steps=(runs + 1) * len(commands))
        contestants = {name: lambda command=command: _seconds(command) for name, command in commands.items()}
        interleave(contestants, 1, progress.step)  # fills the caches, and makes the bundle that is verified
        times = interleave(contestants, runs, progress.step)
    return {name: found.as_json() for name, found in times.items()}


def _seconds(command: list[str]) -> float:
    """Wall-clock seconds of a command.

    Raises:
        NotMeasuredError: It failed.
    """
    # Without compiled bytecode, which pip and uv write for installed packages, imports take three times as long.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment)
    if done.returncode:
        raise NotMeasuredError(
            f"{' '.join(command[1:4])} failed: {(done.stderr.strip() or 'no word why').splitlines()[-1]}"
        )
    return time.perf_counter() - started
