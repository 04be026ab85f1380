"""Our training step as a job of `worker`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from train.config import Config
from train.state import State
from train.step import kind_at, make_step

__all__ = ["run"]


def run(job: dict[str, Any]) -> Callable[[], int]:
    """`steps` steps a run, the first with R1; the result is the number of parameters, to compare."""
    channels = tuple(job["channels"])
    tf.config.threading.set_intra_op_parallelism_threads(job["threads"])
    config = Config(
        resolution=4 << (len(channels) - 1),
        channels=channels,
        d_channels=channels,
        z_dim=job["w_dim"],
        w_dim=job["w_dim"],
        mapping_layers=job["mapping_layers"],
        batch=job["batch"],
        g_lr=job["lr"],
        d_lr=job["lr"],
        r1_gamma=job["r1_gamma"],
        r1_interval=job["steps"],
        use_labels=False,
        mismatch=0.0,
    )
    state = State(config, image_channels=1, c_dim=0)
    step_of, size = make_step(config, state), config.resolution
    images = np.random.default_rng(0).uniform(-1, 1, (config.batch, size, size, 1))
    real, labels = tf.constant(images, tf.float32), tf.zeros([config.batch, 0])

    def steps() -> int:
        for index in range(job["steps"]):
            logs = step_of(kind_at(config, index))(real, labels, tf.constant(index, tf.int32))
        float(logs["loss_g"])  # waits for it
        return sum(int(tf.size(v)) for v in (*state.g_trainable, *state.d_trainable))

    return steps
