"""What was measured, as tables for people and as JSON for programs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ganexport.terminal import console, plain

__all__ = ["machine", "milliseconds", "print_browser", "print_synthesis", "print_training", "tables"]

WIDTH = 150
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
    size = f"{result['resolution']}², batch {result['batch']}"
    columns = {
        "median (least–greatest)": lambda row: milliseconds(row["seconds"]),
        "times ours": lambda row: times_as_long(row["ratio"]) if "ratio" in row else "",
        "GFLOP/s": lambda row: f"{row['gflops']:.0f}" if "gflops" in row else "",
        "of peak": lambda row: f"{row['of_peak']:.0%}" if row.get("of_peak") else "",
        "load": lambda row: milliseconds_of(row["load"]),
        "first run": lambda row: milliseconds_of(row["first"]),
        "memory": lambda row: f"{row['peak_mib']} MiB" if row["peak_mib"] else "",
        "files": lambda row: megabytes(row["bytes"]) if "bytes" in row else "",
        "made in": lambda row: f"{row['conversion']['seconds']:.1f} s" if "conversion" in row else "",
        "with": lambda row: f"{row['conversion']['peak_mib']} MiB" if "conversion" in row else "",
    }
    _print(f"{size}: {result['giga_operations']:.1f} GFLOP by direct convolution", columns, result["rows"])


def print_browser(result: Mapping[str, Any]) -> None:
    """Print a measurement of `browser`, a row a contestant."""
    columns = {
        "median (least–greatest)": lambda row: milliseconds(row["seconds"]),
        "as long as": lambda row: f"{times_as_long(row['ratio'])} {row['ratio_to']}" if "ratio" in row else "",
        "load": lambda row: milliseconds_of(row["load"]),
        "first run": lambda row: milliseconds_of(row["first"]),
        "files": lambda row: megabytes(row["bytes"]) if "bytes" in row else "",
    }
    _print(f"{result['resolution']}² in Chromium {result['chromium']}, one thread", columns, result["rows"])


def print_training(result: Mapping[str, Any]) -> None:
    """Print a measurement of `training`, a row a contestant."""
    columns = {
        f"{result['steps']} steps": lambda row: milliseconds(row["seconds"]),
        "times ours": lambda row: times_as_long(row["ratio"]) if "ratio" in row else "",
        "pictures/s": lambda row: f"{row['images_per_second']:.0f}",
        "first run": lambda row: milliseconds_of(row["first"]),
        "memory": lambda row: f"{row['peak_mib']} MiB" if row["peak_mib"] else "",
    }
    size = 4 << (len(result["channels"]) - 1)
    _print(f"Training at {size}², {result['channels'][0]} channels, batch {result['batch']}", columns, result["rows"])


def _print(
    title: str, columns: Mapping[str, Callable[[Mapping[str, Any]], str]], rows: Sequence[Mapping[str, Any]]
) -> None:
    shown = Table(title=title, box=None, header_style="bold", title_justify="left")
    shown.add_column("")
    for column in columns:
        shown.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        if "not_measured" not in row:
            shown.add_row(row["name"], *(cell(row) for cell in columns.values()))
    tables.print(shown)
    for row in rows:
        if "not_measured" in row:
            tables.print(f"{plain(row['name'])}: not measured: {plain(row['not_measured'])}", soft_wrap=True)
        if "forms" in row:
            forms = ", ".join(f"{form} {found}" for form, found in row["forms"].items())
            tables.print(f"{plain(row['name'])}: the fastest of {plain(forms)}", soft_wrap=True)
    tables.print()


def milliseconds_of(seconds: float) -> str:
    """One time."""
    return f"{seconds * 1000:.0f} ms"


def megabytes(count: int) -> str:
    """Of a file, in millions of bytes."""
    return f"{count / 1e6:.1f} MB"
