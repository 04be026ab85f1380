"""The training progress: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

__all__ = ["Progress"]

LINE_SECONDS = 30.0


class Progress:
    """Shows kimg, images a second, losses and the time left."""

    def __init__(self, kimg: float, total: float) -> None:
        self._console = Console()
        self._bar = Bar(
            TextColumn("{task.completed:.1f}/{task.total:.0f} kimg"),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total)
        self._bar.update(self._task, completed=kimg)
        self._total, self._started = total, (time.monotonic(), kimg)
        self._last = (time.monotonic(), kimg)
        self._line = 0.0
        self.rate = 0.0

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def note(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(text, highlight=False)

    def update(self, kimg: float, losses: dict[str, float]) -> None:
        """Show the state of things after `kimg`."""
        now = time.monotonic()
        self.rate = (kimg - self._last[1]) * 1000 / max(now - self._last[0], 1e-9)
        self._last = (now, kimg)
        text = f"{self.rate:.0f} img/s  " + "  ".join(f"{k} {v:.3f}" for k, v in losses.items())
        self._bar.update(self._task, completed=kimg, description=text)
        if not self._console.is_terminal and now - self._line >= LINE_SECONDS:
            self._line = now
            mean = (kimg - self._started[1]) * 1000 / max(now - self._started[0], 1e-9)
            left = (self._total - kimg) * 1000 / max(mean, 1e-9)
            print(f"{kimg:.1f}/{self._total:.0f} kimg  {text}  {left / 60:.0f} min left", flush=True)
