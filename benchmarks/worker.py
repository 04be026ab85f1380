"""The far side of `processes`: loads one contestant and runs it whenever it is told to.

`python -m benchmarks.worker '{"function": "module:name", …}'` calls that function with the job. What it returns is run
for each line on stdin; a function that returns facts has done its work.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["main"]


def main() -> None:
    """Every answer is a line of JSON, also that it does not work."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # what libraries print must not be taken for an answer

        def answer(**facts: Any) -> None:
            print(json.dumps(facts), file=answers, flush=True)

        try:
            work(json.loads(sys.argv[1]), answer)
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            answer(failed=f"{type(error).__name__}: {lines[0]}" if lines[0] else type(error).__name__)
            raise


def work(job: dict[str, Any], answer: Callable[..., None]) -> None:
    """Load, run once, then run on demand."""
    module, name = job["function"].split(":")
    function = getattr(importlib.import_module(module), name)
    before = peak_mib()
    seconds, loaded = timed(lambda: function(job))
    if isinstance(loaded, dict):
        answer(**loaded, seconds=seconds, imported_mib=before, peak_mib=peak_mib())
        return
    first, result = timed(loaded)
    if job.get("result"):
        np.save(job["result"], result)
    answer(load=seconds, first=first, imported_mib=before)
    for line in sys.stdin:
        if line.strip() == "facts":
            answer(peak_mib=peak_mib())
        else:
            answer(seconds=timed(loaded)[0])


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of a call, and what it gave."""
    started = time.perf_counter()
    result = run()
    return time.perf_counter() - started, result


def peak_mib() -> int | None:
    """Most memory that this process ever had, in MiB; None where the system does not say (it does on Linux)."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    facts = dict(line.split(":", 1) for line in status.splitlines())
    return int(facts["VmHWM"].split()[0]) >> 10


if __name__ == "__main__":
    main()
