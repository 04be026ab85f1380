"""Looking inside a generator: what its layers make of one picture, and how the last of them put it together."""

from __future__ import annotations

from ganexport.inspect.look import CHANNELS, Inside, Subject, list_layers, look_inside, open_subject
from ganexport.inspect.update import add_inside, drop_inside

__all__ = [
    "CHANNELS",
    "Inside",
    "Subject",
    "add_inside",
    "drop_inside",
    "list_layers",
    "look_inside",
    "open_subject",
]
