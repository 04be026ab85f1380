"""One shard: drawn, written, and known to be whole by a record of its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from ganexport.bulk.place import Place, sha256
from ganexport.bulk.plan import Drawn, Job
from ganexport.bulk.writers import WRITERS, Map, Pixels
from ganexport.bundle import Bundle

__all__ = ["Entry", "Record", "draw_shard", "record_name", "write_shard"]


class Entry(BaseModel):
    """A file's size and hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int
    sha256: str


class Record(BaseModel):
    """What a finished shard consists of. It is written last: a shard without one was never finished.

    Attributes:
        shard: Its number.
        pictures: How many it holds.
        files: By name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shard: int
    pictures: int
    files: dict[str, Entry]

    @staticmethod
    def read(place: Place, job: Job, shard: int) -> Record | None:
        """The record of a shard; None where there is none, or none that can be read."""
        found = place.read(record_name(job, shard))
        if found is None:
            return None
        try:
            record = Record.model_validate_json(found)
        except ValidationError:
            return None
        return record if (record.shard, record.pictures) == (shard, job.size(shard)) else None

    def is_whole(self, place: Place) -> bool:
        """Whether its files are there, byte for byte."""
        return all(
            place.size(name) == entry.bytes and place.sha256(name) == entry.sha256 for name, entry in self.files.items()
        )


def record_name(job: Job, shard: int) -> str:
    """Where a shard's record lies."""
    return f"records/{job.name(shard)}.json"


def draw_shard(bundle: Bundle, job: Job, shard: int, on_batch: Callable[[int], None] = lambda _: None) -> Pixels:
    """The pictures of a shard, uint8 [N, H, W, C]; the listener is told how many each batch had."""
    drawn = job.pictures(shard)
    batches = []
    for start in range(0, len(drawn), job.batch):
        batch = drawn[start : start + job.batch]
        labels = None if job.classes is None else [one.label for one in batch if one.label is not None]
        seeds = [one.seed for one in batch]
        batches.append(bundle.generate(seeds, labels, job.psi, cutoff=job.cutoff, noise=job.noise))
        on_batch(len(batch))
    return np.concatenate(batches)


def write_shard(job: Job, shard: int, pictures: Pixels, place: Place, each: Map = map) -> None:
    """Write the files of a shard, and then their record."""
    drawn: Sequence[Drawn] = job.pictures(shard)
    files = WRITERS[job.format](job, job.name(shard), pictures, drawn, each)
    for name, data in files.items():
        place.write(name, data)
    entries = {name: Entry(bytes=len(data), sha256=sha256(data)) for name, data in files.items()}
    record = Record(shard=shard, pictures=len(drawn), files=entries)
    place.write(record_name(job, shard), (record.model_dump_json(indent=1) + "\n").encode())
