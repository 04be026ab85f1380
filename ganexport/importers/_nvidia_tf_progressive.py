"""Progressive GAN out of NVIDIA's TensorFlow pickles."""

from __future__ import annotations

import math

from ganexport.architectures import progressive, weight_shapes
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
from ganexport.importers._options import ImportOptions
from ganexport.weights import Tensors

__all__ = ["read"]


def read(network: Record, options: ImportOptions) -> tuple[progressive.Spec, Tensors, list[str]]:
    """Spec, canonical tensors and notes.

    Raises:
        CheckpointError: A setting is not known or cannot be drawn, or variables are missing or left over.
        OptionError: The network has no block of the wanted resolution.
    """
    network.parts()
    variables, settings = Variables(network), Settings(network)
    blocks = variables.blocks()
    level = Level.of(blocks, variables.lod("lod"), options.resolution)
    wscale = settings.one_of("use_wscale", True, False)
    # The two forms have other names and other axes: the names decide, and the record must not say otherwise.
    fused = "8x8/Conv0_up/weight" in variables
    settings.one_of("fused_scale", fused)
    weights = float32(grown_to_rgb(variables, blocks, wscale=wscale, grown=True))
    for size in blocks:
        weights |= float32(_block(variables, size, fused=fused, wscale=wscale))
    variables.check_nothing_is_left()

    z_and_c, classes = weights["synthesis.b4.conv0.weight"].shape[1], settings.classes()
    image_channels = len(weights["synthesis.b4.torgb.bias"])
    settings.size("latent_size", z_and_c - classes)
    settings.size("resolution", blocks[-1])
    settings.size("num_channels", image_channels)
    settings.one_of("structure", None, "linear", "recursive")  # two ways to write one picture
    for name in ("normalize_latents", "use_pixelnorm", "use_leakyrelu"):
        settings.one_of(name, True)
    settings.one_of("pixelnorm_epsilon", 1e-8)
    settings.one_of("dtype", "float32")
    settings.check_nothing_is_left()

    spec = progressive.Spec(
        resolution=level.resolution,
        image_channels=image_channels,  # type: ignore[arg-type]  # the spec checks it
        image_range=options.image_range or (-1.0, 1.0),
        z_dim=z_and_c - classes,
        c_dim=classes,
        channels=tuple(len(weights[f"synthesis.b{size}.conv1.bias"]) for size in blocks[: level.blocks]),
        lod=level.lod,
    )
    return spec, level.keep(weights, weight_shapes(spec)), []


def _block(variables: Variables, size: int, *, fused: bool, wscale: bool) -> Arrays:
    source, to = f"{size}x{size}", f"synthesis.b{size}"
    if size == 4:
        first, second = f"{source}/Dense", f"{source}/Conv"
        dense = variables.take(f"{first}/weight", 2)  # [z_dim + c_dim, C·16]
        kernel = dense.T.reshape(-1, 4, 4, len(dense)).transpose(0, 3, 1, 2)  # [C, z_dim + c_dim, 4, 4]
        kernel = kernel * he_gain(math.sqrt(2) / 4, len(dense), wscale=wscale)
    elif fused:
        first, second = f"{source}/Conv0_up", f"{source}/Conv1"
        kernel = variables.take(f"{first}/weight", 4).transpose(2, 3, 0, 1)  # [k, k, O, I] -> [O, I, k, k]
        kernel = kernel[:, :, ::-1, ::-1] * he_gain(math.sqrt(2), kernel[0].size, wscale=wscale)
    else:
        first, second = f"{source}/Conv0", f"{source}/Conv1"
        kernel = scaled_kernel(variables, first, wscale=wscale)
    return {
        f"{to}.conv0.weight": kernel,
        f"{to}.conv0.bias": variables.take(f"{first}/bias", 1),
        f"{to}.conv1.weight": scaled_kernel(variables, second, wscale=wscale),
        f"{to}.conv1.bias": variables.take(f"{second}/bias", 1),
    }
