"""What one request wants drawn, in a form in which the orders of several requests can be drawn together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ganexport.bundle import Bundle
from ganexport.inputs import Noise

__all__ = ["Order", "Part", "Pixels", "draw_parts"]

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Order:
    """Pictures to draw of one model.

    Attributes:
        count: How many.
        latents: Gives ws [N, num_ws, w_dim], or z [N, z_dim] without a w space; called where graphs may run.
        c: Classes [N, c_dim] of a family whose synthesis takes them; None otherwise.
        seeds: One a picture, for noise that is drawn from them; None where there are none.
        noise: As `Bundle.draw` takes it.
        inputs: Further inputs, as `Bundle.draw` takes them.
    """

    count: int
    latents: Callable[[Bundle], Floats]
    c: Floats | None = None
    seeds: Sequence[int] | None = None
    noise: Noise | None = None
    inputs: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def kind(self) -> object:
        """Orders of the same kind may be drawn in one run; one that is its own kind is drawn alone and whole."""
        alone = bool(self.inputs) or isinstance(self.noise, Mapping)
        return self if alone else (self.noise, self.seeds is None)


@dataclass(frozen=True)
class Part:
    """Some pictures of an order: those from `start` up to `stop`."""

    order: Order
    latents: Floats
    start: int
    stop: int


def draw_parts(bundle: Bundle, parts: Sequence[Part]) -> list[Pixels]:
    """Draw parts of one kind in one run: the pictures uint8 [N, H, W, C] of each.

    Raises:
        OptionError: Something in an order has no meaning for this generator.
    """
    first = parts[0].order
    latents = np.concatenate([part.latents[part.start : part.stop] for part in parts])
    classes = [part.order.c[part.start : part.stop] for part in parts if part.order.c is not None]
    seeds = [seed for part in parts for seed in (part.order.seeds or ())[part.start : part.stop]] or None
    label = np.concatenate(classes) if classes else None
    drawn = bundle.draw(latents, label, first.noise, seeds, inputs=first.inputs)
    ends = np.cumsum([part.stop - part.start for part in parts])
    return np.split(drawn, ends[:-1])
