"""On the machines of a Ray cluster: an actor on each holds a session and makes one shard after another."""

from __future__ import annotations

import logging
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganexport.bulk.place import Place, open_place
from ganexport.bulk.plan import Job
from ganexport.bulk.shards import Record, draw_shard, write_shard
from ganexport.bundle import Bundle, open_bundle
from ganexport.errors import ExportError, MissingExtraError, OptionError, RuntimeUnavailableError

__all__ = ["draw_on_ray"]

START_SECONDS = 300.0
"""How long to wait for a first actor, when there is none left that draws."""
ON_GPU = ("cuda", "tensorrt", "migraphx")
"""Providers of which an actor takes a graphics card of its own."""
MOST_DEATHS = 3
"""Actors that may die of the same shard: it is the shard then, and not a machine that went away."""


class _Maker:
    """The actor: a copy of the bundle in a folder of its machine, and its session."""

    def __init__(
        self, files: Mapping[str, bytes], job: str, address: str, providers: Sequence[str], memory_limit: int | None
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ganexport-bulk-")
        for name, data in files.items():
            path = Path(self._folder.name) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self._bundle = open_bundle(self._folder.name, providers=providers, memory_limit=memory_limit)
        self._job, self._place = Job.model_validate_json(job), open_place(address)

    def ready(self) -> None:
        """Answered once the actor is there."""

    def make(self, shard: int) -> int:
        """Draw and write a shard; how many pictures it holds."""
        pictures = draw_shard(self._bundle, self._job, shard)
        write_shard(self._job, shard, pictures, self._place)
        return len(pictures)


def draw_on_ray(
    bundle: Bundle,
    job: Job,
    place: Place,
    shards: Sequence[int],
    workers: int | None,
    on_pictures: Callable[[int], None],
) -> None:
    """Make these shards. What an actor was making when its machine went away is made by another.

    Each actor has one shard at a time, so nothing piles up where a machine or the store is slow.

    Raises:
        MissingExtraError: Ray is not installed.
        OptionError: The output can be reached from this process alone.
        RuntimeUnavailableError: No machine of the cluster has room for an actor.
        ExportError: A shard was written where this machine does not see it, or kills whoever makes it.
    """
    if place.address.startswith("memory:"):
        raise OptionError(
            "memory:// is this process's own; with --engine ray choose an output that every machine reaches"
        )
    with _cluster() as ray:
        on_gpu = bundle.providers[0] in ON_GPU
        files = ray.put({name: (bundle.path / name).read_bytes() for name in _needed(bundle)})
        maker = ray.remote(_Maker).options(
            num_cpus=1, num_gpus=int(on_gpu), scheduling_strategy="SPREAD", max_restarts=0
        )
        units = sum(int(node["Resources"].get("GPU", 0)) if on_gpu else 1 for node in ray.nodes() if node["Alive"])
        count = min(workers or max(1, units), len(shards))

        def start() -> Any:
            return maker.remote(files, job.model_dump_json(), place.address, bundle.providers, bundle.memory_limit)

        for shard, pictures in _Actors(ray, start, count).make(shards):
            record = Record.read(place, job, shard)
            if record is None or any(place.size(name) != entry.bytes for name, entry in record.files.items()):
                raise ExportError(
                    f"another machine wrote shard {shard} to {place.address}, but it is not there as seen from here; "
                    "choose a folder that all machines share, or an address such as s3://bucket/folder"
                )
            on_pictures(pictures)


class _Actors:
    """A few actors, each with a shard or on its way; one that dies is replaced, and its shard goes to another."""

    def __init__(self, ray: Any, start: Callable[[], Any], count: int) -> None:
        self._ray, self._start = ray, start
        self._coming: dict[Any, Any] = {}  # the promise of an actor's readiness -> the actor
        self._busy: dict[Any, tuple[Any, int]] = {}  # the promise of a shard -> its actor and its number
        for _ in range(count):
            self._call_one()

    def _call_one(self) -> None:
        actor = self._start()
        self._coming[actor.ready.remote()] = actor

    def make(self, shards: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Number and pictures of each shard as it is done."""
        todo, deaths = deque(shards), dict.fromkeys(shards, 0)
        while todo or self._busy:
            waiting = None if self._busy else START_SECONDS
            done, _ = self._ray.wait([*self._busy, *self._coming], num_returns=1, timeout=waiting)
            if not done:
                raise RuntimeUnavailableError(f"no machine of the Ray cluster had a core free in {START_SECONDS:.0f} s")
            actor, shard = self._busy.pop(done[0], (self._coming.pop(done[0], None), None))
            try:
                pictures = self._ray.get(done[0])
            except self._ray.exceptions.RayActorError as error:
                if shard is not None:
                    deaths[shard] += 1
                    todo.appendleft(shard)
                if shard is None or deaths[shard] >= MOST_DEATHS:
                    raise ExportError(f"Ray could not make shard {shard}: {error}") from None
                self._call_one()
                continue
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from None
            if shard is not None:
                yield shard, pictures
            if todo:
                following = todo.popleft()
                self._busy[actor.make.remote(following)] = (actor, following)


def _needed(bundle: Bundle) -> Iterator[str]:
    """The files that drawing takes: the manifest and the ONNX graphs with their weights."""
    yield "ganexport.json"
    yield from (name for name in bundle.manifest.files if name.startswith("onnx/"))


@contextmanager
def _cluster() -> Iterator[Any]:
    """Ray, connected to the cluster of RAY_ADDRESS or to one of this machine alone."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers of each run
    try:
        import ray
    except ImportError:
        raise MissingExtraError('ray is not installed; --engine ray needs: pip install "ganexport[bulk,ray]"') from None
    ours = not ray.is_initialized()
    if ours:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    try:
        yield ray
    finally:
        if ours:
            ray.shutdown()
