"""What was measured, as tables for people and as JSON for programs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ganexport.terminal import console, plain

__all__ = ["machine", "markdown", "milliseconds", "show", "tables"]

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


@dataclass(frozen=True)
class _Section:
    """A table: title, what each column says of a row, and the rows."""

    title: str
    columns: Mapping[str, Callable[[Mapping[str, Any]], str]]
    rows: Sequence[Mapping[str, Any]]

    def cells(self) -> list[list[str]]:
        """Of the rows that were measured."""
        measured = [row for row in self.rows if "not_measured" not in row]
        return [[row["name"], *(cell(row) for cell in self.columns.values())] for row in measured]

    def notes(self) -> Iterator[str]:
        """What was not measured and why, and who was chosen among whom."""
        for row in self.rows:
            if "not_measured" in row:
                yield f"{row['name']}: not measured: {row['not_measured']}"
            if "forms" in row:
                forms = ", ".join(f"{form} {found}" for form, found in row["forms"].items())
                yield f"{row['name']}: the fastest of {forms}"


def show(result: Mapping[str, Any]) -> None:
    """Print all tables of a result."""
    for section in _sections(result):
        shown = Table(title=section.title, box=None, header_style="bold", title_justify="left")
        shown.add_column("")
        for column in section.columns:
            shown.add_column(column, justify="right", no_wrap=True)
        for cells in section.cells():
            shown.add_row(*map(plain, cells))
        tables.print(shown)
        for note in section.notes():
            tables.print(plain(note), soft_wrap=True)
        tables.print()


def markdown(result: Mapping[str, Any]) -> str:
    """All tables of a result, for the documentation."""
    parts = []
    for section in _sections(result):
        head = ["", *section.columns]
        lines = [head, ["---", *["---:"] * len(section.columns)], *section.cells()]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        parts.append("\n\n".join([f"**{section.title}**", table, *section.notes()]))
    return "\n\n".join(parts) + "\n"


def _sections(result: Mapping[str, Any]) -> Iterator[_Section]:
    for part in result.get("synthesis", ()):
        cost = f"{part['giga_operations']:.1f} GFLOP by direct convolution"
        yield _Section(f"{part['resolution']}², batch {part['batch']}: {cost}", SYNTHESIS, part["rows"])
    for part in result.get("browser", ()):
        title = f"{part['resolution']}² in Chromium {part['chromium']}, one thread"
        yield _Section(title, BROWSER, part["rows"])
    if part := result.get("training"):
        size, width = 4 << (len(part["channels"]) - 1), part["channels"][0]
        title = f"{part['steps']} training steps at {size}², {width} channels, batch {part['batch']}"
        yield _Section(title, TRAINING, part["rows"])


def milliseconds_of(seconds: float) -> str:
    """One time."""
    return f"{seconds * 1000:.0f} ms"


def megabytes(count: int) -> str:
    """Of a file, in millions of bytes."""
    return f"{count / 1e6:.1f} MB"


def _median(row: Mapping[str, Any]) -> str:
    return milliseconds(row["seconds"])


def _ratio(row: Mapping[str, Any]) -> str:
    return times_as_long(row["ratio"]) if "ratio" in row else ""


def _memory(row: Mapping[str, Any]) -> str:
    return f"{row['peak_mib']} MiB" if row.get("peak_mib") else ""


def _bytes(row: Mapping[str, Any]) -> str:
    return megabytes(row["bytes"]) if "bytes" in row else ""


SYNTHESIS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "median (least–greatest)": _median,
    "times ours": _ratio,
    "GFLOP/s": lambda row: f"{row['gflops']:.0f}" if "gflops" in row else "",
    "of peak": lambda row: f"{row['of_peak']:.0%}" if row.get("of_peak") else "",
    "load": lambda row: milliseconds_of(row["load"]),
    "first run": lambda row: milliseconds_of(row["first"]),
    "memory": _memory,
    "files": _bytes,
    "made in": lambda row: f"{row['conversion']['seconds']:.1f} s" if "conversion" in row else "",
    "with": lambda row: f"{row['conversion']['peak_mib']} MiB" if "conversion" in row else "",
}
BROWSER: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "median (least–greatest)": _median,
    "times as long as": lambda row: f"{_ratio(row)} {row['ratio_to']}" if "ratio" in row else "",
    "load": lambda row: milliseconds_of(row["load"]),
    "first run": lambda row: milliseconds_of(row["first"]),
    "files": _bytes,
}
TRAINING: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "median (least–greatest)": _median,
    "times ours": _ratio,
    "pictures/s": lambda row: f"{row['images_per_second']:.0f}",
    "first run": lambda row: milliseconds_of(row["first"]),
    "memory": _memory,
}
