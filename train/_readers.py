"""Read pictures and labels from `.npz` files, folders, zips and Keras, and bring them to one size.

Every reader gives `Pictures`; `train.data` makes a checked `Dataset` of them.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ganexport.errors import DataError

__all__ = ["KERAS", "Pictures", "fit", "read_folder", "read_keras", "read_npz", "read_zip", "to_channels"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""File names that count as pictures, in lower case."""

KERAS: dict[str, tuple[tuple[str, ...], str]] = {
    "mnist": (
        tuple("0123456789"),
        "MNIST by LeCun, Cortes, Burges (CC BY-SA 3.0)",
    ),
    "fashion_mnist": (
        (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        "Fashion-MNIST by Zalando SE (MIT)",
    ),
    "cifar10": (
        ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        "CIFAR-10 by Krizhevsky, Nair, Hinton (no licence stated by its authors)",
    ),
}
"""Names of the classes and the attribution of what `keras:NAME` can read."""

_UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)


class Pictures(NamedTuple):
    """What a reader found: uint8 [N, R, R, C], int64 [N] or None, names of the classes or None."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    label_names: tuple[str, ...] | None


class _Entry(NamedTuple):
    """One picture in a folder or zip: its name with `/`, and how to get its bytes."""

    name: str
    read: Callable[[], bytes]


def read_npz(path: Path, resolution: int, channels: int | None, labels_key: str = "labels") -> Pictures:
    """Read `images` uint8 [N, H, W] or [N, H, W, C], and `labels` [N] and `label_names` where present.

    Raises:
        DataError: The file is no `.npz`, is cut short, or its arrays are of another kind.
    """
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path}: no .npz, or one that was cut short; write it with np.savez")
    try:
        with np.load(path, allow_pickle=False) as file:
            if "images" not in file.files:
                raise DataError(f"{path}: no array `images`, found {file.files}; name the pictures `images`")
            if labels_key not in ("labels", *file.files):
                raise DataError(f"{path}: no array {labels_key!r} of labels, found {file.files}")
            images, labels, names = (_member(path, file, key) for key in ("images", labels_key, "label_names"))
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: not a readable .npz ({error}); write it with np.savez") from None
    label_names = None if names is None else tuple(str(n) for n in names.reshape(-1))
    return from_arrays(str(path), images, labels, label_names, resolution=resolution, channels=channels)


def _member(path: Path, file: Any, key: str) -> Any:
    """One array of an open `.npz`, or None where there is none."""
    if key not in file.files:
        return None
    try:
        return file[key]
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise DataError(
            f"{path}: `{key}` is an object array (pictures of mixed sizes?), expected one plain array; "
            "for pictures of mixed sizes use a folder or a zip"
        ) from None


def read_keras(name: str, resolution: int, channels: int | None) -> Pictures:
    """Download (or take from Keras's cache) a data set; its training and test parts together.

    Raises:
        DataError: Unknown name, or the download failed.
    """
    if name not in KERAS:
        raise DataError(f"keras:{name} is not known; choose from {', '.join(f'keras:{k}' for k in KERAS)}")
    import tensorflow as tf

    try:
        parts: Any = getattr(tf.keras.datasets, name).load_data()
    except Exception as error:  # Keras raises bare Exception when a download fails
        raise DataError(
            f"keras:{name} could not be downloaded ({_one_line(error)}); it needs a network, `mnist10k` needs none"
        ) from None
    images = np.concatenate([part[0] for part in parts])
    labels = np.concatenate([part[1] for part in parts]).reshape(-1)
    return from_arrays(f"keras:{name}", images, labels, KERAS[name][0], resolution=resolution, channels=channels)


def from_arrays(
    where: str,
    images: Any,
    labels: Any,
    label_names: tuple[str, ...] | None,
    *,
    resolution: int,
    channels: int | None,
) -> Pictures:
    """Check whole arrays and bring them to `resolution` and `channels`."""
    if images.dtype != np.uint8:
        raise DataError(f"{where}: `images` is {images.dtype}, expected uint8 with values 0 to 255")
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[3] not in (1, 3, 4) or 0 in images.shape:
        raise DataError(
            f"{where}: `images` has shape {list(images.shape)}, expected [N, H, W] or [N, H, W, C] "
            "with C of 1, 3 or 4 and at least one picture"
        )
    if labels is not None and (labels.shape != (len(images),) or labels.dtype.kind not in "iu"):
        raise DataError(
            f"{where}: `labels` is {labels.dtype} {list(labels.shape)}, expected whole numbers [{len(images)}]"
        )
    images = to_channels(images, channels or images.shape[3])
    return Pictures(fit(images, resolution), None if labels is None else labels.astype(np.int64), label_names)


def read_folder(path: Path, resolution: int, channels: int | None) -> Pictures:
    """Read every picture below a folder, sorted by name.

    Raises:
        DataError: No pictures, a corrupt one, or labels that do not fit them.
    """
    files = sorted(p for p in path.rglob("*") if p.is_file())
    entries = [_Entry(p.relative_to(path).as_posix(), p.read_bytes) for p in files]
    return _read_entries(path, entries, resolution, channels)


def read_zip(path: Path, resolution: int, channels: int | None) -> Pictures:
    """Read every picture in a zip, sorted by name; nothing is unpacked to disk.

    Raises:
        DataError: No zip, names that leave it, no pictures, a corrupt one, or labels that do not fit.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(i.filename for i in archive.infolist() if not i.is_dir())
            for name in names:
                if ".." in PurePosixPath(name.replace("\\", "/")).parts or name.startswith(("/", "\\")):
                    raise DataError(f"{path}: {name!r} leads out of the zip; pack it again with plain names")
            entries = [_Entry(n, lambda n=n: archive.read(n)) for n in names]  # type: ignore[misc]
            return _read_entries(path, entries, resolution, channels)
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        raise DataError(f"{path}: not a readable zip ({_one_line(error)}); pack it again") from None


def _read_entries(path: Path, entries: list[_Entry], resolution: int, channels: int | None) -> Pictures:
    pictures = [e for e in entries if _is_picture(e.name)]
    if not pictures:
        raise DataError(f"{path}: no pictures among {len(entries)} files; expected {', '.join(SUFFIXES)}")
    labels, names = _labels(path, entries, [e.name for e in pictures])
    images = [_decode(path, e, resolution) for e in pictures]
    target = channels or (1 if all(i.shape[2] == 1 for i in images) else 3)
    return Pictures(np.stack([to_channels(i, target) for i in images]), labels, names)


def _is_picture(name: str) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)
    return not hidden and name.lower().endswith(SUFFIXES)


