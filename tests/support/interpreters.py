"""Runs a generator in each interpreter, on feeds by name; maps come back as [N, C, H, W]."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.generators import Arrays
from support.replays import export_to, replay_tfjs

from ganexport.architectures import extra_inputs, mapping, synthesis
from ganexport.generator import Generator
from ganexport.manifest import NoiseMode
from ganexport.ops.numpy_ops import NumpyOps, float64_weights
from ganexport.ops.protocol import Ops
from ganexport.runtimes import RUNTIMES
from ganexport.spec import GeneratorSpec


def relative_error(got: np.ndarray, expected: np.ndarray) -> float:
    """Max |got − expected| / max |expected|."""
    assert got.shape == expected.shape
    assert np.isfinite(got).all()
    return float(np.abs(got - expected).max() / np.abs(expected).max())


def assert_close(got: Arrays, expected: Arrays, tolerance: float) -> None:
    """Every tensor that is expected, whole."""
    assert got.keys() >= expected.keys()
    errors = {name: relative_error(got[name], array) for name, array in expected.items()}
    assert max(errors.values()) <= tolerance, errors


def assert_all_close(got: Sequence[Arrays], expected: Sequence[Arrays], tolerance: float) -> None:
    """Every case, and every tensor of it that is expected."""
    for outputs, tensors in zip(got, expected, strict=True):
        assert_close(outputs, tensors, tolerance)


def random_cases(spec: GeneratorSpec, noise_scale: tuple[float, ...] = (1.0, 0.0, 0.5)) -> list[Arrays]:
    """Feeds at batch 3 and at batch 1: another psi for every w, noise in some pictures and not in others."""
    random = np.random.default_rng(5)
    cases = []
    for batch in (3, 1):
        feeds: Arrays = {"z": random.standard_normal((batch, spec.z_dim))}
        if spec.c_dim:
            feeds["c"] = np.eye(spec.c_dim)[random.integers(0, spec.c_dim, batch)]
        if spec.has_w_space:
            feeds["truncation_psi"] = random.uniform(-0.5, 1.5, (batch, spec.num_ws))
        if getattr(spec, "noise", False):
            feeds["noise_scale"] = np.asarray(noise_scale)[:batch]
        for name, value in extra_inputs(spec).items():
            feeds[name] = value + 0.2 * random.standard_normal((batch, *value.shape))
        cases.append({name: array.astype(np.float32) for name, array in feeds.items()})
    return cases


def run_ops(ops: Ops[Any, Any], generator: Generator, weights: Any, feeds: Arrays) -> Arrays:
    """The architecture's own functions on an interpreter that computes at once."""
    spec, values = generator.spec, dict(feeds)
    if spec.has_w_space:
        values |= mapping(ops, weights, spec, feeds["z"], feeds.get("c"), feeds["truncation_psi"])
    return {**values, **synthesis(ops, weights, spec, values)}


def run_numpy(generator: Generator, cases: Sequence[Arrays]) -> list[Arrays]:
    """In float64."""
    weights = float64_weights(generator.weights)
    exact = [{name: array.astype(np.float64) for name, array in feeds.items()} for feeds in cases]
    return [run_ops(NumpyOps(), generator, weights, feeds) for feeds in exact]


def run_tensorflow(generator: Generator, cases: Sequence[Arrays]) -> list[Arrays]:
    """Eagerly, in float32."""
    import tensorflow as tf

    from ganexport.ops.tensorflow_ops import TensorFlowOps

    weights = {name: tf.constant(array) for name, array in generator.weights.items()}
    results = []
    for feeds in cases:
        tensors = {name: tf.constant(array) for name, array in feeds.items()}
        got = run_ops(TensorFlowOps(), generator, weights, tensors)
        arrays = {name: tensor.numpy() for name, tensor in got.items()}
        results.append({n: a.transpose(0, 3, 1, 2) if a.ndim == 4 else a for n, a in arrays.items()})
    return results


def run_onnxruntime(
    folder: Path, generator: Generator, cases: Sequence[Arrays], noise: NoiseMode = "const"
) -> list[Arrays]:
    """The exported mapping and synthesis in ONNX Runtime."""
    graphs = export_to(folder, generator, "onnx", noise).model_copy(update={"generator": None})
    return RUNTIMES["onnxruntime-cpu"]().replay(folder, graphs, cases)


def tfjs_fixture(
    nets: Iterable[str], generator_of: Callable[[str], Generator], cases_of: Callable[[str], Sequence[Arrays]]
) -> Any:
    """A fixture: what TF.js draws of every net on the backend that it is asked for, in one Node."""

    @pytest.fixture(scope="module")
    def tfjs_outputs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, list[Arrays]]]:
        @cache
        def outputs(backend: str) -> dict[str, list[Arrays]]:
            generators = {net: generator_of(net) for net in nets}
            cases = {net: cases_of(net) for net in nets}
            return replay_tfjs(tmp_path_factory.mktemp(backend), backend, generators, cases)

        return outputs

    return tfjs_outputs
