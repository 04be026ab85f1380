"""Build a bundle: generator -> exporters -> gate -> folder, whole or not at all."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from ganexport import __version__
from ganexport.architectures import extra_inputs
from ganexport.atomic import atomic_folder
from ganexport.cost import multiply_adds
from ganexport.errors import OptionError
from ganexport.exporters import EXPORTERS, GRAPH_EXPORTERS, ExportOptions
from ganexport.generator import Generator
from ganexport.graph_model import GraphModel, GraphOracle
from ganexport.manifest import (
    CHECKPOINT_NAME,
    MANIFEST_NAME,
    Defaults,
    FileEntry,
    GoldenCase,
    Goldens,
    Graphs,
    Manifest,
    NoiseMode,
    ParityResult,
    PrecisionChoice,
    PrecisionName,
    SpecSummary,
    TargetName,
    is_bundle,
    is_noise_input,
)
from ganexport.model_card import model_card
from ganexport.parity import Case, Oracle, cases_for, check_target, feeds_of, require_parity
from ganexport.parity.cases import FEWER_CASES_ABOVE
from ganexport.pictures import grid, save_webp
from ganexport.precision import Point, plot
from ganexport.progress import SILENT, Progress
from ganexport.shrink import Shrunk, measured_precision, oracle_of, shrink, smallest
from ganexport.weights import file_sha256

__all__ = ["ConvertOptions", "convert", "gate_cases"]

GOLDENS_NAME = "goldens.safetensors"
PREVIEW_NAME = "preview.webp"
PLOT_NAME = "precision.svg"
PREVIEW_COLUMNS = 10


@dataclass(frozen=True)
class ConvertOptions:
    """How to convert.

    Attributes:
        targets: What to write; None for all that the source can become.
        export: Choices that change the graphs.
        precision: How the weights are stored.
        max_error: Store them in as few bytes as leave the mean and the 99.9th percentile of the pictures' error within
            so many grey levels, in place of one precision.
        checkpoint: Whether the bundle holds the canonical checkpoint too.
        allow_unverified: Whether a target may stay in that no runtime here could verify.
        force: Whether to replace an existing output.
    """

    targets: tuple[TargetName, ...] | None = None
    export: ExportOptions = field(default_factory=ExportOptions)
    precision: PrecisionName = "float32"
    max_error: float | None = None
    checkpoint: bool = True
    allow_unverified: bool = False
    force: bool = False


def convert(
    generator: Generator | GraphModel,
    output: Path,
    options: ConvertOptions = ConvertOptions(),  # frozen
    *,
    name: str | None = None,
    progress: Progress = SILENT,
    on_result: Callable[[ParityResult], None] = lambda result: None,
) -> Manifest:
    """Write a bundle and prove it.

    Args:
        generator: What to convert.
        output: Folder of the bundle.
        options: How.
        name: Name of the model; the folder's without one.
        progress: Told what happens now.
        on_result: Told each result of the gate.

    Raises:
        ParityError: The gate failed; nothing was written.
        OutputExistsError: The folder exists and `force` was not given.
        OptionError: No target, or an unknown one; or the precision of a graph that is no checkpoint.
    """
    wanted, cost = _targets(generator, options), _multiply_adds(generator)
    shrunk = _shrunk(generator, options, progress)
    export = replace(options.export, stored=shrunk.stored)
    with atomic_folder(output, kind="bundle", is_one=is_bundle, force=options.force) as folder:
        targets: dict[TargetName, Graphs] = {}
        for target in wanted:
            progress.stage(f"writing {target}")
            targets[target] = _export(generator, target, folder, export)
        mode = options.export.noise_mode(generator.spec)
        oracle = GraphOracle(generator) if isinstance(generator, GraphModel) else oracle_of(generator, shrunk)
        cases = gate_cases(oracle, mode, progress)
        results: list[ParityResult] = []
        for target, graphs in targets.items():
            results += check_target(
                folder,
                target,
                graphs,
                cases,
                weights_sha256=generator.provenance.weights_sha256,
                image_range=generator.spec.image_range,
                multiply_adds=cost,
                progress=progress,
                on_result=on_result,
            )
        require_parity(results, wanted, allow_unverified=options.allow_unverified)
        precision = measured_precision(generator, shrunk, cases, progress)
        if precision.choices:
            precision = precision.model_copy(update={"plot": PLOT_NAME})
            (folder / PLOT_NAME).write_text(_plot(precision.choices, options.max_error), encoding="utf-8")
        progress.stage("writing the bundle")
        model_name = name or output.resolve().name
        _write_goldens(folder / GOLDENS_NAME, cases)
        _write_preview(folder / PREVIEW_NAME, oracle, cases, mode)
        if options.checkpoint and isinstance(generator, Generator):
            generator.save(folder / CHECKPOINT_NAME)
        (folder / "README.md").write_text(model_card(model_name, generator, results, precision), encoding="utf-8")
        manifest = Manifest(
            schema_version=1,
            name=model_name,
            spec=SpecSummary(**generator.spec.model_dump(mode="json")),
            labels=generator.labels,
            provenance=generator.provenance,
            defaults=Defaults(
                truncation_psi=options.export.truncation_psi,
                noise_mode=mode,
                inputs={name: tuple(value.ravel().tolist()) for name, value in extra_inputs(generator.spec).items()},
            ),
            multiply_adds=cost,
            precision=precision,
            targets=targets,
            goldens=Goldens(file=GOLDENS_NAME, cases=tuple(case.golden for case in cases)),
            previews=next(iter(targets.values())).previews,
            preview=PREVIEW_NAME,
            parity=tuple(results),
            tools=_tools(),
            files=_files(folder),
        )
        (folder / MANIFEST_NAME).write_text(manifest.to_json(), encoding="utf-8")
    return manifest


def _shrunk(generator: Generator | GraphModel, options: ConvertOptions, progress: Progress) -> Shrunk:
    if options.max_error is None:
        return shrink(generator, options.precision, progress)
    if options.precision != "float32":
        raise OptionError("--max-error chooses the precision itself: leave out --precision")
    return smallest(generator, options.max_error, options.export, progress)


def _plot(choices: Sequence[PrecisionChoice], levels: float | None) -> str:
    whole = choices[0].bytes
    return plot([Point(one.weights, one.bytes / whole, one.high_grey_levels) for one in choices], levels)


def gate_cases(oracle: Oracle | GraphOracle, mode: NoiseMode, progress: Progress = SILENT) -> list[Case]:
    """The gate's cases with the oracle's answers, for graphs that take noise in this mode."""
    cases, wanted = [], cases_for(oracle.spec, mode)
    progress.stage("drawing the oracle's pictures", len(wanted))
    for golden in wanted:
        feeds = feeds_of(golden, oracle.spec, mode)
        cases.append(Case(golden, feeds, oracle(feeds)))
        progress.step()
    return cases


def _targets(generator: Generator | GraphModel, options: ConvertOptions) -> tuple[TargetName, ...]:
    if options.targets is None:
        onnx_only = isinstance(generator, GraphModel) and generator.tensorflow is None
        return ("onnx",) if onnx_only else ("onnx", "tfjs")
    _check_targets(options.targets)
    return options.targets


def _multiply_adds(generator: Generator | GraphModel) -> int:
    if isinstance(generator, GraphModel):
        return min(generator.multiply_adds, FEWER_CASES_ABOVE)  # it has all cases, however large it is
    return multiply_adds(generator.spec)


def _export(generator: Generator | GraphModel, target: TargetName, folder: Path, options: ExportOptions) -> Graphs:
    if isinstance(generator, GraphModel):
        return GRAPH_EXPORTERS[target](generator, folder, options)
    return EXPORTERS[target](generator, folder, options)


def _check_targets(targets: Sequence[str]) -> None:
    unknown = [target for target in targets if target not in EXPORTERS]
    if unknown or not targets:
        raise OptionError(f"unknown target {', '.join(unknown) or 'list'}; choose from {', '.join(EXPORTERS)}")
    if len(set(targets)) != len(targets):
        raise OptionError(f"a target is named twice: {', '.join(targets)}")


def _write_goldens(path: Path, cases: Sequence[Case]) -> None:
    tensors: dict[str, NDArray[Any]] = {}
    for case in cases:
        recorded = {name: array for name, array in case.feeds.items() if not is_noise_input(name)}
        arrays = {**recorded, "images": case.expected["images"]}
        tensors |= {f"{case.golden.name}.{key}": np.ascontiguousarray(a) for key, a in arrays.items()}
    save_file(tensors, path)


def _write_preview(path: Path, oracle: Oracle | GraphOracle, cases: Sequence[Case], mode: NoiseMode) -> None:
    """A grid of pictures: a row a class for small conditional nets, else what the goldens show."""
    spec = oracle.spec
    if spec.c_dim and spec.resolution <= 64:
        rows = min(spec.c_dim, 10)
        labels = tuple(row for row in range(rows) for _ in range(PREVIEW_COLUMNS))
        case = GoldenCase(
            name="preview",
            seeds=tuple(range(PREVIEW_COLUMNS)) * rows,
            labels=labels,
            truncation_psi=1.0,
            noise_mode=cases[0].golden.noise_mode,
        )
        pictures = oracle(feeds_of(case, spec, mode))["images"]
        save_webp(grid(pictures, PREVIEW_COLUMNS, rows), path)
        return
    pictures = np.concatenate([case.expected["images"] for case in cases])
    columns = min(4, len(pictures))
    save_webp(grid(pictures, columns, -(-len(pictures) // columns)), path)


def _tools() -> dict[str, str]:
    libraries = {name: version(name) for name in ("numpy", "onnx", "safetensors")}
    return {"ganexport": __version__, "python": platform.python_version(), **libraries}


def _files(folder: Path) -> dict[str, FileEntry]:
    paths = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): FileEntry(bytes=p.stat().st_size, sha256=file_sha256(p)) for p in paths}
