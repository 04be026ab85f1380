"""What the gate found, as a verdict and as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from ganexport.errors import ParityError
from ganexport.manifest import ParityResult, TargetName

__all__ = ["parity_table", "require_parity"]


def require_parity(results: Sequence[ParityResult], targets: Iterable[TargetName], *, allow_unverified: bool) -> None:
    """Pass or raise: a failure fails, and so does a target that no runtime could run.

    Raises:
        ParityError: Names what failed.
    """
    failed = [r for r in results if r.status == "failed"]
    if failed:
        what = "; ".join(f"{r.runtime} {r.case} {r.tensor}: {_why(r)}" for r in failed[:4])
        more = f" and {len(failed) - 4} more" if len(failed) > 4 else ""
        raise ParityError(f"the export does not draw the same picture: {what}{more}")
    for target in targets:
        if any(r.target == target and r.status == "ok" for r in results):
            continue
        if not allow_unverified:
            reasons = "; ".join(sorted({f"{r.runtime}: {r.reason}" for r in results if r.target == target}))
            raise ParityError(
                f"no runtime could verify the {target} target ({reasons}); "
                "install one, leave the target out with --to, or pass --allow-unverified"
            )


def parity_table(results: Sequence[ParityResult]) -> Table:
    """One row a runtime and tensor: the worst of all its cases."""
    table = Table(box=None, header_style="bold")
    for column in ("runtime", "tensor", "cases", "greatest error", "allowed", ""):
        table.add_column(column, justify="right" if column in ("cases", "greatest error", "allowed") else "left")
    groups: dict[tuple[str, str], list[ParityResult]] = {}
    for result in results:
        groups.setdefault((result.runtime, result.tensor), []).append(result)
    for (runtime, tensor), group in groups.items():
        worst = max(group, key=_badness)
        colour = {"ok": "green", "failed": "red", "not verified": "yellow"}[worst.status]
        error = "" if worst.max_abs is None else f"{worst.max_abs:.2g}"
        allowed = "" if worst.tolerance is None else f"{worst.tolerance:.2g}"
        note = "ok" if worst.status == "ok" else f"{worst.status}: {worst.reason}"
        table.add_row(runtime, tensor, str(len(group)), error, allowed, Text(note, style=colour))
    return table


def _badness(result: ParityResult) -> tuple[int, float]:
    order = {"ok": 0, "not verified": 1, "failed": 2}[result.status]
    return order, (result.max_abs or 0.0) / (result.tolerance or 1.0)


def _why(result: ParityResult) -> str:
    if result.max_abs is None or result.tolerance is None:
        return result.reason or "failed"
    return f"{result.reason} by {result.max_abs:.3g} (allowed {result.tolerance:.3g})"
