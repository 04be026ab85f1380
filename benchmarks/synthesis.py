"""One picture after another: the exported synthesis against the plain graph, tf2onnx, PyTorch and its own export.

Every contestant draws the same picture before its time counts, or it is not measured at all.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import nets
from benchmarks.peak import SIZE
from benchmarks.processes import Contestant, NotMeasuredError, do, opened
from benchmarks.rounds import Times, interleave, ratio
from ganexport.architectures.stylegan2 import Spec
from ganexport.errors import ParityError
from ganexport.generator import Generator
from ganexport.progress import SILENT, Progress

__all__ = ["CONTESTANTS", "OURS", "PEAK", "Options", "check_picture", "measure"]

TOLERANCE = 1e-4
"""Of the greatest absolute value of the picture: the gate's own rule for ONNX Runtime."""

OURS, PREVIEW, PLAIN, TF2ONNX, EAGER, TORCH_ONNX, PEAK = CONTESTANTS = (
    "ganexport", "preview", "plain", "tf2onnx", "torch-eager", "torch-onnx", "matrix-product",
)  # fmt: skip
PILOT_ROUNDS = 3
"""Rounds in which a contestant with several forms finds out which is its fastest: the one with the least time, since
noise only ever adds."""

TORCH_FORMS = [(form, layout) for form in ("grouped", "scaled") for layout in ("nchw", "channels_last")]


@dataclass(frozen=True)
class Options:
    """How to measure.

    Attributes:
        runs: Number of rounds.
        threads: Of every contestant.
        only: Names of those that take part; all when empty. Ours always does.
        torch_python: Interpreter that has PyTorch.
        tensorflow_python: Interpreter that has TensorFlow and tf2onnx.
    """

    runs: int = 10
    threads: int = 2
    only: tuple[str, ...] = ()
    torch_python: str = sys.executable
    tensorflow_python: str = sys.executable


@dataclass(frozen=True)
class _Entry:
    """One contestant before it starts: the forms in which it may run, and how its graph is made."""

    jobs: Mapping[str, dict[str, Any]]
    python: str = sys.executable
    maker: dict[str, Any] | None = None
    draws: bool = True


@dataclass
class _Field:
    """Those that run in one measurement, and what is known of them by now."""

    running: dict[str, Contestant] = field(default_factory=dict)
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)


def measure(spec: Spec, batch: int, folder: Path, options: Options, progress: Progress = SILENT) -> dict[str, Any]:
    """Time all contestants at one size.

    Args:
        spec: Of the generator, with skip connections and a limit to its activations.
        batch: Pictures a run.
        folder: An empty folder for checkpoint and graphs.

    Returns:
        The size, its arithmetic, and a row a contestant: `seconds`, `ratio` to ours, and what else was measured; or
        `not_measured` with the reason.

    Raises:
        ParityError: A contestant draws another picture.
    """
    size = f"{spec.resolution}², batch {batch}"
    progress.stage(f"{size}: random weights")
    checkpoint, feeds = folder / "checkpoint.safetensors", folder / "feeds.npz"
    generator: Generator = nets.make_generator(spec)
    generator.save(checkpoint)
    np.savez(feeds, allow_pickle=False, **nets.feeds(spec, batch))
    common = {"checkpoint": str(checkpoint), "feeds": str(feeds), "threads": options.threads}
    with ExitStack() as stack:
        contest = _Field()
        for name, entry in _entries(common, folder, options).items():
            progress.stage(f"{size}: {name}")
            try:
                _enter(stack, contest, name, entry, folder)
            except NotMeasuredError as error:
                contest.facts[name] = {"not_measured": str(error)}
        progress.stage(size, steps=options.runs * len(contest.running))
        runs = {name: contestant.run for name, contestant in contest.running.items()}
        times = interleave(runs, options.runs, progress.step)
        for name, contestant in contest.running.items():
            contest.facts[name]["peak_mib"] = contestant.peak_mib()
    return _report(spec, batch, contest.facts, times)


def _entries(common: dict[str, Any], folder: Path, options: Options) -> dict[str, _Entry]:
    def job(function: str, **more: Any) -> dict[str, Any]:
        return {"function": f"benchmarks.{function}", **common, **more}

    def graph(run: str, make: str, place: str, python: str = sys.executable, **more: Any) -> _Entry:
        made = str(folder / place)
        return _Entry(
            {place: job(f"onnx_graphs:{run}", folder=made)}, maker=job(make, folder=made, **more), python=python
        )

    torch_forms = {
        f"{form}, {layout}": job("torch_jobs:run_eagerly", form=form, layout=layout) for form, layout in TORCH_FORMS
    }
    exported = {"form": "scaled", "layout": "nchw"}
    peak = {name: job(f"peak:in_{name}") for name in ("onnxruntime", "torch", "numpy")}
    ours = graph("run_as_library", "onnx_graphs:export_ours", "ours")
    entries = {
        OURS: ours,
        PREVIEW: _Entry({"first stage": {**ours.jobs["ours"], "stages": 1}}, maker=ours.maker, draws=False),
        PLAIN: graph("run_as_library", "onnx_graphs:export_plain", "plain"),
        TF2ONNX: graph("run_plainly", "tensorflow_jobs:export", "tf2onnx", options.tensorflow_python),
        EAGER: _Entry(torch_forms, options.torch_python),
        TORCH_ONNX: graph("run_plainly", "torch_jobs:export", "torch", options.torch_python, **exported),
        PEAK: _Entry(peak, options.torch_python, draws=False),
    }
    return {name: entry for name, entry in entries.items() if not options.only or name in (OURS, *options.only)}


