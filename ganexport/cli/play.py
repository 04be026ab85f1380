"""Playing with a bundle: `generate`, `sweep`, `walk`, `mix`, `arith`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganexport.cli._drawing import (
    Cutoff,
    Drawing,
    Label,
    Latents,
    Noise,
    Provider,
    Psi,
    Seeds,
    Size,
    draw_sheet,
    said,
    start,
    studio,
)
from ganexport.cli._shared import AsJson, BundleFolder, Output, app, comma_parts, parse_numbers
from ganexport.errors import OptionError
from ganexport.terminal import progress

if TYPE_CHECKING:
    from ganexport.play import Sheet, Studio

__all__ = ["arith", "generate", "mix", "sweep", "walk"]

Steps = Annotated[int, typer.Option(help="Pictures of each sweep, both ends included.")]
Space = Annotated[str | None, typer.Option(metavar="z|w", help="Which latents: z, or w where there is a w space.")]


@app.command(epilog="Example: ganexport generate digits/ --seeds 0-15 --label 3 --psi 0.7 --grid 4x4 -o threes.png")
def generate(
    bundle: BundleFolder,
    output: Output,
    seeds: Seeds = None,
    label: Label = None,
    psi: Psi = None,
    cutoff: Cutoff = None,
    noise: Noise = None,
    provider: Provider = "cpu",
    latents: Latents = None,
    size: Size = 1,
    grid: Annotated[str | None, typer.Option(help="COLUMNSxROWS; about square without it.")] = None,
    each: Annotated[bool, typer.Option("--each", help="One file a picture, in the folder that -o names.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder of --each if it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Draw pictures with a bundle: one PNG or WebP, or with --each a folder of them.

    With --label all each seed is drawn in every class: a row a seed, a column a class.
    """
    from ganexport.pictures import grid_shape
    from ganexport.play import Sheet, every_class

    made = Drawing(bundle, start(seeds, latents, "0-15"), label, psi, cutoff, noise, latents, size, provider)
    with progress() as shown:
        at = studio(made, shown)
        if made.every_class(at) and grid is None:
            sheet = every_class(at, made.points(at, classes=False))
        else:
            columns, rows = grid_shape(len(points := made.points(at)), grid)
            sheet = Sheet(points, ("",) * rows, ("",) * columns)
        facts = draw_sheet(made, at, sheet, output, origins=made.origins(at, sheet.points), each=each, force=force)
    said(made, at, output, facts, as_json=as_json)


@app.command(epilog="Example: ganexport sweep digits/ --seeds 1-4 --classes 3,8 -o three-to-eight.png")
def sweep(
    bundle: BundleFolder,
    output: Output,
    coordinate: Annotated[
        str | None, typer.Option(help="Coordinates to set, such as 5 or 0-7: a row each.", show_default=False)
    ] = None,
    classes: Annotated[str | None, typer.Option(metavar="A,B", help="From one class to another.")] = None,
    direction: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Along a direction of the bundle. May be repeated.")
    ] = None,
    ends: Annotated[
        str | None,
        typer.Option("--range", metavar="LO,HI", help="From and to: -1,1 for coordinates; a direction has its own."),
    ] = None,
    steps: Steps = 9,
    space: Space = None,
    seeds: Seeds = None,
    label: Label = None,
    psi: Psi = None,
    cutoff: Cutoff = None,
    noise: Noise = None,
    provider: Provider = "cpu",
    latents: Latents = None,
    size: Size = 1,
    as_json: AsJson = False,
) -> None:
    """Change one thing step by step: a coordinate, the class, or along a direction. A row a seed, a column a step.

    With --label all every class is a row: what the same step does to each of them.
    """
    made = Drawing(bundle, start(seeds, latents, "0"), label, psi, cutoff, noise, latents, size, provider)
    with progress() as shown:
        at = studio(made, shown)
        sheet = _swept(at, made, coordinate, classes, direction, _range(ends), steps, space)
        swept = {
            "coordinate": coordinate,
            "classes": classes,
            "direction": direction or None,
            "range": ends,
            "space": space,
        }
        drawn = draw_sheet(made, at, sheet, output, {"verb": "sweep", **swept, "steps": steps})
    said(made, at, output, drawn, as_json=as_json)


@app.command(epilog="Example: ganexport walk digits/ --seeds 1,5,9 --label 3 --loop -o walk.webp")
def walk(
    bundle: BundleFolder,
    output: Annotated[Path, typer.Option("-o", "--output", help="A film: .mp4, .webp or .gif.", show_default=False)],
    frames: Annotated[int, typer.Option(help="Frames from one seed to the next.")] = 60,
    fps: Annotated[float, typer.Option(help="Frames a second.")] = 30,
    loop: Annotated[bool, typer.Option("--loop", help="Go on to the first seed, so that it repeats smoothly.")] = False,
    space: Space = None,
    size: Size = 256,
    seeds: Seeds = None,
    label: Label = None,
    psi: Psi = None,
    cutoff: Cutoff = None,
    noise: Noise = None,
    provider: Provider = "cpu",
    latents: Latents = None,
    as_json: AsJson = False,
) -> None:
    """Walk through seeds as a film: on the arc in z, or on the straight line in w.

    With --label all it goes through all classes of a seed. MP4 needs the extra `video`.
    """
    from ganexport.films import check_film, save_film
    from ganexport.play import walk as walk_through

    check_film(output, fps)
    made = Drawing(bundle, start(seeds, latents, "0-3"), label, psi, cutoff, noise, latents, size, provider)
    facts: dict[str, Any] = {"verb": "walk", "frames": frames, "fps": fps, "loop": loop, "space": space}
    with progress() as shown:
        at = studio(made, shown)
        keyframes = made.points(at)
        points = walk_through(at, keyframes, frames, loop=loop, space=_space(space))

        def drawn() -> Any:
            yield from at.frames(points)
            shown.stage(f"writing {output.name}")

        save_film(drawn(), output, fps=fps, text=made.provenance(at, facts), least_side=size)
    said(made, at, output, facts | {"keyframes": keyframes.names, "count": len(points)}, as_json=as_json)


