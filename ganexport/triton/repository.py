"""A model repository for Triton: a folder a model, in it a folder a version.

::

    repository/
      digits/
        config.pbtxt      what goes in and out, batching, warm-up
        labels.txt        names of the classes, one a line, where there are any
        warmup/one.z …    inputs of a recorded picture, for the runs before the model is ready
        1/model.onnx      the bundle's onnx/generator.onnx, and its weight files
        1/ganexport.json  the bundle's manifest: where this version came from
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ganexport.atomic import atomic_folder
from ganexport.bundle import Bundle, open_bundle
from ganexport.errors import BundleError, CheckpointError, OptionError, OutputExistsError
from ganexport.latents import noise_from_seeds
from ganexport.manifest import MANIFEST_NAME, GoldenCase, Graph, is_bundle
from ganexport.progress import SILENT, Progress
from ganexport.runtimes.onnxruntime import generate_feeds
from ganexport.triton.config import Warmup, config_text, tensors_text
from ganexport.weights import file_sha256, read_tensors

__all__ = ["Placed", "TritonOptions", "write_repository"]

CONFIG_NAME = "config.pbtxt"
LABELS_NAME = "labels.txt"
MODEL_NAME = "model.onnx"
WARMUP_NAME = "warmup"


@dataclass(frozen=True)
class TritonOptions:
    """How to write a repository.

    Attributes:
        version: Which version of its model each bundle becomes; Triton serves the greatest.
        max_batch: Most pictures of one run; what the bundle itself draws in one run without it.
        queue_delay: Microseconds that a request may wait for others to join its batch.
        force: Whether to replace a version that is there, and its model's configuration where it is the only version.
    """

    version: int = 1
    max_batch: int | None = None
    queue_delay: int = 1000
    force: bool = False


@dataclass(frozen=True)
class Placed:
    """A version of a model that was put into a repository."""

    name: str
    version: int
    folder: Path
    max_batch: int
    inputs: Mapping[str, tuple[int | str, ...]]
    outputs: Mapping[str, tuple[int | str, ...]]


@dataclass(frozen=True)
class _Model:
    """What becomes of one bundle.

    Attributes:
        alone: Whether its whole folder is written, and not a version beside others.
    """

    name: str
    bundle: Bundle
    graph: Graph
    max_batch: int
    alone: bool


def write_repository(
    bundles: Sequence[Path],
    output: Path,
    options: TritonOptions = TritonOptions(),  # frozen
    *,
    name: str | None = None,
    progress: Progress = SILENT,
) -> list[Placed]:
    """Put bundles into a model repository for Triton.

    Each model, or version of one, appears whole or not at all; what else is in the repository is left alone, and so is
    the configuration of a model that has other versions.

    Args:
        bundles: Their folders.
        output: The repository; made where there is none.
        options: How.
        name: Of the model, where there is one bundle; the bundle's own without it.
        progress: Told what happens now.

    Returns:
        What was put there.

    Raises:
        OptionError: No bundles, two of the same name, a number that means nothing, or a version that takes other
            inputs than those beside it.
        OutputExistsError: The version is there and `force` was not given, or something else is in the way.
        BundleError: A folder is no bundle, has no `onnx/generator.onnx`, or was altered.
    """
    models = _models(bundles, output, options, name)
    placed = []
    for model in models:
        progress.stage(f"writing {model.name}, version {options.version}", len(_files(model.graph)))
        folder = output / model.name
        if model.alone:
            place = atomic_folder(folder, kind="Triton model", is_one=_is_model, force=options.force, beside=output)
            with place as staging:
                _write_model(staging, model, options)
                _write_version(staging / str(options.version), model, progress)
        else:
            version = folder / str(options.version)
            place = atomic_folder(version, kind="version", is_one=_is_version, force=options.force, beside=output)
            with place as staging:
                _write_version(staging, model, progress)
        shapes = [{one.name: one.shape for one in tensors} for tensors in (model.graph.inputs, model.graph.outputs)]
        placed.append(Placed(model.name, options.version, folder, model.max_batch, shapes[0], shapes[1]))
    return placed


def _models(bundles: Sequence[Path], output: Path, options: TritonOptions, name: str | None) -> list[_Model]:
    """What is to be written; all that could be refused is refused here, before anything is."""
    if not bundles:
        raise OptionError("a repository needs at least one bundle")
    if is_bundle(output):
        raise OutputExistsError(f"{output} is a bundle: a repository inside it would spoil it; choose another output")
    if name is not None and len(bundles) > 1:
        raise OptionError(f"one name for {len(bundles)} bundles: leave it out, or write them one by one")
    for what, number, least in (("version", options.version, 1), ("queue delay", options.queue_delay, 0)):
        if number < least:
            raise OptionError(f"the {what} must be a whole number from {least}, found {number}")
    models: dict[str, _Model] = {}
    for path in bundles:
        model = _model(open_bundle(path), output, options, name)
        if model.name in models:
            raise OptionError(f"models of one repository need different names; two bundles are called {model.name}")
        models[model.name] = model
    return list(models.values())


def _model(bundle: Bundle, output: Path, options: TritonOptions, name: str | None) -> _Model:
    onnx = bundle.manifest.targets.get("onnx")
    if onnx is None or onnx.generator is None:
        raise BundleError(f"{bundle.path} has no onnx/generator.onnx (sites leave it out); use the bundle of `convert`")
    max_batch = bundle.a_run if options.max_batch is None else options.max_batch
    if max_batch < 1:
        raise OptionError(f"the greatest batch must be a whole number from 1, found {max_batch}")
    shown = _folder_name(name or bundle.manifest.name)
    folder, version = output / shown, str(options.version)
    others = [path.name for path in folder.glob("*") if path.name.isdecimal() and path.name != version]
    model = _Model(shown, bundle, onnx.generator, max_batch, alone=not others)
    if (folder / version).exists() and not options.force:
        raise OutputExistsError(f"{folder / version} exists; choose another --version or pass --force to replace it")
    if others:
        _check_beside(folder, model, others)
    return model


def _check_beside(folder: Path, model: _Model, others: Sequence[str]) -> None:
    """All versions of a model share its configuration and the names of its classes."""
    beside = f"version{'s' if len(others) > 1 else ''} {', '.join(sorted(others, key=int))} of {model.name}"
    config = folder / CONFIG_NAME
    found = config.read_text(encoding="utf-8") if config.is_file() else ""
    if _plain(tensors_text(model.graph)) not in _plain(found):
        raise OptionError(f"{config} is for other inputs or outputs, as {beside}: give this bundle another --name")
    labels = folder / LABELS_NAME
    if _labels(model.bundle) != (labels.read_text(encoding="utf-8") if labels.is_file() else ""):
        raise OptionError(f"{labels} names other classes, as {beside}: give this bundle another --name")


def _plain(text: str) -> str:
    return "".join(text.split())


def _folder_name(name: str) -> str:
    """A name that folders and addresses can have."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "model"


