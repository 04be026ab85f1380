"""`ganexport bulk`: what it prints, and what it refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from ganexport import cli
from ganexport.bulk import Made


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["ganexport", "bulk", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


def test_the_command(
    digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = (digits_bundle, "--count", 12, "--shard-size", 5, "--format", "npz", "-o", tmp_path / "out", "--json")
    shared += ("--label", "3=2,7=1")
    assert run(monkeypatch, *shared, "--shards", "1-2") == 0
    first = Made(**json.loads(capsys.readouterr().out))
    assert (first.pictures, first.shards, first.missing) == (7, 2, 1)
    assert run(monkeypatch, *shared[:-3], "--label", "3=2,7=1") == 0
    assert "drew 5 pictures in 1 shards" in capsys.readouterr().out
    with np.load(tmp_path / "out" / "00000.npz") as arrays:
        assert arrays["label"].tolist() == [3, 7, 3, 3, 7]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--label", "3=x"), "--label takes shares"),
        (("--label", "3=1,3=2"), "each class once"),
        (("--shards", "x"), "--shards takes a range"),
        (("--shards", "4-2"), "the job has shards"),
        (("--engine", "spark"), "an engine is local or ray"),
        (("--format", "zip"), "a format is webdataset"),
        (("--noise", "loud"), "noise"),
        (("--provider", "abacus"), "no provider 'abacus'"),
        (("--memory", "nan"), "--memory takes gigabytes"),
        (("--seed", "4294967290"), "go beyond that"),
    ],
)
def test_bad_arguments(
    arguments: tuple[str, str],
    message: str,
    digits_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, digits_bundle, "--count", 12, "-o", tmp_path / "out", *arguments) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert len(captured.err.splitlines()) == 1
    assert not (tmp_path / "out").exists()