def _labels(
    path: Path, entries: list[_Entry], pictures: list[str]
) -> tuple[NDArray[np.int64] | None, tuple[str, ...] | None]:
    """Labels from `dataset.json` at the top, or else from the names of two or more sub-folders."""
    described = next((e for e in entries if e.name == "dataset.json"), None)
    if described is not None:
        return _json_labels(f"{path}/dataset.json", described, pictures), None
    tops = [PurePosixPath(p).parts[0] if "/" in p else "" for p in pictures]
    names = tuple(sorted(set(tops)))
    if "" in names or len(names) < 2:
        return None, None
    return np.array([names.index(t) for t in tops], np.int64), names


def _json_labels(where: str, entry: _Entry, pictures: list[str]) -> NDArray[np.int64] | None:
    """Labels in NVIDIA's form `{"labels": [["00000/img.png", 3], ...]}`, or `null` for none."""
    try:
        rows = json.loads(entry.read())["labels"]
        if rows is None:
            return None
        table = {str(name).replace("\\", "/"): label for name, label in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f'{where}: cannot be read ({_one_line(error)}); expected {{"labels": [["a.png", 0], ...]}} or null'
        ) from None
    missing = [p for p in pictures if p not in table]
    if missing:
        raise DataError(f"{where}: no label for {missing[0]!r} and {len(missing) - 1} more; list each picture")
    if unknown := sorted(table.keys() - set(pictures)):
        raise DataError(f"{where}: names {unknown[0]!r}, which is not there ({len(unknown)} such names)")
    wrong = next((p for p in pictures if not _is_class(table[p])), None)
    if wrong is not None:
        raise DataError(f"{where}: label of {wrong!r} is {table[wrong]!r}, expected a class from 0")
    return np.array([table[p] for p in pictures], np.int64)


