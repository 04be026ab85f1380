"""ONNX Runtime for programs in Node and in C++; fetched from npm once, into a folder that git ignores."""

from __future__ import annotations

import fcntl
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnxruntime

NODE = Path(__file__).parent / "onnxruntime_node"
MODULES = NODE / "node_modules"
INSTALLED, HEADERS = MODULES / ".installed", MODULES / ".headers"

# A package of ONNX Runtime for phones and games, the only one in the registries at hand that has the C++ headers in it.
# The library itself is the one that Python's package brings.
HEADERS_PACKAGE = "com.github.asus4.onnxruntime@0.4.9"
INTEGRITY = "sha512-BkzxduSZ9IkeDP6Q8lz2TFU2ie7hSSvS7ZIfzMooExoq0CNzJnuuGaUJ7IsojBgqO4ouD1jXah8OYyJbCN29Fg=="
WITHIN = "/ios-arm64/onnxruntime.framework/Headers/"


def node_modules() -> Path:
    """A folder of npm packages with `onnxruntime-node` in it."""
    with _alone():
        if not INSTALLED.is_file():  # its own scripts would fetch what a graphics card needs
            _npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", cwd=NODE)
            INSTALLED.touch()
    return MODULES


def cpp_folder(folder: Path) -> None:
    """Lay out what ONNX Runtime's C++ release has: `include/` and `lib/`."""
    node_modules()
    with _alone():
        if not HEADERS.is_dir():
            _fetch_headers()
    (folder / "lib").mkdir(parents=True)
    (folder / "include").symlink_to(HEADERS)
    (library,) = Path(onnxruntime.__file__).parent.glob("capi/libonnxruntime.so.*")
    for name in ("libonnxruntime.so", "libonnxruntime.so.1"):
        (folder / "lib" / name).symlink_to(library)


def _fetch_headers() -> None:
    with tempfile.TemporaryDirectory(dir=MODULES) as temporary:
        (packed,) = json.loads(_npm("pack", HEADERS_PACKAGE, "--json", cwd=Path(temporary)))
        assert packed["integrity"] == INTEGRITY
        headers = Path(temporary) / "headers"
        headers.mkdir()
        with tarfile.open(Path(temporary) / packed["filename"]) as archive:
            for member in archive:
                if WITHIN in member.name and member.name.endswith(".h"):
                    file = archive.extractfile(member)
                    assert file is not None
                    (headers / Path(member.name).name).write_bytes(file.read())
        headers.rename(HEADERS)


@contextmanager
def _alone() -> Iterator[None]:
    """One process of the tests at a time."""
    with (NODE / "package.json").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _npm(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(["npm", *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
