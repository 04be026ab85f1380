"""The training loop: data, steps, snapshots, samples, measurements; resumable at any moment."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from ganexport import __version__
from ganexport.atomic import atomic_path
from ganexport.errors import OptionError
from train.config import Config
from train.data import Dataset, Sampler, load_dataset, split
from train.devices import Devices, prepare
from train.growing import begins_level, left_unlearnt
from train.init import read_start, take
from train.interrupts import interruptible
from train.metrics.codes import code_agreement
from train.metrics.measure import measure
from train.progress import Progress
from train.sampling import averaged_drawer, picture_grid, to_generator
from train.snapshot import RunFolder
from train.state import State
from train.step import kind_at, make_step
from train.watch.watcher import Watcher

__all__ = ["sampler_of", "train"]

SILENT = ("distance_real", "distance_fake", "histogram_distance")
"""Figures that are logged, and not shown on the line of progress."""

LOG_INTERVAL = 16
"""Steps between two readings of the losses; reading them each step would wait for the device."""


def train(
    config: Config, out: Path, say: Callable[[str], None] = print, *, cluster: dict[str, Any] | None = None
) -> Path | None:
    """Train, or go on with, the run in `out`.

    Args:
        config: What to train, and how.
        out: The run's folder; with several workers one that all of them can read. The first writes it.
        say: Told what happens.
        cluster: The workers that train together, as `cluster_from` gives them; None for this machine alone.

    Returns:
        The canonical checkpoint of the averaged generator at the end, or where Ctrl-C stopped the run; None on workers
        other than the first.

    Raises:
        OptionError: `out` holds another run, or the configuration makes no sense for the data or the devices.
        DataError: The training set cannot be read.
    """
    data, held_out = split(load_dataset(config.data, resolution=config.resolution), config.held_out, 0)
    folder = RunFolder(out)
    devices = prepare(config.seed, deterministic=config.deterministic, cluster=cluster)
    strategy, share = devices.strategy, config.group * devices.strategy.num_replicas_in_sync
    if config.batch % share:
        raise OptionError(f"--batch {config.batch} must be a multiple of --group times the devices, {share} here")
    say(f"{devices.text}; {len(data)} pictures of {data.name}, {data.resolution}×{data.resolution}")
    if (text := left_unlearnt(config)) is not None:
        say(text)
    start = read_start(Path(config.init)) if config.init else None
    with strategy.scope():
        state = State(config, data.channels, config.c_dim(data.c_dim), start)
        if devices.chief:
            folder.begin(config)  # only now: what makes no sense should not be found there by the next attempt
        if (tensors := folder.latest()) is not None:
            state.restore(tensors)
            say(f"Going on from {state.step * config.batch / 1000:.1f} kimg")
        elif start is not None:
            say(take(state, start))
        run = _Run(config, folder, state, data, held_out, devices)
        if run.watcher is not None:
            run.watcher.start(run.kimg, device=devices.text, **_facts(data, held_out))
        with interruptible() as interrupted:
            run.until(config.steps, interrupted)
            run.together(0)  # no worker leaves before the first has written all
    if not devices.chief:
        return None
    if state.step < config.steps:
        say(f"Stopped and saved at {state.step * config.batch / 1000:.1f} kimg; the same command goes on from there")
    return folder.latest_generator()


def sampler_of(config: Config, data: Dataset) -> Sampler:
    """Draws the real pictures. A group of them shares a label only where a group of generated ones does too."""
    shown = data if config.gives_labels else replace(data, labels=None)
    return Sampler(shown, seed=config.seed, batch=config.batch, group=config.group, mirror=config.mirror)


def _facts(data: Dataset, held_out: Dataset) -> dict[str, Any]:
    """What the log keeps of the pictures and the programs."""
    versions = {"ganexport": __version__, "tensorflow": tf.__version__, "python": platform.python_version()}
    pictures = {"data": data.name, "licence": data.licence, "pictures": len(data), "held_out": len(held_out)}
    return {**pictures, "classes": data.c_dim, **versions}


class _Run:
    """What a run needs at hand."""

    def __init__(
        self, config: Config, folder: RunFolder, state: State, data: Dataset, held_out: Dataset, devices: Devices
    ) -> None:
        self.config, self.folder, self.state = config, folder, state
        self.data, self.held_out, self.devices, self.strategy = data, held_out, devices, devices.strategy
        self.step_of = make_step(config, state)
        self.drawer = averaged_drawer(config, state)
        self.writer = _writer(folder, chief=devices.chief)
        self.watcher = Watcher(config, folder.root, self.kimg, LOG_INTERVAL) if devices.chief else None
        self.sampler = sampler_of(config, data)

    @property
    def kimg(self) -> float:
        """Thousands of real pictures shown so far."""
        return self.state.step * self.config.batch / 1000

    def until(self, steps: int, interrupted: Callable[[], bool]) -> None:
        """Train up to step `steps`, or until interrupted; snapshot on the way and at the end."""
        config, state, logs, level = self.config, self.state, dict[str, Any](), -1
        snapshot, metrics = config.step_at(config.snapshot_kimg), config.step_at(config.metrics_kimg)
        measured = config.metrics_kimg > 0 and self.devices.chief
        with Progress(self.kimg, steps * config.batch / 1000) as progress:
            while state.step < steps and not self.together(interrupted()):
                images, one_hot = self._batch(state.step)
                kind = kind_at(config, state.step)
                if kind.level is not None and kind.level != level:
                    level = kind.level
                    progress.note(f"{self.kimg:.1f} kimg: pictures of {4 << level}×{4 << level} from here on")
                if begins_level(config, state.step):
                    state.forget_moments()
                logs |= self.step_of(kind)(images, one_hot, tf.constant(state.step, tf.int32))
                state.step += 1
                if self.watcher is not None and (state.step % LOG_INTERVAL == 0 or state.step == steps):
                    self._tell(logs, progress, self.watcher)
                if measured and (state.step % metrics == 0 or state.step == steps):
                    self.measure()
                if self.devices.chief and (state.step % snapshot == 0 or state.step == steps):
                    self.save()
        if self.devices.chief and state.step not in self.folder.snapshot_steps():
            self.save()

    def _tell(self, logs: dict[str, Any], progress: Progress, watcher: Watcher) -> None:
        """Show, log and watch the figures of the last step."""
        figures = {name: float(value) for name, value in logs.items()}
        progress.update(self.kimg, {k: v for k, v in figures.items() if k not in SILENT})
        figures["rate"] = progress.rate
        self._scalars({f"train/{k}": v for k, v in figures.items()})
        for text in watcher.reading(self.kimg, figures):
            progress.note(f"Warning: {text}.")

    def together(self, asked: bool | int) -> bool:
        """Whether any worker asks; all of them meet here."""
        if self.devices.workers == 1:
            return bool(asked)
        return bool(self._sum(tf.constant(float(asked))) > 0)

    @tf.function(autograph=False, reduce_retracing=True)
    def _sum(self, value: Any) -> Any:
        values = self.strategy.run(lambda: tf.identity(value))
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None)

    def _batch(self, step: int) -> tuple[Any, Any]:
        images, labels = self.sampler.sample(step)
        one_hot = np.zeros((len(images), self.data.c_dim), np.float32)
        if labels is not None:
            one_hot[np.arange(len(images)), labels] = 1.0
        replicas = self.strategy.num_replicas_in_sync
        if replicas == 1:
            return tf.constant(images), tf.constant(one_hot)
        per_replica = self.config.batch // replicas

        def share(array: Any) -> Any:
            return self.strategy.experimental_distribute_values_from_function(
                lambda context: tf.constant(array[context.replica_id_in_sync_group * per_replica :][:per_replica])
            )

        return share(images), share(one_hot)

    def save(self) -> None:
        """Write the sample grid and the canonical generator, and last the snapshot that makes them final."""
        name = f"kimg{self.kimg:08.1f}"
        to_generator(self.config, self.state, self.data).save(self.folder.generators / f"{name}.safetensors")
        grid = picture_grid(self.drawer())
        with atomic_path(self.folder.samples / f"{name}.png", force=True) as temporary:
            Image.fromarray(grid.squeeze()).save(temporary, format="png")
        with self.writer.as_default(step=self.state.step):
            tf.summary.image("samples", grid[None])
        self.writer.flush()
        if self.watcher is not None:
            self.watcher.flush(self.kimg)
        self.folder.save(self.state.tensors(), self.config.keep_snapshots)

    def measure(self) -> None:
        """Measure the averaged generator against the held-out pictures."""
        started = time.monotonic()
        cache = self.folder.root / "classifier"
        figures = measure(self.drawer(), self.data, self.held_out, cache, with_labels=self.config.gives_labels)
        if self.config.recovers_codes:
            figures |= code_agreement(self.config, self.state)
        record = {"kimg": self.kimg, "seconds": round(time.monotonic() - started, 1), **figures}
        self.folder.log_metrics(record)
        self._scalars({f"metrics/{k}": v for k, v in figures.items() if isinstance(v, float)})

    def _scalars(self, values: dict[str, float]) -> None:
        with self.writer.as_default(step=self.state.step):
            for name, value in values.items():
                tf.summary.scalar(name, value)


def _writer(folder: RunFolder, *, chief: bool) -> Any:
    """Where TensorBoard's figures go; nowhere on workers other than the first."""
    return tf.summary.create_file_writer(str(folder.tensorboard)) if chief else tf.summary.create_noop_writer()
