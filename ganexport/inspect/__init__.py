"""Looking inside a generator: what its layers make of one picture, and how the last of them put it together."""

from __future__ import annotations

from ganexport.inspect.look import CHANNELS, Inside, Subject, list_layers, look_inside, open_subject

__all__ = ["CHANNELS", "Inside", "Subject", "list_layers", "look_inside", "open_subject"]
