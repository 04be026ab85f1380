"""What was measured, as tables for people and as JSON for programs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ganexport.terminal import console, plain

__all__ = ["machine", "milliseconds", "print_synthesis", "tables"]

WIDTH = 120
"""Characters of a line where the output is no terminal, which has its own."""

tables = Console(highlight=False, width=None if console.is_terminal else WIDTH)

LIBRARIES = ("numpy", "onnxruntime", "onnx", "torch", "tensorflow-cpu", "tensorflow", "tf2onnx", "playwright")


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
        "libraries": found,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def milliseconds(seconds: Mapping[str, float]) -> str:
    """Median with least and greatest: `231 (228–240) ms`."""
    median, least, greatest = (seconds[key] * 1000 for key in ("median", "least", "greatest"))
    return (
        f"{median:.0f} ({least:.0f}–{greatest:.0f}) ms"
        if median >= 100
        else f"{median:.1f} ({least:.1f}–{greatest:.1f}) ms"
    )


def times_as_long(ratio: Mapping[str, float]) -> str:
    """A ratio of medians with that of each round: `1.31 (1.24–1.40)`."""
    return f"{ratio['of_medians']:.2f} ({ratio['least']:.2f}–{ratio['greatest']:.2f})"


def print_synthesis(result: Mapping[str, Any]) -> None:
    """Print a measurement of `synthesis`, a row a contestant."""
    size = (
        f"{result['resolution']}², batch {result['batch']}: {result['giga_operations']:.1f} GFLOP by direct convolution"
    )
    shown = Table(title=size, box=None, header_style="bold", title_justify="left")
    shown.add_column("")
    for column in ("median (least–greatest)", "times ours", "GFLOP/s", "of peak", "load", "first run", "memory"):
        shown.add_column(column, justify="right", no_wrap=True)
    for row in result["rows"]:
        if "not_measured" not in row:
            shown.add_row(*_cells(row))
    tables.print(shown)
    for row in result["rows"]:
        if "not_measured" in row:
            console.print(f"{plain(row['name'])}: not measured: {plain(row['not_measured'])}", soft_wrap=True)
        if "form" in row:
            forms = ", ".join(f"{form} {found}" for form, found in row["forms"].items())
            console.print(f"{plain(row['name'])}: the fastest of {plain(forms)}", soft_wrap=True)


def _cells(row: Mapping[str, Any]) -> Sequence[str]:
    return [
        row["name"],
        milliseconds(row["seconds"]),
        times_as_long(row["ratio"]) if "ratio" in row else "",
        f"{row['gflops']:.0f}",
        f"{row['of_peak']:.0%}" if "of_peak" in row else "",
        f"{row['load'] * 1000:.0f} ms",
        f"{row['first'] * 1000:.0f} ms",
        f"{row['peak_mib']} MiB" if row["peak_mib"] is not None else "",
    ]
