"""An encoder in the gate: every runtime finds in the recorded pictures what the float64 oracle finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganexport.encoders import encode
from ganexport.encoders.encoder import Encoder
from ganexport.manifest import Goldens, Graph, Graphs, ParityResult, TargetName
from ganexport.ops.numpy_ops import NumpyOps, float64_weights
from ganexport.parity.cases import Case
from ganexport.parity.compare import check_target
from ganexport.pictures import from_uint8
from ganexport.progress import SILENT, Progress
from ganexport.weights import read_tensors

__all__ = ["CASE", "check_encoder", "encoder_cases"]

CASE = "encode "
"""What the names of its cases begin with."""


def encoder_cases(folder: Path, goldens: Goldens, encoder: Encoder, progress: Progress = SILENT) -> list[Case]:
    """A case for each of the bundle's recorded ones: its 8-bit pictures, and what the oracle finds in them."""
    recorded, _ = read_tensors(folder / goldens.file)
    weights = float64_weights(encoder.weights)
    cases = []
    progress.stage("finding latents in float64", len(goldens.cases))
    for golden in goldens.cases:
        pictures = np.asarray(recorded[f"{golden.name}.images"], np.uint8)
        feeds = {"image": from_uint8(pictures, encoder.spec.image_range)}
        found: dict[str, NDArray[Any]] = encode(NumpyOps(), weights, encoder.spec, feeds["image"].astype(np.float64))
        cases.append(Case(golden.model_copy(update={"name": f"{CASE}{golden.name}"}), feeds, found))
        progress.step()
    return cases


def check_encoder(
    folder: Path,
    graphs: Mapping[TargetName, Graph],
    cases: Sequence[Case],
    encoder: Encoder,
    *,
    multiply_adds: int = 0,
    progress: Progress = SILENT,
    on_result: Callable[[ParityResult], None] = lambda result: None,
) -> list[ParityResult]:
    """Run the gate for an encoder's graphs.

    Args:
        folder: The bundle's.
        graphs: One for each target.
        cases: What is replayed, with the oracle's answers.
        encoder: What the graphs must say they were made of.
        multiply_adds: Of the generator, which costs about as much; large ones are too slow for some runtimes.
        progress: Told of each runtime and case.
        on_result: Told each result.

    Returns:
        Results as `check_target` gives them, the name of each case beginning with `encode`.
    """
    results = []
    for target, graph in graphs.items():
        found = check_target(
            folder,
            target,
            Graphs(mapping=None, synthesis=(graph,)),
            cases,
            weights_sha256=encoder.weights_sha256,
            image_range=encoder.spec.image_range,
            multiply_adds=multiply_adds,
            progress=progress,
        )
        for result in found:
            case = result.case if result.case.startswith(CASE) else f"{CASE}{result.case}"
            results.append(result.model_copy(update={"case": case}))
            on_result(results[-1])
    return results
