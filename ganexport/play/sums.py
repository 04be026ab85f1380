"""Arithmetic with pictures: seeds, attributes of labelled seeds and directions, added and taken away."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ganexport.directions.attributes import Attributes
from ganexport.errors import OptionError
from ganexport.latents import move_along
from ganexport.manifest import Direction
from ganexport.play.points import Points, Sheet, joined
from ganexport.play.studio import Label, Studio

__all__ = ["signed_sum"]

SEED = re.compile(r"(?P<seed>[0-9]{1,10})(?:@(?P<label>.+))?")
TERM = re.compile(r"(?:(?P<amount>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)\*)?(?P<what>.+)", re.DOTALL)
EXAMPLE = '"12 - 7 + 40", "3@8 - !smile + smile" or "12 + 2*sefa-0"'
A_RUN = 500
"""Latents that are mapped at once."""


@dataclass(frozen=True)
class _Term:
    amount: float  # with its sign
    what: str


def signed_sum(studio: Studio, text: str, attributes: Attributes | None = None, label: Label | None = None) -> Sheet:
    """Pictures added and taken away, such as a − b + c; in w where there is a w space, else in z (and in c).

    A term is a seed (`12`, or `12@birch` in a class of its own), the mean of labelled seeds (`smile`, `!smile`,
    `smile&!glasses`) or a direction of the bundle by its name; it may have a factor before it (`2*sefa-0`). Terms stand
    between plus and minus signs with spaces around them; quotation marks hold together what has spaces in it.

    Args:
        studio: The bundle.
        text: The sum.
        attributes: What labelled seeds show.
        label: Class of the seeds that do not say theirs.

    Returns:
        One row: the pictures of the terms that have one, then the result, which has the noise of the first.

    Raises:
        OptionError: It cannot be read, or a term is unknown.

    Source: Radford et al. 2016 (DCGAN), section 6.3.2.
    """
    directions: list[tuple[Direction, float]] = []
    pictures: list[tuple[Points, float]] = []
    for term in _terms(text):
        points = _seed(studio, term.what, label) or _attribute(studio, term.what, attributes, label)
        if points is None:
            directions.append((_direction(studio, term.what, attributes), term.amount))
        else:
            pictures.append((points, term.amount))
    if not pictures:
        raise OptionError(f"a sum needs a picture to start from, such as {EXAMPLE}; found {text!r}")
    terms = joined([studio.placed(points) for points, _ in pictures])
    amounts = np.asarray([amount for _, amount in pictures])
    total = replace(_weighted(terms, amounts), names=(text,))
    moves = [move for one, amount in directions for move in studio.bundle.moves({one.name: amount})]
    total = replace(total, latents=move_along(total.latents, moves))
    return Sheet(joined([terms, total]), (text,), (*terms.names, "result"))


def _terms(text: str) -> list[_Term]:
    """Terms with their signs: the first has none before it."""
    try:
        words = ["+", *shlex.split(text)]
    except ValueError as error:
        raise OptionError(f"a sum is written like {EXAMPLE}; found {text!r}: {error}") from None
    signs, whats = words[::2], words[1::2]
    if len(signs) != len(whats) or any(sign not in ("+", "-") for sign in signs) or not all(whats):
        raise OptionError(f"a sum is written like {EXAMPLE}, with spaces around its signs; found {text!r}")
    parts = [(sign, match) for sign, word in zip(signs, whats, strict=True) if (match := TERM.fullmatch(word))]
    return [_Term((1 if sign == "+" else -1) * float(m["amount"] or 1), m["what"]) for sign, m in parts]


def _seed(studio: Studio, what: str, label: Label | None) -> Points | None:
    match = SEED.fullmatch(what)
    return None if match is None else studio.seeds([int(match["seed"])], match["label"] or label)


def _attribute(studio: Studio, what: str, attributes: Attributes | None, label: Label | None) -> Points | None:
    """The mean of the labelled seeds that show what is said; None where these are no attributes."""
    if attributes is None:
        return None
    wanted = [(part.removeprefix("!"), not part.startswith("!")) for part in map(str.strip, what.split("&"))]
    if not {name for name, _ in wanted} <= attributes.values.keys():
        return None
    chosen = np.ones(len(attributes.seeds), bool)
    for name, there in wanted:
        values = attributes.values[name]
        if not np.isin(values, (0, 1)).all():
            raise OptionError(f"{name!r} is a number: only columns of 0 and 1 say which pictures to take")
        chosen &= values == (1 if there else 0)
    if not chosen.any():
        raise OptionError(f"no labelled seed shows {what}")
    at = np.flatnonzero(chosen).tolist()
    seeds = [attributes.seeds[i] for i in at]
    labels = label if attributes.labels is None else [attributes.labels[i] for i in at]
    return _mean(studio, studio.seeds(seeds, labels), what)


def _mean(studio: Studio, points: Points, name: str) -> Points:
    parts = []
    for start in range(0, len(points), A_RUN):
        part = studio.placed(points.pick(range(start, min(start + A_RUN, len(points)))))
        parts.append(_weighted(part, np.full(len(part), 1 / len(points))))
    return replace(_weighted(joined(parts), np.ones(len(parts))), names=(name,))


def _weighted(points: Points, weights: NDArray[np.float64]) -> Points:
    """The sum of points with these weights [N], as one point with the noise and name of the first."""

    def total(values: NDArray[np.float32]) -> NDArray[np.float32]:
        each = weights.reshape(-1, *[1] * (values.ndim - 1)) * values.astype(np.float64)
        return np.asarray(each.sum(axis=0, keepdims=True), np.float32)

    return replace(points.pick([0]), latents=total(points.latents), c=None if points.c is None else total(points.c))


def _direction(studio: Studio, what: str, attributes: Attributes | None) -> Direction:
    try:
        return studio.direction(what)
    except OptionError as error:
        known = "" if attributes is None else f"; the labelled seeds have: {', '.join(list(attributes.values)[:20])}"
        raise OptionError(f"{what!r} is no seed, and {error}{known}") from None
