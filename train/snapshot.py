"""A run's folder: resumable snapshots, canonical generators and logs, every file written whole or not at all.

::

    runs/digits/
      config.json                     what was asked for
      snapshots/step000312.safetensors   everything that training changes; the newest few
      generators/kimg000010.0.safetensors  the averaged generator as a canonical checkpoint, one a snapshot
      samples/kimg000010.0.png          a grid of pictures from fixed z
      metrics.jsonl                   one line a measurement
      log.jsonl                       losses and what else a step says, device, warnings (see train/watch/log.py)
      tensorboard/
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.atomic import atomic_path
from ganexport.errors import CheckpointError, OptionError
from ganexport.weights import read_tensors, write_tensors
from train.config import Config

__all__ = ["RunFolder"]

MAY_CHANGE = ("kimg", "snapshot_kimg", "metrics_kimg", "keep_snapshots")
"""Fields that a resumed run may set anew: they do not change what a step does."""


class RunFolder:
    """The files of one run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.generators, self.samples = root / "generators", root / "samples"
        self.tensorboard = root / "tensorboard"
        self._snapshots = root / "snapshots"

    def begin(self, config: Config) -> None:
        """Create the folder, or check that it belongs to the same run.

        Raises:
            OptionError: The folder holds a run with another configuration.
        """
        path = self.root / "config.json"
        if path.exists():
            old, new = dataclasses.asdict(Config.read(path)), dataclasses.asdict(config)
            changed = [k for k in new if old[k] != new[k] and k not in MAY_CHANGE]
            if changed:
                what = ", ".join(f"{k} was {old[k]!r} and is now {new[k]!r}" for k in changed)
                raise OptionError(f"{self.root} holds another run ({what}); choose another --out")
        for folder in (self.root, self.generators, self.samples, self._snapshots):
            folder.mkdir(parents=True, exist_ok=True)
        for stale in (*self._snapshots.glob(".step*.safetensors.*"), *self.generators.glob(".kimg*.safetensors.*")):
            stale.unlink()  # what a kill left half-written
        with atomic_path(path, force=True) as temporary:
            config.write(temporary)

    def snapshot_steps(self) -> list[int]:
        """Steps of the snapshots on disk, rising."""
        return sorted(int(p.stem.removeprefix("step")) for p in self._snapshots.glob("step*.safetensors"))

    def save(self, tensors: dict[str, NDArray[np.generic]], keep: int) -> None:
        """Write a snapshot, then let go of the oldest beyond `keep`."""
        write_tensors(self._snapshot(int(tensors["step"])), tensors, {})
        for step in self.snapshot_steps()[:-keep]:
            self._snapshot(step).unlink(missing_ok=True)

    def latest(self) -> dict[str, NDArray[np.generic]] | None:
        """Tensors of the newest snapshot, or None in a fresh folder.

        Raises:
            CheckpointError: The newest snapshot cannot be read.
        """
        steps = self.snapshot_steps()
        return read_tensors(self._snapshot(steps[-1]))[0] if steps else None

    def snapshot(self, step: int) -> dict[str, NDArray[np.generic]]:
        """Tensors of the snapshot of a step.

        Raises:
            CheckpointError: There is none, or it cannot be read.
        """
        return read_tensors(self._snapshot(step))[0]

    def latest_generator(self) -> Path:
        """The newest canonical checkpoint.

        Raises:
            CheckpointError: The run has none yet.
        """
        found = sorted(self.generators.glob("kimg*.safetensors"))
        if not found:
            raise CheckpointError(f"{self.root} holds no generator yet")
        return found[-1]

    def log_metrics(self, record: dict[str, Any]) -> None:
        """Add a line to `metrics.jsonl`; a line of the same kimg, from before a kill, is replaced."""
        path = self.root / "metrics.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [line for line in lines if json.loads(line)["kimg"] != record["kimg"]]
        with atomic_path(path, force=True) as temporary:
            temporary.write_text("\n".join([*kept, json.dumps(record)]) + "\n", encoding="utf-8")

    def _snapshot(self, step: int) -> Path:
        return self._snapshots / f"step{step:09d}.safetensors"
