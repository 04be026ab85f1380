"""Keras files and SavedModels made to harm, or broken: one line of error, nothing executed, nothing written."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.keras_files import need_keras, written
from support.refusals import beside_a_secret, refused

from ganexport.importers.graphs.keras_config import clean_config, describe_config
from ganexport.importers.inert import zip as inert_zip
from ganexport.source import open_source


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the file lies, and where we are."""
    return beside_a_secret(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that Keras itself wrote, which would touch a canary."""
    folder = tmp_path_factory.mktemp("bad")
    return written(folder / "files", str(folder / "canary"))


BY_KERAS = {
    "lambda.keras": "Lambda layer .harmless.",
    "lambda.h5": "Lambda layer .harmless.",
    "wrapped.keras": "Lambda layer",
    "wrapped.h5": "Lambda layer",
    "read": "ReadFile",
    "write": "WriteFile",
    "python": "EagerPyFunc",
    "restore": "RestoreV2",
    "saver": "saver",
    "swapped": "in place of",
    "called": "calls the saver",
    "twice": "2 functions of the name",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BY_KERAS)
def test_what_keras_itself_wrote_is_refused_and_does_nothing(name: str, bad: Path, folder: Path) -> None:
    source, path = bad / name, folder / name
    (shutil.copytree if source.is_dir() else shutil.copyfile)(source, path)
    refused(path, BY_KERAS[name])
    assert not list(bad.parent.glob("canary*"))


def dense(**changes: Any) -> dict[str, Any]:
    own = {"name": "dense", "units": 64, "activation": "linear", **changes.pop("config", {})}
    return {"module": "keras.layers", "class_name": "Dense", "config": own, "registered_name": None, **changes}


def sequential(*layers: Any, **changes: Any) -> dict[str, Any]:
    entry = {"class_name": "InputLayer", "config": {"batch_shape": [None, 4], "name": "z"}, "module": "keras.layers"}
    own = {"name": "sequential", "layers": [entry, *layers]}
    return {"module": "keras", "class_name": "Sequential", "config": own, "registered_name": "Sequential", **changes}


def deep(depth: int) -> Any:
    config: Any = dense()
    for _ in range(depth):
        config = sequential(config)
    return config


CODE = {"class_name": "__lambda__", "config": {"value": "4wAAAAA="}}
FUNCTION = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}

CONFIGS: dict[str, tuple[Any, str]] = {
    "a class of its own": (sequential(dense(registered_name="evil>Layer", class_name="Layer")), "Layer"),
    "a registered class": (sequential(dense(registered_name="evil>Dense")), "evil>Dense"),
    "another module": (sequential(dense(module="os", class_name="Dense")), "module os"),
    "a module that looks like Keras": (sequential(dense(module="keras.layers.evil")), "keras.layers.evil"),
    "Keras' utilities": (sequential(dense(module="keras.utils", class_name="get_file")), "get_file"),
    "a model of another module": (sequential(dense(), module="evil"), "module evil"),
    "no model": (dense(), "Dense"),
    "a function": (sequential(dense(config={"kernel_initializer": FUNCTION})), "function"),
    "an activation that is code": (sequential(dense(config={"activation": CODE})), "__lambda__"),
    "an activation by its path": (sequential(dense(config={"activation": "os.system"})), "os.system"),
    "a Lambda in a wrapper": (
        sequential(dense(class_name="TimeDistributed", config={"layer": dense(class_name="Lambda")})),
        "TimeDistributed|Lambda",
    ),
    "a Lambda in a model": (sequential(sequential(dense(class_name="Lambda"))), "Lambda"),
    "an operation": (sequential(dense(class_name="TFOpLambda")), "TFOpLambda"),
    "a saved model": (sequential(dense(class_name="TFSMLayer", config={"filepath": "/"})), "TFSMLayer"),
    "PyTorch": (sequential(dense(class_name="TorchModuleWrapper")), "TorchModuleWrapper"),
    "a vocabulary": (
        sequential(dense(class_name="StringLookup", config={"vocabulary": "/etc/passwd"})),
        "StringLookup",
    ),
    "a name that is no text": (sequential(dense(class_name=["Dense"])), "Dense"),
    "deep": (deep(40), "too deeply"),
    "a class that is no text": ({"class_name": {}, "config": {}}, "not a Keras model"),
    "a module that is no text": (sequential(dense(module=["keras.layers"])), "from the module"),
    "an activation that is no text": (sequential(dense(config={"activation": ["tanh"]})), "uses the activation"),
    "a list": ([sequential(dense())], "no JSON object"),
}


def keras_archive(config: Any, *more: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in (("metadata.json", b"{}"), ("config.json", text), ("model.weights.h5", b"\x89HDF"), *more):
            archive.writestr(name, data)
    return file.getvalue()


@pytest.mark.parametrize("form", ["keras", "h5"])
@pytest.mark.parametrize("kind", CONFIGS)
def test_a_bad_configuration_is_refused_in_both_forms(kind: str, form: str, folder: Path) -> None:
    need_keras()
    import h5py

    config, message = CONFIGS[kind]
    path = folder / f"model.{form}"
    if form == "keras":
        path.write_bytes(keras_archive(config))
    else:
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = json.dumps(config)
    refused(path, message)


GOOD = sequential(dense())


def _without(name: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(keras_archive(GOOD))) as old, zipfile.ZipFile(file, "w") as new:
        for member in old.namelist():
            if member != name:
                new.writestr(member, old.read(member))
    return file.getvalue()


def _twice() -> bytes:
    return keras_archive(GOOD, ("config.jsom", b"{}")).replace(b"config.jsom", b"config.json")


ARCHIVES: dict[str, tuple[Callable[[], bytes], str]] = {
    "a member above": (lambda: keras_archive(GOOD, ("../evil", b"x")), "outside the archive"),
    "a member at the root": (lambda: keras_archive(GOOD, ("/tmp/evil", b"x")), "outside the archive"),
    "a vocabulary": (lambda: keras_archive(GOOD, ("assets/vocabulary.txt", b"x")), "assets/vocabulary.txt"),
    "a bomb": (
        lambda: keras_archive(GOOD, ("more", bytes(inert_zip.FREE_EXPANSION + 1)), method=zipfile.ZIP_DEFLATED),
        "zip bomb",
    ),
    "no JSON": (lambda: keras_archive(b"{"), "no JSON"),
    "JSON without end": (lambda: keras_archive(b"[" * 100_000), "no JSON"),
    "a long configuration": (lambda: keras_archive(b'{"a": "' + b"a" * (33 << 20) + b'"}'), "configuration of"),
    "weights that are none": (lambda: keras_archive(GOOD), "HDF5"),
    "cut short": (lambda: keras_archive(GOOD)[:-40], "zip archive"),
    "no weights": (lambda: _without("model.weights.h5"), "without its configuration or its weights"),
    "two configurations": (_twice, "twice"),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_a_bad_archive_is_refused(kind: str, folder: Path) -> None:
    need_keras()
    make, message = ARCHIVES[kind]
    path = folder / "model.keras"
    path.write_bytes(make())
    refused(path, message)


# ------------------------------------------------------------------------------------------------------------- HDF5


def _external_link(file: Any, h5py: Any, folder: Path) -> None:
    file["layers"] = h5py.ExternalLink(str(folder.parent / "secret.h5"), "/")


def _soft_link(file: Any, h5py: Any, folder: Path) -> None:
    file["layers"] = h5py.SoftLink("/elsewhere")


def _external_storage(file: Any, h5py: Any, folder: Path) -> None:
    file.create_dataset("w", (10,), "f4", external=[(str(folder.parent / "secret.bin"), 0, 40)])


def _virtual(file: Any, h5py: Any, folder: Path) -> None:
    layout = h5py.VirtualLayout((10,), "f4")
    layout[:] = h5py.VirtualSource(str(folder.parent / "secret.h5"), "w", (10,))
    file.create_virtual_dataset("w", layout)


def _huge(file: Any, h5py: Any, folder: Path) -> None:
    file.create_dataset("w", (1 << 40,), "f4", chunks=(1 << 20,))


def _packed(file: Any, h5py: Any, folder: Path) -> None:
    file.create_dataset("w", data=np.zeros(1 << 28, np.uint8), compression="gzip")


def _reference(file: Any, h5py: Any, folder: Path) -> None:
    file.create_dataset("w", (1,), h5py.ref_dtype)


def _attribute(file: Any, h5py: Any, folder: Path) -> None:
    file.attrs.create("w", file.ref, dtype=h5py.ref_dtype)


def _compound(file: Any, h5py: Any, folder: Path) -> None:
    file.create_dataset("w", (1,), np.dtype([("a", "f4")]))


def _cycle(file: Any, h5py: Any, folder: Path) -> None:
    group = file.create_group("a")
    group["b"], group["c"] = file["/"], file["/"]


def _twice_reached(file: Any, h5py: Any, folder: Path) -> None:
    groups = [file.create_group(f"g{i}") for i in range(19)]
    for outer, inner in pairwise(groups):
        outer["a"], outer["b"] = inner, inner


def _many_attributes(file: Any, h5py: Any, folder: Path) -> None:
    for i in range(201):
        group = file.create_group(f"g{i}")
        for j in range(100):
            group.attrs[f"a{j}"] = 0


def _named_type(file: Any, h5py: Any, folder: Path) -> None:
    file["t"] = np.dtype("f4")


H5: dict[str, tuple[Callable[[Any, Any, Path], None], str]] = {
    "a link out": (_external_link, "link layers"),
    "a link": (_soft_link, "link layers"),
    "numbers of another file": (_external_storage, "another file"),
    "numbers of other files": (_virtual, "another file"),
    "more numbers than bytes": (_huge, "more numbers than"),
    "packed zeros": (_packed, "more numbers than"),
    "references": (_reference, "neither numbers nor text"),
    "references as notes": (_attribute, "neither numbers nor text"),
    "records": (_compound, "neither numbers nor text"),
    "groups in themselves": (_cycle, "in two places"),
    "groups in two places": (_twice_reached, "in two places"),
    "many attributes": (_many_attributes, "more than 20000"),
    "a type": (_named_type, "neither a group nor numbers"),
}


@pytest.mark.parametrize("kind", H5)
def test_a_bad_hdf5_file_is_refused(kind: str, folder: Path) -> None:
    need_keras()
    import h5py

    harm, message = H5[kind]
    path = folder / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(GOOD)
        harm(file, h5py, folder)
    refused(path, message)


def test_an_hdf5_file_that_is_cut_short_is_refused(folder: Path) -> None:
    need_keras()
    import h5py

    path = folder / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(GOOD)
        file.create_dataset("w", data=np.arange(1000.0))
    data = path.read_bytes()
    for part in (20, len(data) // 3, len(data) // 2, len(data) - 10):
        path.write_bytes(data[:part])
        refused(path)


# ------------------------------------------------------------------------------------------------------- SavedModel


def linked(path: Path) -> None:
    (path / "variables" / "variables.index").symlink_to("/etc/passwd")


def assets(path: Path) -> None:
    (path / "assets" / "vocabulary.txt").write_text("x")


def program(path: Path) -> None:
    (path / "hook.py").write_text("x")


def other_folder(path: Path) -> None:
    (path / "plugins").mkdir()


def damaged(path: Path) -> None:
    (path / "saved_model.pb").write_bytes(b"\xff" * 100)


def pipe(path: Path) -> None:
    os.mkfifo(path / "variables" / "variables.index")


FOLDERS = {
    "a pipe": (pipe, "no plain file"),
    "a link": (linked, "link variables"),
    "assets": (assets, "vocabulary.txt"),
    "a program": (program, "hook.py"),
    "another folder": (other_folder, "folder plugins"),
}


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_bad_folder_is_refused(kind: str, folder: Path) -> None:
    harm, message = FOLDERS[kind]
    path = folder / "model"
    for name in ("variables", "assets"):
        (path / name).mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(b"")
    harm(path)
    refused(path, message)


@pytest.mark.slow
def test_an_operation_that_is_unknown_is_refused(bad: Path, folder: Path) -> None:
    path = folder / "model"
    shutil.copytree(bad / "read", path)
    graph = path / "saved_model.pb"
    graph.write_bytes(graph.read_bytes().replace(b"ReadFile", b"EvilFile"))
    refused(path, "EvilFile")
    damaged(path)
    refused(path, "damaged")


@pytest.mark.slow
def test_a_function_of_the_savers_name_is_left_out(bad: Path, folder: Path) -> None:
    path = folder / "hidden"
    shutil.copytree(bad / "hidden", path)
    assert open_source(path).spec.resolution == 8
    assert not list(bad.parent.glob("canary*"))


def test_names_of_inputs_are_shown_as_plain_text() -> None:
    config = sequential(dense())
    config["config"]["layers"][0]["config"]["name"] = "\ud800\x1b[2J"
    assert list(describe_config(clean_config(config))["inputs"]) == ["??[2J"]
