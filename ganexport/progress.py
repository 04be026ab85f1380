"""What long work says of itself while it goes on; who listens decides how it looks."""

from __future__ import annotations

from typing import Protocol

__all__ = ["SILENT", "Progress"]


class Progress(Protocol):
    """A listener to work that goes in stages, and in stages that go in steps."""

    def stage(self, text: str, steps: int | None = None) -> None:
        """Another stage begins; `steps` is how many it takes, None where that is not known."""

    def step(self, count: int = 1) -> None:
        """So many steps of the stage are done."""


class _Silent:
    def stage(self, text: str, steps: int | None = None) -> None:
        pass

    def step(self, count: int = 1) -> None:
        pass


SILENT: Progress = _Silent()
"""Shows nothing."""
