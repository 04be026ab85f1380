"""The smallest plan whose pictures stay within some grey levels.

Each weight alone is stored in the fewest bytes there are, and the error of the pictures measured: how sensitive they
are to it. One bit more halves that error, and errors of different weights add in squares. So every bit that could be
spent has a gain, and spending bits in the order of gain a byte makes a row of plans, from the smallest to float32. In
it the first is looked for whose pictures, drawn, are near enough; then single weights go back as far as that stays so.

Source: Shoham and Gersho 1988 (Efficient bit allocation for an arbitrary set of quantizers), section II.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from ganexport.manifest import Storage
from ganexport.precision.pictures import PictureErrors
from ganexport.precision.storage import BITS, REDUCED, Plan, storages_for, weight_bytes

__all__ = ["search"]

Measure = Callable[[Plan], PictureErrors]

MARGIN = 0.999
"""Of what is allowed; another runtime draws the same picture a little differently."""


class _Move(NamedTuple):
    """From a storage to the next finer one."""

    gain: float
    name: str
    storage: str


def search(
    shapes: Mapping[str, tuple[int, ...]],
    measure: Measure,
    levels: float,
    on_measured: Callable[[], None] = lambda: None,
) -> dict[str, Storage]:
    """Find the plan.

    Args:
        shapes: Of the weights that may be stored in fewer bytes.
        measure: Errors of the pictures under a plan.
        levels: Greatest mean and 99.9th percentile of the error, in grey levels.
        on_measured: Told each time that pictures were drawn.

    Returns:
        The storage of each weight; those that have to stay float32 are not named.
    """

    def errors_of(choice: Mapping[str, str]) -> PictureErrors:
        found = measure(_plan(choice))
        on_measured()
        return found

    def is_fine(choice: Mapping[str, str]) -> bool:
        return errors_of(choice).within(levels * MARGIN)

    smallest = {name: storages_for(shape)[0] for name, shape in shapes.items()}
    moves = [move for name, shape in shapes.items() for move in _moves(name, shape, errors_of({name: smallest[name]}))]
    moves.sort(key=lambda move: -move.gain)
    low, high = 0, len(moves)  # the first `high` moves are enough
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_fine(_after(smallest, moves[:middle])) else (middle + 1, high)
    return _plan(_loosened(shapes, _after(smallest, moves[:high]), is_fine))


def _moves(name: str, shape: tuple[int, ...], errors: PictureErrors) -> Iterator[_Move]:
    """Each step of a weight from its smallest storage, with which pictures have such errors, to float32."""
    ladder = (*storages_for(shape), "float32")

    def square(storage: str) -> float:
        return (max(errors.mean, errors.high) * 2.0 ** (BITS[ladder[0]] - BITS[storage])) ** 2

    for coarse, fine in pairwise(ladder):
        more = weight_bytes({name: shape}, {name: fine}) - weight_bytes({name: shape}, {name: coarse})
        yield _Move((square(coarse) - square(fine)) / more, name, fine)


def _after(smallest: Mapping[str, str], moves: list[_Move]) -> dict[str, str]:
    return {**smallest, **{move.name: move.storage for move in moves}}  # of one weight the finer comes later


def _plan(choice: Mapping[str, str]) -> dict[str, Storage]:
    return {name: one for name, storage in choice.items() for one in REDUCED if one == storage}


def _loosened(
    shapes: Mapping[str, tuple[int, ...]], choice: dict[str, str], is_fine: Callable[[Mapping[str, str]], bool]
) -> dict[str, str]:
    """The choice with single weights in fewer bytes, where the pictures allow it; the largest first."""
    for name in sorted(shapes, key=lambda name: -math.prod(shapes[name])):
        ladder = (*storages_for(shapes[name]), "float32")
        at = ladder.index(choice[name])
        if at and is_fine({**choice, name: ladder[at - 1]}):
            choice = {**choice, name: ladder[at - 1]}
    return choice