def _is_class(label: Any) -> bool:
    return type(label) is int and 0 <= label < 2**31


def _decode(path: Path, entry: _Entry, resolution: int) -> NDArray[np.uint8]:
    """Decode one picture to uint8 [R, R, C], C as stored."""
    try:
        with Image.open(io.BytesIO(entry.read())) as opened:
            picture = ImageOps.exif_transpose(opened)
            if picture.mode[0] in "IF":
                raise DataError(f"{path}: {entry.name!r} has over 8 bits a channel; save it with 8")
            alpha = "A" in picture.getbands() or "transparency" in picture.info
            mode = "RGBA" if alpha else "L" if picture.mode in ("1", "L") else "RGB"
            pixels = np.asarray(picture.convert(mode), np.uint8)
    except _UNREADABLE as error:
        raise DataError(f"{path}: {entry.name!r} is no readable picture ({_one_line(error)})") from None
    fitted = fit(pixels.reshape(1, *pixels.shape[:2], -1), resolution)
    return np.asarray(fitted[0], np.uint8)


def fit(images: NDArray[np.uint8], resolution: int) -> NDArray[np.uint8]:
    """Bring pictures of one size to [N, R, R, C].

    Where both sides are larger than `resolution`: centre-cropped to a square, then Lanczos.
    Otherwise no pixel is scaled: each side is centre-cropped or padded on its own, the padding in the
    picture's own background, that is the median of its border, per channel (0 for MNIST).
    """
    h, w = images.shape[1:3]
    if min(h, w) > resolution:
        side = min(h, w)
        images = _centre(images, side, side)
        return np.stack([_resize(i, resolution) for i in images])
    images = _centre(images, min(h, resolution), min(w, resolution))
    h, w = images.shape[1:3]
    if (h, w) == (resolution, resolution):
        return images
    border = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], 1)
    out = np.empty((len(images), resolution, resolution, images.shape[3]), np.uint8)
    out[:] = np.median(border, axis=1)[:, None, None, :].astype(np.uint8)
    top, left = (resolution - h) // 2, (resolution - w) // 2
    out[:, top : top + h, left : left + w] = images
    return out


def _centre(images: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    top, left = (images.shape[1] - height) // 2, (images.shape[2] - width) // 2
    return images[:, top : top + height, left : left + width]


def _resize(image: NDArray[np.uint8], resolution: int) -> NDArray[np.uint8]:
    picture = Image.fromarray(image[..., 0] if image.shape[2] == 1 else image)
    resized = picture.resize((resolution, resolution), Image.Resampling.LANCZOS)
    return np.asarray(resized, np.uint8).reshape(resolution, resolution, -1)


def to_channels(images: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Change the last axis to 1 (luma, ITU-R 601), 3 or 4; transparency is laid on white."""
    found = images.shape[-1]
    if found == channels:
        return images
    if found == 4:
        alpha = images[..., 3:].astype(np.uint32)
        over = images[..., :3] * alpha + 255 * (255 - alpha)
        return to_channels(((over + 127) // 255).astype(np.uint8), channels)
    if channels == 1:
        luma = images.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)
        grey = np.asarray((luma + 32768) >> 16, np.uint8)
        return grey[..., None]
    rgb = np.repeat(images, 3, axis=-1) if found == 1 else images
    if channels == 3:
        return rgb
    return np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], axis=-1)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
