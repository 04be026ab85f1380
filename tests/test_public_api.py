"""What the package offers by name."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

import ganexport
from ganexport import errors

ROOT = Path(__file__).parents[1]

PUBLIC = {
    "Bundle",
    "GanExportError",
    "Generator",
    "__version__",
    "load",
    "open_bundle",
}
"""Names that users were told of. Taking one away breaks their programs; a new one is a promise."""

HEAVY = ("ganexport.ops.tensorflow_ops", "ganexport.__main__")
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(ganexport.__path__, "ganexport.")
    if module.name not in HEAVY and not module.name.rsplit(".", 1)[-1].startswith("_")
)


def test_public_names() -> None:
    assert set(ganexport.__all__) == PUBLIC
    assert list(ganexport.__all__) == sorted(ganexport.__all__)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_public_name_resolves_and_is_documented(name: str) -> None:
    found = getattr(import_module(ganexport._HOMES.get(name, "ganexport")), name)
    if name == "__version__":
        assert re.fullmatch(r"\d+\.\d+\.\d+([a-z]+\d+)?", found)
        return
    assert found.__name__ == name
    assert found.__module__ == ganexport._HOMES[name]
    assert inspect.getdoc(found), "no docstring"


@pytest.mark.parametrize("name", sorted(PUBLIC - {"__version__", "GanExportError"}))
def test_a_public_name_says_what_each_argument_is(name: str) -> None:
    found = getattr(import_module(ganexport._HOMES[name]), name)
    methods = ("generate", "latents", "draw", "mix", "walk", "encode") if name == "Bundle" else ()
    for one in [found, *(getattr(found, method) for method in methods)]:
        text = inspect.getdoc(one) or ""
        names = [p for p in inspect.signature(one).parameters if p not in ("self", "path")]
        for parameter in names:
            assert re.search(rf"^\s*{parameter}: ", text, re.MULTILINE), f"{one.__qualname__}: nothing on `{parameter}`"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'ganexport' has no attribute 'nothing'"):
        ganexport.nothing  # noqa: B018


def test_public_names_work_before_their_modules_do() -> None:
    assert set(ganexport._HOMES) == PUBLIC - {"__version__"}
    for name, home in ganexport._HOMES.items():
        assert name in import_module(home).__all__


def test_the_package_is_typed() -> None:
    assert (ROOT / "ganexport" / "py.typed").is_file()


@pytest.mark.parametrize("name", MODULES)
def test_a_module_says_what_it_offers(name: str) -> None:
    module = import_module(name)
    assert module.__doc__, "no docstring"
    offered = getattr(module, "__all__", None)
    if offered is None:
        # A folder that is only a place for modules.
        body = ast.parse(Path(module.__file__ or "").read_text(encoding="utf-8")).body
        assert not [node for node in body if not isinstance(node, ast.Expr)], f"{name} has no __all__"
        return
    assert len(set(offered)) == len(offered)
    for item in offered:
        assert not item.startswith("_") or item == "__version__"
        assert hasattr(module, item), f"{name}.{item}"


# ---------------------------------------------------------------------------------------------------------- errors


def test_the_error_tree_is_as_it_is_drawn() -> None:
    """The docstring draws the tree; it must be this one."""
    lines = [line for line in (errors.__doc__ or "").splitlines() if re.search(r"\w+Error\b", line)]
    drawn: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in lines:
        match = re.search(r"\w+Error\b", line)
        assert match is not None
        depth = match.start()
        above = [(d, n) for d, n in above if d < depth]
        drawn[match[0]] = above[-1][1] if above else "Exception"
        above.append((depth, match[0]))
    real = {name: getattr(errors, name).__base__.__name__ for name in errors.__all__}
    assert drawn == real


def test_errors_are_all_ours_and_documented() -> None:
    assert list(errors.__all__) == sorted(errors.__all__)
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), ganexport.GanExportError)
        assert inspect.getdoc(getattr(errors, name))
