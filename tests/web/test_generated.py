"""What is written by a program must be what the program would write today."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import make_vectors

WEB_DEMO = Path(__file__).parents[2] / "web_demo"


def load(name: str) -> ModuleType:
    """A program of `web_demo`, which is no package."""
    spec = importlib.util.spec_from_file_location(f"web_demo_{name}", WEB_DEMO / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_vectors_are_up_to_date() -> None:
    for name, text in make_vectors.texts().items():
        found = (make_vectors.OUTPUT / name).read_text(encoding="ascii")
        assert found == text, "run `python tests/web/make_vectors.py`"


def test_manifest_types_are_up_to_date() -> None:
    types = load("manifest_types")
    for name, text in types.texts().items():
        assert (types.OUTPUT / name).read_text(encoding="utf-8") == text, "run `python web_demo/manifest_types.py`"


def test_web_files_are_up_to_date() -> None:
    build = load("build")
    assert build.STAMP.read_text(encoding="ascii") == build.sources_hash(), "run `make web`"
