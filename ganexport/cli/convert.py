"""From a checkpoint to a bundle: `info`, `convert`, `verify`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ganexport.cli._shared import (
    AllowUnverified,
    AsJson,
    BundleFolder,
    CDim,
    Force,
    ImageOutput,
    ImageRange,
    LabelInput,
    Labels,
    LatentInput,
    MaxError,
    Network,
    OptimizeFor,
    Output,
    PrecisionOption,
    Resolution,
    Source,
    Targets,
    app,
    check_device,
    check_precision,
    comma_parts,
    import_options,
    load_and_convert,
)
from ganexport.errors import OptionError
from ganexport.terminal import console, plain, progress

if TYPE_CHECKING:
    from ganexport.manifest import TargetName

__all__ = ["convert", "info", "verify"]


@app.command(epilog="Example: ganexport info digits.safetensors")
def info(
    path: Annotated[Path, typer.Argument(help="A checkpoint, a bundle, or a picture that was drawn here.")],
    as_json: AsJson = False,
    draw_with: Annotated[
        Path | None, typer.Option("--draw-with", metavar="BUNDLE", help="Draw the picture again, into -o.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The PNG or WebP of --draw-with.", show_default=False)
    ] = None,
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
    """Say what a checkpoint or a bundle holds, without running it; of a picture, where it comes from."""
    from ganexport.bundle import open_bundle
    from ganexport.describe import describe
    from ganexport.importers import audit as audit_file
    from ganexport.picture_origin import redraw_file
    from ganexport.source import graph_importer

    if (draw_with is None) != (output is None):
        raise OptionError("--draw-with BUNDLE and -o again.png go together")
    options = import_options(
        image_range,
        network=network,
        c_dim=c_dim,
        resolution=resolution,
        latent_input=latent_input,
        label_input=label_input,
        image_output=image_output,
    )
    facts = audit_file(path) if audit and graph_importer(path) is None else describe(path, options)
    if draw_with is not None and output is not None:
        with progress() as shown:
            shown.stage("drawing it again")
            redraw_file(path, open_bundle(draw_with), output)
        facts["drawn_again"] = str(output)
    if as_json:
        print(json.dumps(facts, indent=1))
        return
    for name, value in facts.items():
        text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)
        console.print(f"[bold]{plain(name.replace('_', ' '))}[/]  {plain(text)}", soft_wrap=True)


@app.command(epilog="Example: ganexport convert digits.safetensors -o digits/ --max-error 2")
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
    precision: PrecisionOption = "float32",
    optimize_for: OptimizeFor = None,
    max_error: MaxError = None,
    checkpoint: Annotated[bool, typer.Option(help="Keep the canonical checkpoint in the bundle.")] = True,
    single_file: Annotated[
        bool, typer.Option("--single-file", help="Keep large weights in the ONNX files, not beside them.")
    ] = False,
    allow_unverified: AllowUnverified = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Convert a checkpoint to a bundle, and prove that it draws the same picture."""
    from ganexport.convert import ConvertOptions
    from ganexport.exporters.graphs import ExportOptions

    if noise not in ("const", "none", "random", "input"):
        raise OptionError(f"--noise is const, none, random or input, found {noise!r}")
    options = ConvertOptions(
        targets=None if to is None else _targets(to),
        export=ExportOptions(
            noise=noise,  # type: ignore[arg-type]
            truncation_psi=psi,
            single_file=single_file,
            optimize_for=check_device(optimize_for),
        ),
        precision=check_precision(precision),
        max_error=max_error,
        checkpoint=checkpoint,
        allow_unverified=allow_unverified,
        force=force,
    )
    imports = import_options(
        image_range,
        network=network,
        c_dim=c_dim,
        resolution=resolution,
        latent_input=latent_input,
        label_input=label_input,
        image_output=image_output,
    )
    load_and_convert(source, output, options, imports, name=name, labels=labels, as_json=as_json)
    if not as_json:
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


def _targets(text: str) -> tuple[TargetName, ...]:
    """Targets from text such as `onnx,tfjs`; whether there are such is checked where they are written."""
    return cast("tuple[TargetName, ...]", comma_parts(text))
