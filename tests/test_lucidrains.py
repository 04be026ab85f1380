"""lucidrains' generator in every interpreter, against its oracle and the published program's pictures."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import lucidrains as oracle
from support.generators import Arrays, make_generator
from support.goldens import golden_arrays, golden_file
from support.interpreters import (
    assert_all_close,
    random_cases,
    relative_error,
    run_numpy,
    run_onnxruntime,
    run_tensorflow,
)
from support.lucidrains_files import LR_MLP, canonical, random_state
from support.replays import replay_tfjs
from support.torch_files import read_torch_zip

from ganexport.architectures import noise_shapes, spec_from_json
from ganexport.architectures.lucidrains import Spec
from ganexport.convert import ConvertOptions, convert
from ganexport.errors import SpecError
from ganexport.exporters import ExportOptions
from ganexport.generator import Generator
from ganexport.parity.tolerances import relative_tolerance

# max |got − expected| / max |expected|. The float64 interpreter against the oracle, whose tensors were not rounded to
# float32 again when they were folded: 1.7e-7 measured.
EXACT = 1e-6
# What the golden's own float32 arithmetic leaves: 4.8e-7 measured.
GOLDEN = 5e-6
TENSORFLOW = 1e-5

MODES = ("const", "none", "input")


def lucidrains_spec(**changes: Any) -> Spec:
    """A 16² net; widths are all different."""
    fields: dict[str, Any] = {
        "resolution": 16,
        "image_channels": 3,
        "z_dim": 7,
        "w_dim": 7,
        "channels": (6, 5, 4),
        "mapping_layers": 2,
    }
    return Spec(**(fields | changes))


SPECS = {
    "plain": lucidrains_spec(),
    "no-const": lucidrains_spec(const=False),
    "transparent-sharp": lucidrains_spec(image_channels=4, blur=False),
    "wide-last": lucidrains_spec(resolution=32, channels=(3, 8, 5, 7), mapping_layers=1),
    "attention": lucidrains_spec(attention=(8, 16)),
    "attention-first": lucidrains_spec(attention=(4,)),
    "attention-no-const": lucidrains_spec(attention=(4, 8, 16), const=False),
    "4x4": lucidrains_spec(resolution=4, channels=(5,)),
}


# ------------------------------------------------------------------------------------------ random weights, oracle


@cache
def generator_of(net: str) -> Generator:
    return make_generator(SPECS[net], canonical(SPECS[net], random_state(SPECS[net])))


@cache
def cases_of(net: str, mode: str) -> list[Arrays]:
    """Feeds at batch 3 and at batch 1, with noise in this mode."""
    cases, random = [], np.random.default_rng(9)
    for feeds in random_cases(SPECS[net]):
        scale = feeds.pop("noise_scale")
        if mode == "input":
            shapes = noise_shapes(SPECS[net])
            feeds |= {k: random.random((len(scale), *shape)).astype(np.float32) for k, shape in shapes.items()}
        elif mode == "const":
            feeds["noise_scale"] = scale
        cases.append(feeds)
    return cases


@cache
def expected_of(net: str, mode: str) -> list[Arrays]:
    """`ws` and every picture of the oracle, for each case."""
    spec, state = SPECS[net], random_state(SPECS[net])
    tensors = generator_of(net).weights
    w_avg, stored = (tensors[name].astype(np.float64) for name in ("mapping.w_avg", "synthesis.noise_const"))
    results = []
    for feeds in cases_of(net, mode):
        w = oracle.mapping(state, feeds["z"], LR_MLP)
        ws = w_avg + feeds["truncation_psi"].astype(np.float64)[:, :, None] * (w[:, None] - w_avg)
        scale = feeds.get("noise_scale", np.zeros(len(w)))[:, None, None, None]  # [N, 1, 1, 1]
        pictures = oracle.synthesis(state, ws, feeds.get("noise", scale * stored[:, :, None]))
        names = [f"rgb_b{4 << i}" for i in range(len(spec.channels) - 1)] + ["image"]
        results.append({"ws": ws, **dict(zip(names, pictures, strict=True))})
    return results


@pytest.mark.parametrize("net", SPECS)
def test_no_choice_is_idle(net: str) -> None:
    """Noise of each mode, and where it lies, must show, or the tests below would not see it."""
    const, none, given = (expected_of(net, mode)[0]["image"] for mode in MODES)
    assert relative_error(const[:1], none[:1]) > 0.01
    assert relative_error(given, none) > 0.01
    feeds = dict(cases_of(net, "input")[0])
    feeds["noise"] = feeds["noise"].transpose(0, 2, 1, 3)
    assert relative_error(run_numpy(generator_of(net), [feeds])[0]["image"], given) > 0.01
    assert const.std() > 0.1


def test_attention_is_not_idle() -> None:
    """Each of its parts must show: what it adds is not small, no softmax is flat, no pixel stands for all."""
    spec, state = SPECS["attention-first"], random_state(SPECS["attention-first"])
    x = np.random.default_rng(0).standard_normal((1, 6, 4, 4))
    full = oracle.attention(state, "G.attns.0.0.fn", x)
    assert full.std() > 0.2
    for name in (name for name in state if "attns.0.0" in name):
        changed = {**state, name: 0.5 * state[name] + 0.1 * np.flip(state[name])}
        assert relative_error(oracle.attention(changed, "G.attns.0.0.fn", x), full) > 0.01, name
    assert spec.attention


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("net", SPECS)
def test_numpy_draws_the_oracles_picture(net: str, mode: str) -> None:
    assert_all_close(run_numpy(generator_of(net), cases_of(net, mode)), expected_of(net, mode), EXACT)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("net", SPECS)
def test_onnxruntime_draws_the_oracles_picture(net: str, mode: Any, tmp_path: Path) -> None:
    outputs = run_onnxruntime(tmp_path, generator_of(net), cases_of(net, mode), mode)
    assert_all_close(outputs, expected_of(net, mode), relative_tolerance("onnxruntime-cpu"))


@pytest.fixture(scope="module")
def tfjs_outputs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Any], dict[str, list[Arrays]]]:
    """Every net on one backend, in one Node."""

    @cache
    def outputs(backend: str, mode: Any) -> dict[str, list[Arrays]]:
        nets = {net: generator_of(net) for net in SPECS}
        cases = {net: cases_of(net, mode) for net in SPECS}
        return replay_tfjs(tmp_path_factory.mktemp(f"{backend}-{mode}"), backend, nets, cases, mode)

    return outputs


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("net", SPECS)
def test_tfjs_draws_the_oracles_picture(
    net: str, mode: str, backend: str, tfjs_outputs: Callable[[str, str], dict[str, list[Arrays]]]
) -> None:
    assert_all_close(tfjs_outputs(backend, mode)[net], expected_of(net, mode), relative_tolerance(f"tfjs-{backend}"))


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("net", SPECS)
def test_tensorflow_draws_the_oracles_picture(net: str, mode: str) -> None:
    outputs = run_tensorflow(generator_of(net), cases_of(net, mode))
    assert_all_close(outputs, expected_of(net, mode), TENSORFLOW)


# ---------------------------------------------------------------------------------------------------------- golden


@cache
def golden_state() -> Arrays:
    """The averaged networks of the golden, under `S.` and `G.`."""
    stored = read_torch_zip(golden_file("lucid_64.pt"))["GAN"]
    return {f"{name[0]}{name[2:]}": array for name, array in stored.items() if name[:3] in ("SE.", "GE.")}


@cache
def golden_generator() -> Generator:
    state = golden_state()
    blocks = sum(name.endswith("conv1.weight") for name in state)
    spec = Spec(
        resolution=4 << (blocks - 1),
        image_channels=3,
        z_dim=128,
        w_dim=128,
        channels=tuple(len(state[f"G.blocks.{i}.conv1.weight"]) for i in range(blocks)),
    )
    return make_generator(spec, canonical(spec, state))


def golden_cases() -> tuple[list[Arrays], list[Arrays]]:
    """Feeds and recorded tensors: a batch of 3, made of the two that were recorded, and one alone."""
    golden, spec = golden_arrays("lucid_64"), golden_generator().spec
    rows = ([0, 1, 0], [1])
    psi = np.ones((3, spec.num_ws), np.float32)
    feeds = [{"z": golden["z"][r], "truncation_psi": psi[: len(r)], "noise": golden["noise"][r]} for r in rows]
    return feeds, [{"image": golden["img"][r]} for r in rows]


def test_the_oracle_draws_what_the_published_program_drew() -> None:
    golden = golden_arrays("lucid_64")
    assert golden.keys() == {"z", "noise", "w", "img"}
    w = oracle.mapping(golden_state(), golden["z"])
    assert relative_error(w, golden["w"]) <= GOLDEN
    ws = np.repeat(w[:, None], 5, axis=1)
    assert relative_error(oracle.synthesis(golden_state(), ws, golden["noise"])[-1], golden["img"]) <= GOLDEN


def test_numpy_draws_what_the_published_program_drew() -> None:
    cases, expected = golden_cases()
    assert_all_close(run_numpy(golden_generator(), cases), expected, GOLDEN)


def test_onnxruntime_draws_what_the_published_program_drew(tmp_path: Path) -> None:
    cases, expected = golden_cases()
    assert_all_close(
        run_onnxruntime(tmp_path, golden_generator(), cases, "input"), expected, relative_tolerance("onnxruntime-cpu")
    )


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_tfjs_draws_what_the_published_program_drew(backend: str, tmp_path: Path) -> None:
    cases, expected = golden_cases()
    outputs = replay_tfjs(tmp_path, backend, {"net": golden_generator()}, {"net": cases}, "input")["net"]
    assert_all_close(outputs, expected, relative_tolerance(f"tfjs-{backend}"))


# ------------------------------------------------------------------------------------------------ the gate and specs


@pytest.mark.parametrize(("net", "mode"), [("plain", "const"), ("no-const", "input"), ("transparent-sharp", "none")])
def test_a_bundle_passes_the_gate(net: str, mode: Any, tmp_path: Path) -> None:
    manifest = convert(generator_of(net), tmp_path / net, ConvertOptions(export=ExportOptions(noise=mode)))
    assert {result.status for result in manifest.parity} == {"ok"}
    assert {result.runtime for result in manifest.parity} == {"onnxruntime-cpu", "tfjs-cpu", "tfjs-wasm"}
    assert manifest.spec.image_range == (0.0, 1.0)
    assert manifest.spec.noise_distribution == "uniform"


@pytest.mark.parametrize("net", SPECS)
def test_a_spec_survives_json(net: str) -> None:
    assert spec_from_json(SPECS[net].model_dump(mode="json")) == SPECS[net]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"resolution": 32}, "3 blocks end at 16², but the resolution is 32²"),
        ({"num_ws": 6}, "num_ws must be 3, one a block"),
        ({"c_dim": 2}, "no classes"),
        ({"channels": (6, 0, 4)}, "positive"),
        ({"noise": False}, "noise"),
        ({"attention": (16, 8)}, "rising sizes of blocks"),
        ({"attention": (8, 12)}, "rising sizes of blocks"),
    ],
)
def test_a_spec_that_fits_nothing_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        lucidrains_spec(**changes)