def _enter(stack: ExitStack, contest: _Field, name: str, entry: _Entry, folder: Path) -> None:
    """Make what is to run, start it, compare its picture, and keep the fastest of its forms."""
    jobs, facts = dict(entry.jobs), dict[str, Any]()
    python = entry.python
    if entry.maker is not None:
        made = contest.made.get(entry.maker["folder"]) or do(entry.maker, python)
        contest.made[entry.maker["folder"]] = made
        python = sys.executable  # whoever made a graph, it runs here
        stages = next(iter(jobs.values())).get("stages", len(made["graphs"]))
        if name == PREVIEW and stages == len(made["graphs"]):
            raise NotMeasuredError("the picture comes in one stage at this size")
        jobs = {form: {**job, "graphs": made["graphs"]} for form, job in jobs.items()}
        facts["conversion"] = {key: made[key] for key in ("seconds", "imported_mib", "peak_mib")}
        facts["bytes"] = sum(file.stat().st_size for file in _files(entry.maker["folder"], made["graphs"][:stages]))
    forms, missing = dict[str, Contestant](), dict[str, str]()
    for form, job in jobs.items():
        picture = folder / "picture.npy"
        try:
            forms[form] = stack.enter_context(
                opened({**job, **({"result": str(picture)} if entry.draws else {})}, python)
            )
        except NotMeasuredError as error:
            missing[form] = str(error)
            continue
        if entry.draws:
            check_picture(np.load(picture), _first_picture(folder, picture), f"{name} ({form})")
    if not forms:
        raise NotMeasuredError("; ".join(sorted(set(missing.values()))))
    best = next(iter(forms))
    if len(forms) > 1:
        pilot = interleave({form: contestant.run for form, contestant in forms.items()}, PILOT_ROUNDS)
        best = min(pilot, key=lambda form: min(pilot[form].seconds))
        facts |= {
            "form": best,
            "forms": {form: f"{min(times.seconds) * 1000:.0f} ms" for form, times in pilot.items()} | missing,
        }
        for form, contestant in forms.items():
            if form != best:
                contestant.stop()
    chosen = forms[best]
    contest.running[name] = chosen
    contest.facts[name] = facts | {"load": chosen.load, "first": chosen.first, "imported_mib": chosen.imported_mib}


def _files(folder: str, graphs: list[dict[str, Any]]) -> list[Path]:
    """What these graphs are made of; all that lies there where a foreign graph does not say."""
    if any("weight_files" not in graph for graph in graphs):
        return [file for file in Path(folder).rglob("*") if file.is_file()]
    names = {name for graph in graphs for name in (graph["file"], *graph["weight_files"])}
    return [Path(folder) / name for name in names]


def _first_picture(folder: Path, picture: Path) -> NDArray[np.float32]:
    """What the first contestant drew, with which the others are compared."""
    reference = folder / "reference.npy"
    if not reference.exists():
        reference.write_bytes(picture.read_bytes())
    found: NDArray[np.float32] = np.load(reference)
    return found


def check_picture(picture: NDArray[np.float32], reference: NDArray[np.float32], name: str) -> None:
    """Refuse to time what draws something else.

    Args:
        picture: [N, C, H, W] or [N, H, W, C].
        reference: [N, C, H, W], not blank.
        name: Of whoever drew it.

    Raises:
        ParityError: They differ by more than 1e-4 of the reference's greatest value, or are not finite.
    """
    if picture.shape != reference.shape and picture.ndim == 4:
        picture = picture.transpose(0, 3, 1, 2)  # [N, C, H, W]
    if picture.shape != reference.shape:
        raise ParityError(f"{name} draws pictures {picture.shape}, the first contestant {reference.shape}: not timed")
    error, greatest = np.abs(picture - reference).max(), np.abs(reference).max()
    if not (np.isfinite(error) and greatest > 0 and error <= TOLERANCE * greatest):
        raise ParityError(
            f"{name} draws another picture: {error:.2g} away from the first contestant's, whose greatest value is "
            f"{greatest:.2g}; at most {TOLERANCE:g} of that is allowed. What differs is not timed"
        )


def _report(spec: Spec, batch: int, facts: dict[str, dict[str, Any]], times: dict[str, Times]) -> dict[str, Any]:
    operations = 2 * nets.synthesis_multiply_adds(spec) * batch
    peak = 2 * SIZE**3 / times[PEAK].median if PEAK in times else None
    rows = []
    for name, found in facts.items():
        row = {"name": name, **found}
        if name in times:
            row["seconds"] = times[name].as_json()
            done = 2 * SIZE**3 if name == PEAK else operations
            if name != PREVIEW:
                row["gflops"] = done / times[name].median / 1e9
                row["of_peak"] = done / times[name].median / peak if peak else None
            if OURS in times and name not in (OURS, PEAK):
                row["ratio"] = vars(ratio(times[name], times[OURS]))
        rows.append(row)
    return {"resolution": spec.resolution, "batch": batch, "giga_operations": operations / 1e9, "rows": rows}
