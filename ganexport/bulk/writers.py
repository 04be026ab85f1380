"""From the pictures of a shard to its files: a function a format. The same pictures give the same bytes."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.bulk.plan import Drawn, Format, Job
from ganexport.errors import MissingExtraError
from ganexport.picture_origin import encode_picture

__all__ = ["WRITERS", "Map", "Writer", "check_format"]

Pixels = NDArray[np.uint8]
Map = Callable[[Callable[[Pixels, Drawn], bytes], Iterable[Pixels], Iterable[Drawn]], Iterable[bytes]]
"""`map`, or one that does several at once: the encoding of pictures takes time, and can be done side by side."""
Writer = Callable[[Job, str, Pixels, Sequence[Drawn], Map], dict[str, bytes]]
"""(job, the shard's name, pictures [N, H, W, C], what belongs to each, a map) -> the shard's files by name."""


def check_format(format: Format) -> None:
    """Refuse a format whose library is not there, before time is spent on what goes into it.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        if format == "webdataset":
            import webdataset  # noqa: F401
        elif format == "parquet":
            import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        message = f'{error.name} is not installed; --format {format} needs: pip install "ganexport[bulk]"'
        raise MissingExtraError(message) from None


def facts(job: Job, drawn: Drawn) -> dict[str, int | str]:
    """What belongs to a picture, by name; nothing of classes where there are none."""
    found: dict[str, int | str] = {"index": drawn.index, "seed": drawn.seed}
    if drawn.label is not None:
        found["label"] = drawn.label
        if job.class_names is not None:
            found["class"] = job.class_names[drawn.label]
    return found


def _pngs(job: Job, pictures: Pixels, drawn: Sequence[Drawn], each: Map) -> Iterable[bytes]:
    return each(lambda picture, one: encode_picture(picture, "png", job.origin(one)), pictures, drawn)


def _npz(job: Job, name: str, pictures: Pixels, drawn: Sequence[Drawn], each: Map) -> dict[str, bytes]:
    """One archive of arrays: `images` uint8 [N, H, W, C], `index` and `seed` [N], `label` [N] with classes."""
    arrays: dict[str, NDArray[Any]] = {
        "images": np.ascontiguousarray(pictures),
        "index": np.array([one.index for one in drawn], np.int64),
        "seed": np.array([one.seed for one in drawn], np.int64),
    }
    if job.classes is not None:
        arrays["label"] = np.array([one.label for one in drawn], np.int64)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for key, array in arrays.items():
            # An entry made by hand has a fixed date in it.
            with archive.open(zipfile.ZipInfo(f"{key}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
    return {f"{name}.npz": stream.getvalue()}


def _png(job: Job, name: str, pictures: Pixels, drawn: Sequence[Drawn], each: Map) -> dict[str, bytes]:
    """A folder of pictures, and `metadata.jsonl` with a line for each."""
    names = [f"{job.key(one.index)}.png" for one in drawn]
    files = {f"{name}/{file}": data for file, data in zip(names, _pngs(job, pictures, drawn, each), strict=True)}
    lines = [_json({"file_name": file, **facts(job, one)}) + "\n" for file, one in zip(names, drawn, strict=True)]
    return {**files, f"{name}/metadata.jsonl": "".join(lines).encode()}


def _webdataset(job: Job, name: str, pictures: Pixels, drawn: Sequence[Drawn], each: Map) -> dict[str, bytes]:
    """One tar: `KEY.png`, `KEY.json`, and with classes `KEY.cls`."""
    from webdataset import TarWriter

    stream = io.BytesIO()
    with TarWriter(stream, user="ganexport", group="ganexport", encoder=False, compress=False, mtime=0) as tar:
        for data, one in zip(_pngs(job, pictures, drawn, each), drawn, strict=True):
            sample = {"__key__": job.key(one.index), "png": data, "json": _json(facts(job, one)).encode()}
            if one.label is not None:
                sample["cls"] = str(one.label).encode()
            tar.write(sample)
    return {f"{name}.tar": stream.getvalue()}


def _parquet(job: Job, name: str, pictures: Pixels, drawn: Sequence[Drawn], each: Map) -> dict[str, bytes]:
    """One table: `image` with its PNG, as Hugging Face's `datasets` reads it, `index`, `seed`, `label` with classes."""
    import pyarrow
    import pyarrow.parquet

    images = [
        {"bytes": data, "path": f"{job.key(one.index)}.png"}
        for data, one in zip(_pngs(job, pictures, drawn, each), drawn, strict=True)
    ]
    numbers, image = pyarrow.int64(), pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})
    features: dict[str, Any] = {"image": {"_type": "Image"}}
    columns = {"image": pyarrow.array(images, image)}
    for key in ("index", "seed", *(("label",) if job.classes is not None else ())):
        columns[key] = pyarrow.array([getattr(one, key) for one in drawn], numbers)
        features[key] = {"dtype": "int64", "_type": "Value"}
    if job.classes is not None and job.class_names is not None:
        features["label"] = {"names": list(job.class_names), "_type": "ClassLabel"}
    table = pyarrow.table(columns).replace_schema_metadata({"huggingface": _json({"info": {"features": features}})})
    stream = io.BytesIO()
    pyarrow.parquet.write_table(table, stream, compression="none")  # PNG is compressed already
    return {f"{name}.parquet": stream.getvalue()}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


WRITERS: dict[Format, Writer] = {"webdataset": _webdataset, "parquet": _parquet, "png": _png, "npz": _npz}
