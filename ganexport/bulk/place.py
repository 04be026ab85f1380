"""Where a dataset goes: a folder of this machine, or any address that fsspec knows, such as `s3://bucket/folder`."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Protocol
from urllib.parse import unquote, urlsplit

from ganexport.atomic import atomic_path
from ganexport.errors import MissingExtraError, OptionError

__all__ = ["Place", "open_place", "sha256"]

CHUNK = 1 << 20
TEMPORARY = re.compile(r"\.\w+\.(json|jsonl|npz|parquet|png|tar)\.\w{8}")


class Place(Protocol):
    """A folder whose files appear whole or not at all; names have `/` between their parts."""

    address: str

    def read(self, name: str) -> bytes | None:
        """A small file; None where there is none."""

    def write(self, name: str, data: bytes) -> None:
        """Write or replace a file."""

    def size(self, name: str) -> int | None:
        """Bytes of a file; None where there is none."""

    def sha256(self, name: str) -> str:
        """Hash of a file that is there."""

    def is_empty(self) -> bool:
        """Whether nothing lies there, but for what a killed run left half-written."""

    def clear(self) -> None:
        """Remove what killed runs left half-written."""


def open_place(address: str) -> Place:
    """The place of an address or a path.

    Raises:
        MissingExtraError: It is the address of another machine, and fsspec or its part for such addresses is missing.
        OptionError: fsspec knows no such address.
    """
    if "://" not in address:
        return _Folder(Path(address))
    if address.startswith("file://"):
        return _Folder(Path(unquote(urlsplit(address).path)))
    try:
        import fsspec
    except ImportError:
        raise MissingExtraError('fsspec is not installed; addresses need: pip install "ganexport[bulk]"') from None
    try:
        files, root = fsspec.core.url_to_fs(address)
    except ImportError as error:  # fsspec says which package brings such addresses
        raise MissingExtraError(f"{address} cannot be opened: {error}") from None
    except ValueError as error:
        raise OptionError(f"{address} cannot be opened: {error}") from None
    return _Remote(files, root, address)


def sha256(data: bytes) -> str:
    """Hash of bytes, in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self.address = str(self._path)
        if path.exists() and not path.is_dir():
            raise OptionError(f"{path} is no folder; choose another output")

    def read(self, name: str) -> bytes | None:
        path = self._path / name
        return path.read_bytes() if path.is_file() else None

    def write(self, name: str, data: bytes) -> None:
        path = self._path / name
        with atomic_path(path, force=True) as temporary:
            temporary.write_bytes(data)
        if os.name == "posix":  # elsewhere a folder cannot be opened
            handle = os.open(path.parent, os.O_RDONLY)
            try:
                os.fsync(handle)  # the file's name, too, outlives a power cut
            finally:
                os.close(handle)

    def size(self, name: str) -> int | None:
        path = self._path / name
        return path.stat().st_size if path.is_file() else None

    def sha256(self, name: str) -> str:
        with (self._path / name).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def is_empty(self) -> bool:
        return not self._path.exists() or all(_half_written(path) for path in self._path.iterdir())

    def clear(self) -> None:
        for path in self._path.rglob(".*"):
            if _half_written(path):
                path.unlink(missing_ok=True)


def _half_written(path: Path) -> bool:
    """Whether this is one of `atomic_path`'s temporary files, of which only a killed run leaves any."""
    return TEMPORARY.fullmatch(path.name) is not None and path.is_file()


class _Remote:
    """Objects appear whole in a store such as S3; elsewhere a shard counts only once its record is there."""

    def __init__(self, files: Any, root: str, address: str) -> None:
        self._files, self._root, self.address = files, root.rstrip("/"), address

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def read(self, name: str) -> bytes | None:
        try:
            return bytes(self._files.cat_file(self._at(name)))
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        self._files.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)
        self._files.pipe_file(self._at(name), data)

    def size(self, name: str) -> int | None:
        try:
            return int(self._files.size(self._at(name)))
        except FileNotFoundError:
            return None

    def sha256(self, name: str) -> str:
        digest = hashlib.sha256()
        with self._files.open(self._at(name), "rb") as file:
            for chunk in _chunks(file):
                digest.update(chunk)
        return digest.hexdigest()

    def is_empty(self) -> bool:
        return not self._files.exists(self._root) or not self._files.ls(self._root)

    def clear(self) -> None:
        pass


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk
