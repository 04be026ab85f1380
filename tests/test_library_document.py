"""docs/services.md, "As a library": its programs and commands are run as they stand there."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.nets import paper_spec
from ganexport import cli
from ganexport.manifest import SpecSummary
from ganexport.memory import BASE, bytes_a_picture
from ganexport.picture_origin import read_origin
from ganexport.providers import PROVIDERS

WHOLE = (Path(__file__).parents[1] / "docs" / "services.md").read_text(encoding="utf-8")
TEXT = WHOLE[WHOLE.index("## As a library\n") : WHOLE.index("## As a server\n")]
PLAIN = " ".join(TEXT.split())
BLOCKS = re.findall(r"^```(python|sh)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_programs_and_commands(
    digits_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "digits").symlink_to(digits_bundle)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for code in (code for language, code in BLOCKS if language == "python"):
        exec(code, names)
    bundle, pictures = names["bundle"], names["pictures"]
    assert pictures.shape == names["mixed"].shape == (3, 32, 32, 1)
    assert len(list(names["frames"])) == 90
    assert names["found"].labels == [3, 3, 3]
    np.testing.assert_array_equal(names["picture"], bundle.generate([42], 3)[0])
    for command in next(code for language, code in BLOCKS if language == "sh").splitlines():
        monkeypatch.setattr(sys, "argv", shlex.split(command))
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        assert not stopped.value.code
    assert bundle.digest in capsys.readouterr().out
    for name in ("three.png", "again.png"):
        assert read_origin(tmp_path / name) == names["origin"]
        with Image.open(tmp_path / name) as image:
            np.testing.assert_array_equal(np.asarray(image), names["picture"][:, :, 0])


def test_what_it_says_of_memory() -> None:
    found = re.search(r"([\d.]+) GB, and for each picture .*? ([\d.]+) GB at 256² and ([\d.]+) GB at 1024²", PLAIN)
    assert found is not None
    base, small, large = (float(one) * 1e9 for one in found.groups())
    assert base == BASE
    for resolution, said in ((256, small), (1024, large)):
        spec = SpecSummary(**paper_spec(resolution).model_dump())
        assert bytes_a_picture(spec) == pytest.approx(said, rel=0.05)


def test_every_provider_is_named() -> None:
    one_of = re.search(r"one name of (.*?), or several", PLAIN)
    assert one_of is not None
    assert re.findall(r"`(\w+)`", one_of[1]) == list(PROVIDERS)
