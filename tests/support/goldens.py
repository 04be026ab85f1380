"""Where the goldens are: checkpoints with the pictures that the original programs drew from them.

They may not be copied into the project. Where the folder is missing, a test that asks for one is skipped, and
the reason names what was not run. A file that is missing from a folder that is there is an error.
"""

import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
GOLDENS = ROOT / os.environ.get("GANEXPORT_GOLDENS", "../shared/goldens")


def golden_file(name: str) -> Path:
    """The path of a golden file, for example `sg2ada_32.pkl`."""
    if not GOLDENS.is_dir():
        pytest.skip(f"not run: golden {name}: there is no folder {GOLDENS} (set GANEXPORT_GOLDENS)")
    path = GOLDENS / name
    if not path.is_file():
        raise FileNotFoundError(f"{GOLDENS} has no {name}")
    return path


def golden_arrays(name: str) -> dict[str, np.ndarray]:
    """What was recorded for a golden, for example `sg2ada_32`, by key."""
    with np.load(golden_file(f"{name}.golden.npz"), allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays.files}
