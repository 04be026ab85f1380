"""What long work says of itself while it goes on; who listens decides how it looks."""

from __future__ import annotations

from typing import Protocol

__all__ = ["SILENT", "Progress"]


class Progress(Protocol):
    """A listener to work that goes in stages, and in stages that go in steps."""

    def stage(self, text: str, steps: int | None = None) -> None:
        """Another stage begins; `steps` is how many it takes, None where that is not known."""

    def step(self) -> None:
        """A step of the stage is done."""


class _Silent:
    def stage(self, text: str, steps: int | None = None) -> None:
        pass

    def step(self) -> None:
        pass


SILENT: Progress = _Silent()
"""Shows nothing."""
