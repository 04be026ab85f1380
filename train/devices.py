"""Where to train: on the CPU, on all GPUs of this machine, or on those of several machines."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from ganexport.errors import OptionError

__all__ = ["Devices", "cluster_from", "place_in", "prepare"]


class Devices(NamedTuple):
    """What a run trains on.

    Attributes:
        strategy: TensorFlow's distribution strategy.
        workers: Processes that train together.
        chief: Whether this is the one that writes the run's folder.
        text: A line that says all this.
    """

    strategy: Any
    workers: int
    chief: bool
    text: str


def cluster_from(workers: tuple[str, ...], worker: int | None) -> dict[str, Any] | None:
    """The cluster that `--workers` and `--worker` describe, in the form of `TF_CONFIG`; None for one machine.

    Raises:
        OptionError: One is given without the other, or the number names no worker.
    """
    if not workers and worker is None:
        return None
    if not workers or worker is None or not 0 <= worker < len(workers):
        raise OptionError(
            "--workers takes host:port of every machine, the same list on each, and --worker which of them this one "
            f"is, from 0; found {','.join(workers) or 'no workers'} and {worker}"
        )
    return {"cluster": {"worker": list(workers)}, "task": {"type": "worker", "index": worker}}


def place_in(cluster: dict[str, Any], kind: str | None, number: int | None) -> tuple[int, bool]:
    """How many processes of a cluster train, and whether this one writes the run's folder.

    A `TF_CONFIG` may name a chief besides the workers: then that one does, and else worker 0.
    """
    writer = "chief" if cluster.get("chief") else "worker"
    count = sum(len(cluster.get(name, [])) for name in ("chief", "worker"))
    return count, count == 0 or (kind == writer and number == 0)


def prepare(seed: int, *, deterministic: bool, cluster: dict[str, Any] | None = None) -> Devices:
    """Set TensorFlow up, before its first operation.

    Args:
        seed: Of TensorFlow's own streams.
        deterministic: Whether sums must repeat in one order.
        cluster: As `cluster_from` gives it; None takes `TF_CONFIG` where that is set.

    Returns:
        What the run trains on.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if cluster is not None:
        os.environ["TF_CONFIG"] = json.dumps(cluster)
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    tf.random.set_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    names = ", ".join(sorted(_describe(tf, gpu) for gpu in gpus)) or f"CPU ({os.cpu_count()} cores)"
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    workers, chief = place_in(resolver.cluster_spec().as_dict(), resolver.task_type, resolver.task_id)
    if workers:
        strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
        text = f"Training on {workers} workers, this is {resolver.task_type} number {resolver.task_id}: {names}"
        return Devices(strategy, workers, chief, text)
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) > 1:
        strategy = tf.distribute.MirroredStrategy([d.name for d in devices])
        return Devices(strategy, 1, True, f"Training on {len(devices)} devices: {names}")
    return Devices(tf.distribute.get_strategy(), 1, True, f"Training on {names}")


def _describe(tf: Any, gpu: Any) -> str:
    return str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
