"""Which device trains: all local GPUs when there are any, else the CPU."""

from __future__ import annotations

import os
from typing import Any

__all__ = ["prepare"]


def prepare(seed: int, *, deterministic: bool) -> tuple[Any, str]:
    """Set TensorFlow up, before its first operation.

    Returns:
        The distribution strategy, and a line that says which device it runs on.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.random.set_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = ", ".join(sorted(_describe(tf, gpu) for gpu in gpus)) or f"CPU ({os.cpu_count()} cores)"
    if len(devices) > 1:
        strategy = tf.distribute.MirroredStrategy([d.name for d in devices])
        return strategy, f"Training on {len(devices)} devices: {names}"
    return tf.distribute.get_strategy(), f"Training on {names}"


def _describe(tf: Any, gpu: Any) -> str:
    return str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
