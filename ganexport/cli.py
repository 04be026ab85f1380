"""The command line: parsing and printing only; each verb is one call into the library."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, cast

import typer

from ganexport import __version__
from ganexport.errors import GanExportError, OptionError, UserError
from ganexport.terminal import console, errors, plain, progress, say_error, table

if TYPE_CHECKING:
    from ganexport.importers import ImportOptions
    from ganexport.manifest import TargetName

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="GAN checkpoints to ONNX and TensorFlow.js, proven to draw the same picture.",
)
INTERRUPTED = 130
"""Exit status after Ctrl-C, which Typer gives too."""
TERMINATED = 143

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
Targets = Annotated[
    str | None, typer.Option("--to", help="Targets, with commas between: onnx, tfjs. All that are possible without it.")
]


def main() -> NoReturn:
    """Run the command line: status 0, 1 for our fault, 2 for the caller's."""
    debug = "--debug" in sys.argv or os.environ.get("GANEXPORT_DEBUG") == "1"
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))  # so that what is half written is cleared away
    try:
        status = app(arguments, standalone_mode=False)
    except GanExportError as error:
        if debug:
            raise
        say_error(str(error))
        status = 2 if isinstance(error, UserError) else 1
    except typer.Exit as stop:
        status = stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    except OSError as error:
        if debug:
            raise
        say_error(f"{error.filename or type(error).__name__}: {error.strerror or error}")
        status = 2
    except Exception as error:
        if debug or not hasattr(error, "format_message"):
            raise
        say_error(error.format_message())
        status = 2
    if status == INTERRUPTED:
        errors.print("stopped; nothing half-written was left")
    sys.exit(status if isinstance(status, int) else 0)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        print(__version__)
    elif context.invoked_subcommand is None:
        print(context.get_help())


@app.command(epilog="Example: ganexport info digits.safetensors")
def info(
    path: Annotated[Path, typer.Argument(help="A checkpoint or a bundle.")],
    as_json: AsJson = False,
    audit: Annotated[
        bool, typer.Option("--audit", help="List what a foreign file names, and what is ignored.")
    ] = False,
    network: Network = None,
    c_dim: CDim = None,
    image_range: ImageRange = None,
    resolution: Resolution = None,
    latent_input: LatentInput = None,
    label_input: LabelInput = None,
    image_output: ImageOutput = None,
) -> None:
    """Say what a checkpoint or a bundle holds, without running it."""
    from ganexport.describe import describe
    from ganexport.importers import audit as audit_file
    from ganexport.source import graph_importer

    options = _import_options(
        image_range,
        network=network,
        c_dim=c_dim,
        resolution=resolution,
        latent_input=latent_input,
        label_input=label_input,
        image_output=image_output,
    )
    facts = audit_file(path) if audit and graph_importer(path) is None else describe(path, options)
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    for name, value in facts.items():
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
        console.print(f"[bold]{plain(name.replace('_', ' '))}[/]  {plain(text)}", soft_wrap=True)


@app.command(epilog="Example: ganexport convert digits.safetensors -o digits/")
def convert(
    source: Source,
    output: Output,
    to: Targets = None,
    name: Annotated[str | None, typer.Option(help="Name of the model; the folder's without one.")] = None,
    noise: Annotated[str, typer.Option(help="const (stored), none, random (drawn from the seed) or input.")] = "const",
    psi: Annotated[float, typer.Option(help="Default truncation for readers of the bundle.")] = 1.0,
    labels: Labels = None,
    network: Network = None,
    c_dim: CDim = None,
    image_range: ImageRange = None,
    resolution: Resolution = None,
    latent_input: LatentInput = None,
    label_input: LabelInput = None,
    image_output: ImageOutput = None,
    checkpoint: Annotated[bool, typer.Option(help="Keep the canonical checkpoint in the bundle.")] = True,
    single_file: Annotated[
        bool, typer.Option("--single-file", help="Keep large weights in the ONNX files, not beside them.")
    ] = False,
    allow_unverified: AllowUnverified = False,
    force: Force = False,
) -> None:
    """Convert a checkpoint to a bundle, and prove that it draws the same picture."""
    from ganexport.convert import ConvertOptions
    from ganexport.exporters.graphs import ExportOptions

    if noise not in ("const", "none", "random", "input"):
        raise OptionError(f"--noise is const, none, random or input, found {noise!r}")
    options = ConvertOptions(
        targets=None if to is None else _targets(to),
        export=ExportOptions(noise=noise, truncation_psi=psi, single_file=single_file),  # type: ignore[arg-type]
        checkpoint=checkpoint,
        allow_unverified=allow_unverified,
        force=force,
    )
    imports = _import_options(
        image_range,
        network=network,
        c_dim=c_dim,
        resolution=resolution,
        latent_input=latent_input,
        label_input=label_input,
        image_output=image_output,
    )
    _convert(source, output, options, imports, name=name, labels=labels)
    console.print(f"wrote {plain(str(output))}", soft_wrap=True)


