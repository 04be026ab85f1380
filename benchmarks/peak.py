"""Jobs of `worker`: what this machine multiplies at best, by three libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIZE", "in_numpy", "in_onnxruntime", "in_torch"]

SIZE = 2048
"""Rows and columns: 2·2048³ operations in float32."""

Matrix = NDArray[np.float32]


def in_numpy(job: dict[str, Any]) -> Callable[[], Matrix]:
    """NumPy's matrix product."""
    a, b = _matrices()
    out = np.empty_like(a)
    return lambda: np.matmul(a, b, out=out)


def in_torch(job: dict[str, Any]) -> Callable[[], Any]:
    """PyTorch's."""
    import torch

    torch.set_num_threads(job["threads"])
    a, b = map(torch.from_numpy, _matrices())
    out = torch.empty_like(a)
    return lambda: torch.matmul(a, b, out=out)


def in_onnxruntime(job: dict[str, Any]) -> Callable[[], Matrix]:
    """ONNX Runtime's, with the second matrix a constant of the graph, as kernels are."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    a, b = _matrices()
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, a.shape) for name in ("a", "y")]
    node = helper.make_node("MatMul", ["a", "b"], ["y"])
    graph = helper.make_graph([node], "product", values[:1], values[1:], [numpy_helper.from_array(b, "b")])
    opset = helper.make_opsetid("", 17)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda: np.asarray(session.run(["y"], {"a": a})[0])


def _matrices() -> tuple[Matrix, Matrix]:
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((SIZE, SIZE), np.float32) for _ in range(2))
    return a, b
