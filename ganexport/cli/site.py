"""On the web: `site`, `preview`, and the whole way as `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganexport.cli._shared import (
    AllowUnverified,
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
    app,
    check_device,
    check_precision,
    import_options,
    load_and_convert,
)
from ganexport.terminal import console, plain, progress

__all__ = ["demo", "preview", "site"]


@app.command(epilog="Example: ganexport site digits.safetensors -o site/ --precision float16")
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
    precision: PrecisionOption = "float32",
    max_error: MaxError = None,
    optimize_for: OptimizeFor = None,
    space: Annotated[bool, typer.Option("--space", help="Add the README of a Hugging Face Space.")] = False,
    allow_unverified: AllowUnverified = False,
    force: Force = False,
) -> None:
    """Build a static web page that draws on the visitor's own machine."""
    import tempfile

    from ganexport.convert import ConvertOptions
    from ganexport.exporters.graphs import ExportOptions
    from ganexport.manifest import MANIFEST_NAME
    from ganexport.site import build_site
    from ganexport.source import graph_importer

    imports = import_options(
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
            options = ConvertOptions(
                export=ExportOptions(optimize_for=check_device(optimize_for)),
                precision=check_precision(precision),
                max_error=max_error,
                checkpoint=False,
                allow_unverified=allow_unverified,
            )
            load_and_convert(source, made, options, imports, name=source.stem, labels=labels)
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
