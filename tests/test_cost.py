"""`ganexport.cost`: multiply-adds, against sums made by hand."""

from __future__ import annotations

from itertools import pairwise

from support.generators import dcgan_spec, mlp_spec, stylegan2_spec

from ganexport.architectures import stylegan2
from ganexport.cost import multiply_adds
from ganexport.spec import GeneratorSpec


def test_a_dcgan() -> None:
    # 1² -> 4², 4² -> 8², 8² -> 16²: each pixel that goes in meets the whole 4×4 kernel.
    assert multiply_adds(dcgan_spec()) == 16 * (1 * 10 * 12 + 4**2 * 12 * 8 + 8**2 * 8 * 3)
    assert multiply_adds(dcgan_spec(c_dim=5)) == 16 * (1 * 15 * 12 + 4**2 * 12 * 8 + 8**2 * 8 * 3)


def test_labels_in_every_layer_cost_what_they_read() -> None:
    expected = 16 * (1 * 15 * 12 + 4**2 * (12 + 5) * 8 + 8**2 * (8 + 5) * 3)
    assert multiply_adds(dcgan_spec(c_dim=5, label_layers="every")) == expected


def test_a_dense_net() -> None:
    assert multiply_adds(mlp_spec()) == 10 * 24 + 24 * 16 + 16 * 243
    assert multiply_adds(mlp_spec(c_dim=5, label_layers="every")) == 15 * 24 + 29 * 16 + 21 * 243


def by_hand(spec: stylegan2.Spec) -> int:
    """A `skip` net with four taps."""
    widths = [spec.z_dim + spec.embed_dim, *[spec.mapping_width] * (spec.mapping_layers - 1), spec.w_dim]
    total = spec.c_dim * spec.embed_dim + sum(a * b for a, b in pairwise(widths))
    before, rgb = spec.channels[0], spec.image_channels
    for i, channels in enumerate(spec.channels):
        pixels = (4 << i) ** 2
        if i:
            total += spec.w_dim * before + before * channels  # style and its normalisation
            total += pixels // 4 * before * channels * 9 + pixels * channels * 16  # transposed convolution, filter
            total += pixels // 4 * rgb * 16  # the picture so far, twice the size: zeros between cost nothing
        total += spec.w_dim * channels + channels**2 + pixels * channels**2 * 9
        total += spec.w_dim * channels + pixels * channels * rgb
        before = channels
    return total


def test_a_stylegan2() -> None:
    for spec in (stylegan2_spec(), stylegan2_spec(c_dim=0, channels=(8, 6, 4, 3, 2), resolution=64)):
        assert multiply_adds(spec) == by_hand(spec)


def test_the_published_one() -> None:
    channels = (512, 512, 512, 512, 512, 256, 128, 64, 32)
    spec = stylegan2.Spec(resolution=1024, image_channels=3, z_dim=512, channels=channels)
    assert multiply_adds(spec) == by_hand(spec) == 75_337_489_152


def test_a_graph_that_is_not_ours_has_none() -> None:
    spec = GeneratorSpec(architecture="onnx", resolution=8, image_channels=1, z_dim=4)
    assert multiply_adds(spec) == 0
