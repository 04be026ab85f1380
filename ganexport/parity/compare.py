"""The gate: replay every case in every runtime of every target, and compare whole tensors with the oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import GanExportError, RuntimeUnavailableError
from ganexport.manifest import Graphs, ParityResult, TargetName
from ganexport.parity.cases import Case
from ganexport.parity.tolerances import GREY_LEVELS, relative_tolerance
from ganexport.runtimes import RUNTIMES, Runtime

__all__ = ["check_target", "compare", "runtimes_of"]

BLANK = 1e-3
"""A picture whose standard deviation is below this share of the image range shows nothing."""


def runtimes_of(target: TargetName) -> list[Runtime]:
    """Every registered runtime of a target."""
    return [runtime for make in RUNTIMES.values() if (runtime := make()).target == target]


def check_target(
    folder: Path,
    target: TargetName,
    graphs: Graphs,
    cases: Sequence[Case],
    *,
    weights_sha256: str,
    image_range: tuple[float, float],
    runtimes: Iterable[Runtime] | None = None,
    on_result: Callable[[ParityResult], None] = lambda result: None,
) -> list[ParityResult]:
    """Run the gate for one target.

    Returns:
        One result for each runtime, case and tensor, and one for the weights' hash of each graph. A runtime that was
        not there gives one line, `not verified` with the reason.
    """
    results: list[ParityResult] = []

    def add(found: Iterable[ParityResult]) -> None:
        for result in found:
            results.append(result)
            on_result(result)

    for runtime in runtimes_of(target) if runtimes is None else runtimes:
        common = {"target": target, "runtime": runtime.name}
        try:
            common["version"] = runtime.version()
            add(_fingerprints(runtime, folder, graphs, common, weights_sha256))
            outputs = runtime.replay(folder, graphs, [case.feeds for case in cases])
        except RuntimeUnavailableError as error:
            line = {"version": None, **common, "case": "all", "tensor": "all"}
            add([ParityResult(**line, status="not verified", reason=str(error))])
            continue
        except GanExportError as error:
            line = {"version": None, **common, "case": "all", "tensor": "all"}
            add([ParityResult(**line, status="failed", reason=str(error))])
            continue
        for case, got in zip(cases, outputs, strict=True):
            add(compare(case, got, common, image_range))
    return results


def compare(
    case: Case,
    got: Mapping[str, NDArray[Any]],
    common: Mapping[str, Any],
    image_range: tuple[float, float],
) -> list[ParityResult]:
    """Each of the oracle's tensors against what a runtime gave.

    `images` is only given by the graphs that end in pixels, so it is compared where it is there.
    """
    results = []
    wanted = [name for name in case.expected if name != "images" or name in got]
    for name in wanted:
        line = {**common, "case": case.golden.name, "tensor": name}
        if name not in got:
            results.append(ParityResult(**line, status="failed", reason="the graph has no such output"))
        else:
            results.append(_tensor(line, case.expected[name], got[name], image_range))
    for name in sorted(got.keys() - case.expected.keys()):
        line = {**common, "case": case.golden.name, "tensor": name}
        results.append(ParityResult(**line, status="failed", reason="the oracle has no such tensor"))
    return results


def _tensor(
    line: dict[str, Any], expected: NDArray[Any], got: NDArray[Any], image_range: tuple[float, float]
) -> ParityResult:
    if got.shape != expected.shape:
        reason = f"shape {list(got.shape)}, expected {list(expected.shape)}"
        return ParityResult(**line, status="failed", reason=reason)
    if not np.isfinite(got).all():
        return ParityResult(**line, status="failed", reason="values that are not finite")
    pixels = line["tensor"] == "images"
    tolerance = GREY_LEVELS if pixels else relative_tolerance(line["runtime"]) * float(np.abs(expected).max())
    figures = {"max_abs": float(np.abs(got.astype(np.float64) - expected).max()), "tolerance": tolerance}
    if line["tensor"] in ("image", "images"):
        span = 255.0 if pixels else image_range[1] - image_range[0]
        if got.reshape(len(got), -1).std(axis=1).min() < BLANK * span:
            return ParityResult(**line, **figures, status="failed", reason="a blank picture")
    if figures["max_abs"] > tolerance:
        return ParityResult(**line, **figures, status="failed", reason="differs from the oracle")
    return ParityResult(**line, **figures, status="ok")


def _fingerprints(
    runtime: Runtime, folder: Path, graphs: Graphs, common: Mapping[str, Any], weights_sha256: str
) -> list[ParityResult]:
    """Whether each graph says that it was made of these weights."""
    results = []
    for graph in (graphs.mapping, *graphs.synthesis, graphs.generator):
        if graph is None:
            continue
        found = runtime.fingerprint(folder / graph.file)
        line = {**common, "case": graph.file, "tensor": "weights_sha256"}
        if found == weights_sha256:
            results.append(ParityResult(**line, status="ok"))
        else:
            reason = f"made of other weights ({(found or 'no hash')[:12]}…, expected {weights_sha256[:12]}…)"
            results.append(ParityResult(**line, status="failed", reason=reason))
    return results
