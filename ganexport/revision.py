"""A bundle changed in place: some files written anew or dropped, the rest as it is; as a whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ganexport.atomic import atomic_folder
from ganexport.manifest import MANIFEST_NAME, FileEntry, Manifest, is_bundle, read_manifest
from ganexport.weights import file_sha256

__all__ = ["Revision", "revised"]


@dataclass
class Revision:
    """A bundle that is being changed.

    Attributes:
        folder: A copy of it, which takes its place at the end.
        before: The manifest that it had.
    """

    folder: Path
    before: Manifest
    _written: set[str] = field(default_factory=set)

    def new(self, name: str) -> Path:
        """A place to write a file to; one that is there is also a file of the old bundle, and stays as it is."""
        self._written.add(name)
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        return path

    def drop(self, name: str) -> None:
        """Take a file out, and the folders that held nothing else; another may be written in its place."""
        self._written.add(name)
        path = self.folder / name
        path.unlink(missing_ok=True)
        with suppress(OSError):  # one holds something
            for folder in path.relative_to(self.folder).parents:
                (self.folder / folder).rmdir()

    def save(self, manifest: Manifest) -> None:
        """Write the manifest, the last of all; files that were not written have the hashes that they had."""
        known = {name: entry for name, entry in self.before.files.items() if name not in self._written}
        files = {}
        for path in sorted(p for p in self.folder.rglob("*") if p.is_file() and p != self.folder / MANIFEST_NAME):
            name = path.relative_to(self.folder).as_posix()
            files[name] = known.get(name) or FileEntry(bytes=path.stat().st_size, sha256=file_sha256(path))
        text = manifest.model_copy(update={"files": files}).to_json()
        self.new(MANIFEST_NAME).write_text(text, encoding="utf-8")


@contextmanager
def revised(bundle: Path) -> Iterator[Revision]:
    """A bundle to change, whose files were checked; it is as it was unless the block ends well."""
    with atomic_folder(bundle, kind="bundle", is_one=is_bundle, force=True) as staging:
        shutil.copytree(bundle, staging, copy_function=_link, dirs_exist_ok=True)
        yield Revision(staging, read_manifest(bundle))


def _link(source: str, target: str) -> None:
    """The same file under a second name, which costs nothing; a copy where the file system has no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
