"""Sheets of pictures: every class, sweeps, mixing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from ganexport.errors import OptionError
from ganexport.latents import layer_range, lerp, mix_styles, move_along, sweep_coordinate
from ganexport.play.points import Points, Sheet, joined
from ganexport.play.studio import Label, Studio

__all__ = ["class_sweep", "coordinate_sweep", "direction_sweep", "every_class", "mix"]


def every_class(studio: Studio, points: Points) -> Sheet:
    """Each z in every class: a row a point, a column a class. What is alike in a row is its style.

    Raises:
        OptionError: The generator has no classes, or the points are in w.
    """
    names = studio.class_names
    if not names:
        raise OptionError("this generator has no classes, so there is no picture of each")
    each = points.pick(np.repeat(np.arange(len(points)), len(names)))
    return Sheet(
        studio.in_class(each, list(range(len(names))) * len(points)),
        tuple(map(studio.without_class, points.names)),
        names,
    )


def class_sweep(studio: Studio, points: Points, first: Label, last: Label, steps: int = 9) -> Sheet:
    """Each z from one class to another: a row a point, a column a step.

    The straight line from the point in the first class to the same z in the last one: between their ws where there is a
    w space, else between their c. Both ends are what the generator draws of these classes.

    Args:
        studio: The bundle.
        points: In z; the classes they have do not matter.
        first: Class by index or name.
        last: Class by index or name.
        steps: How many, both ends included.

    Raises:
        OptionError: There are no such classes, the points are in w, or there are less than two steps.
    """
    places = np.tile(_steps(0.0, 1.0, steps), len(points)).tolist()
    ends = [studio.in_class(points, label) for label in (first, last)]
    a, b = (studio.placed(end).pick(np.repeat(np.arange(len(points)), steps)) for end in ends)
    if a.c is None or b.c is None:
        swept = replace(a, latents=lerp(a.latents, b.latents, places))
    else:
        swept = replace(a, c=lerp(a.c, b.c, places))
    return Sheet(swept, tuple(map(studio.without_class, points.names)), tuple(f"{place:g}" for place in places[:steps]))


def coordinate_sweep(
    studio: Studio,
    points: Points,
    coordinates: Sequence[int],
    ends: tuple[float, float] = (-1.0, 1.0),
    steps: int = 9,
    space: Literal["z", "w"] | None = None,
) -> Sheet:
    """One coordinate set to each of some values: a row a point and coordinate, a column a value.

    Args:
        studio: The bundle.
        points: What the other coordinates are.
        coordinates: From 0.
        ends: First and last value.
        steps: How many values, both ends included.
        space: Of z, or of all ws at once; that of the points without one.

    Raises:
        OptionError: There is no such coordinate or space, or there are less than two steps.
    """
    values = _steps(*ends, steps)
    start = studio.placed(points) if space == "w" else points
    if start.space != (space or start.space):
        raise OptionError(f"these latents are in {start.space}, so no coordinate of {space} can be set")
    parts = [
        replace(start.pick([i] * steps), latents=sweep_coordinate(start.latents[i : i + 1], coordinate, values))
        for i in range(len(start))
        for coordinate in coordinates
    ]
    rows = tuple(f"{name}: {start.space}{coordinate}" for name in start.names for coordinate in coordinates)
    return Sheet(joined(parts), rows, tuple(f"{value:g}" for value in values))


def direction_sweep(
    studio: Studio, points: Points, names: Sequence[str], ends: tuple[float, float] | None = None, steps: int = 9
) -> Sheet:
    """Along directions of the bundle: a row a point and direction, a column an amount.

    Args:
        studio: The bundle.
        points: Where to start.
        names: Of the directions, or their titles.
        ends: First and last amount, in standard deviations; the whole range of each direction without them.
        steps: How many amounts, both ends included.

    Raises:
        OptionError: There is no such direction, or there are less than two steps.
    """
    found = [studio.direction(name) for name in names]
    ranges = {one.range for one in found}
    start, parts = studio.placed(points), []
    for i in range(len(start)):
        for one in found:
            amounts = _steps(*(ends or one.range), steps)
            moved = move_along(start.latents[i : i + 1], studio.bundle.moves({one.name: amounts}))
            parts.append(replace(start.pick([i] * steps), latents=moved))
    rows = tuple(f"{name}: {one.title or one.name}" for name in start.names for one in found)
    same = ends or (ranges.pop() if len(ranges) == 1 else None)
    shares = _steps(*same, steps) if same else _steps(-1.0, 1.0, steps)
    return Sheet(joined(parts), rows, tuple(f"{share:g}" if same else f"{share:g} of the range" for share in shares))


def mix(studio: Studio, columns: Points, rows: Points, layers: Sequence[str]) -> Sheet:
    """Style mixing: a band of rows for each range of layers, which come from the row; the rest comes from the column.

    The sources stand along the edges, as in figure 3 of Karras et al. 2019 (A style-based generator architecture).

    Args:
        studio: The bundle.
        columns: Sources of all other layers.
        rows: Sources of these layers.
        layers: Ranges such as `coarse`, `middle`, `fine`, or `0-3`; each is a band with all rows.

    Raises:
        OptionError: The generator has no w space, or no such layers; or none are named.
    """
    spec = studio.bundle.manifest.spec
    if not spec.has_w_space:
        raise OptionError(f"a {spec.architecture} generator has no w space, and so no layers to mix")
    if not layers:
        raise OptionError("which layers come from the rows is not said: name some, such as coarse or 0-3")
    ranges = [layer_range(text, spec.num_ws) for text in layers]
    bases, donors = studio.placed(columns), studio.placed(rows)
    parts = [bases]
    for layer in ranges:
        for i in range(len(donors)):
            donor = donors.pick([i])
            parts += [donor, replace(bases, latents=mix_styles(bases.latents, donor.latents, layer))]
    names = tuple(f"{text}: {name}" for text in layers for name in donors.names)
    return Sheet(joined(parts), ("", *names), ("", *bases.names), corner=True)


def _steps(first: float, last: float, steps: int) -> list[float]:
    if steps < 2:
        raise OptionError(f"a sweep has two steps at least, found {steps}")
    if not (np.isfinite(first) and np.isfinite(last)):
        raise OptionError(f"a sweep goes from a finite number to a finite number, found {first} and {last}")
    values: list[float] = np.linspace(first, last, steps).tolist()
    return values
