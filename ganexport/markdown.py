"""Other people's words in Markdown: shown as they are, whatever they look like."""

from __future__ import annotations

import re

__all__ = ["code", "one_line", "plain"]


def one_line(text: str) -> str:
    """Text in one line with nothing invisible in it."""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())


def plain(text: str) -> str:
    """Text in one line that no renderer takes for a link, a picture, a tag or the end of a cell."""
    return re.sub(r"([\\`*_{}\[\]<>#|~!&])", r"\\\1", one_line(text))


def code(text: str) -> str:
    """Text in one line as a span of code."""
    inside = one_line(text).replace("`", "'")
    return f"`{inside}`"
