"""Layers of a w space by name: coarse ones change shapes, fine ones colours and strokes."""

from __future__ import annotations

from ganexport.errors import OptionError

__all__ = ["layer_range"]


def layer_range(text: str, num_ws: int) -> tuple[int, int]:
    """First layer and one past the last from `all`, a third of them by name, or `a-b` with both included.

    Raises:
        OptionError: There are no such layers.
    """
    thirds = [round(num_ws * part / 3) for part in range(4)]
    named = {"all": (0, num_ws)}
    named |= {name: (thirds[i], thirds[i + 1]) for i, name in enumerate(("coarse", "middle", "fine"))}
    first, dash, last = text.partition("-")
    if text in named:
        start, end = named[text]
    elif dash and first.isdecimal() and last.isdecimal():
        start, end = int(first), int(last) + 1
    else:
        start, end = 0, 0
    if not 0 <= start < end <= num_ws:
        raise OptionError(f"--layers is all, coarse, middle, fine, or first-last within 0-{num_ws - 1}; found {text!r}")
    return start, end
