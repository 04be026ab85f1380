"""Datasets against the bare session: `python -m benchmarks bulk --resolution 256`.

The session draws from latents that are there already, and its pictures are thrown away; a dataset has to make
the latents, write shards to the disk, hash them, and wait until they are there.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.nets import make_generator, paper_spec
from benchmarks.rounds import Times, interleave, ratio
from ganexport import open_bundle
from ganexport.bulk import make, plan
from ganexport.bulk.plan import Format
from ganexport.bundle import Bundle
from ganexport.convert import ConvertOptions, convert
from ganexport.errors import BundleError
from ganexport.latents import z_from_seeds
from ganexport.progress import SILENT, Progress
from ganexport.runtimes.onnxruntime import OnnxSession

__all__ = ["measure", "measure_bundle"]

BATCHES = (1, 4, 8)
FORMATS: tuple[Format, ...] = ("npz", "webdataset")


def measure(resolution: int, runs: int, progress: Progress = SILENT) -> dict[str, Any]:
    """Pictures a second of a StyleGAN2 as published for this resolution, with random weights."""
    with tempfile.TemporaryDirectory(prefix="ganexport-benchmark-") as folder:
        path = Path(folder) / f"stylegan2-{resolution}"
        options = ConvertOptions(targets=("onnx",), checkpoint=False)
        convert(make_generator(paper_spec(resolution)), path, options, progress=progress)
        return measure_bundle(path, max(8, 16 * 256**2 // resolution**2), runs, progress)


def measure_bundle(path: Path, pictures: int, runs: int, progress: Progress = SILENT) -> dict[str, Any]:
    """Pictures a second of a bundle, `pictures` in each run."""
    bundle = open_bundle(path)
    with tempfile.TemporaryDirectory(prefix="ganexport-benchmark-") as folder:
        contestants = {f"session, batch {batch}": _session(bundle, pictures, batch) for batch in BATCHES}
        contestants |= {f"bulk, {format}": _bulk(bundle, pictures, format, Path(folder)) for format in FORMATS}
        progress.stage(f"{pictures} pictures of {bundle.name}", (runs + 1) * len(contestants))
        interleave(contestants, 1, progress.step)
        times = interleave(contestants, runs, progress.step)
    best = min((name for name in times if name.startswith("session")), key=lambda name: times[name].median)
    rows = [{"name": name, **_row(found, times[best], pictures)} for name, found in times.items()]
    return {"bundle": bundle.name, "resolution": bundle.manifest.spec.resolution, "pictures": pictures, "rows": rows}


def _row(found: Times, best: Times, pictures: int) -> dict[str, Any]:
    share = ratio(best, found)
    of_best = {"of_medians": share.of_medians, "least": share.least, "greatest": share.greatest}
    return {"a_second": pictures / found.median, "of_best_session": of_best, **found.as_json()}


def _session(bundle: Bundle, pictures: int, batch: int) -> Callable[[], float]:
    """One session of the whole graph, fed with latents that are there."""
    graph, spec = bundle.manifest.targets["onnx"].generator, bundle.manifest.spec
    if graph is None:
        raise BundleError(f"{bundle.path} has no graph of the whole generator; convert it with --noise const or none")
    session = OnnxSession(bundle.path / graph.file, graph)
    feeds = {"z": z_from_seeds(range(pictures), spec.z_dim), "truncation_psi": np.ones(pictures, np.float32)}
    if spec.c_dim:
        feeds["c"] = np.eye(spec.c_dim, dtype=np.float32)[np.arange(pictures) % spec.c_dim]

    def run() -> float:
        started = time.perf_counter()
        for start in range(0, pictures, batch):
            session.run({name: values[start : start + batch] for name, values in feeds.items()})
        return time.perf_counter() - started

    return run


def _bulk(bundle: Bundle, pictures: int, format: Format, folder: Path) -> Callable[[], float]:
    """A dataset of four shards, so that most of the writing can go on beside the drawing, as in a long run."""
    job = plan(bundle, pictures, psi=1.0 if bundle.manifest.spec.has_w_space else None, format=format,
               shard_size=max(1, pictures // 4))  # fmt: skip

    def run() -> float:
        started = time.perf_counter()
        make(job, bundle, folder / format)
        seconds = time.perf_counter() - started
        shutil.rmtree(folder / format)
        return seconds

    return run
