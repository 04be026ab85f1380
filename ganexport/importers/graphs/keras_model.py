"""Any Keras file or SavedModel folder: checked as data here, then loaded by TensorFlow in a process of its own."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto
from safetensors.numpy import load_file, save_file

from ganexport.errors import CheckpointError, MissingExtraError
from ganexport.graph_model import Feeds, FrozenGraph, GraphModel
from ganexport.importers._options import ImportOptions
from ganexport.importers.graphs import SAVED_MODEL, kind_of, mapped
from ganexport.importers.graphs.keras_config import clean_config, describe_config, read_json
from ganexport.importers.graphs.keras_process import Child
from ganexport.importers.graphs.onnx_checks import read_onnx
from ganexport.importers.graphs.onnx_model import adapt, multiply_adds, renamed
from ganexport.importers.graphs.signature import Port, Signature
from ganexport.importers.inert.stubs import shown
from ganexport.importers.inert.zip import read_member, zip_members
from ganexport.spec import GeneratorSpec, Provenance
from ganexport.weights import file_sha256

__all__ = ["describe", "read"]

LICENCE = "set by whoever trained it; the file does not say"
MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
SAVED_MODEL_FILES = (SAVED_MODEL, "fingerprint.pb", "keras_metadata.pb")
MAX_BYTES = 8 << 30


def read(path: Path, options: ImportOptions) -> GraphModel:
    """A generator out of a `.keras` or `.h5` file or a SavedModel folder.

    Raises:
        CheckpointError: Damaged, no generator, or holding what no generator needs.
        OptionError: The caller has to say which input or output is which.
        MissingExtraError: TensorFlow is not installed.
    """
    kind = _kind(path)
    child = _opened(path, kind)
    try:
        given = dataclasses.asdict(dataclasses.replace(options, image_range=None, network=None))
        facts = child.ask("convert", file=_name(kind), options=given)
        spec = GeneratorSpec(
            architecture="keras",
            resolution=facts["resolution"],
            image_channels=facts["channels"],
            z_dim=facts["z_dim"],
            c_dim=facts["c_dim"],
            image_range=options.image_range or (-1.0, 1.0),
        )
        onnx, tensorflow = _onnx(child.folder, spec), _frozen(child.folder)
    except BaseException:
        child.close()
        raise
    provenance = Provenance(
        source_format=kind,
        source_sha256=_sha256(path),
        weights_sha256=facts["weights_sha256"],
        importer=f"keras_model ({facts['signature']})",
        licence=LICENCE,
    )
    products = multiply_adds(onnx)
    return GraphModel(
        spec, provenance, facts["parameters"], onnx.SerializeToString(), products, _Drawn(child), tensorflow
    )


def describe(path: Path) -> dict[str, Any]:
    """What a file holds, from its configuration alone; TensorFlow does not start.

    Raises:
        CheckpointError: Damaged, or holding what no generator needs.
    """
    kind = _kind(path)
    facts: dict[str, Any] = {"kind": kind, "licence": LICENCE}
    if kind == "SavedModel":
        return {**facts, "files": sorted(str(name) for name in _saved_model_files(path))}
    if kind == "Keras archive":
        return {**facts, **describe_config(_archive(path)[0])}
    _need("h5py")
    child = Child(path.stat().st_size)
    try:
        return {**facts, **_copied_h5(path, child)}
    finally:
        child.close()


class _Drawn:
    """Keras's own pictures, drawn by the child as long as this is there."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def __call__(self, feeds: Feeds) -> NDArray[np.floating]:
        given = {name: np.ascontiguousarray(feeds[name]) for name in ("z", "c") if name in feeds}
        save_file(given, self._child.folder / "feeds.safetensors")
        self._child.ask("draw", feeds="feeds.safetensors", image="image.safetensors")
        return load_file(self._child.folder / "image.safetensors")["image"]


# ---------------------------------------------------------------------------------------------- into the child's folder


def _kind(path: Path) -> str:
    kind = kind_of(path)
    if kind in (None, "ONNX"):
        raise CheckpointError("holds no Keras generator any more: it was changed while it was read")
    assert kind is not None
    return kind


def _name(kind: str) -> str:
    return {"SavedModel": "saved_model", "Keras HDF5": "model.h5", "Keras archive": "model.keras"}[kind]


