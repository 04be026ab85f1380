"""Winograd's convolution against the sum that it stands for."""

import numpy as np
import pytest

from ganexport.ops import winograd


@pytest.mark.parametrize("taps", [2, 3])
def test_winograd_is_a_correlation(taps: int) -> None:
    random = np.random.default_rng(1)
    window, kernel = random.standard_normal((taps + 3, taps + 3)), random.standard_normal((taps, taps))
    b, g, a = (make(taps) for make in (winograd.window_transform, winograd.kernel_transform, winograd.output_transform))
    tile = a @ ((g @ kernel @ g.T) * (b @ window @ b.T)) @ a.T
    expected = [[np.sum(window[i : i + taps, j : j + taps] * kernel) for j in range(4)] for i in range(4)]
    np.testing.assert_allclose(tile, expected, atol=1e-12)
