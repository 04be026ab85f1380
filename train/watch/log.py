"""`log.jsonl`: what a run said of itself, one line of JSON each, readable while the run goes on and after any kill.

Three kinds of lines, each with its `kimg`: readings (`loss_d`, `loss_g`, …: means since the line before),
`"event": "start"` (device, data, versions) and `"event": "warning"` (`name`, `text`).
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from ganexport.atomic import atomic_path

__all__ = ["Line", "RunLog", "read_lines"]

Line = dict[str, Any]


def read_lines(path: Path) -> list[Line]:
    """The lines of a `.jsonl` file; none where it does not exist. One that a kill cut short is left out."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("kimg"), int | float):
            lines.append(line)
    return lines


class RunLog:
    """Writes the log.

    Args:
        path: The file.
        every: How many readings a line is the mean of.
    """

    def __init__(self, path: Path, every: int) -> None:
        self._path, self._every = path, every
        self._pending: list[dict[str, float]] = []
        self.lines: list[Line] = []

    def resume(self, kimg: float) -> None:
        """Take up the log of a run that goes on from `kimg`; what came after that, and was lost, is dropped."""
        self.lines = [line for line in read_lines(self._path) if line["kimg"] <= kimg + 1e-9]
        with atomic_path(self._path, force=True) as temporary:
            temporary.write_text("".join(json.dumps(line) + "\n" for line in self.lines), encoding="utf-8")

    def event(self, kimg: float, event: str, **facts: Any) -> None:
        """Add a line on something that happened."""
        self._add({"kimg": kimg, "event": event, **facts})

    def reading(self, kimg: float, values: dict[str, float]) -> bool:
        """Take a reading in; returns whether a line came of it."""
        self._pending.append(values)
        return len(self._pending) >= self._every and self.flush(kimg)

    def flush(self, kimg: float) -> bool:
        """Write the readings that wait; returns whether there were any."""
        if not self._pending:
            return False
        means = {}
        for name in dict.fromkeys(name for values in self._pending for name in values):
            found = [values[name] for values in self._pending if name in values]
            mean = sum(found) / len(found)
            means[name] = float(f"{mean:.5g}") if math.isfinite(mean) else None  # JSON has no word for it
        self._pending = []
        self._add({"kimg": kimg, **means})
        return True

    def _add(self, line: Line) -> None:
        self.lines.append(line)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
