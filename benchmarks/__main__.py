"""Times of what a user waits for, each a whole process: `python -m benchmarks [--runs 5]`, `… large [names]`.

Machines differ and are noisy, so every figure is the median of several runs with its least and greatest, and tests
assert none of them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import large

ROOT = Path(__file__).parents[1]
DIGITS = ROOT / "converted_models" / "digits"
LARGE = Path(tempfile.gettempdir()) / "ganexport-large"

FIRST_PICTURE = f"""
import ganexport
ganexport.open_bundle({str(DIGITS)!r}).generate(seeds=[1], label=3)
"""


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["times", "large"], default="times")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of large files: {', '.join(large.SIZES)}")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=LARGE, help="where large files are made, and kept")
    options = parser.parse_intermixed_args()
    if options.what == "large":
        print(json.dumps(large.measure(options.folder, options.names or list(large.SIZES)), indent=1))
        return
    runs = options.runs
    with tempfile.TemporaryDirectory() as folder:
        checkpoint, output = str(DIGITS / "checkpoint.safetensors"), str(Path(folder) / "digits")
        convert = [sys.executable, "-m", "ganexport", "convert", checkpoint, "-o", output, "--force"]
        rows = {
            "python start": seconds([sys.executable, "-c", "pass"], runs),
            "import numpy": seconds([sys.executable, "-c", "import numpy"], runs),
            "import to first picture": seconds([sys.executable, "-c", FIRST_PICTURE], runs),
            "convert the digits, gate included": seconds(convert, runs),
            "verify the digits": seconds([sys.executable, "-m", "ganexport", "verify", output], runs),
        }
    print(json.dumps(rows, indent=1))


def seconds(command: list[str], runs: int) -> dict[str, float]:
    """Wall-clock seconds of a command."""
    # Without compiled bytecode, which pip and uv write for installed packages, imports take three times as long.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environment)
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environment)
        times.append(time.perf_counter() - started)
    return {
        "median": round(statistics.median(times), 3),
        "least": round(min(times), 3),
        "greatest": round(max(times), 3),
    }


if __name__ == "__main__":
    main()
