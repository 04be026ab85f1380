"""The weights of one conversion: stored as asked for, and how far that moves the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ganexport.errors import OptionError
from ganexport.generator import Generator
from ganexport.graph_model import GraphModel
from ganexport.manifest import Precision, PrecisionName
from ganexport.ops.graph import Stored
from ganexport.parity import Case, Oracle
from ganexport.precision import Plan, picture_errors, plan_for, read_back, stored_weights, weight_bytes
from ganexport.progress import SILENT, Progress

__all__ = ["Shrunk", "measured_precision", "oracle_of", "shrink"]


@dataclass(frozen=True)
class Shrunk:
    """How weights are stored.

    Attributes:
        name: Of the precision, as the manifest has it.
        plan: Storage by canonical name.
        stored: The codes by canonical name.
    """

    name: PrecisionName = "float32"
    plan: Plan = field(default_factory=dict)
    stored: Mapping[str, Stored] = field(default_factory=dict)


def shrink(generator: Generator | GraphModel, name: PrecisionName, progress: Progress = SILENT) -> Shrunk:
    """The weights of a generator in a precision.

    Raises:
        OptionError: It is known as a graph alone, and its weights would not be float32.
    """
    if name == "float32":
        return Shrunk()
    if isinstance(generator, GraphModel):
        raise OptionError("--precision and --max-error are for checkpoints; a graph is written as it is, in float32")
    progress.stage("rounding the weights")
    plan = plan_for(generator.weights, name)
    return Shrunk(name, plan, stored_weights(generator, plan))


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
        return Precision()
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
    )


def oracle_of(generator: Generator, shrunk: Shrunk) -> Oracle:
    """The generator in float64, with its weights as they are stored."""
    return Oracle(generator, read_back(generator.weights, shrunk.stored))
