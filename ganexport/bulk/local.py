"""On this machine: a shard is encoded and written while the next one is drawn."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from ganexport.bulk.place import Place
from ganexport.bulk.plan import Job
from ganexport.bulk.shards import draw_shard, write_shard
from ganexport.bundle import Bundle

__all__ = ["draw_here"]


class _StoppedError(Exception):
    """Another thread failed, or the user wants no more."""


def draw_here(
    bundle: Bundle,
    job: Job,
    place: Place,
    shards: Sequence[int],
    workers: int | None,
    on_pictures: Callable[[int], None],
) -> None:
    """Make these shards. ONNX Runtime uses every core for one, so more workers help small networks only.

    Each worker has at most one shard that it draws and one that is being written, whatever the disk's speed.
    """
    count = min(workers or 1, len(shards))
    queue, stop = _Queue(shards), threading.Event()

    def work() -> None:
        writing: Future[None] | None = None

        def on_batch(pictures: int) -> None:
            on_pictures(pictures)
            if stop.is_set():
                raise _StoppedError
            if writing is not None and writing.done():
                writing.result()  # a full disk is known at once, not after another shard

        for shard in queue:
            pictures = draw_shard(bundle, job, shard, on_batch)
            if writing is not None:
                writing.result()
            writing = writers.submit(write_shard, job, shard, pictures, place, encoders.map)
        if writing is not None:
            writing.result()

    with (
        ThreadPoolExecutor(os.cpu_count()) as encoders,
        ThreadPoolExecutor(count) as writers,
        ThreadPoolExecutor(count) as drawers,
    ):
        working = [drawers.submit(work) for _ in range(count)]
        try:
            done, _ = wait(working, return_when=FIRST_EXCEPTION)
            for one in done:
                one.result()
        finally:
            stop.set()  # so that leaving these pools is a matter of one batch
            queue.empty()


class _Queue:
    """Shards that nobody has begun, for several threads."""

    def __init__(self, shards: Sequence[int]) -> None:
        self._rest, self._lock = list(reversed(shards)), threading.Lock()

    def __iter__(self) -> Iterator[int]:
        while (one := self._next()) is not None:
            yield one

    def _next(self) -> int | None:
        with self._lock:
            return self._rest.pop() if self._rest else None

    def empty(self) -> None:
        with self._lock:
            self._rest.clear()
