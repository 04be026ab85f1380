"""What drawing needs, told beforehand: above what was measured, and not far above where it matters."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.memory import SAY_PEAK

from benchmarks.nets import make_generator, paper_spec
from ganexport.architectures import lucidrains, stylegan2, stylegan3
from ganexport.errors import BundleError
from ganexport.exporters import ExportOptions
from ganexport.exporters.onnx import export
from ganexport.manifest import SpecSummary
from ganexport.memory import BASE, bytes_a_picture, bytes_needed, pictures_within
from ganexport.spec import GeneratorSpec

LATENTS = {"z_dim": 32, "w_dim": 32, "mapping_layers": 2, "mapping_width": 32}
FINER = {"kernel": 3, "down": 2, "down_taps": 12, "input_gain": 1.0}

# The widest layers of published networks, after narrow ones; 203 maps of 276² are those of StyleGAN3-T for 256².
STYLEGAN2 = stylegan2.Spec(
    **LATENTS, resolution=256, image_channels=3, channels=(8, 8, 8, 8, 8, 256, 128), conv_clamp=256.0
)
STYLEGAN3 = stylegan3.Spec(
    **LATENTS,
    resolution=256,
    image_channels=3,
    input_channels=64,
    input_size=148,
    sampling_rate=148.0,
    bandwidth=10.0,
    layers=(
        stylegan3.Layer(channels=203, size=276, up=4, up_taps=24, pad_before=-8, pad_after=-7, **FINER),
        stylegan3.Layer(channels=64, size=256, up=2, up_taps=12, pad_before=-12, pad_after=-11, **FINER),
    ),
)
LUCIDRAINS = lucidrains.Spec(
    resolution=256,
    image_channels=3,
    z_dim=32,
    w_dim=32,
    mapping_layers=2,
    channels=(8, 8, 8, 8, 128, 64, 32),
    attention=(256,),
)

DRAW = """
import json, sys
from pathlib import Path
import numpy as np
from ganexport.manifest import Graph
from ganexport.runtimes.onnxruntime import OnnxSession

folder, graphs, inputs = Path(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
values = {name: np.ones(shape, np.float32) for name, shape in inputs.items()}
sessions = [OnnxSession(folder / one["file"], Graph(**one)) for one in graphs]
SAY
for session in sessions:
    values |= session.run(values)
"""


def summary(spec: GeneratorSpec) -> SpecSummary:
    """The spec as a manifest that was read has it."""
    return SpecSummary.model_validate(json.loads(spec.model_dump_json()))


@pytest.mark.parametrize(
    ("resolution", "count", "mebibytes"),
    [(64, 1, 507), (64, 8, 739), (256, 1, 550), (256, 8, 2505), (1024, 1, 1404), (1024, 8, 11466)],
)
def test_the_estimate_lies_above_the_figures_of_the_document(resolution: int, count: int, mebibytes: int) -> None:
    """docs/performance.md; where a run is large, not far above."""
    measured, needed = mebibytes << 20, bytes_needed(summary(paper_spec(resolution)), count)
    assert measured <= needed
    assert needed <= 1.2 * measured or measured < 1.5e9


@pytest.mark.parametrize(
    ("spec", "count"), [(STYLEGAN2, 2), (STYLEGAN3, 1), (LUCIDRAINS, 3)], ids=["stylegan2", "stylegan3", "lucidrains"]
)
def test_the_estimate_lies_above_what_is_needed_here(spec: GeneratorSpec, count: int, tmp_path: Path) -> None:
    graphs = export(make_generator(spec), tmp_path, ExportOptions(), service=False).synthesis
    shapes = {one.name: [count if size == "N" else size for size in one.shape] for one in graphs[0].inputs}
    shapes |= {one.name: [count if size == "N" else size for size in one.shape] for one in graphs[-1].inputs}
    arguments = (tmp_path, json.dumps([one.model_dump(mode="json") for one in graphs]), json.dumps(shapes))
    command = [sys.executable, "-c", DRAW.replace("SAY", SAY_PEAK) + SAY_PEAK, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    program, measured = map(int, done.stdout.split())
    a_picture = bytes_a_picture(summary(spec))
    assert measured - program <= count * a_picture <= 3 * (measured - program)
    assert program < BASE


def test_a_spec_that_tells_no_widths_is_taken_for_a_wide_one() -> None:
    facts = {"image_channels": 3, "z_dim": 8, "c_dim": 0, "w_dim": 0, "num_ws": 0, "image_range": (-1.0, 1.0)}
    plain = SpecSummary(architecture="onnx", resolution=256, z_distribution="normal", **facts)
    assert bytes_a_picture(plain) == pytest.approx(bytes_a_picture(summary(STYLEGAN2)), rel=0.01)


@pytest.mark.parametrize(
    "told", [{"channels": ["wide"]}, {"channels": 5}, {"layers": [{"up_taps": 1}]}, {"layers": [3]}]
)
def test_a_spec_that_makes_no_sense(told: dict[str, object]) -> None:
    spec = summary(paper_spec(32)).model_copy(update={"channels": None, **told})
    with pytest.raises(BundleError, match="spec of this stylegan2 has layers that cannot be read"):
        bytes_a_picture(spec)


@pytest.mark.parametrize("resolution", [32, 256, 1024])
def test_as_many_pictures_as_fit(resolution: int) -> None:
    spec = summary(paper_spec(resolution))
    for limit in (BASE, 2 * 10**9, 8 * 10**9):
        count = pictures_within(limit, spec)
        assert bytes_needed(spec, count) <= limit < bytes_needed(spec, count + 1)
    assert pictures_within(1, spec) == 0
