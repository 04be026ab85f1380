"""What docs/hosting.md tells authors to write, with a real host in place of its example."""

from __future__ import annotations

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "hosting.md"
EXAMPLE = "https://example.org"


def documented(kind: str, site: str) -> str:
    """A block of the document, with another address for the site of its example."""
    (block,) = re.findall(rf"^```\w+ {kind}\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return block.replace(EXAMPLE, site)


def policy(kind: str, site: str = "") -> dict[str, str]:
    """A policy of the document, with what the page itself wants: its icon, and to hear of violations."""
    name, value = documented(kind, site).strip().split(": ", 1)
    own = "" if "img-src" in value else "; img-src 'self'"
    return {name: f"{value}{own}; report-uri /violation"}
