"""The presets: where a run starts from, one for each member of the lineage and each shipped model."""

from __future__ import annotations

import dataclasses

from ganexport.errors import OptionError
from train.config import Config

__all__ = ["PRESETS", "preset"]

_DCGAN = Config(
    architecture="dcgan",
    resolution=28,
    use_labels=False,
    z_dim=100,
    channels=(64, 32),
    d_channels=(64, 32),
    d_norm="batch",
    kimg=100.0,
    batch=32,
    group=1,
    g_lr=0.0005,
    d_lr=0.0005,
    beta1=0.5,
    beta2=0.999,
    anneal_kimg=100.0,
    r1_gamma=0.0,
    mismatch=0.0,
    ema_kimg=2.0,
)
_BALANCED = dataclasses.replace(_DCGAN, d_lr=0.0001, label_smoothing=0.1)
_MLP = dataclasses.replace(
    _DCGAN,
    architecture="mlp",
    channels=(256, 512, 1024),
    d_channels=(256, 512, 1024),
    d_norm="none",
    g_lr=0.0002,
    d_lr=0.0002,
    lr_end=1.0,
)

# Published with the Wasserstein loss and a gradient penalty in each step; this loss and lazy R1 are StyleGAN's and cost
# a fraction of it.
_PROGRESSIVE = Config(
    architecture="progressive", start_resolution=4, kimg=300.0, anneal_kimg=300.0, g_lr=0.002, d_lr=0.002
)

PRESETS = {
    "digits": Config(),
    "emoji-people": Config(
        data="emoji-people",
        held_out=0,
        resolution=32,
        channels=(64, 64, 64, 48),
        d_channels=(64, 64, 64, 48),
        mirror=True,
        augment=("translate", "geometry"),
        augment_target=0.6,
        kimg=290.0,
        anneal_kimg=290.0,
        metrics_kimg=0.0,
    ),
    "mlp": _MLP,
    "dcgan": _BALANCED,
    "dcgan64": dataclasses.replace(
        _BALANCED, resolution=64, channels=(256, 128, 64, 32), d_channels=(256, 128, 64, 32)
    ),
    "cgan": dataclasses.replace(_DCGAN, use_labels=True, label_layers="every", mismatch=0.5),
    "infogan": dataclasses.replace(_DCGAN, z_dim=64, z_distribution="uniform", categories=10, codes=2),
    "sngan": dataclasses.replace(_DCGAN, loss="hinge", d_norm="spectral"),
    "wgan-gp": dataclasses.replace(
        _DCGAN,
        loss="wasserstein",
        gradient_penalty=10.0,
        d_norm="none",
        d_steps=5,
        kimg=300.0,
        anneal_kimg=300.0,
        beta1=0.0,
        beta2=0.9,
    ),
    "progressive": _PROGRESSIVE,
    "stylegan": dataclasses.replace(_PROGRESSIVE, architecture="stylegan"),
    "stylegan2": Config(use_labels=False, path_length=2.0, style_mixing=0.9),
    "digits-tiny": Config(
        resolution=16,
        z_dim=16,
        w_dim=16,
        mapping_layers=2,
        channels=(8, 8, 8),
        d_channels=(8, 8, 8),
        kimg=0.512,
        batch=16,
        snapshot_kimg=0.128,
        metrics_kimg=0.0,
        deterministic=True,
    ),
}


def preset(name: str) -> Config:
    """A preset by name.

    Raises:
        OptionError: No preset of that name.
    """
    if name not in PRESETS:
        raise OptionError(f"unknown preset {name!r}; choose from {', '.join(PRESETS)}")
    return PRESETS[name]