def _is_model(folder: Path) -> bool:
    return (folder / CONFIG_NAME).is_file()


def _is_version(folder: Path) -> bool:
    return (folder / MODEL_NAME).is_file()


def _files(graph: Graph) -> dict[str, str]:
    """Files of a version by their paths in the bundle; weights keep the names by which the graph finds them."""
    return {graph.file: MODEL_NAME} | {path: PurePosixPath(path).name for path in graph.weight_files}


def _write_version(folder: Path, model: _Model, progress: Progress) -> None:
    bundle = model.bundle
    folder.mkdir(exist_ok=True)
    for path, name in _files(model.graph).items():
        try:
            shutil.copyfile(bundle.path / path, folder / name)
        except FileNotFoundError:
            raise BundleError(f"{bundle.path / path} is missing") from None
        if file_sha256(folder / name) != bundle.manifest.files[path].sha256:
            raise BundleError(f"{bundle.path / path} was altered: its SHA-256 is not the one in {MANIFEST_NAME}")
        progress.step()
    shutil.copyfile(bundle.path / MANIFEST_NAME, folder / MANIFEST_NAME)


def _write_model(folder: Path, model: _Model, options: TritonOptions) -> None:
    manifest = model.bundle.manifest
    case, inputs = _recorded(model)
    (folder / WARMUP_NAME).mkdir()
    files = {}
    for tensor in model.graph.inputs:
        files[tensor.name] = f"{case}.{tensor.name}"
        values = np.asarray(inputs[tensor.name][:1], "<f4")  # a request of one picture
        (folder / WARMUP_NAME / files[tensor.name]).write_bytes(values.tobytes())
    if manifest.labels:
        (folder / LABELS_NAME).write_text(_labels(model.bundle), encoding="utf-8")
    text = config_text(
        model.name,
        model.graph,
        max_batch=model.max_batch,
        queue_delay=options.queue_delay,
        warmup=Warmup(files, tuple(sorted({1, model.max_batch}))),
        parameters=_parameters(model.bundle),
    )
    (folder / CONFIG_NAME).write_text(text, encoding="utf-8")


def _recorded(model: _Model) -> tuple[str, dict[str, NDArray[np.float32]]]:
    """Inputs of a picture that the bundle recorded, as `generator.onnx` takes them, and the case's name."""
    path, goldens = model.bundle.path, model.bundle.manifest.goldens
    try:
        tensors, _ = read_tensors(path / goldens.file)
    except CheckpointError as error:
        raise BundleError(f"the recorded pictures of {path} cannot be read: {error}") from None
    for case in goldens.cases:
        own = {name.removeprefix(f"{case.name}."): v for name, v in tensors.items() if name.startswith(f"{case.name}.")}
        feeds = generate_feeds({**_noise(model.bundle, case), **own})
        if feeds is not None and all(one.name in feeds for one in model.graph.inputs):
            return case.name, feeds
    raise BundleError(f"{path} has no recorded picture that onnx/generator.onnx could draw; convert it again")


def _noise(bundle: Bundle, case: GoldenCase) -> dict[str, NDArray[np.float32]]:
    """Noise of a case for graphs that take it as inputs, which is drawn from its seeds and not recorded."""
    spec, shapes = bundle.manifest.spec, bundle.manifest.targets["onnx"].noise_shapes
    drawn = noise_from_seeds(case.seeds, spec.z_dim, spec.z_distribution, spec.noise_distribution, shapes)
    return drawn if case.noise_mode == "random" else {name: np.zeros_like(value) for name, value in drawn.items()}


def _labels(bundle: Bundle) -> str:
    return "".join(f"{label}\n" for label in bundle.manifest.labels or ())


def _parameters(bundle: Bundle) -> dict[str, str]:
    """What a client that sees the model's configuration, and not its folder, needs to draw a seed's picture."""
    spec, labels = bundle.manifest.spec, bundle.manifest.labels
    found: dict[str, str] = {"z_distribution": spec.z_distribution}
    if spec.has_w_space:
        found["default_truncation_psi"] = f"{bundle.manifest.defaults.truncation_psi:g}"
    if labels:
        found["labels"] = json.dumps(labels, ensure_ascii=False)
    return found
