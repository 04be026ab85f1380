"""The smallest weights within some grey levels: against every plan there is, and on trained models."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from support.generators import make_generator, mlp_spec
from support.goldens import golden_file
from support.shipped import DIGITS, EMOJI_PEOPLE

from ganexport.convert import ConvertOptions, convert
from ganexport.errors import OptionError
from ganexport.exporters import EXPORTERS, ExportOptions
from ganexport.generator import Generator, load
from ganexport.manifest import Graphs, read_manifest
from ganexport.parity import Oracle, cases_for, feeds_of
from ganexport.pictures import to_uint8
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
from ganexport.precision.storage import storages_for
from ganexport.runtimes import RUNTIMES
from ganexport.shrink import smallest
from ganexport.verify import verify


def test_errors_of_pictures_by_hand() -> None:
    black, half = np.full((1, 1, 10, 100), -1.0), np.zeros((1, 1, 10, 100))
    one = half.copy()
    one.flat[0] = 9.0  # far beyond white, which is 127.5 levels away
    assert picture_errors([black], [half], (-1.0, 1.0)) == PictureErrors(127.5, 127.5, 127.5)
    found = picture_errors([one, half], [half, half], (-1.0, 1.0))
    assert (found.mean, found.high, found.worst) == (127.5 / 2000, 0.0, 127.5)
    assert PictureErrors(0.1, 2.0, 9.0).within(2.0)
    assert not PictureErrors(2.1, 0.5, 9.0).within(2.0)


# ---------------------------------------------------------------------------------------------------- the search


def brute_force(shapes: Mapping[str, tuple[int, ...]], measure: Callable[[Plan], PictureErrors], levels: float) -> int:
    """Bytes of the smallest of all plans that are good enough."""
    ladders = [[(name, storage) for storage in (*storages_for(shape), "float32")] for name, shape in shapes.items()]
    sizes = []
    for every in itertools.product(*ladders):
        plan: Any = {name: storage for name, storage in every if storage != "float32"}
        if measure(plan).within(levels):
            sizes.append(weight_bytes(shapes, plan))
    return min(sizes)


@pytest.mark.parametrize("levels", [0.02, 0.3, 1.0, 2.0, 5.0])
def test_the_search_finds_what_trying_all_plans_finds(levels: float) -> None:
    generator = make_generator(mlp_spec(hidden=(64, 72)))
    shapes = {name: generator.weights[name].shape for name in plan_for(generator.weights, "int8")}
    assert len(shapes) == 3
    assert any(len(storages_for(shape)) == 5 for shape in shapes.values())
    rounding = Rounding(generator, shapes)
    feeds = feeds_of(cases_for(generator.spec, "none")[1], generator.spec, "none")
    original, known = Oracle(generator)(feeds)["image"], dict[str, PictureErrors]()

    def measure(plan: Plan) -> PictureErrors:
        key = json.dumps(plan, sort_keys=True)
        if key not in known:
            drawn = Oracle(generator, read_back(generator.weights, rounding.stored(plan)))(feeds)["image"]
            known[key] = picture_errors([drawn], [original], generator.spec.image_range)
        return known[key]

    drawn = 0

    def count() -> None:
        nonlocal drawn
        drawn += 1

    plan = search(shapes, measure, levels, count)
    assert measure(plan).within(levels)
    best, found = brute_force(shapes, measure, levels), weight_bytes(shapes, plan)
    assert best <= found <= 1.05 * best
    assert drawn <= 3 * len(shapes) + math.ceil(math.log2(6 * len(shapes)))


def test_what_cannot_be_reduced_stays_float32() -> None:
    shapes = {"a": (16, 16), "b": (64, 64)}
    assert search(
        shapes, lambda plan: PictureErrors(9.0, 9.0, 9.0) if "a" in plan else PictureErrors(0, 0, 0), 1.0
    ) == {"b": "int8"}


@pytest.mark.parametrize("levels", [0.0, -1.0, 256.0, math.nan])
def test_levels_that_are_none(levels: float, tiny_generator: Generator, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--max-error is a number of grey levels above 0 and below 256"):
        convert(tiny_generator, tmp_path / "out", ConvertOptions(max_error=levels))


def test_a_precision_and_a_greatest_error_contradict(tiny_generator: Generator, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--max-error chooses the precision itself: leave out --precision"):
        convert(tiny_generator, tmp_path / "out", ConvertOptions(precision="int8", max_error=2.0))


# ------------------------------------------------------------------------------------------------- trained models

MODELS = {
    "digits": lambda: load(DIGITS / "checkpoint.safetensors"),
    "emoji-people": lambda: load(EMOJI_PEOPLE / "checkpoint.safetensors"),
    "dcgan-faces64": lambda: load(golden_file("real/dcgan-faces64.tar")),
}


def page_bytes(folder: Path, graphs: Graphs) -> int:
    """Of all that a page loads of a target."""
    chain = [graph for graph in (graphs.mapping, *graphs.synthesis) if graph is not None]
    return sum((folder / name).stat().st_size for graph in chain for name in (graph.file, *graph.weight_files))


@pytest.mark.parametrize("name", MODELS)
def test_two_grey_levels_cost_a_third_of_the_bytes(name: str, tmp_path: Path) -> None:
    generator = MODELS[name]()
    found = smallest(generator, 2.0, ExportOptions())
    assert [one.weights for one in found.choices] == ["float32", "float16", "int16", "int8", "mixed"]
    whole, chosen = found.choices[0], found.choices[-1]
    assert chosen.bytes <= 0.35 * whole.bytes
    assert max(chosen.mean_grey_levels, chosen.high_grey_levels) <= 2.0
    sizes = []
    for stored in (found.stored, {}):
        folder = tmp_path / str(len(sizes))
        folder.mkdir()
        graphs = {
            target: export(generator, folder, ExportOptions(stored=stored)) for target, export in EXPORTERS.items()
        }
        of_pages = {target: page_bytes(folder, one) for target, one in graphs.items()}
        sizes.append({**of_pages, "service": (folder / "onnx" / "generator.onnx").stat().st_size})
    small, plain = sizes
    assert {name: small[name] / plain[name] for name in plain if small[name] > 0.35 * plain[name]} == {}


def test_the_bundle_of_the_smallest_weights(tiny_dcgan: Generator, bundle_of: Callable[..., Path]) -> None:
    bundle = bundle_of(tiny_dcgan, "smallest", ConvertOptions(max_error=1.0))
    precision = read_manifest(bundle).precision
    assert precision.weights == "mixed"
    assert precision.mean_grey_levels is not None
    assert precision.high_grey_levels is not None
    assert max(precision.mean_grey_levels, precision.high_grey_levels) <= 1.0
    # What was compared in float32 is what the float64 oracle sees.
    assert precision.choices[-1].high_grey_levels == pytest.approx(precision.high_grey_levels, abs=0.01)
    assert precision.plot == "precision.svg"
    drawing = ElementTree.fromstring((bundle / "precision.svg").read_text(encoding="utf-8"))
    texts = {one.text for one in drawing.iter("{http://www.w3.org/2000/svg}text")}
    assert {"float32", "float16", "int16", "int8", "mixed", "100%"} <= texts
    assert {result.status for result in verify(bundle)} == {"ok"}


@pytest.mark.parametrize("name", MODELS)
def test_float16_is_within_one_grey_level_everywhere(name: str, tmp_path: Path) -> None:
    """Every pixel of pictures that the gate has not seen, in real runtimes, against the original weights in float64."""
    generator = MODELS[name]()
    plan = plan_for(generator.weights, "float16")
    options = ExportOptions(stored=stored_weights(generator, plan))
    spec = generator.spec
    mode = options.noise_mode(spec)
    golden = cases_for(spec, mode)[0].model_copy(
        update={
            "seeds": tuple(range(40, 56)),
            "labels": tuple(i % spec.c_dim for i in range(16)) if spec.c_dim else None,
        }
    )
    feeds = feeds_of(golden, spec, mode)
    expected = Oracle(generator)(feeds)["images"].astype(int)
    for runtime in ("onnxruntime-cpu", "tfjs-wasm"):
        run = RUNTIMES[runtime]()
        graphs = EXPORTERS[run.target](generator, tmp_path, options).model_copy(update={"generator": None})
        (got,) = run.replay(tmp_path, graphs, [feeds])
        assert np.abs(to_uint8(got["image"], spec.image_range).astype(int) - expected).max() <= 1, runtime
