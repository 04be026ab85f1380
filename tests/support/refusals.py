"""What a file that is made to harm must come to: one line of error, and nothing done."""

import time
from pathlib import Path

import pytest

from ganexport.errors import CheckpointError, UserError
from ganexport.source import open_source

SECONDS = 60
"""A bound on hanging, not on speed: starting TensorFlow alone takes ten on a busy machine."""


def beside_a_secret(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for the file, where we are too; what lies outside it is a secret."""
    (place / "secret.bin").write_bytes(bytes(100_000))
    (place / "in").mkdir()
    monkeypatch.chdir(place / "in")
    return place / "in"


def refused(path: Path, match: str = r".") -> str:
    """The error of a file that must be refused, having done nothing."""
    before, begun = _tree(path.parent.parent), time.monotonic()
    with pytest.raises(UserError, match=match) as caught:
        open_source(path)
    assert time.monotonic() - begun < SECONDS
    message = str(caught.value)
    assert isinstance(caught.value, CheckpointError), message
    assert message.startswith(str(path))
    assert message.isprintable()
    assert len(message) < 600
    assert _tree(path.parent.parent) == before
    return message


def _tree(folder: Path) -> dict[str, int]:
    return {p.relative_to(folder).as_posix(): p.lstat().st_size for p in folder.rglob("*")}
