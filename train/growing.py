"""Progressive growing: at which size a run is, and how far its newest block has faded in.

A run begins with small pictures. Each further block is faded in over `fade_kimg`, its share in the picture rising from
0 to 1, and then trained for `stable_kimg` before the next; the last is trained to the end. All of it follows from the
number of the step, so a resumed run is where it was.

Source: Karras et al. 2018 (Progressive GAN), section 2, figure 2 and appendix A.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from ganexport.architectures._growing import GrownSpec
from ganexport.spec import GeneratorSpec
from train.config import Config

__all__ = [
    "Growth",
    "begins_level",
    "exported_spec",
    "fade_at",
    "faded",
    "growth_at",
    "left_unlearnt",
    "pictures_at",
    "trained_spec",
]

Tensor = Any


class Growth(NamedTuple):
    """Where a run is.

    Attributes:
        level: Number of the newest block; its pictures are 4 << level pixels high and wide.
        fade: Its share in the picture, above 0 and up to 1. At 0 the level before is still whole.
    """

    level: int
    fade: float = 1.0

    @property
    def fading(self) -> bool:
        """Whether the block before still has a share."""
        return self.fade < 1.0


def growth_at(config: Config, step: int) -> Growth | None:
    """Where a run is after `step` steps; None if it does not grow."""
    if not config.start_resolution:
        return None
    first, last = _level(config.start_resolution), _level(config.resolution)
    shown, stable, fade = step * config.batch, _pictures(config.stable_kimg), _pictures(config.fade_kimg)
    if shown < stable:
        return Growth(first)
    turn, into = divmod(shown - stable, fade + stable)
    level = first + 1 + turn
    if level > last:
        return Growth(last)
    if into == 0 and fade > 0:
        return Growth(level - 1)
    return Growth(level, into / fade if into < fade else 1.0)


def begins_level(config: Config, step: int) -> bool:
    """Whether a new block takes part from step number `step` on, which did not in the step before."""
    now, before = growth_at(config, step), growth_at(config, step - 1) if step else None
    return now is not None and before is not None and now.level != before.level


def left_unlearnt(config: Config) -> str | None:
    """A line on a run that ends before its last block has come whole; None where it does come."""
    growth = growth_at(config, config.steps)
    if growth is None or growth == Growth(_level(config.resolution)):
        return None
    return (
        f"Warning: at --kimg {config.kimg:g} the run ends while its pictures are of {4 << growth.level}×"
        f"{4 << growth.level}; for {config.resolution}×{config.resolution} give more, "
        "or shorten --stable-kimg and --fade-kimg."
    )


def fade_at(config: Config, level: int, step: Tensor) -> Tensor:
    """The share of a block that is fading in, as a float32 scalar; `step` int32 must lie in the fade of `level`."""
    stable, fade = _pictures(config.stable_kimg), _pictures(config.fade_kimg)
    turn = level - _level(config.start_resolution) - 1
    begin = stable + turn * (fade + stable)
    return tf.cast(step * config.batch - begin, tf.float32) / tf.cast(fade, tf.float32)


def exported_spec(spec: GeneratorSpec, growth: Growth) -> GrownSpec:
    """The generator as it is at this moment, its pictures doubled up to the full resolution."""
    assert isinstance(spec, GrownSpec)
    left = len(spec.channels) - 1 - growth.level
    return _cut(spec, growth.level, left + (1.0 - growth.fade))


def trained_spec(spec: GeneratorSpec, level: int, *, fading: bool) -> GrownSpec:
    """The generator that draws pictures of 4 << level; fading, it gives two blocks equal shares (see `faded`)."""
    return _cut(spec, level, 0.5 if fading else 0.0)


def faded(values: Mapping[str, Tensor], level: int, fade: Tensor) -> dict[str, Tensor]:
    """Values for the fading `trained_spec` of a level, with the true shares in its to-RGB tensors.

    The spec's shares are numbers of the compiled graph and stay one half; times 2·share, they are what the step says.
    """
    shares = {2 << level: 1.0 - fade, 4 << level: fade}
    names = {f"synthesis.b{size}.torgb.{part}": share for size, share in shares.items() for part in ("weight", "bias")}
    return {**values, **{name: values[name] * (2.0 * share) for name, share in names.items()}}


def pictures_at(images: Tensor, level: int, fade: Tensor | None = None) -> Tensor:
    """Real pictures [N, H, W, C] as a run at `level` shows them: [N, 4 << level, 4 << level, C], means of squares.

    While a block fades in they are as blurred as the generator's: their own half-size version has its share too.

    Source: Karras et al. 2018, appendix A.
    """
    images = _shrunk(images, images.shape[1] // (4 << level))
    if fade is None:
        return images
    blurred = tf.repeat(tf.repeat(_shrunk(images, 2), 2, axis=1), 2, axis=2)
    return blurred + fade * (images - blurred)


def _shrunk(images: Tensor, factor: int) -> Tensor:
    """Means of factor × factor pixels."""
    return images if factor == 1 else tf.nn.avg_pool2d(images, factor, factor, "VALID")


def _cut(spec: GeneratorSpec, level: int, lod: float) -> GrownSpec:
    """The same generator with blocks up to `level` only."""
    assert isinstance(spec, GrownSpec)
    fields = spec.model_dump() | {"channels": spec.channels[: level + 1], "lod": lod}
    fields["resolution"] = 4 << (level + int(lod))
    fields["num_ws"] = 2 * (level + 1) if spec.has_w_space else 0
    return type(spec)(**fields)


def _level(resolution: int) -> int:
    return resolution.bit_length() - 3


def _pictures(kimg: float) -> int:
    return round(kimg * 1000)
