"""The first StyleGAN out of NVIDIA's TensorFlow pickles."""

from __future__ import annotations

import math

import numpy as np

from ganexport.architectures import stylegan, weight_shapes
from ganexport.importers._nvidia_tf import (
    Arrays,
    Level,
    Record,
    Settings,
    Variables,
    float32,
    grown_to_rgb,
    he_gain,
    scaled_kernel,
)
from ganexport.importers._nvidia_tf_mapping import read_mapping
from ganexport.importers._options import ImportOptions
from ganexport.weights import Tensors

__all__ = ["read"]

BLUR = [1, 2, 1]
AUTO_FUSED_FROM = 128
"""`fused_scale` "auto" fuses up-sampling into a transposed convolution from this size on."""


def read(network: Record, options: ImportOptions) -> tuple[stylegan.Spec, Tensors, list[str]]:
    """Spec, canonical tensors and notes.

    Raises:
        CheckpointError: A setting is not known or cannot be drawn, or variables are missing or left over.
        OptionError: The network has no block of the wanted resolution.
    """
    mapping, synthesis = network.parts(mapping=("G_mapping",), synthesis=("G_synthesis",))
    variables = Variables(network, mapping=mapping, synthesis=synthesis)
    settings = Settings(network, mapping, synthesis)
    wscale, noise, fused_from, grown = _drawable(settings)
    blocks = variables.blocks("synthesis/")
    # Each run of the whole network hands its own lod to the synthesis.
    level = Level.of(blocks, variables.lod("lod", "synthesis/lod"), options.resolution, grown=grown)

    arrays, fields = read_mapping(variables, settings, len(blocks), gain=math.sqrt(2), wscale=wscale)
    weights = float32(arrays)
    weights |= float32(grown_to_rgb(variables, blocks, "synthesis/", wscale=wscale, grown=grown))
    for i, size in enumerate(blocks):
        weights |= float32(_block(variables, i, size, fused=size >= fused_from, noise=noise, wscale=wscale))
    variables.check_nothing_is_left()

    image_channels = len(weights[f"synthesis.b{blocks[-1]}.torgb.bias"])
    settings.size("resolution", blocks[-1])
    settings.size("num_channels", image_channels)
    notes = settings.truncation()
    settings.check_nothing_is_left()
    spec = stylegan.Spec(
        resolution=level.resolution,
        image_channels=image_channels,  # type: ignore[arg-type]  # the spec checks it
        image_range=options.image_range or (-1.0, 1.0),
        channels=tuple(len(weights[f"synthesis.b{size}.conv1.bias"]) for size in blocks[: level.blocks]),
        lod=level.lod,
        noise=noise,
        **fields,
    )
    return spec, level.keep(weights, weight_shapes(spec)), notes


def _drawable(settings: Settings) -> tuple[bool, bool, float, bool]:
    """Whether weights are scaled, whether layers add noise, the size from which kernels are fused, whether it grew."""
    for name in ("use_styles", "const_input_layer", "use_instance_norm"):
        settings.one_of(name, True)
    settings.one_of("use_pixel_norm", False)
    settings.one_of("nonlinearity", "lrelu")
    settings.one_of("blur_filter", BLUR)
    settings.one_of("dtype", "float32")
    fused = settings.one_of("fused_scale", "auto", True, False)
    fused_from = AUTO_FUSED_FROM if fused == "auto" else 0 if fused else math.inf
    grown = settings.one_of("structure", "auto", "linear", "recursive", "fixed") != "fixed"
    return settings.one_of("use_wscale", True, False), settings.one_of("use_noise", True, False), fused_from, grown


def _block(variables: Variables, index: int, size: int, *, fused: bool, noise: bool, wscale: bool) -> Arrays:
    source, to = f"synthesis/{size}x{size}", f"synthesis.b{size}"
    if size == 4:
        first, second = f"{source}/Const", f"{source}/Conv"
        tensors = {f"{to}.const": variables.take(f"{first}/const", 4)[0]}  # [C, 4, 4]
    else:
        first, second = f"{source}/Conv0_up", f"{source}/Conv1"
        kernel = scaled_kernel(variables, first, wscale=wscale)
        # A transposed convolution with a kernel is a correlation with the kernel turned by 180 degrees.
        tensors = {f"{to}.conv0.weight": kernel[:, :, ::-1, ::-1] if fused else kernel}
    tensors[f"{to}.conv1.weight"] = scaled_kernel(variables, second, wscale=wscale)
    for k, layer in enumerate((first, second)):
        tensors |= _finish(variables, layer, f"{to}.conv{k}", wscale)
        if noise:
            tensors[f"{to}.conv{k}.noise_const"] = variables.take(f"synthesis/noise{2 * index + k}", 4)[0, 0]  # [H, W]
            tensors[f"{to}.conv{k}.noise_strength"] = variables.take(f"{layer}/Noise/weight", 1)
    return tensors


def _finish(variables: Variables, layer: str, to: str, wscale: bool) -> Arrays:
    """What follows a convolution or the constant: a bias, and a style whose first half is scale − 1."""
    weight = variables.take(f"{layer}/StyleMod/weight", 2)  # [w_dim, 2·C]
    weight = weight.T * he_gain(1.0, len(weight), wscale=wscale)  # [2·C, w_dim]
    scale, shift = np.split(weight, 2)
    scale_bias, shift_bias = np.split(variables.take(f"{layer}/StyleMod/bias", 1), 2)
    return {
        f"{to}.bias": variables.take(f"{layer}/bias", 1),
        f"{to}.affine.weight": scale,
        f"{to}.affine.bias": scale_bias + 1.0,
        f"{to}.shift.weight": shift,
        f"{to}.shift.bias": shift_bias,
    }
