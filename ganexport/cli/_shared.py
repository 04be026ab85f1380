"""What the verbs share: the program itself, arguments that several of them take, and texts taken apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from ganexport import __version__
from ganexport.errors import OptionError
from ganexport.terminal import console, progress, table

if TYPE_CHECKING:
    from ganexport.exporters.graphs import Device
    from ganexport.importers import ImportOptions
    from ganexport.manifest import Precision, PrecisionChoice, PrecisionName

PRECISIONS = ("float32", "float16", "int16", "int8")

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="GAN checkpoints to ONNX and TensorFlow.js, proven to draw the same picture.",
)

Source = Annotated[Path, typer.Argument(help="A checkpoint.", show_default=False)]
BundleFolder = Annotated[Path, typer.Argument(help="A bundle's folder.", show_default=False)]
Output = Annotated[Path, typer.Option("-o", "--output", help="Where to write.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Replace the output if it exists.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Labels = Annotated[Path | None, typer.Option("--labels", help="A file with the names of the classes, one a line.")]
AllowUnverified = Annotated[
    bool, typer.Option("--allow-unverified", help="Keep a target that no runtime here could verify.")
]
Network = Annotated[str | None, typer.Option("--network", help="Which of several networks in a foreign checkpoint.")]
CDim = Annotated[int | None, typer.Option("--c-dim", min=0, help="Number of classes, where the weights do not tell.")]
ImageRange = Annotated[
    str | None,
    typer.Option("--image-range", metavar="LO,HI", help="Values of black and white in a foreign file."),
]
Resolution = Annotated[
    int | None, typer.Option("--resolution", help="At which of its sizes to draw a network that was grown.")
]
LatentInput = Annotated[str | None, typer.Option("--input", help="Which input of an ONNX or Keras file is z.")]
LabelInput = Annotated[str | None, typer.Option("--label-input", help="Which of its inputs is the class.")]
ImageOutput = Annotated[str | None, typer.Option("--image-output", help="Which of its outputs is the picture.")]
PrecisionOption = Annotated[
    str, typer.Option("--precision", help="How weights are stored: float32, float16, int16 or int8.")
]
MaxError = Annotated[
    float | None,
    typer.Option(
        "--max-error",
        metavar="LEVELS",
        help="Store weights in the fewest bytes that keep pictures within so many grey levels.",
    ),
]
OptimizeFor = Annotated[
    str | None,
    typer.Option("--optimize-for", help="Where it is to be fast: cpu, wasm, webgl or webgpu. What suits most without."),
]
Targets = Annotated[
    str | None, typer.Option("--to", help="Targets, with commas between: onnx, tfjs. All that are possible without it.")
]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        print(__version__)
    elif context.invoked_subcommand is None:
        print(context.get_help())


def import_options(image_range: str | None, **given: Any) -> ImportOptions:
    """The options of an import; the range from its text."""
    from ganexport.importers import ImportOptions

    if image_range is None:
        return ImportOptions(**given)
    try:
        low, high = (float(part) for part in image_range.split(","))
    except ValueError:
        low, high = 0.0, 0.0
    if not -1e6 < low < high < 1e6:
        raise OptionError(f"--image-range takes two rising numbers such as 0,1; found {image_range!r}")
    return ImportOptions(**given, image_range=(low, high))


def load_and_convert(
    source: Path,
    output: Path,
    options: Any,
    imports: ImportOptions,
    *,
    name: str | None,
    labels: Path | None,
    as_json: bool = False,
) -> None:
    """Load and convert with a progress line, and print the tables: the gate's even when it fails."""
    from ganexport.convert import convert as run
    from ganexport.generator import with_labels
    from ganexport.manifest import Manifest, ParityResult
    from ganexport.parity import parity_table
    from ganexport.source import open_source

    results: list[ParityResult] = []
    made: Manifest | None = None
    try:
        with progress() as shown:
            shown.stage(f"reading {source}")
            generator = open_source(source, imports)
            if labels is not None:
                generator = with_labels(generator, labels)
            made = run(generator, output, options, name=name, progress=shown, on_result=results.append)
    finally:
        if as_json:
            parity = [result.model_dump(mode="json") for result in results]
            precision = None if made is None else made.precision.model_dump(mode="json")
            print(json.dumps({"precision": precision, "parity": parity}, indent=1))
        elif results:
            console.print(parity_table(results))
    if made is not None and made.precision.stored and not as_json:
        _print_precision(made.precision)


def _print_precision(precision: Precision) -> None:
    """A row for each way to store the weights that was compared; the last is the one that was taken."""
    columns = ("weights", "bytes", "of float32", "mean error", "99.9th percentile", "greatest (grey levels)")
    every: list[Precision | PrecisionChoice] = [*precision.choices[:-1], precision]
    rows = []
    for one in every:
        size, whole = one.bytes or 0, precision.float32_bytes or 1
        errors = (one.mean_grey_levels, one.high_grey_levels, one.max_grey_levels)
        rows.append((one.weights, f"{size:,}", f"{size / whole:.1%}", *(f"{error or 0.0:.3f}" for error in errors)))
    console.print(table(columns, rows))


def check_device(name: str | None) -> Device | None:
    """The name of a device that graphs can be optimised for."""
    from ganexport.exporters.graphs import DEVICES

    if name is not None and name not in DEVICES:
        raise OptionError(f"--optimize-for is {', '.join(DEVICES[:-1])} or {DEVICES[-1]}, found {name!r}")
    return name


def check_precision(name: str) -> PrecisionName:
    """The name of a precision that can be asked for."""
    if name not in PRECISIONS:
        raise OptionError(f"--precision is {', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}, found {name!r}")
    return cast("PrecisionName", name)


def comma_parts(text: str) -> tuple[str, ...]:
    """What stands between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_numbers(text: str, option: str, what: str) -> list[int]:
    """Whole numbers from text such as `0-15` or `1,5,9`."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise OptionError(f"{option} takes numbers such as 0-15 or 1,5,9; found {text!r}")
        numbers = range(int(first), int(last or first) + 1)
        if not 0 < len(numbers) <= 10_000:
            raise OptionError(f"{option} takes rising ranges of at most 10,000 {what}; found {text!r}")
        found += numbers
    return found
