"""Drawing with a bundle: `generate`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ganexport.cli._shared import BundleFolder, Force, Output, app, parse_seeds
from ganexport.errors import OptionError
from ganexport.terminal import console, plain

__all__ = ["generate"]


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
    numbers = parse_seeds(seeds)
    columns, rows = grid_shape(len(numbers), grid)
    opened = open_bundle(bundle)
    psi = opened.manifest.defaults.truncation_psi if psi is None and opened.manifest.spec.has_w_space else psi
    pictures = opened.generate(numbers, label, psi, cutoff=cutoff, noise=noise)  # type: ignore[arg-type]
    made = {"seeds": seeds, "label": label, "psi": psi, "cutoff": cutoff, "model": opened.manifest.name}
    text = {"ganexport": json.dumps({k: v for k, v in made.items() if v is not None})}
    save_png(to_grid(pictures, columns, rows), output, text, force=force)
    console.print(f"wrote {plain(str(output))}", soft_wrap=True)
