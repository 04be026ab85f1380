"""The graph model that a converter of TensorFlow graphs writes: nothing rearranged for the browser."""

from __future__ import annotations

import numpy as np

from ganexport.ops.graph import Value, Weight
from ganexport.ops.protocol import Fir, Ops, Padding
from ganexport.ops.tfjs_attributes import Window
from ganexport.ops.tfjs_ops import TfjsOps

__all__ = ["ConverterOps"]


class ConverterOps(TfjsOps):
    """Transposed convolutions as such, filters whole, no fused nodes; for a batch of 1, which their nodes name."""

    # What is replaced in the package's own form, with the plain form of the protocol.
    styled_conv2d = Ops.styled_conv2d
    modulated_conv2d = Ops.modulated_conv2d
    upsample_conv2d = Ops.upsample_conv2d

    def conv_transpose2d(self, x: Value, kernel: Weight, stride: int, padding: int) -> Value:
        weight = self.constant(f"{kernel.name}.transposed", kernel.array.transpose(2, 3, 0, 1))  # [kh, kw, O, I]
        out, _, size, _ = kernel.array.shape
        return self._transposed(x, weight, size, stride, out, (padding, padding))

    def leaky_relu(self, x: Value, slope: float) -> Value:
        return self.node("LeakyRelu", [x], x.shape, alpha={"f": slope})

    def filter2d(self, x: Value, fir: Fir, padding: Padding) -> Value:
        before, after = padding
        x = self.resampling.crop(x, (max(-before, 0), max(-after, 0)), (max(-before, 0), max(-after, 0)))
        before, after = max(before, 0), max(after, 0)
        _, h, w, channels = x.shape
        assert h is not None and w is not None and channels is not None
        taps = np.tile(fir[::-1, ::-1, None, None].astype(np.float32), (1, 1, channels, 1))  # [fh, fw, C, 1]
        weight = self.constant(f"whole_fir_{channels}_{fir.shape[0]}_{fir.sum():.6g}", taps)
        window = Window(fir.shape, (before, after), (before, after))
        shape = (x.shape[0], *window.size_after(h, w), channels)
        return self.node("DepthwiseConv2dNative", [x, weight], shape, **window.attributes())

    def upsample2d(self, x: Value, fir: Fir) -> Value:
        taps, channels = fir.shape[0], x.shape[3]
        assert channels is not None
        kernel = np.einsum("hw,oi->hwoi", fir * 4.0, np.eye(channels)).astype(np.float32)
        before = taps - 1 - (taps + 1) // 2
        weight = self.constant(f"spread_{channels}_{taps}", kernel)
        return self._transposed(x, weight, taps, 2, channels, (before, taps - 2 - before))

    def _transposed(self, x: Value, weight: str, size: int, stride: int, out: int, cut: Padding) -> Value:
        """The whole result, then cropped: TensorFlow's own padding is on both sides alike."""
        _, h, w, _ = x.shape
        assert h is not None and w is not None
        shape = (1, (h - 1) * stride + size, (w - 1) * stride + size, out)
        to = self.constant("sizes_" + "_".join(map(str, shape)), np.asarray(shape, np.int32))
        window = Window((size, size), (0, 0), (0, 0), (stride, stride))
        y = self.node("Conv2DBackpropInput", [to, weight, x], shape, **window.attributes())
        return self.resampling.crop(Value(y.name, (x.shape[0], *shape[1:])), cut, cut)
