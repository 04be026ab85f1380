"""StyleGAN2 and StyleGAN2-ADA out of NVIDIA's TensorFlow pickles.

The "revised" synthesis of the paper's configurations B to D was grown and has a to-RGB a level of detail. Standing at
one of its blocks it is the architecture `orig`; in between, its fade is not drawn here.
"""

from __future__ import annotations

import math

from ganexport.architectures import stylegan2, weight_shapes
from ganexport.errors import CheckpointError
from ganexport.importers._nvidia_tf import Arrays, Level, Record, Settings, Variables, float32, he_gain, scaled_kernel
from ganexport.importers._nvidia_tf_mapping import read_mapping
from ganexport.importers._options import ImportOptions
from ganexport.importers._rules import filter_taps
from ganexport.weights import Tensors

__all__ = ["read"]

REVISED = "G_synthesis_stylegan_revised"
SYNTHESES = ("G_synthesis_stylegan2", "G_synthesis", REVISED)


def read(network: Record, options: ImportOptions) -> tuple[stylegan2.Spec, Tensors, list[str]]:
    """Spec, canonical tensors and notes.

    Raises:
        CheckpointError: A setting is not known or cannot be drawn, or variables are missing or left over.
        OptionError: The network has no block of the wanted resolution.
    """
    mapping, synthesis = network.parts(mapping=("G_mapping",), synthesis=SYNTHESES)
    variables = Variables(network, mapping=mapping, synthesis=synthesis)
    settings = Settings(network, mapping, synthesis)
    settings.one_of("mapping_func", mapping.function)
    settings.one_of("synthesis_func", synthesis.function)
    revised = synthesis.function == REVISED
    output = settings.one_of("architecture", "skip", "resnet", "orig")
    if revised:
        output = "orig"
    grown = settings.one_of("structure", "auto", "linear", "recursive", "fixed") != "fixed" and revised
    blocks = variables.blocks("synthesis/")
    level = _level(variables, blocks, options.resolution, grown=grown)
    noise, clamp = settings.one_of("use_noise", True, False), settings.number("conv_clamp", None)
    settings.one_of("nonlinearity", "lrelu")
    settings.one_of("dtype", "float32")

    arrays, fields = read_mapping(variables, settings, len(blocks), gain=1.0)
    weights = float32(arrays)
    for i, size in enumerate(blocks):
        weights |= float32(_block(variables, i, size, resnet=output == "resnet", noise=noise))
    for i, size in enumerate(blocks if output == "skip" or grown else blocks[-1:]):
        source = f"ToRGB_lod{len(blocks) - 1 - i if grown else 0}" if revised else f"{size}x{size}/ToRGB"
        weights |= float32(_to_rgb(variables, f"synthesis/{source}", f"synthesis.b{size}.torgb"))
    variables.check_nothing_is_left()

    image_channels = len(weights[f"synthesis.b{blocks[-1]}.torgb.bias"])
    settings.size("resolution", blocks[-1])
    settings.size("num_channels", image_channels)
    taps = settings.taps("resample_kernel", [1, 3, 3, 1], none=[1, 1])
    notes = settings.truncation()
    settings.check_nothing_is_left()
    spec = stylegan2.Spec(
        resolution=level.resolution,
        image_channels=image_channels,  # type: ignore[arg-type]  # the spec checks it
        image_range=options.image_range or (-1.0, 1.0),
        channels=tuple(len(weights[f"synthesis.b{size}.conv1.bias"]) for size in blocks[: level.blocks]),
        output=output,
        embed_dim=len(weights.get("mapping.embed.weight", ())),
        joint_norm="mapping.embed.weight" in weights and "mapping.embed.bias" not in weights,
        resample_filter=filter_taps(taps),
        noise=noise,
        conv_clamp=clamp,
        **fields,
    )
    return spec, level.keep(weights, weight_shapes(spec)), notes


def _level(variables: Variables, blocks: list[int], wanted: int | None, *, grown: bool) -> Level:
    """The block at which the network stands. The others of this family were not grown, and their `lod` is idle."""
    lod = variables.lod("lod", "synthesis/lod")
    level = Level.of(blocks, lod, wanted, grown=grown)
    if level.lod:
        sharp = blocks[len(blocks) - 1 - math.ceil(lod)]
        raise CheckpointError(
            f"the network ({REVISED}) stands at lod {lod:g}, between or below its blocks, which cannot be drawn; "
            f"choose one that was grown with --resolution: {sharp} or less"
        )
    return level


def _block(variables: Variables, index: int, size: int, *, resnet: bool, noise: bool) -> Arrays:
    source, to = f"synthesis/{size}x{size}", f"synthesis.b{size}"
    if size == 4:
        layers = {"Conv": "conv1"}
        tensors = {f"{to}.const": variables.take(f"{source}/Const/const", 4)[0]}  # [C, 4, 4]
    else:
        layers = {"Conv0_up": "conv0", "Conv1": "conv1"}
        tensors = {}
        if resnet:
            tensors[f"{to}.skip.weight"] = scaled_kernel(variables, f"{source}/Skip", gain=1.0, wscale=True)
    for name, layer in layers.items():
        # The scale matters only beside the eps of the demodulation.
        kernel = scaled_kernel(variables, f"{source}/{name}", gain=1.0, wscale=True)
        # The canonical kernel of an up-sampling layer is turned by 180 degrees.
        tensors[f"{to}.{layer}.weight"] = kernel[:, :, ::-1, ::-1] if name == "Conv0_up" else kernel
        tensors |= _style(variables, f"{source}/{name}", f"{to}.{layer}", 1.0)
        if noise:
            number = 2 * index - (layer == "conv0")
            tensors[f"{to}.{layer}.noise_const"] = variables.take(f"synthesis/noise{number}", 4)[0, 0]  # [H, W]
            tensors[f"{to}.{layer}.noise_strength"] = variables.take(f"{source}/{name}/noise_strength", 0)
    return tensors


def _to_rgb(variables: Variables, source: str, to: str) -> Arrays:
    kernel = variables.take(f"{source}/weight", 4).transpose(3, 2, 0, 1)  # [C_img, I, 1, 1]
    return {f"{to}.weight": kernel, **_style(variables, source, to, he_gain(1.0, kernel.shape[1]))}


def _style(variables: Variables, source: str, to: str, gain: float) -> Arrays:
    """Bias and style of a layer; the stored style is less by 1."""
    weight = variables.take(f"{source}/mod_weight", 2)  # [w_dim, I]
    return {
        f"{to}.bias": variables.take(f"{source}/bias", 1),
        f"{to}.affine.weight": weight.T * (gain * he_gain(1.0, len(weight))),
        f"{to}.affine.bias": (variables.take(f"{source}/mod_bias", 1) + 1.0) * gain,
    }
