"""ONNX's reference implementation, with one operator in it mended and one that is too slow for pictures made faster."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from onnx.reference.ops.op_conv_transpose import ConvTranspose as SlowConvTranspose

from ganexport.errors import CheckpointError
from ganexport.importers.inert.stubs import shown

__all__ = ["evaluator", "run"]


def evaluator(model: ModelProto) -> ReferenceEvaluator:
    """The reference for a model.

    Raises:
        CheckpointError: The reference does not have one of its operators.
    """
    try:
        return ReferenceEvaluator(model, new_ops=[BatchNormalization, ConvTranspose])
    except Exception as error:  # any, by what it misses
        what = shown(str(error).partition("\n")[0], 160)
        raise CheckpointError(f"cannot be drawn by ONNX's reference ({type(error).__name__}: {what})") from None


def run(reference: ReferenceEvaluator, output: str, feeds: dict[str, Any]) -> NDArray[np.floating]:
    """One output of a model."""
    results: Any = reference.run([output], feeds)
    return np.asarray(results[0])


class BatchNormalization(OpRun):
    """With the stored statistics: before opset 14 the reference takes every one for a step of training."""

    op_domain = ""

    def _run(
        self,
        x: NDArray[Any],
        scale: NDArray[Any],
        bias: NDArray[Any],
        mean: NDArray[Any],
        var: NDArray[Any],
        epsilon: float = 1e-5,
        training_mode: int = 0,
        **settings: Any,
    ) -> Any:
        if training_mode or settings.get("spatial") == 0:
            raise NotImplementedError("BatchNormalization that is being trained, or one that is not by channel")
        by_channel = (-1, *[1] * (x.ndim - 2))
        scale, bias, mean, var = (a.reshape(by_channel) for a in (scale, bias, mean, var))
        return ((scale * (x - mean) / np.sqrt(var + epsilon) + bias).astype(x.dtype),)


class ConvTranspose(SlowConvTranspose):
    """In two dimensions with given paddings: each tap of the kernel adds a strided copy of the map."""

    op_domain = ""

    def _run(  # type: ignore[override]
        self, X: NDArray[Any], W: NDArray[Any], B: NDArray[Any] | None = None, **settings: Any
    ) -> Any:
        odd = settings.get("auto_pad") not in (None, "NOTSET") or settings.get("output_shape") is not None
        if X.ndim != 4 or odd:
            return super()._run(X, W, B, **settings)  # type: ignore[no-untyped-call]
        strides, dilations = settings.get("strides") or [1, 1], settings.get("dilations") or [1, 1]
        pads, more = settings.get("pads") or [0] * 4, settings.get("output_padding") or [0, 0]
        group = settings.get("group") or 1
        n, into, *size = X.shape
        _, out, *kernel = W.shape
        x = X.reshape(n, group, into // group, -1)  # [N, G, I, H·W]
        full = [s * (d - 1) + (k - 1) * e + 1 for s, d, k, e in zip(strides, size, kernel, dilations, strict=True)]
        room = [f + m for f, m in zip(full, more, strict=True)]
        y = np.zeros((n, group * out, *room), X.dtype)
        for i in range(kernel[0]):
            for j in range(kernel[1]):
                taps = W[:, :, i, j].reshape(group, into // group, out).transpose(0, 2, 1)  # [G, O, I]
                part = np.matmul(taps, x).reshape(n, group * out, *size)
                top, left = i * dilations[0], j * dilations[1]
                rows = slice(top, top + (size[0] - 1) * strides[0] + 1, strides[0])
                columns = slice(left, left + (size[1] - 1) * strides[1] + 1, strides[1])
                y[:, :, rows, columns] += part
        y = y[:, :, pads[0] : room[0] - pads[2], pads[1] : room[1] - pads[3]]
        return (y if B is None else y + B.reshape(1, -1, 1, 1),)
