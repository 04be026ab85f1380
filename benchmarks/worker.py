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
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["main"]


def main() -> None:
    """Load, run once, then run on demand; every answer is a line of JSON."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # what libraries print must not be taken for an answer
        job: dict[str, Any] = json.loads(sys.argv[1])

        def answer(**facts: Any) -> None:
            print(json.dumps(facts), file=answers, flush=True)

        module, name = job["function"].split(":")
        try:
            function = getattr(importlib.import_module(module), name)
        except ImportError as error:
            answer(missing=str(error))
            return
        before = peak_mib()
        started = time.perf_counter()
        loaded = function(job)
        seconds = time.perf_counter() - started
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
                continue
            seconds, result = timed(loaded)
            answer(seconds=seconds)


def timed(run: Any) -> tuple[float, Any]:
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
