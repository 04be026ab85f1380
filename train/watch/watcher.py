"""`Watcher`: keeps a run's log and says when something is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from train.config import Config
from train.watch.log import RunLog
from train.watch.warnings import warnings_of

__all__ = ["LOG_NAME", "Watcher"]

LOG_NAME = "log.jsonl"

MOST_LINES = 2000


class Watcher:
    """What the loop tells of itself goes in here.

    Args:
        config: The run's.
        folder: Of the run; the log lies in it.
        kimg: Where the run begins or goes on.
        interval: Steps between two readings.
    """

    def __init__(self, config: Config, folder: Path, kimg: float, interval: int) -> None:
        self._config = config
        self._log = RunLog(folder / LOG_NAME, max(1, config.steps // (interval * MOST_LINES)))
        self._log.resume(kimg)

    def start(self, kimg: float, **facts: Any) -> None:
        """Note on what and where the run begins or goes on."""
        self._log.event(kimg, "start", time=datetime.now(UTC).isoformat(timespec="seconds"), **facts)

    def reading(self, kimg: float, values: dict[str, float]) -> list[str]:
        """Take a reading in; returns warnings that were not given before."""
        if not self._log.reading(kimg, values):
            return []
        said = {line["name"] for line in self._log.lines if line.get("event") == "warning"}
        new = {name: text for name, text in warnings_of(self._log.lines, self._config).items() if name not in said}
        for name, text in new.items():
            self._log.event(kimg, "warning", name=name, text=text)
        return list(new.values())

    def flush(self, kimg: float) -> None:
        """Bring the file up to date: a run that goes on from here finds all of it."""
        self._log.flush(kimg)
