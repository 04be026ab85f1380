"""The same application on Ray Serve."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.shipped import DIGITS

from ganexport.bundle import Bundle
from ganexport.errors import OptionError
from ganexport.serve.ray_app import build

PROGRAM = Path(__file__).parents[1] / "support" / "ray_service.py"


@pytest.mark.soak
def test_two_replicas_answer_as_one_server_does(digits: Bundle) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(DIGITS)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    answers = json.loads(done.stdout.splitlines()[-1])
    assert (answers["status"], answers["ready"]) == (200, 200)
    picture = np.asarray(Image.open(io.BytesIO(bytes.fromhex(answers["picture"]))))
    assert np.abs(picture.astype(int) - digits.generate([42], 3)[0, :, :, 0]).max() <= 1
    assert answers["unknown"][0] == 422
    assert "'11' is unknown" in answers["unknown"][1]
    assert answers["fifty"][0] == [200]
    assert answers["replicas"] == {"RUNNING": 2}
    print(answers["fifty"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "say which bundles"),
        ({"bundles": "digits", "replica": "2"}, "unknown argument 'replica'"),
        ({"bundles": "digits", "replicas": "two"}, "are numbers"),
    ],
)
def test_what_cannot_be_deployed(given: dict[str, str], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        build(given)
