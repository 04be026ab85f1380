"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ganexport.errors import OutputExistsError

__all__ = ["atomic_folder", "atomic_path", "check_output"]


@contextmanager
def atomic_folder(
    path: Path, *, kind: str, is_one: Callable[[Path], bool], force: bool = False, beside: Path | None = None
) -> Iterator[Path]:
    """A temporary folder beside `path` that becomes `path` when the block ends well, and vanishes otherwise.

    With `force` an existing folder of the same kind, or an empty one, is replaced at the end, and kept if anything goes
    wrong before. Whatever else stands there stays.

    Args:
        path: The folder.
        kind: What it is to be, such as `bundle`.
        is_one: Whether a folder is one of that kind.
        force: Whether one may be replaced.
        beside: What the temporary folder lies beside, on the same disk, in place of `path`: for a folder above it whose
            contents somebody watches.

    Raises:
        OutputExistsError: `path` exists and `force` is false, or it is of another kind.
    """
    if path.exists():
        if not (path.is_dir() and (is_one(path) or not any(path.iterdir()))):
            raise OutputExistsError(f"{path} exists and is no {kind} that could be replaced; choose another output")
        if not force:
            raise OutputExistsError(f"{path} exists; choose another output or pass --force to replace it")
    with _parents(path):
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=(beside or path).parent))
        try:
            temporary.chmod(0o755)
            yield temporary
            for file in temporary.rglob("*"):
                file.chmod(0o755 if file.is_dir() else 0o644)  # some libraries write files for their owner alone
            _replace(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def atomic_path(path: Path, *, force: bool = False) -> Iterator[Path]:
    """A temporary file beside `path` that becomes `path` when the block ends well, and vanishes otherwise.

    Raises:
        OutputExistsError: `path` exists and `force` is false.
    """
    check_output(path, force=force)
    with _parents(path):
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def check_output(path: Path, *, force: bool = False) -> None:
    """Refuse a file that would be replaced without leave, before time is spent on what goes into it.

    Raises:
        OutputExistsError: `path` exists and `force` is false.
    """
    if path.exists() and not force:
        raise OutputExistsError(f"{path} exists; choose another name or pass --force to replace it")


@contextmanager
def _parents(path: Path) -> Iterator[None]:
    """The folders above `path`; those that were made for it go again when the block fails."""
    made = [folder for folder in path.parents if not folder.exists()]  # the nearest first
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for folder in made:
            with suppress(OSError):  # somebody else may use it by now
                folder.rmdir()
        raise


def _replace(temporary: Path, path: Path) -> None:
    if not path.exists():
        temporary.rename(path)
        return
    old = temporary.with_name(f"{temporary.name}.old")
    path.rename(old)
    try:
        temporary.rename(path)
    except BaseException:
        old.rename(path)
        raise
    shutil.rmtree(old)
