"""Every encoder, in every interpreter, against an independent program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from oracles import encoder as oracle
from safetensors.numpy import load_file, save_file
from support.encoders import graphs_of, make_encoder, pictures, residual_spec
from support.generators import Arrays, dcgan_spec, stylegan2_spec
from support.interpreters import assert_all_close, relative_error

from ganexport.encoders import ENCODERS, convolutional, encode, residual, spec_from_json, weight_shapes
from ganexport.encoders.encoder import METADATA_KEY, Encoder, load_encoder
from ganexport.encoders.spec import EncoderSpec
from ganexport.errors import CheckpointError, SpecError, WeightsError
from ganexport.ops.numpy_ops import NumpyOps, float64_weights
from ganexport.parity.tolerances import relative_tolerance
from ganexport.runtimes import RUNTIMES

SPECS = {
    "z-classes": residual_spec(),
    "ws": residual_spec(space="w", latent_dim=5, num_ws=6, reach="free", c_dim=0),
    "z-uniform-grey": residual_spec(reach="cube", c_dim=0, image_channels=1, resolution=8, channels=(5, 3)),
    "convolutional": convolutional.Spec(
        resolution=12, image_channels=3, space="z", latent_dim=5, c_dim=3, channels=(6, 4), width=7
    ),
    "z-4x4": residual_spec(reach="free", resolution=4, channels=(4,), image_channels=4),
}
NUMPY, TENSORFLOW = 1e-12, 1e-5  # measured at worst: 9e-16, 7e-7


def expected(encoder: Encoder, cases: list[Arrays]) -> list[Arrays]:
    settings = {"reach": encoder.spec.reach, "num_ws": encoder.spec.num_ws}
    return [oracle.encode(encoder.weights, case["image"], **settings) for case in cases]


def run_numpy(encoder: Encoder, cases: list[Arrays]) -> list[Arrays]:
    weights = float64_weights(encoder.weights)
    return [encode(NumpyOps(), weights, encoder.spec, case["image"].astype(np.float64)) for case in cases]


def test_folder_is_registry() -> None:
    folder = Path(residual.__file__).parent
    assert {p.stem for p in folder.glob("[!_]*.py")} - {"encoder", "spec"} == set(ENCODERS)
    assert {spec.architecture for spec in SPECS.values()} == set(ENCODERS)


@pytest.mark.parametrize("name", SPECS)
def test_numpy_gives_what_the_oracle_gives(name: str) -> None:
    encoder, cases = make_encoder(SPECS[name]), pictures(SPECS[name])
    assert_all_close(run_numpy(encoder, cases), expected(encoder, cases), NUMPY)


@pytest.mark.parametrize(
    ("runtime", "name"),
    [(r, n) for r in RUNTIMES for n in SPECS if r == "onnxruntime-cpu" or n in ("z-classes", "convolutional")],
)
def test_every_runtime_gives_what_the_oracle_gives(runtime: str, name: str, tmp_path: Path) -> None:
    encoder, cases = make_encoder(SPECS[name]), pictures(SPECS[name])
    program = RUNTIMES[runtime]()
    graphs = graphs_of(tmp_path, encoder, program.target)
    assert_all_close(program.replay(tmp_path, graphs, cases), expected(encoder, cases), relative_tolerance(runtime))
    assert program.fingerprint(tmp_path / graphs.synthesis[0].file) == encoder.weights_sha256


@pytest.mark.slow
def test_tensorflow_gives_what_the_oracle_gives() -> None:
    import tensorflow as tf

    from ganexport.ops.tensorflow_ops import TensorFlowOps

    for spec in SPECS.values():
        encoder, cases = make_encoder(spec), pictures(spec)
        weights = {name: tf.constant(array) for name, array in encoder.weights.items()}
        images = [tf.constant(case["image"].transpose(0, 2, 3, 1)) for case in cases]
        outputs = [encode(TensorFlowOps(), weights, spec, image) for image in images]
        assert_all_close(
            [{n: t.numpy() for n, t in got.items()} for got in outputs], expected(encoder, cases), TENSORFLOW
        )


@pytest.mark.parametrize("name", [n for n in weight_shapes(SPECS["z-classes"]) if n != "latent.bias"])
def test_no_tensor_is_idle(name: str) -> None:
    """Each of them changes what is found, or the tests above would not see it."""
    encoder, cases = make_encoder(SPECS["z-classes"]), pictures(SPECS["z-classes"], (2,))
    changed = {**encoder.weights, name: encoder.weights[name][::-1].copy()}
    if len(changed[name]) > 1:
        (before,), (after,) = expected(encoder, cases), run_numpy(Encoder(encoder.spec, changed, "0" * 64), cases)
        assert max(relative_error(after[key], before[key]) for key in before) > 1e-3


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("size", [6, 7])
def test_a_strided_convolution_is_the_plain_one_thinned_out(padding: int, size: int) -> None:
    random = np.random.default_rng(0)
    x, kernel = random.standard_normal((2, 3, size, size)), random.standard_normal((4, 3, 3, 3))
    plain = oracle.correlate(x, kernel, padding, 1)
    for stride in (1, 2, 3):
        got = NumpyOps().conv2d(x, kernel, padding, stride)
        np.testing.assert_allclose(got, plain[:, :, ::stride, ::stride], rtol=0, atol=1e-12)


# --------------------------------------------------------------------------------------------------- what is found


@pytest.mark.parametrize(
    ("generator", "found"),
    [
        (stylegan2_spec(), ("z", 8, 0, "sphere", 3)),
        (stylegan2_spec(c_dim=0), ("w", 7, 6, "free", 0)),
        (dcgan_spec(c_dim=2), ("z", 10, 0, "free", 2)),
        (dcgan_spec(z_distribution="uniform"), ("z", 10, 0, "cube", 0)),
    ],
    ids=["classes", "w", "normal", "uniform"],
)
def test_a_generator_decides_what_is_looked_for(generator: Any, found: tuple[Any, ...]) -> None:
    spec = residual.Spec(**EncoderSpec.contract(generator), channels=(4, 4, 4))
    assert (spec.space, spec.latent_dim, spec.num_ws, spec.reach, spec.c_dim) == found
    assert (spec.resolution, spec.image_channels) == (16, 3)
    assert spec_from_json(json.loads(spec.model_dump_json())) == spec


def test_specs_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(SpecError, match="3 blocks begin at 16², but the resolution is 32²"):
        residual_spec(resolution=32)
    with pytest.raises(SpecError, match="num_ws 4 does not go with latents in z"):
        residual_spec(num_ws=4)
    with pytest.raises(SpecError, match="28² cannot be halved 3 times"):
        SPECS["convolutional"].__class__(
            **{**SPECS["convolutional"].model_dump(), "resolution": 28, "channels": (4, 4, 4)}
        )
    with pytest.raises(SpecError, match="unknown encoder 'vit'; known are: convolutional, residual"):
        spec_from_json({"architecture": "vit"})


# ---------------------------------------------------------------------------------------------------------- the file


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    encoder = make_encoder(residual_spec(), "ab" * 32)
    encoder.save(tmp_path / "e.safetensors")
    found = load_encoder(tmp_path / "e.safetensors")
    assert (found.spec, found.generator_sha256, found.figures) == (encoder.spec, "ab" * 32, {"error": 0.5})
    assert found.weights_sha256 == encoder.weights_sha256


def test_files_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    path, encoder = tmp_path / "e.safetensors", make_encoder(residual_spec())
    save_file({"x": np.zeros(3, np.float32)}, path)
    with pytest.raises(CheckpointError, match="holds no encoder"):
        load_encoder(path)
    encoder.save(path)
    tensors = load_file(path)
    header = {"version": 1, "spec": encoder.spec.model_dump(mode="json"), "generator_sha256": "0" * 64}
    whole = {**header, "weights_sha256": encoder.weights_sha256, "figures": {}, "training": {}}

    def written(header: dict[str, Any], tensors: Arrays) -> Path:
        save_file(tensors, path, {METADATA_KEY: json.dumps(header)})
        return path

    assert load_encoder(written(whole, tensors)).spec == encoder.spec
    with pytest.raises(CheckpointError, match="header of the encoder is not complete"):
        load_encoder(written(header, tensors))
    with pytest.raises(CheckpointError, match="encoder version 2; this ganexport reads 1"):
        load_encoder(written({**whole, "version": 2}, tensors))
    with pytest.raises(WeightsError, match=r"missing b8.skip.weight \[7, 6, 1, 1\]"):
        load_encoder(written(whole, {n: a for n, a in tensors.items() if n != "b8.skip.weight"}))
    with pytest.raises(WeightsError, match="the tensors were changed"):
        load_encoder(written(whole, {**tensors, "latent.bias": tensors["latent.bias"] + 1}))
