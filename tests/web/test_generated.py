"""What is written by a program and committed must be what the program would write today."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import make_vectors

WEB_DEMO = Path(__file__).parents[2] / "web_demo"


def test_vectors_are_up_to_date() -> None:
    for name, text in make_vectors.texts().items():
        found = (make_vectors.OUTPUT / name).read_text(encoding="ascii")
        assert found == text, "run `python tests/web/make_vectors.py`"


def test_manifest_types_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("manifest_types", WEB_DEMO / "manifest_types.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.OUTPUT.read_text(encoding="utf-8") == module.types_text(), (
        "run `python web_demo/manifest_types.py`"
    )
