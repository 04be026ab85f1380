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
from ganexport.parity.cases import Case, has_fewer_cases
from ganexport.parity.tolerances import GREY_LEVELS, relative_tolerance
from ganexport.pictures import to_uint8
from ganexport.progress import SILENT, Progress
from ganexport.runtimes import RUNTIMES, Runtime

__all__ = ["Row", "check_target", "compare", "runtimes_of", "too_slow"]

SLOW = {"tfjs-cpu": 1_000_000_000}
"""Multiply-adds of a picture above which a runtime is left out: plain JavaScript does about 10⁸ a second."""

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
    multiply_adds: int = 0,
    runtimes: Iterable[Runtime] | None = None,
    progress: Progress = SILENT,
    on_result: Callable[[ParityResult], None] = lambda result: None,
) -> list[ParityResult]:
    """Run the gate for one target.

    Args:
        folder: The bundle's.
        target: Which.
        graphs: Of the target.
        cases: What is replayed, with the oracle's answers.
        weights_sha256: Hash that the graphs must say they were made of.
        image_range: Values of black and white.
        multiply_adds: Of one picture; large ones are too slow for some runtimes, and have fewer cases.
        runtimes: All of the target without it.
        progress: Told of each runtime and case.
        on_result: Told each result.

    Returns:
        One result for each runtime, case and tensor, and one for the weights' hash of each graph. A runtime that was
        not there or too slow gives one line, `not verified` with the reason; so do the cases that were left out.
    """
    results: list[ParityResult] = []
    for runtime in runtimes_of(target) if runtimes is None else runtimes:
        row = Row(target, runtime.name)
        found: list[ParityResult] = []
        try:
            row = replace(row, version=runtime.version())
            if (reason := too_slow(runtime.name, multiply_adds)) is not None:
                raise RuntimeUnavailableError(reason)
            found += _fingerprints(runtime, folder, graphs, row, weights_sha256)
            progress.stage(f"verifying in {runtime.name}", len(cases))
            outputs = runtime.replay(folder, graphs, [case.feeds for case in cases], progress.step)
            for case, got in zip(cases, outputs, strict=True):
                found += compare(case, got, row, image_range)
            found += _left_out(row, multiply_adds)
        except RuntimeUnavailableError as error:
            found = [row.result("not verified", str(error))]
        except GanExportError as error:
            found.append(row.result("failed", str(error)))
        for result in found:
            on_result(result)
        results += found
    return results


def too_slow(runtime: str, multiply_adds: int) -> str | None:
    """Why a runtime is left out for a generator of this cost; None when it is not."""
    if multiply_adds <= SLOW.get(runtime, multiply_adds):
        return None
    return f"left out: too slow for {multiply_adds / 1e9:.1f} GMAC a picture"


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


def _left_out(row: Row, multiply_adds: int) -> list[ParityResult]:
    if not has_fewer_cases(multiply_adds):
        return []
    reason = f"left out: {multiply_adds / 1e9:.1f} GMAC a picture, so batches of 1 and 2 stand for all"
    return [replace(row, case="further cases").result("not verified", reason)]


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
