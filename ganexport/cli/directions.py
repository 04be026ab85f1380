"""What to move latents along: `directions`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ganexport.cli._shared import AsJson, BundleFolder, app, comma_parts
from ganexport.errors import OptionError
from ganexport.terminal import console, progress, table

__all__ = ["directions"]


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

    asked: dict[str, Any] = {"methods": None if method is None else comma_parts(method), "attributes": attributes}
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


def _titles(texts: list[str]) -> dict[str, str]:
    """Titles by name from texts such as `sefa-0=smile`."""
    titles = {}
    for text in texts:
        name, equals, title = text.partition("=")
        if not equals:
            raise OptionError(f'--name takes a name and a title such as sefa-0="smile"; found {text!r}')
        titles[name.strip()] = title.strip()
    return titles
