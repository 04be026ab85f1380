"""The forms that are fast on processors draw what the plain ones draw."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from support.random_weights import random_weights

from ganexport.architectures import noise_shapes, synthesis, weight_shapes
from ganexport.architectures.lucidrains import Spec as Lucidrains
from ganexport.architectures.stylegan2 import Spec
from ganexport.ops.graph import Value, Weight, named_weights
from ganexport.ops.lowered_onnx_ops import PROCESSOR, WASM, LoweredOnnxOps, Lowering, onnx_ops
from ganexport.ops.numpy_ops import NumpyOps, float64_weights
from ganexport.ops.onnx_ops import OnnxOps
from ganexport.ops.protocol import Activation, fir_taps
from ganexport.spec import GeneratorSpec

onnxruntime = pytest.importorskip("onnxruntime")

EVERYWHERE = Lowering(winograd_channels=1, winograd_size=4, phases_size=1, separable_windows=False)
SEPARABLE = replace(EVERYWHERE, separable_windows=True)
NOWHERE = Lowering(winograd_channels=1 << 20, winograd_size=4, phases_size=1 << 20, separable_windows=False)
Arrays = dict[str, np.ndarray]


def run(ops: OnnxOps, outputs: dict[str, Value], feeds: Arrays) -> list[np.ndarray]:
    model = ops.model("test", {name: (value, onnx.TensorProto.FLOAT) for name, value in outputs.items()}, {})
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(list(outputs), feeds)


def operations(ops: OnnxOps) -> list[str]:
    return [node.op_type for node in ops.model("test", {}, {}).graph.node]


@pytest.mark.parametrize("size", [4, 8, 20])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("lowering", [EVERYWHERE, SEPARABLE])
def test_conv2d(size: int, batch: int, lowering: Lowering) -> None:
    random = np.random.default_rng(2)
    x, kernel = (random.standard_normal(shape).astype(np.float32) for shape in ((batch, 5, size, size), (7, 5, 3, 3)))
    ops = LoweredOnnxOps(lowering)
    y = ops.conv2d(ops.input("x", (None, 5, size, size)), Weight("kernel", kernel), 1)
    expected = NumpyOps().conv2d(x.astype(np.float64), kernel.astype(np.float64), 1)
    assert y.shape == (None, *expected.shape[1:])
    (got,) = run(ops, {"y": y}, {"x": x})
    np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())
    assert "MatMul" in operations(ops)  # it was Winograd's


@pytest.mark.parametrize("taps", [(1, 3, 3, 1), (1, 1), (1, 2, 1), (1, 4, 6, 4, 1)])
def test_upsample_conv2d(taps: tuple[float, ...]) -> None:
    random = np.random.default_rng(3)
    x, kernel = (random.standard_normal(shape).astype(np.float32) for shape in ((3, 5, 6, 6), (4, 5, 3, 3)))
    ops, fir = LoweredOnnxOps(EVERYWHERE), fir_taps(taps)
    y = ops.upsample_conv2d(ops.input("x", (None, 5, 6, 6)), Weight("kernel", kernel), fir, 3)
    expected = NumpyOps().upsample_conv2d(x.astype(np.float64), kernel.astype(np.float64), fir, 3)
    (got,) = run(ops, {"y": y}, {"x": x})
    np.testing.assert_allclose(got, expected, atol=3e-6 * np.abs(expected).max())
    assert "ConvTranspose" not in operations(ops)


SPECS: dict[str, GeneratorSpec] = {
    "skip": Spec(resolution=32, image_channels=3, z_dim=8, channels=(12, 8, 6, 4), conv_clamp=1.5),
    "resnet": Spec(resolution=16, image_channels=3, z_dim=8, channels=(8, 8, 6), output="resnet"),
    "lucidrains": Lucidrains(resolution=16, image_channels=3, z_dim=8, channels=(8, 6, 4)),
}


@pytest.fixture(params=[("const", 1), ("const", 3), ("none", 3), ("input", 3)], ids=lambda case: f"{case[0]}-{case[1]}")
def case(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    yield request.param


@pytest.mark.parametrize("lowering", [EVERYWHERE, SEPARABLE, NOWHERE], ids=["everywhere", "separable", "nowhere"])
@pytest.mark.parametrize("name", SPECS)
def test_a_whole_synthesis(name: str, lowering: Lowering, case: tuple[str, int]) -> None:
    spec, (noise, batch) = SPECS[name], case
    weights = random_weights(weight_shapes(spec), 5)
    random = np.random.default_rng(6)
    shapes: dict[str, tuple[int, ...]] = {"ws": (spec.num_ws, spec.w_dim)}
    shapes |= {"const": {"noise_scale": ()}, "input": noise_shapes(spec)}.get(noise, {})
    feeds = {n: random.standard_normal((batch, *shape)).astype(np.float32) for n, shape in shapes.items()}
    ops = LoweredOnnxOps(lowering)
    inputs = {n: ops.input(n, (None, *shape)) for n, shape in shapes.items()}
    image = synthesis(ops, named_weights(weights), spec, inputs)["image"]
    oracle: Any = NumpyOps()
    wide = {n: array.astype(np.float64) for n, array in feeds.items()}
    expected = synthesis(oracle, float64_weights(weights), spec, wide)["image"]
    assert image.shape == (None, *expected.shape[1:])
    (got,) = run(ops, {"image": image}, feeds)
    np.testing.assert_allclose(got, expected, atol=2e-5 * np.abs(expected).max())


@pytest.mark.parametrize("size", [16, 256])
def test_the_kernel_or_the_map_is_scaled(size: int) -> None:
    """Whichever has fewer numbers: both ways draw the same."""
    random = np.random.default_rng(7)
    shapes = {"x": (8, size, size), "style": (8,)}
    x, style = (random.standard_normal((2, *shape)).astype(np.float32) for shape in shapes.values())
    kernel, bias = random.standard_normal((8, 8, 3, 3)).astype(np.float32), np.zeros(8, np.float32)
    pictures = []
    for lowering in (EVERYWHERE, NOWHERE):
        ops = LoweredOnnxOps(lowering)
        inputs = {n: ops.input(n, (None, *shape)) for n, shape in shapes.items()}
        weights = [Weight("kernel", kernel), Weight("bias", bias)]
        y = ops.styled_conv2d(
            inputs["x"], weights[0], inputs["style"], None, weights[1], Activation(0.2, 1.4), kernel_size=3
        )
        pictures += run(ops, {"y": y}, {"x": x, "style": style})
    np.testing.assert_allclose(*pictures, atol=1e-4)  # values go up to ±2·√72


def test_each_kernel_lies_in_the_file_once() -> None:
    spec = SPECS["skip"]
    weights = random_weights(weight_shapes(spec), 5)
    used = sum(a.nbytes for n, a in weights.items() if n.startswith("synthesis."))
    ops = LoweredOnnxOps(EVERYWHERE)
    inputs = {"ws": ops.input("ws", (None, spec.num_ws, spec.w_dim)), "noise_scale": ops.input("noise_scale", (None,))}
    synthesis(ops, named_weights(weights), spec, inputs)
    matrices = 36 * 36 + 36 * 9 + 2 * 24  # of Winograd, the same for all layers
    filters = sum(16 * channels for channels in {*spec.channels[1:], 3})
    assert ops.constant_bytes <= used + 4 * (matrices + 2 * filters) + 2000


@pytest.mark.parametrize(
    ("device", "kind"), [(None, LoweredOnnxOps), ("cpu", LoweredOnnxOps), ("wasm", LoweredOnnxOps), ("webgpu", OnnxOps)]
)
def test_what_a_device_gets(device: str | None, kind: type[OnnxOps]) -> None:
    assert type(onnx_ops(device)) is kind


def test_webassembly_gains_from_fewer_channels_on() -> None:
    assert WASM.winograd_channels <= PROCESSOR.winograd_channels
