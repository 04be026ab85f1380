"""How fast it is, against whom: `python -m benchmarks synthesis --resolution 256`.

Machines differ and are noisy, so all contestants run in turn, round after round, and every figure is the median of
the rounds with its least and greatest; tests assert none of them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import browser, bulk, large, synthesis, times, training
from benchmarks.nets import paper_spec
from benchmarks.plot import plot
from benchmarks.report import machine, markdown, milliseconds, show, tables, times_as_long
from ganexport.atomic import atomic_path, check_output
from ganexport.errors import GanExportError, UserError
from ganexport.progress import Progress
from ganexport.terminal import console, progress, say_error, table

RESOLUTIONS, BATCHES = (64, 256, 1024), (1, 8)
BROWSER_RESOLUTIONS = (64, 256)
LARGE = Path(tempfile.gettempdir()) / "ganexport-large"


def main() -> None:
    """Measure, print tables, and write JSON."""
    options = _parser().parse_intermixed_args()
    try:
        for path in filter(None, (options.json, options.plot, options.markdown)):
            check_output(path, force=options.force)
        with progress() as shown:
            result = {"command": sys.argv[1:], "machine": machine()}
            for part in [options.part] if options.part != "all" else _ALL:
                result |= _PARTS[part](options, shown)
        texts = {options.json: _json, options.plot: plot, options.markdown: markdown}
        for path, text in texts.items():
            if path is not None:
                with atomic_path(path, force=options.force) as temporary:
                    temporary.write_text(text(result), encoding="utf-8")
    except GanExportError as error:
        say_error(str(error))
        sys.exit(2 if isinstance(error, UserError) else 1)


def _json(result: dict[str, Any]) -> str:
    return json.dumps(result, indent=1) + "\n"


def _parser() -> argparse.ArgumentParser:
    example = "example: python -m benchmarks synthesis --resolution 256 --batch 1 --runs 20 --json 256.json"
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__, epilog=example)
    parser.add_argument("part", choices=["all", *_PARTS], help=f"what to measure; all: {', '.join(_ALL)}")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of large files: {', '.join(large.SIZES)}")
    parser.add_argument("--resolution", type=int, action="append", choices=RESOLUTIONS, help="all when left out")
    parser.add_argument("--batch", type=int, action="append", choices=BATCHES, help="both when left out")
    parser.add_argument("--runs", type=int, help="rounds; 10 when left out, in a browser 5")
    parser.add_argument("--only", action="append", choices=synthesis.CONTESTANTS, default=[], help="beside ganexport")
    parser.add_argument("--json", type=Path, help="write all that was measured")
    parser.add_argument("--plot", type=Path, help="write the times as bars, an SVG")
    parser.add_argument("--markdown", type=Path, help="write the tables")
    parser.add_argument("--force", action="store_true", help="replace these files")
    parser.add_argument("--torch-python", default=sys.executable, help="an interpreter that has PyTorch")
    parser.add_argument("--tensorflow-python", default=sys.executable, help="one that has TensorFlow and tf2onnx")
    parser.add_argument("--folder", type=Path, default=LARGE, help="where large files are made, and kept")
    return parser


def _synthesis(options: argparse.Namespace, shown: Progress) -> dict[str, Any]:
    chosen = synthesis.Options(
        runs=options.runs or 10,
        only=tuple(options.only),
        torch_python=options.torch_python,
        tensorflow_python=options.tensorflow_python,
    )
    results = []
    for resolution, batch in _sizes(options):
        with tempfile.TemporaryDirectory(prefix="ganexport-benchmark-") as folder:
            results.append(synthesis.measure(paper_spec(resolution), batch, Path(folder), chosen, shown))
        show({"synthesis": results[-1:]})
    return {"synthesis": results}


def _browser(options: argparse.Namespace, shown: Progress) -> dict[str, Any]:
    results = []
    for resolution in options.resolution or BROWSER_RESOLUTIONS:
        with tempfile.TemporaryDirectory(prefix="ganexport-benchmark-") as folder:
            results.append(browser.measure(paper_spec(resolution), Path(folder), options.runs or 5, shown))
        show({"browser": results[-1:]})
    return {"browser": results}


def _training(options: argparse.Namespace, shown: Progress) -> dict[str, Any]:
    pythons = {"torch_python": options.torch_python, "tensorflow_python": options.tensorflow_python}
    result = training.measure(options.runs or 10, shown, **pythons)
    show({"training": result})
    return {"training": result}


def _bulk(options: argparse.Namespace, shown: Progress) -> dict[str, Any]:
    results = []
    for resolution in options.resolution or (256,):
        results.append(bulk.measure(resolution, options.runs or 5, shown))
        title = f"Datasets of {results[-1]['pictures']} pictures of {resolution}²"
        columns = (title, "pictures a second", "of the best session")
        rows = results[-1]["rows"]
        cells = [(row["name"], f"{row['a_second']:.2f}", times_as_long(row["of_best_session"])) for row in rows]
        tables.print(table(columns, cells))
    return {"bulk": results}


def _sizes(options: argparse.Namespace) -> Iterator[tuple[int, int]]:
    for resolution in options.resolution or RESOLUTIONS:
        for batch in options.batch or BATCHES:
            if (resolution, batch) == (1024, 8) and not options.batch:
                console.print("1024², batch 8: left out, since a round takes minutes; ask for it with --batch 8")
                continue
            yield resolution, batch


def _times(options: argparse.Namespace, shown: Progress) -> dict[str, Any]:
    rows = times.measure(options.runs or 5, shown)
    tables.print(table(["", "median (least–greatest)"], [(name, milliseconds(row)) for name, row in rows.items()]))  # type: ignore[arg-type]
    return {"times": rows}


def _large(options: argparse.Namespace, shown: Progress) -> dict[str, Any]:
    rows = large.measure(options.folder, options.names or list(large.SIZES), shown)
    cells = [(name, f"{row['seconds']} s", str(row["peak MiB"])) for name, row in rows.items()]
    tables.print(table(["", "time", "peak MiB"], cells))
    return {"large": rows}


_ALL = ("synthesis", "browser", "training")
_PARTS = {
    "synthesis": _synthesis,
    "browser": _browser,
    "training": _training,
    "large": _large,
    "times": _times,
    "bulk": _bulk,
}


if __name__ == "__main__":
    main()
