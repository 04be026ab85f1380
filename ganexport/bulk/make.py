"""Make a dataset, or what is missing of it: the same call begins, goes on after a kill, and repairs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from ganexport.bulk.local import draw_here
from ganexport.bulk.place import Place, open_place
from ganexport.bulk.plan import Job
from ganexport.bulk.ray_engine import draw_on_ray
from ganexport.bulk.shards import Record
from ganexport.bulk.writers import check_format
from ganexport.bundle import Bundle
from ganexport.errors import OptionError, OutputExistsError
from ganexport.progress import SILENT, Progress

__all__ = ["ENGINES", "JOB", "MANIFEST", "Engine", "Made", "make"]

JOB, MANIFEST = "job.json", "manifest.json"

Engine = Literal["local", "ray"]
ENGINES: dict[Engine, Callable[[Bundle, Job, Place, Sequence[int], int | None, Callable[[int], None]], None]]
ENGINES = {"local": draw_here, "ray": draw_on_ray}


@dataclass(frozen=True)
class Made:
    """What a run did.

    Attributes:
        output: Where the dataset lies.
        pictures: Drawn in this run.
        shards: Written in this run.
        kept: Shards that were there already, whole.
        missing: Shards that this run was not asked for, and nobody has made yet.
        seconds: That drawing and writing took.
    """

    output: str
    pictures: int
    shards: int
    kept: int
    missing: int
    seconds: float


def make(
    job: Job,
    bundle: Bundle,
    output: str | Path,
    *,
    engine: Engine = "local",
    workers: int | None = None,
    shards: Iterable[int] | None = None,
    progress: Progress = SILENT,
) -> Made:
    """Draw the shards of a job that are not there yet, or not whole; at the end a manifest says what there is.

    Args:
        job: As `plan` made it.
        bundle: The one it was planned for.
        output: A folder, or an address for fsspec; with the engine `ray` one that every machine reaches.
        engine: `local`, or `ray` for the machines of a Ray cluster (`RAY_ADDRESS`; without one, this machine).
        workers: Shards that are made at once: by `local` one, by `ray` one for each machine without it.
        shards: Only these, so that several runs may share the work; all without it.
        progress: Is told of each picture.

    Raises:
        OutputExistsError: Something else lies there, or another job.
        OptionError: There are no such shards, or fewer than one worker.
        MissingExtraError: The format, the address or the engine needs a library that is not installed.
    """
    if engine not in ENGINES:
        raise OptionError(f"an engine is {' or '.join(ENGINES)}, found {engine!r}")
    if workers is not None and workers < 1:
        raise OptionError(f"there must be at least one worker, found {workers}")
    if bundle.digest != job.bundle_sha256:
        raise OptionError(f"the job was planned for another bundle than {bundle.path}")
    wanted = sorted(set(range(job.shards) if shards is None else shards))
    if not wanted or wanted[0] < 0 or wanted[-1] >= job.shards:
        raise OptionError(f"the job has shards 0 to {job.shards - 1}; found {wanted[:1] + wanted[-1:]}")
    check_format(job.format)
    place = open_place(str(output))
    job = _claim(place, job)
    missing = _not_whole(place, job, wanted, progress)
    started = time.perf_counter()
    pictures = sum(len(job.pictures(shard)) for shard in missing)
    if missing:
        progress.stage(f"drawing {job.bundle}", pictures)
        ENGINES[engine](bundle, job, place, missing, workers, progress.step)
    seconds = time.perf_counter() - started
    left = _finish(place, job)
    return Made(place.address, pictures, len(missing), len(wanted) - len(missing), left, round(seconds, 3))


def _claim(place: Place, job: Job) -> Job:
    """The job that the place holds from now on: the one that began there, if it is the same."""
    found = place.read(JOB)
    if found is None:
        if not place.is_empty():
            raise OutputExistsError(f"{place.address} holds something that is no bulk job; choose another output")
        place.write(JOB, (job.model_dump_json(indent=1) + "\n").encode())
        return job
    try:
        begun = Job.model_validate_json(found)
    except ValidationError:
        raise OutputExistsError(f"{place.address}/{JOB} is no job of this version; choose another output") from None
    if different := begun.differences(job):
        raise OutputExistsError(
            f"{place.address} holds another job: {'; '.join(different)}; choose another output, or go on with that one"
        )
    return begun


def _not_whole(place: Place, job: Job, wanted: Sequence[int], progress: Progress) -> list[int]:
    """Shards without a record, or with files that are not what it says."""
    progress.stage(f"looking at what is in {place.address}", len(wanted))
    missing = []
    for shard in wanted:
        record = Record.read(place, job, shard)
        if record is None or not record.is_whole(place):
            missing.append(shard)
        progress.step()
    return missing


def _finish(place: Place, job: Job) -> int:
    """Write the manifest if every shard is there; how many are not."""
    records = [Record.read(place, job, shard) for shard in range(job.shards)]
    found = [record for record in records if record is not None]
    if len(found) < len(records):
        return len(records) - len(found)
    files = {name: entry.model_dump() for record in found for name, entry in record.files.items()}
    manifest = {
        "job": job.model_dump(),
        "pictures": sum(record.pictures for record in found),
        "bytes": sum(entry["bytes"] for entry in files.values()),
        "files": files,
    }
    text = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
    if place.read(MANIFEST) != text:
        place.write(MANIFEST, text)
    place.clear()
    return 0
