"""Keras files that several tests use, made by Keras in a process of its own, so that no test imports TensorFlow."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

WRITER = Path(__file__).with_name("keras_writer.py")
CLASSES = 5
SEEDS = (3, 14, 15)


def need_keras() -> None:
    """Report a test as not run where the extra `keras` is not installed."""
    missing = [name for name in ("tensorflow", "tf2onnx", "h5py") if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"not run: {', '.join(missing)} not installed (the extra `keras`)")


def written(folder: Path, *arguments: str) -> Path:
    """Fill a folder."""
    need_keras()
    command = [sys.executable, str(WRITER), str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder
