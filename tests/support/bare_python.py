"""Runs a program in a Python that has the base dependencies and onnxruntime, and nothing else."""

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

GUARD = """
import importlib.abc, json, sys

allowed = set(json.loads({allowed!r}))
wanted = []

class Guard(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in allowed or top in sys.stdlib_module_names or top.startswith("_sysconfigdata"):
            return None
        wanted.append(name)
        raise ModuleNotFoundError(f"{{name}} is not a base dependency", name=name)

for name in [n for n in sys.modules if n.partition(".")[0] not in allowed | set(sys.stdlib_module_names)]:
    if name != "__main__":
        del sys.modules[name]
sys.meta_path.insert(0, Guard())
"""


def run_bare(
    program: str, *arguments: str, extras: tuple[str, ...] = ("onnxruntime",)
) -> subprocess.CompletedProcess[str]:
    """Run a program; in it `wanted` lists the modules that were asked for in vain."""
    modules = modules_of(base_dependencies() | closure(extras)) | {"ganexport"}
    guard = GUARD.format(allowed=json.dumps(sorted(modules)))
    command = [sys.executable, "-c", guard + program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def base_dependencies() -> set[str]:
    """Everything that `pip install ganexport` brings, by the name of its distribution."""
    return closure(requirements_of("ganexport"))


def requirements_of(distribution: str) -> list[str]:
    """The requirements that stand without an extra."""
    lines = [line for line in requires(distribution) or [] if "extra ==" not in line]
    return [re.match(r"[\w.-]+", line)[0] for line in lines]  # type: ignore[index]


def closure(distributions: list[str] | tuple[str, ...]) -> set[str]:
    """These and all that they require; what is not installed here is left out."""
    found: set[str] = set()
    queue = list(distributions)
    while queue:
        name = canonical(queue.pop())
        if name in found:
            continue
        try:
            queue += requirements_of(name)
        except PackageNotFoundError:
            continue
        found.add(name)
    return found


def modules_of(distributions: set[str]) -> set[str]:
    """Top-level modules that these distributions bring."""
    return {m for m, owners in packages_distributions().items() if {canonical(o) for o in owners} & distributions}


def canonical(name: str) -> str:
    """A distribution's name as the index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()