@app.command(epilog="Example: ganexport generate digits/ --seeds 0-15 --label 3 --psi 0.7 --grid 4x4 -o threes.png")
def generate(
    bundle: BundleFolder,
    output: Output,
    seeds: Annotated[str, typer.Option(help="Seeds, such as 0-15 or 1,5,9.")] = "0-15",
    label: Annotated[str | None, typer.Option(help="Class, by index or name.")] = None,
    psi: Annotated[float | None, typer.Option(help="Truncation; the bundle's default without it.")] = None,
    cutoff: Annotated[int | None, typer.Option(help="Truncate only the first so many layers.")] = None,
    noise: Annotated[str | None, typer.Option(help="const, random or none, as the bundle was made for.")] = None,
    grid: Annotated[str | None, typer.Option(help="COLUMNSxROWS; about square without it.")] = None,
    force: Force = True,
) -> None:
    """Draw pictures with a bundle into one PNG."""
    from ganexport.bundle import open_bundle
    from ganexport.pictures import grid as to_grid
    from ganexport.pictures import grid_shape, save_png

    if noise not in (None, "const", "none", "random"):
        raise OptionError(f"--noise is const, random or none, found {noise!r}")
    numbers = _seeds(seeds)
    columns, rows = grid_shape(len(numbers), grid)
    opened = open_bundle(bundle)
    psi = opened.manifest.defaults.truncation_psi if psi is None and opened.manifest.spec.has_w_space else psi
    pictures = opened.generate(numbers, label, psi, cutoff=cutoff, noise=noise)  # type: ignore[arg-type]
    made = {"seeds": seeds, "label": label, "psi": psi, "cutoff": cutoff, "model": opened.manifest.name}
    text = {"ganexport": json.dumps({k: v for k, v in made.items() if v is not None})}
    save_png(to_grid(pictures, columns, rows), output, text, force=force)
    console.print(f"wrote {plain(str(output))}", soft_wrap=True)


@app.command(epilog="Example: ganexport verify digits/ --browser")
def verify(
    bundle: BundleFolder,
    browser: Annotated[bool, typer.Option("--browser", help="Also in a real browser.")] = False,
    allow_unverified: AllowUnverified = False,
    as_json: AsJson = False,
) -> None:
    """Check a bundle's files, and that every runtime here draws what was proven."""
    from ganexport.parity import parity_table
    from ganexport.verify import verify as run

    with progress() as shown:
        results = run(bundle, browser=browser, allow_unverified=allow_unverified, progress=shown)
    if as_json:
        print(json.dumps([r.model_dump(mode="json") for r in results], indent=1))
    else:
        console.print(parity_table(results))


