"""Latents: from seeds to a generator's inputs, and the toolbox that blends and edits them."""

from ganexport.latents.layers import layer_range
from ganexport.latents.seeds import label_index, noise_from_seeds, one_hot, psi_by_layer, z_from_seed, z_from_seeds
from ganexport.latents.toolbox import (
    Move,
    arithmetic,
    class_sweep,
    lerp,
    mix_styles,
    move_along,
    slerp,
    sweep_coordinate,
    walk,
)

__all__ = [
    "Move",
    "arithmetic",
    "class_sweep",
    "label_index",
    "layer_range",
    "lerp",
    "mix_styles",
    "move_along",
    "noise_from_seeds",
    "one_hot",
    "psi_by_layer",
    "slerp",
    "sweep_coordinate",
    "walk",
    "z_from_seed",
    "z_from_seeds",
]
