"""`NumpyOps` in tiles: the same sums as pixel by pixel, in little more memory than the result."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from ganexport.ops import numpy_ops
from ganexport.ops.numpy_ops import NumpyOps

random = np.random.default_rng(7)
X = random.standard_normal((2, 3, 7, 5))
KERNEL = random.standard_normal((4, 3, 3, 3))
FIR = random.standard_normal((4, 4))


def padded(x: np.ndarray, before: int, after: int) -> np.ndarray:
    return np.pad(x, ((0, 0), (0, 0), (before, after), (before, after)))


def correlated(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """x [N, I, H, W], kernel [O, I, kh, kw]: every sum on its own."""
    kh, kw = kernel.shape[2:]
    y = np.zeros((len(x), len(kernel), x.shape[2] - kh + 1, x.shape[3] - kw + 1))
    for n, o, i, j in np.ndindex(y.shape):
        y[n, o, i, j] = (x[n, :, i : i + kh, j : j + kw] * kernel[o]).sum()
    return y


def spread(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    n, _, h, w = x.shape
    size = kernel.shape[2]
    y = np.zeros((n, len(kernel), (h - 1) * stride + size, (w - 1) * stride + size))
    for i, j in np.ndindex(h, w):
        patch = np.einsum("ni,oikl->nokl", x[:, :, i, j], kernel)
        y[:, :, i * stride : i * stride + size, j * stride : j * stride + size] += patch
    return y


@pytest.mark.parametrize("tile", [1, 300, 10**9], ids=["a row", "some rows", "all rows"])
def test_tiles_change_nothing(tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numpy_ops, "TILE", tile)
    ops = NumpyOps()
    near = {"rtol": 0, "atol": 1e-13}
    np.testing.assert_allclose(ops.conv2d(X, KERNEL, 1), correlated(padded(X, 1, 1), KERNEL), **near)
    np.testing.assert_allclose(ops.conv2d(X, KERNEL, 0), correlated(X, KERNEL), **near)
    for stride in (1, 2, 3):
        expected = spread(X, KERNEL, stride)
        np.testing.assert_allclose(ops.conv_transpose2d(X, KERNEL, stride, 0), expected, **near)
        np.testing.assert_allclose(ops.conv_transpose2d(X, KERNEL, stride, 1), expected[:, :, 1:-1, 1:-1], **near)
    turned = np.zeros((3, 3, 4, 4))
    turned[range(3), range(3)] = FIR[::-1, ::-1]
    np.testing.assert_allclose(ops.filter2d(X, FIR, (2, 1)), correlated(padded(X, 2, 1), turned), **near)
    cropped = correlated(padded(X, 0, 1)[:, :, 1:, 1:], turned)
    np.testing.assert_allclose(ops.filter2d(X, FIR, (-1, 1)), cropped, **near)


@pytest.mark.parametrize("slope", [0.2, 0.0, 1.5])
def test_leaky_relu(slope: float) -> None:
    np.testing.assert_array_equal(NumpyOps().leaky_relu(X, slope), np.where(X > 0, X, slope * X))


BIG = random.standard_normal((1, 16, 256, 256))
SQUARE = random.standard_normal((16, 16, 3, 3))


@pytest.mark.parametrize(
    ("work", "results"),
    [
        (lambda ops: ops.conv2d(BIG, SQUARE, 1), 1),
        (lambda ops: ops.conv_transpose2d(BIG, SQUARE, 2, 0), 4),
        (lambda ops: ops.filter2d(BIG, FIR, (2, 1)), 1),
        (lambda ops: ops.leaky_relu(BIG, 0.2), 1),
    ],
    ids=["conv2d", "conv_transpose2d", "filter2d", "leaky_relu"],
)
def test_memory_is_that_of_the_result(work: Callable[[NumpyOps], np.ndarray], results: int) -> None:
    """One map, the same with a margin around it, and some tiles; all patches at once would be nine maps."""
    tracemalloc.start()
    try:
        y = work(NumpyOps())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert y.nbytes >= results * BIG.nbytes
    assert peak < y.nbytes + 1.1 * BIG.nbytes + 6 * 8 * numpy_ops.TILE
