"""What a job draws: which picture has which seed and class, and in which shard it lies.

All of it follows from a picture's index, so that any shard can be made anywhere, alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from ganexport.bundle import Bundle
from ganexport.errors import OptionError
from ganexport.inputs import Label
from ganexport.latents import label_index
from ganexport.picture_origin import Origin, origin_of

__all__ = ["BALANCED", "FORMATS", "Drawn", "Format", "Job", "plan"]

Format = Literal["webdataset", "parquet", "png", "npz"]
FORMATS: tuple[Format, ...] = get_args(Format)
NoiseName = Literal["const", "none", "random"]
BALANCED = "balanced"
SEEDS = 1 << 32
SHARD_BYTES = 1 << 27
"""Pixels of a shard where nothing else is said: little enough to keep two in memory, and to lose one to a kill."""
MOST_IN_A_SHARD = 8192
MOST_SHARES = 100_000

Natural = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Drawn:
    """What belongs to one picture.

    Attributes:
        index: Its place in the dataset, from 0.
        seed: What it is drawn from.
        label: Index of its class; None for a generator without classes.
    """

    index: int
    seed: int
    label: int | None


class Job(BaseModel):
    """A dataset before it is drawn; as JSON it is `job.json`.

    Attributes:
        bundle: The bundle's name.
        bundle_sha256: SHA-256 of its manifest, which names every other file's.
        count: Pictures in all.
        seed: Of picture 0; picture i has `seed + i`.
        classes: Picture i has class `classes[i mod len(classes)]`; None without classes.
        class_names: Names of the generator's classes; None where they have none.
        psi: Truncation; None for a family without a w space.
        cutoff: Layers that are truncated; None for all.
        noise: Where the noise comes from.
        format: How shards are written.
        shard_size: Pictures in each shard; the last may have fewer.
        batch: Pictures that are drawn at once, counted from a shard's first: a runtime's last bits may depend on it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    bundle: str
    bundle_sha256: str
    count: Positive
    seed: Natural
    classes: tuple[Natural, ...] | None
    class_names: tuple[str, ...] | None
    psi: float | None
    cutoff: int | None
    noise: NoiseName
    format: Format
    shard_size: Positive
    batch: Positive

    @property
    def shards(self) -> int:
        """How many there are."""
        return -(-self.count // self.shard_size)

    def name(self, shard: int) -> str:
        """Of a shard, with as many digits as the last one's number has, and five at least."""
        return f"{shard:0{max(5, len(str(self.shards - 1)))}d}"

    def key(self, index: int) -> str:
        """Name of a picture within its shard."""
        return f"{index:0{max(8, len(str(self.count - 1)))}d}"

    def pictures(self, shard: int) -> list[Drawn]:
        """What a shard holds, in order."""
        first = shard * self.shard_size
        return [
            Drawn(i, self.seed + i, None if self.classes is None else self.classes[i % len(self.classes)])
            for i in range(first, first + self.size(shard))
        ]

    def size(self, shard: int) -> int:
        """Pictures in a shard."""
        return min(self.shard_size, self.count - shard * self.shard_size)

    def origin(self, drawn: Drawn) -> Origin:
        """Where a picture comes from, as its file keeps it."""
        return Origin(
            bundle_digest=self.bundle_sha256,
            bundle_name=self.bundle,
            seed=drawn.seed,
            label=drawn.label,
            psi=self.psi,
            cutoff=self.cutoff,
            noise=self.noise,
        )

    def differences(self, other: Job) -> list[str]:
        """What another job says differently, in words; the batch aside, which a job keeps from where it began."""
        mine, theirs = self.model_dump(exclude={"batch"}), other.model_dump(exclude={"batch"})
        names = [name for name in mine if mine[name] != theirs[name]]
        return [f"{name} is {_short(mine[name])} there, {_short(theirs[name])} here" for name in names]


def plan(
    bundle: Bundle,
    count: int,
    *,
    seed: int = 0,
    label: Label | Mapping[Label, int] | None = None,
    psi: float | None = None,
    cutoff: int | None = None,
    noise: NoiseName | None = None,
    format: Format = "webdataset",
    shard_size: int | None = None,
) -> Job:
    """A job for this bundle; one picture is drawn on the way, so that what cannot be drawn is refused here.

    Args:
        bundle: Whose pictures.
        count: How many, at least 1.
        seed: Of picture 0; `seed + count − 1` is at most 2³² − 1.
        label: A class by index or name for all; or how many of each in turn, such as `{"cat": 2, "dog": 1}`; or
            `balanced` for all classes alike, which is what a generator with classes gets without it.
        psi: As for `Bundle.generate`, and so are `cutoff` and `noise`.
        cutoff: See there.
        noise: See there.
        format: How to write: `webdataset`, `parquet`, `png` or `npz`.
        shard_size: Pictures in a shard; about 128 MB of pixels and at most 8192 pictures without it.

    Raises:
        OptionError: There is no such dataset of this bundle.
        BundleError: The bundle has no ONNX target, or its graphs are broken.
        RuntimeUnavailableError: onnxruntime is not installed.
    """
    if format not in FORMATS:
        raise OptionError(f"a format is {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, found {format!r}")
    if count < 1 or (shard_size is not None and shard_size < 1):
        raise OptionError(f"there must be at least one picture, in a shard too; found {min(count, shard_size or 1)}")
    if not 0 <= seed <= SEEDS - count:
        raise OptionError(f"seeds go from 0 to {SEEDS - 1}; {count} pictures from seed {seed} on go beyond that")
    manifest = bundle.manifest
    spec = manifest.spec
    classes = _classes(label, spec.c_dim, manifest.labels)
    first = None if classes is None else classes[0]
    bundle.generate([seed], first, psi, cutoff=cutoff, noise=noise)
    origin = origin_of(bundle, seed, first, psi, cutoff=cutoff, noise=noise)
    pixels = spec.resolution**2 * spec.image_channels
    usual = min(MOST_IN_A_SHARD, 1 << max(0, (SHARD_BYTES // pixels).bit_length() - 1))
    return Job(
        bundle=bundle.name,
        bundle_sha256=bundle.digest,
        count=count,
        seed=seed,
        classes=classes,
        class_names=None if manifest.labels is None or classes is None else tuple(manifest.labels),
        psi=origin.psi,
        cutoff=cutoff,
        noise=origin.noise,
        format=format,
        shard_size=shard_size or usual,
        batch=bundle.a_run,
    )


def _classes(
    label: Label | Mapping[Label, int] | None, c_dim: int, names: tuple[str, ...] | None
) -> tuple[int, ...] | None:
    """Classes of the first pictures, after which they begin anew."""
    if c_dim == 0 and label is None:
        return None
    if label is None or (label == BALANCED and BALANCED not in (names or ())):
        return tuple(range(c_dim)) or (label_index(BALANCED, c_dim, names),)
    if not isinstance(label, Mapping):
        return (label_index(label, c_dim, names),)
    shares: dict[int, int] = {}
    for one, share in label.items():
        index = label_index(one, c_dim, names)
        if share < 1 or index in shares:
            raise OptionError(f"each class is named once, with a share of at least 1; found {one!r} with {share}")
        shares[index] = share
    if not shares or sum(shares.values()) // math.gcd(*shares.values()) > MOST_SHARES:
        raise OptionError(f"the shares of classes add up to 1 at least and {MOST_SHARES} at most")
    return _in_turn(shares)


def _in_turn(shares: Mapping[int, int]) -> tuple[int, ...]:
    """Each class as often as its share says, spread as evenly as can be: who is furthest behind is next."""
    common = math.gcd(*shares.values())
    credit, total = dict.fromkeys(shares, 0), sum(shares.values())
    order = []
    for _ in range(total // common):
        for one, share in shares.items():
            credit[one] += share
        behind = max(credit, key=lambda one: credit[one])
        credit[behind] -= total
        order.append(behind)
    return tuple(order)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