def _opened(path: Path, kind: str) -> Child:
    """A child with a copy of the file in its folder, of which everything was checked but a SavedModel's graph."""
    archive = _archive(path) if kind == "Keras archive" else None
    files = _saved_model_files(path) if kind == "SavedModel" else {}
    _need("h5py", "tensorflow", "tf2onnx")
    child = Child(sum(file.stat().st_size for file in files.values()) if files else path.stat().st_size)
    try:
        if archive is not None:
            _copy_archive(*archive, child)
        elif kind == "SavedModel":
            for name, file in files.items():
                place = child.folder / "saved_model" / name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, place)
        else:
            _copied_h5(path, child)
    except BaseException:
        child.close()
        raise
    return child


def _archive(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Clean configuration and other members of a `.keras` file."""
    data = mapped(path)
    members = zip_members(data)
    strange = [name for name in members if name not in MEMBERS]
    if strange:
        raise CheckpointError(f"holds {shown(strange[0])}, which a Keras archive of a generator does not need")
    if "config.json" not in members or "model.weights.h5" not in members:
        raise CheckpointError("is a Keras archive without its configuration or its weights")
    content = {name: bytes(read_member(data, member)) for name, member in members.items()}
    return clean_config(read_json(content.pop("config.json"))), content


def _copy_archive(config: dict[str, Any], content: dict[str, bytes], child: Child) -> None:
    """An archive of what was checked: what Keras opens is not the file that came."""
    (child.folder / "model.weights.h5").write_bytes(content["model.weights.h5"])
    child.ask("inspect", file="model.weights.h5")
    with zipfile.ZipFile(child.folder / "model.keras", "w") as archive:
        archive.writestr("metadata.json", json.dumps(_metadata(content.get("metadata.json", b"{}"))))
        archive.writestr("config.json", json.dumps(config))
        archive.write(child.folder / "model.weights.h5", "model.weights.h5")


def _metadata(data: bytes) -> dict[str, str]:
    return {key: str(value)[:64] for key, value in read_json(data).items() if key in ("keras_version", "date_saved")}


def _copied_h5(path: Path, child: Child) -> dict[str, Any]:
    """Copy an HDF5 file to the child and have it checked there; its facts."""
    shutil.copyfile(path, child.folder / "model.h5")
    return child.ask("inspect", file="model.h5")


def _saved_model_files(folder: Path) -> dict[Path, Path]:
    """The files that a SavedModel needs, by their place in it."""
    files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_symlink():
            raise CheckpointError(f"holds the link {shown(str(name))}; only plain files can be read")
        if path.is_dir():
            if str(name) not in ("variables", "assets", "assets.extra"):
                raise CheckpointError(f"holds the folder {shown(str(name))}, which a SavedModel does not need")
        elif not path.is_file():
            raise CheckpointError(f"holds {shown(str(name))}, which is no plain file")
        elif name.parent == Path("variables") or str(name) in SAVED_MODEL_FILES:
            files[name] = path
        else:
            raise CheckpointError(f"holds {shown(str(name))}, a file which a generator does not need")
    if not folder.joinpath(SAVED_MODEL).is_file() or sum(file.stat().st_size for file in files.values()) > MAX_BYTES:
        raise CheckpointError(f"has no {SAVED_MODEL}, or is larger than {MAX_BYTES} bytes")
    return files


def _need(*modules: str) -> None:
    missing = [name for name in modules if not _is_there(name)]
    if missing:
        raise MissingExtraError(
            f'a Keras or SavedModel generator needs {", ".join(missing)}: install "ganexport[keras]"'
        )


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ImportError:
        return False


def _sha256(path: Path) -> str:
    """Of the file; of a folder's names and files."""
    if path.is_file():
        return file_sha256(path)
    digest = hashlib.sha256()
    for name, file in _saved_model_files(path).items():
        digest.update(f"{name.as_posix()} {file_sha256(file)}\n".encode())
    return digest.hexdigest()


# ------------------------------------------------------------------------------------------------ out of the folder


def _onnx(folder: Path, spec: GeneratorSpec) -> ModelProto:
    try:
        model = read_onnx(folder / "model.onnx")
    except CheckpointError as error:
        raise CheckpointError(f"cannot be written as ONNX, which then {error}") from None
    z = Port("z:0", "float32", (None, spec.z_dim))
    c = Port("c:0", "float32", (None, spec.c_dim)) if spec.c_dim else None
    signature = Signature(z, spec.z_dim, c, spec.c_dim, "one-hot" if c else "none")
    return adapt(renamed(model), signature, model.graph.output[0].name, "NCHW", spec)


def _frozen(folder: Path) -> FrozenGraph:
    nodes = json.loads((folder / "graph.json").read_text(encoding="utf-8"))
    return FrozenGraph(tuple(nodes), load_file(folder / "graph.safetensors"))
