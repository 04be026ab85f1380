"""Trains presets at toy size, each stopped and resumed: `python -m support.toy_runs FOLDER PRESET…`.

A program of its own, since TensorFlow is set to repeat its sums for a whole process. It fails where a resumed run
ends with other tensors than one that went on.
"""

import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from train.config import Config
from train.presets import PRESETS

__all__ = ["toy"]

STEPS, BATCH = 6, 8
PHASE = 2 * BATCH / 1000
STYLE = {"resolution": 8, "w_dim": 8, "mapping_layers": 2, "channels": (8, 8), "d_channels": (8, 8)}
GROWN = {**STYLE, "start_resolution": 4, "stable_kimg": PHASE, "fade_kimg": PHASE}
CHANGES = {"stylegan2": STYLE, "stylegan": GROWN, "progressive": GROWN}


def toy(name: str) -> Config:
    """A preset with narrow layers and few steps; what it is a preset of stays."""
    config = PRESETS[name]
    narrow = tuple(6 + i for i in range(len(config.channels)))
    changes = {"channels": narrow, "d_channels": narrow, **CHANGES.get(config.architecture, {})}
    if config.d_steps > 1:
        changes["d_steps"] = 2
    once = {"kimg": STEPS * BATCH / 1000, "batch": BATCH, "z_dim": 8, "r1_interval": 1, "metrics_kimg": 0.0}
    return replace(config, **once, **changes, deterministic=True)


def main(out: Path, names: list[str]) -> None:
    """Train each of them in a folder of its name."""
    from train.data import load_dataset, split
    from train.devices import prepare
    from train.loop import _Run
    from train.snapshot import RunFolder
    from train.state import State

    devices = prepare(0, deterministic=True)
    read = cache(lambda source, resolution: split(load_dataset(source, resolution=resolution), 100, 0))
    for name in names:
        config, folder = toy(name), RunFolder(out / name)
        data, held_out = read(config.data, config.resolution)
        folder.begin(config)
        state = State(config, data.channels, config.c_dim(data.c_dim))
        run = _Run(config, folder, state, data, held_out, devices)
        first = state.tensors()
        run.until(STEPS // 2, lambda: False)
        run.until(STEPS, lambda: False)
        expected = state.tensors()
        (folder.root / "snapshots" / f"step{STEPS:09d}.safetensors").unlink()
        half = folder.latest()
        assert half is not None and int(half["step"]) == STEPS // 2
        state.restore(half)
        run.until(STEPS, lambda: False)
        for key, tensor in state.tensors().items():
            np.testing.assert_array_equal(tensor, expected[key], err_msg=f"{name}: {key}")
            assert np.isfinite(tensor).all(), f"{name}: {key}"
        still = [
            n for n, p in state.g_parameters.items() if p.trainable and (first[f"g.{n}"] == expected[f"g.{n}"]).all()
        ]
        assert not still, f"{name}: these learned nothing: {still}"


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
