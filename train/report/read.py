"""Read a run's folder, whether the run goes on, is over, or was killed."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeGuard

from ganexport.errors import CheckpointError, GanExportError, OptionError
from ganexport.generator import load
from train.watch.log import Line, read_lines
from train.watch.watcher import LOG_NAME

__all__ = ["RunData", "Series", "finite", "read_run", "sample_grids"]

Series = list[tuple[float, float]]
"""(kimg, value), rising."""


@dataclass(frozen=True)
class RunData:
    """What a folder says of its run.

    Attributes:
        name: Of the folder.
        config: Field -> value, as they were when the run began.
        readings: Lines of the log on losses and the like.
        starts: Lines on device and data, one for each start.
        warnings: Lines on what went wrong.
        metrics: Lines on measurements.
        samples: Grids of pictures from fixed seeds: (kimg, file).
        licence: Attribution of the data.
        updated: When something was last written.
    """

    name: str
    config: dict[str, Any]
    readings: list[Line]
    starts: list[Line]
    warnings: list[Line]
    metrics: list[Line]
    samples: list[tuple[float, Path]]
    licence: str
    updated: datetime

    @property
    def kimg(self) -> float:
        """How far the run has come."""
        shown = [line["kimg"] for line in (*self.readings, *self.metrics)] + [kimg for kimg, _ in self.samples]
        return float(max(shown, default=0.0))

    def series(self, name: str) -> Series:
        """A figure of the readings, or `metrics.…` of the measurements, where it is a finite number."""
        lines, key = self.readings, name
        if name.startswith("metrics."):
            lines, key = self.metrics, name.removeprefix("metrics.")
        return [(float(line["kimg"]), float(line[key])) for line in lines if finite(line.get(key))]


def finite(value: object) -> TypeGuard[float]:
    """Whether it is a number that can be drawn: a run that went wrong measures some that cannot."""
    return isinstance(value, int | float) and math.isfinite(value)


def read_run(root: Path) -> RunData:
    """Everything that the folder of a run says.

    Raises:
        OptionError: It is no such folder.
        CheckpointError: The configuration in it cannot be read.
    """
    path = root / "config.json"
    if not path.exists():
        raise OptionError(f"{root} is no folder of a run (it has no config.json); `python -m train run` makes them")
    try:
        config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None
    lines = read_lines(root / LOG_NAME)
    readings = [line for line in lines if "event" not in line]
    starts = [line for line in lines if line.get("event") == "start"]
    newest = max(p.stat().st_mtime for p in (path, *root.glob("*.jsonl"), *root.glob("samples/*.png")))
    return RunData(
        name=root.resolve().name,
        config=config,
        readings=readings or _from_tensorboard(root / "tensorboard", float(config.get("batch", 0)) / 1000),
        starts=starts,
        warnings=[line for line in lines if line.get("event") == "warning"],
        metrics=sorted(read_lines(root / "metrics.jsonl"), key=lambda line: float(line["kimg"])),
        samples=sample_grids(root),
        licence=str(starts[-1].get("licence", "")) if starts else _licence(root),
        updated=datetime.fromtimestamp(newest, UTC),
    )


def sample_grids(root: Path) -> list[tuple[float, Path]]:
    """The grids of pictures in a run's folder by their kimg, rising."""
    return sorted((float(p.stem.removeprefix("kimg")), p) for p in root.glob("samples/kimg*.png"))


def _licence(root: Path) -> str:
    """What the newest generator says of its data."""
    newest = max(root.glob("generators/kimg*.safetensors"), default=None)
    try:
        return load(newest).provenance.licence if newest else ""
    except GanExportError:
        return ""


def _from_tensorboard(folder: Path, kimg_a_step: float) -> list[Line]:
    """The readings of a run from before there was a log, from TensorBoard's files; none without TensorBoard."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError:
        return []
    if not folder.exists():
        return []
    events = EventAccumulator(str(folder), size_guidance={TENSORS: 0})
    events.Reload()
    lines: dict[int, Line] = {}
    for tag in events.Tags()["tensors"]:
        if tag.startswith("train/"):
            for event in events.Tensors(tag):
                line = lines.setdefault(event.step, {"kimg": event.step * kimg_a_step})
                line[tag.removeprefix("train/")] = float(make_ndarray(event.tensor_proto))
    return [lines[step] for step in sorted(lines)]
