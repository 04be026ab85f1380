"""For a server that is there already: `triton`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ganexport.cli._shared import AsJson, Output, app
from ganexport.terminal import console, plain, progress, table

__all__ = ["triton"]


@app.command(epilog="Example: ganexport triton digits/ faces/ -o repository/ --max-batch 8")
def triton(
    bundles: Annotated[list[Path], typer.Argument(help="Bundles' folders.", show_default=False)],
    output: Output,
    version: Annotated[
        int, typer.Option(help="Which version of its model it becomes; Triton serves the greatest.")
    ] = 1,
    name: Annotated[str | None, typer.Option(help="Name of the model; the bundle's without it.")] = None,
    max_batch: Annotated[
        int | None,
        typer.Option(help="Most pictures of one run; what suits a processor and its memory without it."),
    ] = None,
    queue_delay: Annotated[
        int, typer.Option(metavar="MICROSECONDS", help="How long a request may wait for others to join its batch.")
    ] = 1000,
    force: Annotated[bool, typer.Option("--force", help="Replace this version if it is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a model repository for Triton Inference Server, or add to one.

    A version that is added leaves the others and the model's config.pbtxt as they are.
    """
    from ganexport.triton import TritonOptions, write_repository

    options = TritonOptions(version, max_batch, queue_delay, force)
    with progress() as shown:
        placed = write_repository(bundles, output, options, name=name, progress=shown)
    if as_json:
        print(json.dumps([{**asdict(one), "folder": str(one.folder)} for one in placed], indent=1))
        return
    columns = ("model", "version", "takes", "gives", "pictures a run")
    rows = [
        (one.name, str(one.version), _shapes(one.inputs), _shapes(one.outputs), str(one.max_batch)) for one in placed
    ]
    console.print(table(columns, rows))
    console.print(f"start it with: tritonserver --model-repository={plain(str(output.resolve()))}", soft_wrap=True)


def _shapes(tensors: Mapping[str, tuple[int | str, ...]]) -> str:
    return ", ".join(f"{name} [{', '.join(map(str, shape))}]" for name, shape in tensors.items())
