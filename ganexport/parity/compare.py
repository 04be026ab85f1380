"""The gate: replay every case in every runtime of every target, and compare whole tensors with the oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import GanExportError, RuntimeUnavailableError
from ganexport.manifest import Graphs, ParityResult, TargetName
from ganexport.parity.cases import Case
from ganexport.parity.tolerances import GREY_LEVELS, relative_tolerance
from ganexport.pictures import to_uint8
from ganexport.runtimes import RUNTIMES, Runtime

__all__ = ["Row", "check_target", "compare", "runtimes_of"]

BLANK = 1e-3
"""A picture whose standard deviation is below this share of the image range shows nothing."""


@dataclass(frozen=True)
class Row:
    """What a result is about."""

    target: TargetName
    runtime: str
    version: str | None = None
    case: str = "all"
    tensor: str = "all"

    def result(
        self,
        status: Literal["ok", "failed", "not verified"],
        reason: str | None = None,
        *,
        max_abs: float | None = None,
        tolerance: float | None = None,
    ) -> ParityResult:
        """The result itself."""
        return ParityResult(**vars(self), status=status, reason=reason, max_abs=max_abs, tolerance=tolerance)


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
    for runtime in runtimes_of(target) if runtimes is None else runtimes:
        row = Row(target, runtime.name)
        found: list[ParityResult] = []
        try:
            row = replace(row, version=runtime.version())
            found += _fingerprints(runtime, folder, graphs, row, weights_sha256)
            outputs = runtime.replay(folder, graphs, [case.feeds for case in cases])
            for case, got in zip(cases, outputs, strict=True):
                found += compare(case, got, row, image_range)
        except RuntimeUnavailableError as error:
            found = [row.result("not verified", str(error))]
        except GanExportError as error:
            found.append(row.result("failed", str(error)))
        for result in found:
            on_result(result)
        results += found
    return results


def compare(
    case: Case, got: Mapping[str, NDArray[Any]], row: Row, image_range: tuple[float, float]
) -> list[ParityResult]:
    """Each of the oracle's tensors against what a runtime gave.

    Where the graphs end in `image`, its 8-bit pictures are compared too.
    """
    if "images" not in got and "image" in got and got["image"].ndim == 4 and np.isfinite(got["image"]).all():
        got = {**got, "images": to_uint8(got["image"], image_range)}
    results = []
    for name, expected in case.expected.items():
        at = replace(row, case=case.golden.name, tensor=name)
        if name in got:
            results.append(_tensor(at, expected, got[name], image_range))
        else:
            results.append(at.result("failed", "no graph gives it"))
    return results


def _tensor(row: Row, expected: NDArray[Any], got: NDArray[Any], image_range: tuple[float, float]) -> ParityResult:
    if got.shape != expected.shape:
        return row.result("failed", f"shape {list(got.shape)}, expected {list(expected.shape)}")
    if not np.isfinite(got).all():
        return row.result("failed", "values that are not finite")
    if not np.isfinite(expected).all():
        return row.result("failed", "the oracle's own values are not finite")
    pixels = row.tensor == "images"
    largest = float(np.abs(expected).max())
    tolerance = GREY_LEVELS if pixels else relative_tolerance(row.runtime) * largest
    error = float(np.abs(got.astype(np.float64) - expected).max())
    if row.tensor in ("image", "images"):
        span = 255.0 if pixels else image_range[1] - image_range[0]
        if got.reshape(len(got), -1).std(axis=1).min() < BLANK * span:
            return row.result("failed", "a blank picture", max_abs=error, tolerance=tolerance)
    if error > tolerance:
        return row.result("failed", "differs from the oracle", max_abs=error, tolerance=tolerance)
    return row.result("ok", max_abs=error, tolerance=tolerance)


def _fingerprints(runtime: Runtime, folder: Path, graphs: Graphs, row: Row, weights_sha256: str) -> list[ParityResult]:
    """Whether each graph says that it was made of these weights."""
    results = []
    for graph in (graphs.mapping, *graphs.synthesis, graphs.generator):
        if graph is None:
            continue
        found = runtime.fingerprint(folder / graph.file)
        at = replace(row, case=graph.file, tensor="weights_sha256")
        if found == weights_sha256:
            results.append(at.result("ok"))
        else:
            reason = f"made of other weights ({(found or 'no hash')[:12]}…, expected {weights_sha256[:12]}…)"
            results.append(at.result("failed", reason))
    return results
