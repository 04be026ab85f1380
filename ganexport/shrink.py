"""The weights of one conversion: stored as asked for or as small as may be, and how far that moves the pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ganexport.errors import OptionError, RuntimeUnavailableError
from ganexport.exporters import ExportOptions, onnx
from ganexport.generator import Generator
from ganexport.graph_model import GraphModel
from ganexport.manifest import Precision, PrecisionChoice, PrecisionName
from ganexport.ops.graph import Stored
from ganexport.parity import Case, Oracle, cases_for, feeds_of
from ganexport.precision import (
    PictureErrors,
    Plan,
    Rounding,
    picture_errors,
    plan_for,
    read_back,
    search,
    stored_weights,
    weight_bytes,
)
from ganexport.progress import SILENT, Progress
from ganexport.runtimes.onnxruntime import OnnxRuntime

__all__ = ["Shrunk", "measured_precision", "oracle_of", "shrink", "smallest"]

TO_COMPARE: tuple[PrecisionName, ...] = ("float32", "float16", "int16", "int8")

Images = list[NDArray[Any]]


@dataclass(frozen=True)
class Shrunk:
    """How weights are stored.

    Attributes:
        name: Of the precision, as the manifest has it.
        plan: Storage by canonical name.
        stored: The codes by canonical name.
        choices: What others would cost, where the smallest was looked for.
    """

    name: PrecisionName = "float32"
    plan: Plan = field(default_factory=dict)
    stored: Mapping[str, Stored] = field(default_factory=dict)
    choices: tuple[PrecisionChoice, ...] = ()


def shrink(generator: Generator | GraphModel, name: PrecisionName, progress: Progress = SILENT) -> Shrunk:
    """The weights of a generator in a precision.

    Raises:
        OptionError: It is known as a graph alone, and its weights would not be float32.
    """
    if name == "float32":
        return Shrunk()
    progress.stage("rounding the weights")
    known = _with_weights(generator)
    plan = plan_for(known.weights, name)
    return Shrunk(name, plan, stored_weights(known, plan))


def smallest(
    generator: Generator | GraphModel, levels: float, options: ExportOptions, progress: Progress = SILENT
) -> Shrunk:
    """The weights in as few bytes as leave the pictures of the gate's cases within so many grey levels.

    Args:
        generator: Whose weights.
        levels: Greatest mean and 99.9th percentile of the error.
        options: Of the export.
        progress: Told of each time that pictures are drawn.

    Raises:
        OptionError: It is known as a graph alone, or the number of grey levels is none.
    """
    if not 0 < levels < 256:
        raise OptionError(f"--max-error is a number of grey levels above 0 and below 256, found {levels:g}")
    known = _with_weights(generator)
    shapes = {name: known.weights[name].shape for name in plan_for(known.weights, "int8")}
    every = {name: tensor.shape for name, tensor in known.weights.items()}
    rounding = Rounding(known, shapes)
    progress.stage("measuring what meets the weights")
    rounding.measure()
    with tempfile.TemporaryDirectory(prefix="ganexport-precision-") as folder:
        draw = _drawing(known, options, Path(folder))
        originals = draw({})

        def errors_of(plan: Plan) -> PictureErrors:
            return picture_errors(draw(rounding.stored(plan)), originals, known.spec.image_range)

        def choice(name: PrecisionName, plan: Plan) -> PrecisionChoice:
            errors = errors_of(plan)
            return PrecisionChoice(
                weights=name,
                bytes=weight_bytes(every, plan),
                mean_grey_levels=errors.mean,
                high_grey_levels=errors.high,
                max_grey_levels=errors.worst,
            )

        progress.stage("looking for the smallest weights: pictures drawn so far")
        plan = search(shapes, errors_of, levels, progress.step)
        progress.stage("comparing precisions", len(TO_COMPARE) + 1)
        choices = []
        for name in TO_COMPARE:
            choices.append(choice(name, plan_for(known.weights, name)))
            progress.step()
        choices.append(choice("mixed", plan))
    return Shrunk("mixed", plan, rounding.stored(plan), tuple(choices))


def measured_precision(
    generator: Generator | GraphModel, shrunk: Shrunk, cases: Sequence[Case], progress: Progress = SILENT
) -> Precision:
    """What the manifest says: the storage, and how far the gate's pictures are from those of the original weights.

    Args:
        generator: With its original weights.
        shrunk: How they are stored.
        cases: The gate's, with the oracle's pictures for the weights as they are stored.
        progress: Told of each case.
    """
    if isinstance(generator, GraphModel) or not shrunk.plan:
        return Precision(choices=shrunk.choices)
    oracle, originals = Oracle(generator), []
    progress.stage("drawing the pictures of the original weights", len(cases))
    for case in cases:
        originals.append(oracle(case.feeds)["image"])
        progress.step()
    errors = picture_errors([case.expected["image"] for case in cases], originals, generator.spec.image_range)
    shapes = {name: tensor.shape for name, tensor in generator.weights.items()}
    return Precision(
        weights=shrunk.name,
        stored=dict(shrunk.plan),
        bytes=weight_bytes(shapes, shrunk.plan),
        float32_bytes=weight_bytes(shapes, {}),
        mean_grey_levels=errors.mean,
        high_grey_levels=errors.high,
        max_grey_levels=errors.worst,
        choices=shrunk.choices,
    )


def oracle_of(generator: Generator, shrunk: Shrunk) -> Oracle:
    """The generator in float64, with its weights as they are stored."""
    return Oracle(generator, read_back(generator.weights, shrunk.stored))


def _with_weights(generator: Generator | GraphModel) -> Generator:
    if isinstance(generator, GraphModel):
        raise OptionError("--precision and --max-error are for checkpoints; a graph is written as it is, in float32")
    return generator


def _drawing(generator: Generator, options: ExportOptions, folder: Path) -> Callable[[Mapping[str, Stored]], Images]:
    """What draws the pictures of the gate's cases with weights that are stored so: `image` [N, C, H, W] of each."""
    mode = options.noise_mode(generator.spec)
    cases = [feeds_of(golden, generator.spec, mode) for golden in cases_for(generator.spec, mode)]
    runtime = OnnxRuntime()
    try:
        runtime.version()
    except RuntimeUnavailableError:
        return lambda stored: [
            Oracle(generator, read_back(generator.weights, stored))(feeds)["image"] for feeds in cases
        ]

    def draw(stored: Mapping[str, Stored]) -> Images:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            place = Path(name)
            own = ExportOptions(noise=options.noise, stored=stored)
            graphs = onnx.export(generator, place, own, service=False)
            return [outputs["image"] for outputs in runtime.replay(place, graphs, cases)]

    return draw
