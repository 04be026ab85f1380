"""Pictures a second of a training step: ours in TensorFlow against an equal one in PyTorch."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processes import Contestant, NotMeasuredError, opened
from benchmarks.rounds import interleave, ratio
from ganexport.errors import ParityError
from ganexport.progress import SILENT, Progress

__all__ = ["measure"]

STEPS = 16
"""Of a run: as many as lie between two R1 penalties, so that each run has one."""

NET = {"channels": [32] * 4, "w_dim": 64, "mapping_layers": 4, "batch": 16, "lr": 0.004, "r1_gamma": 0.5}
OURS = "train, TensorFlow"


def measure(
    runs: int,
    progress: Progress = SILENT,
    *,
    torch_python: str = sys.executable,
    tensorflow_python: str = sys.executable,
    threads: int = 2,
) -> dict[str, Any]:
    """Time all; a run is 16 steps of D and G, one of them with R1.

    Returns:
        The setting, and a row a contestant with `images_per_second`, or `not_measured` with the reason.

    Raises:
        ParityError: The networks are not of one size.
    """
    job = {**NET, "steps": STEPS, "threads": threads}
    entries = {
        OURS: ("tensorflow_training", tensorflow_python, ""),
        "PyTorch, nchw": ("torch_training", torch_python, "nchw"),
        "PyTorch, channels_last": ("torch_training", torch_python, "channels_last"),
    }
    rows: dict[str, dict[str, Any]] = {}
    running: dict[str, Contestant] = {}
    sizes: dict[str, int] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ganexport-benchmark-")))
        for name, (module, python, layout) in entries.items():
            progress.stage(f"training: {name}")
            counted = folder / f"{module}.npy"
            own = {"function": f"benchmarks.{module}:run", **job, "layout": layout, "result": str(counted)}
            try:
                contestant = running[name] = stack.enter_context(opened(own, python))
            except NotMeasuredError as error:
                rows[name] = {"not_measured": str(error)}
                continue
            sizes[name] = int(np.load(counted))
            rows[name] = {"load": contestant.load, "first": contestant.first, "parameters": sizes[name]}
        if len(set(sizes.values())) > 1:
            raise ParityError(f"the networks are not of one size, so no times are compared: {sizes}")
        progress.stage("training", steps=runs * len(running))
        times = interleave({name: c.run for name, c in running.items()}, runs, progress.step)
        for name, found in times.items():
            rows[name] |= {"seconds": found.as_json(), "peak_mib": running[name].peak_mib()}
            rows[name]["images_per_second"] = STEPS * NET["batch"] / found.median  # type: ignore[operator]
            if name != OURS and OURS in times:
                rows[name]["ratio"] = vars(ratio(found, times[OURS]))
    return {**job, "rows": [{"name": name, **row} for name, row in rows.items()]}
