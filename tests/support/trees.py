"""What lies in a folder."""

from pathlib import Path


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, and every folder, to see that nothing was written."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() if p.is_file() else b"" for p in folder.rglob("*")}


def files_of(folder: Path) -> set[str]:
    """Every file under a folder."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
