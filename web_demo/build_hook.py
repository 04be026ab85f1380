"""Hatch's hook: the wheel and the source distribution carry the built web files."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebBuildHook(BuildHookInterface[Any]):
    """Builds `ganexport/_web`, which git ignores, and has it packed."""

    def dependencies(self) -> list[str]:
        """Node by way of a Python package, where none is installed or needed to be."""
        build = _build_module(self.root)
        return [] if build.find_npm() else [build.WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, then tell hatch to pack the result. An editable install reads the working tree as it is."""
        if version == "editable":
            return
        _build_module(self.root).build_web()
        build_data["artifacts"].append("/ganexport/_web/")


def _build_module(root: str) -> ModuleType:
    """`build.py` beside this file, which hatch does not put on the import path."""
    path = Path(root) / "web_demo" / "build.py"
    spec = importlib.util.spec_from_file_location("ganexport_web_build", path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