@app.command(
    epilog="Example: ganexport mix faces/ --columns 0-4 --rows 85,100,75 --layers coarse,middle,fine -o mix.png"
)
def mix(
    bundle: BundleFolder,
    output: Output,
    columns: Annotated[
        str | None, typer.Option(help="Seeds along the top edge; 0-4 without it.", show_default=False)
    ] = None,
    rows: Annotated[str, typer.Option(help="Seeds along the left edge, whose layers are taken.")] = "5-7",
    layers: Annotated[
        str, typer.Option(help="Which layers come from the row: coarse, middle, fine or 0-3, a band of rows for each.")
    ] = "coarse,middle,fine",
    label: Label = None,
    row_label: Annotated[str | None, typer.Option("--row-label", help="Class of the rows, if another.")] = None,
    psi: Psi = None,
    cutoff: Cutoff = None,
    noise: Noise = None,
    provider: Provider = "cpu",
    latents: Latents = None,
    size: Size = 1,
    as_json: AsJson = False,
) -> None:
    """Mix styles: each row's layers in each column's picture, with the sources along the edges."""
    from ganexport.play import mix as mixed

    made = Drawing(bundle, start(columns, latents, "0-4"), label, psi, cutoff, noise, latents, size, provider)
    with progress() as shown:
        at = studio(made, shown)
        donors = Drawing(bundle, rows, row_label or label, psi, cutoff, noise).points(at, "--rows")
        sheet = mixed(at, made.points(at, "--columns"), donors, comma_parts(layers))
        facts = {"verb": "mix", "rows": rows, "row_label": row_label, "layers": layers}
        drawn = draw_sheet(made, at, sheet, output, facts)
    said(made, at, output, drawn, as_json=as_json)


@app.command(epilog='Example: ganexport arith digits/ "12 - 7 + 40" --label 3 -o sum.png')
def arith(
    bundle: BundleFolder,
    expression: Annotated[
        str,
        typer.Argument(
            help="Seeds (12, 12@class), attributes (smile, !smile&hat), directions (2*sefa-0), added and taken away.",
            show_default=False,
        ),
    ],
    output: Output,
    attributes: Annotated[
        Path | None, typer.Option(help="A CSV file: seed, maybe label, and columns of 0 and 1, as directions takes it.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Class of the seeds that do not say theirs.")] = None,
    psi: Psi = None,
    cutoff: Cutoff = None,
    noise: Noise = None,
    provider: Provider = "cpu",
    size: Size = 1,
    as_json: AsJson = False,
) -> None:
    """Reckon with pictures: a - b + c. The strip shows each of them, then the result."""
    from ganexport.directions.attributes import read_attributes
    from ganexport.play import signed_sum

    made = Drawing(bundle, None, label, psi, cutoff, noise, size=size, provider=provider)
    with progress() as shown:
        at = studio(made, shown)
        table = None if attributes is None else read_attributes(attributes)
        sheet = signed_sum(at, expression, table, label)
        facts = {"verb": "arith", "expression": expression, "attributes": attributes and attributes.name}
        drawn = draw_sheet(made, at, sheet, output, facts)
    said(made, at, output, drawn, as_json=as_json)


def _swept(
    at: Studio,
    made: Drawing,
    coordinate: str | None,
    classes: str | None,
    direction: list[str] | None,
    ends: tuple[float, float] | None,
    steps: int,
    space: str | None,
) -> Sheet:
    from ganexport.play import class_sweep, coordinate_sweep, direction_sweep

    if sum(one is not None for one in (coordinate, classes, direction or None)) != 1:
        raise OptionError("say what to sweep: one of --coordinate 5, --classes 3,8 and --direction NAME")
    if coordinate is not None:
        which = parse_numbers(coordinate, "--coordinate", "coordinates")
        return coordinate_sweep(at, made.points(at), which, ends or (-1.0, 1.0), steps, _space(space))
    if space is not None:
        raise OptionError("--space is for --coordinate: classes and directions have their own space")
    if direction:
        return direction_sweep(at, made.points(at), direction, ends, steps)
    both = comma_parts(classes or "")
    if len(both) != 2 or ends is not None:
        raise OptionError(f"--classes takes two classes, such as 3,8, and no --range; found {classes!r}")
    return class_sweep(at, made.points(at, classes=False), *both, steps)


def _range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    try:
        first, last = (float(part) for part in text.split(","))
    except ValueError:
        raise OptionError(f"--range takes two numbers such as -1,1; found {text!r}") from None
    return first, last


def _space(text: str | None) -> Any:
    if text not in (None, "z", "w"):
        raise OptionError(f"--space is z or w, found {text!r}")
    return text
