"""Large models, from the file to the proven bundle: `python -m benchmarks large`.

The files are StyleGAN2 pickles of the published sizes with random weights, G, D and G_ema in each, made once. A process
is measured by its greatest resident memory, each child on its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ganexport.progress import SILENT, Progress

ROOT = Path(__file__).parents[1]
D_PARAMETERS = 29_012_513
"""Of the published discriminator for 1024² pictures."""

SIZES = {"f1024": (1024, 32768), "auto256": (256, 16384), "f256": (256, 32768)}
"""Resolution and `channel_base`: config-f at full size, and the two widths that are common for 256²."""


def measure(folder: Path, names: list[str], progress: Progress = SILENT) -> dict[str, dict[str, Any]]:
    """Time and memory of `info`, `convert` and `verify` for each of these files."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = {}
    for name in names:
        progress.stage(name)
        pickle, bundle = folder / f"{name}.pkl", folder / name
        if not pickle.exists():
            make(pickle, *SIZES[name])
        program = [sys.executable, "-m", "ganexport"]
        rows[f"{name}: info"] = run([*program, "info", str(pickle)])
        rows[f"{name}: convert"] = run([*program, "convert", str(pickle), "-o", str(bundle), "--force"])
        rows[f"{name}: verify"] = run([*program, "verify", str(bundle)])
    return rows


def make(path: Path, resolution: int, channel_base: int) -> None:
    """Write a StyleGAN2 pickle as NVIDIA's PyTorch programs do, with random weights."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.nvidia_writer import module, stylegan2_generator, write_pickle
    from support.random_weights import random_weights

    from ganexport.architectures import weight_shapes
    from ganexport.architectures.stylegan2 import Spec

    sizes = [4 << i for i in range(resolution.bit_length() - 2)]
    channels = tuple(min(channel_base // size, 512) for size in sizes)
    spec = Spec(resolution=resolution, image_channels=3, z_dim=512, channels=channels, conv_clamp=256.0)
    shapes = weight_shapes(spec)
    critic = np.random.default_rng(3).standard_normal(D_PARAMETERS, np.float32)
    root = {
        "G": stylegan2_generator(spec, random_weights(shapes, 1)),
        "D": module("Discriminator", {"weight": critic}, {}),
        "G_ema": stylegan2_generator(spec, random_weights(shapes, 2)),
        "training_set_kwargs": {"resolution": resolution},
        "augment_pipe": None,
    }
    path.write_bytes(write_pickle(root))


def run(command: list[str]) -> dict[str, Any]:
    """Seconds of a command, and MiB of each process that was part of it, the largest of a name.

    Raises:
        RuntimeError: It failed.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    peaks: dict[str, int] = {}
    watcher = threading.Thread(target=_watch, args=(process, peaks))
    watcher.start()
    output, _ = process.communicate()
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {output}")
    return {"seconds": round(time.perf_counter() - started, 1), "peak MiB": peaks, "load": os.getloadavg()[0]}


def _watch(process: subprocess.Popen[str], peaks: dict[str, int]) -> None:
    """Note the greatest memory of a process and its descendants until it ends (Linux)."""
    while process.poll() is None:
        programs: set[str] = set()
        for pid in _family(process.pid):
            try:
                program = Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
                status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            except OSError:  # it ended meanwhile
                continue
            facts = dict(line.split(":", 1) for line in status.splitlines())
            if "VmHWM" in facts and program not in programs:  # a child is its parent until it runs its own program
                name = "ganexport" if pid == process.pid else facts["Name"].strip()
                peaks[name] = max(peaks.get(name, 0), int(facts["VmHWM"].split()[0]) >> 10)
            programs.add(program)
        time.sleep(0.05)


def _family(pid: int) -> Iterator[int]:
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = path.read_text(encoding="ascii").split()
        except OSError:
            continue
        for child in children:
            yield from _family(int(child))