@app.command(epilog='Example: ganexport directions digits/ --method sefa --layers coarse --name sefa-coarse-0="slant"')
def directions(
    bundle: BundleFolder,
    method: Annotated[
        str | None,
        typer.Option(help="sefa, pca, classes, with commas between. All that the bundle allows without it."),
    ] = None,
    attributes: Annotated[
        Path | None, typer.Option(help="A CSV file: seed, maybe label, and columns of 0 and 1 or of numbers.")
    ] = None,
    count: Annotated[int | None, typer.Option(help="How many directions sefa and pca find; 5 without it.")] = None,
    layers: Annotated[
        str | None, typer.Option(help="Which layers they move: all, coarse, middle, fine (a third each), or 0-3.")
    ] = None,
    samples: Annotated[int, typer.Option(min=4, help="Latents to draw, to see how they spread.")] = 10_000,
    name: Annotated[
        list[str] | None, typer.Option(metavar="NAME=TITLE", help="What people call a direction. May be repeated.")
    ] = None,
    drop: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Take it out. May be repeated.")] = None,
    previews: Annotated[bool, typer.Option(help="Draw pictures along each direction.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Find again what has the same name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Find directions that change the same thing in every picture, and put them into a bundle.

    With --name and --drop alone nothing is looked for.
    """
    from ganexport.directions import DirectionOptions, update_directions

    asked: dict[str, Any] = {"methods": None if method is None else _parts(method), "attributes": attributes}
    asked |= {"count": count, "layers": layers}
    given = {key: value for key, value in asked.items() if value is not None}
    options: Any = {**given, "samples": samples, "previews": previews, "force": force}
    with progress() as shown:
        items = update_directions(
            bundle,
            DirectionOptions(**options) if given or not (name or drop) else None,
            titles=_titles(name or []),
            drop=drop or [],
            progress=shown,
        )
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in items], indent=1))
        return
    rows = [
        (
            one.name,
            one.title or "",
            one.space if one.layers is None else f"w {one.layers[0]}-{one.layers[1] - 1}",
            f"{one.range[0]:g} … {one.range[1]:g}",
            "" if one.explained is None else f"{one.explained:.1%}",
        )
        for one in items
    ]
    console.print(table(("direction", "title", "moves", "range", "explains"), rows))


@app.command(epilog="Example: ganexport site digits/ -o site/")
def site(
    sources: Annotated[list[Path], typer.Argument(help="Bundles or checkpoints.", show_default=False)],
    output: Output,
    labels: Labels = None,
    network: Network = None,
    c_dim: CDim = None,
    image_range: ImageRange = None,
    resolution: Resolution = None,
    latent_input: LatentInput = None,
    label_input: LabelInput = None,
    image_output: ImageOutput = None,
    space: Annotated[bool, typer.Option("--space", help="Add the README of a Hugging Face Space.")] = False,
    allow_unverified: AllowUnverified = False,
    force: Force = False,
) -> None:
    """Build a static web page that draws on the visitor's own machine."""
    import tempfile

    from ganexport.convert import ConvertOptions
    from ganexport.manifest import MANIFEST_NAME
    from ganexport.site import build_site
    from ganexport.source import graph_importer

    imports = _import_options(
        image_range,
        network=network,
        c_dim=c_dim,
        resolution=resolution,
        latent_input=latent_input,
        label_input=label_input,
        image_output=image_output,
    )
    with tempfile.TemporaryDirectory(prefix="ganexport-") as temporary:
        bundles = []
        for source in sources:
            if (source / MANIFEST_NAME).exists() or (source.is_dir() and graph_importer(source) is None):
                bundles.append(source)
                continue
            made = Path(temporary) / str(len(bundles)) / source.stem
            options = ConvertOptions(checkpoint=False, allow_unverified=allow_unverified)
            _convert(source, made, options, imports, name=source.stem, labels=labels)
            bundles.append(made)
        build_site(bundles, output, space=space, force=force)
    console.print(
        f"wrote {plain(str(output))}; look at it with: ganexport preview {plain(str(output))}", soft_wrap=True
    )


@app.command(epilog="Example: ganexport preview site/")
def preview(
    folder: Annotated[Path, typer.Argument(help="A site's folder.", show_default=False)],
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
    cors: Annotated[bool, typer.Option("--cors", help="Let pages of other origins use its files.")] = False,
) -> None:
    """Serve a site on this machine, with the headers that browsers want."""
    from ganexport.site import serve_site

    serve_site(folder, port, cors=cors, on_ready=lambda url: console.print(f"{url}  (Ctrl-C to stop)"))


@app.command(epilog="Example: ganexport demo -o demo/")
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for what it makes.")] = Path("demo"),
    force: Force = False,
) -> None:
    """Walk the whole way once with the shipped digits: convert, verify, site, picture."""
    from ganexport.demo import run_demo

    with progress() as shown:
        made = run_demo(output, force=force, progress=shown)
    for what, path in made.items():
        console.print(f"{what}: {plain(str(path))}", soft_wrap=True)
    console.print(f"look at the page with: ganexport preview {plain(str(made['site']))}", soft_wrap=True)


def _targets(text: str) -> tuple[TargetName, ...]:
    """Targets from text such as `onnx,tfjs`; whether there are such is checked where they are written."""
    return cast("tuple[TargetName, ...]", _parts(text))


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _titles(texts: list[str]) -> dict[str, str]:
    """Titles by name from texts such as `sefa-0=smile`."""
    titles = {}
    for text in texts:
        name, equals, title = text.partition("=")
        if not equals:
            raise OptionError(f'--name takes a name and a title such as sefa-0="smile"; found {text!r}')
        titles[name.strip()] = title.strip()
    return titles


def _import_options(image_range: str | None, **given: Any) -> ImportOptions:
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


def _convert(
    source: Path, output: Path, options: Any, imports: ImportOptions, *, name: str | None, labels: Path | None
) -> None:
    """Load and convert with a progress line, and print the gate's table even when it fails."""
    from ganexport.convert import convert as run
    from ganexport.generator import with_labels
    from ganexport.manifest import ParityResult
    from ganexport.parity import parity_table
    from ganexport.source import open_source

    results: list[ParityResult] = []
    with progress() as shown:
        shown.stage(f"reading {source}")
        generator = open_source(source, imports)
        if labels is not None:
            generator = with_labels(generator, labels)
        try:
            run(generator, output, options, name=name, progress=shown, on_result=results.append)
        finally:
            if results:
                console.print(parity_table(results))


def _seeds(text: str) -> list[int]:
    """Seeds from text such as `0-15` or `1,5,9`."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise OptionError(f"--seeds takes numbers such as 0-15 or 1,5,9; found {text!r}")
        numbers = range(int(first), int(last or first) + 1)
        if not 0 < len(numbers) <= 10_000:
            raise OptionError(f"--seeds takes rising ranges of at most 10,000 seeds; found {text!r}")
        seeds += numbers
    return seeds
