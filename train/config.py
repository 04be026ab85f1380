"""`Config`: everything that decides a training run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganexport.errors import CheckpointError, OptionError
from train.losses import check_adversarial

__all__ = ["AUGMENTATIONS", "Config"]

GROWING = ("progressive", "stylegan")
"""Architectures that can begin with small pictures."""


CLASSIC = ("mlp", "dcgan")
"""Architectures whose layers have BatchNorm in training."""

STYLED = ("stylegan", "stylegan2")
"""Architectures with a w space."""

CHOICES = {
    "label_layers": ("first", "every"),
    "z_distribution": ("normal", "uniform"),
    "d_norm": ("none", "batch", "spectral"),
}

AUGMENTATIONS = ("flip", "rotate90", "translate", "geometry", "color", "cutout")
"""What `--augment` can name; done in `train.augment`."""

RANGES: tuple[tuple[str, Callable[[float], bool], str], ...] = (
    ("at least 1", lambda v: v >= 1, "z_dim w_dim mapping_layers batch group r1_interval path_interval d_steps"),
    ("at least 1", lambda v: v >= 1, "keep_snapshots"),
    ("above 0", lambda v: v > 0, "kimg snapshot_kimg g_lr d_lr ema_kimg anneal_kimg augment_kimg"),
    ("at least 0", lambda v: v >= 0, "metrics_kimg d_pretrain minibatch_views gradient_penalty path_length"),
    ("0, or at least 4 to measure against", lambda v: v == 0 or v >= 4, "held_out"),
    ("at least 0", lambda v: v >= 0, "information mismatch r1_gamma r1_gamma_end ema_rampup"),
    ("from 0 to 1", lambda v: 0 <= v <= 1, "lr_end augment_p augment_target style_mixing w_avg_beta"),
    ("at least 0 and below 1", lambda v: 0 <= v < 1, "beta1 beta2"),
    (f"at least 0 and below {1 << 31}", lambda v: 0 <= v < 1 << 31, "seed"),
)
"""What makes sense, in words and as a test, and the fields that it is asked of."""


@dataclass(frozen=True)
class Config:
    """A training run. Every field can be set on the command line.

    Attributes:
        architecture: Family of the generator: mlp, dcgan, progressive, stylegan or stylegan2.
        data: What to learn from: a built-in set's name, an `.npz`, a folder or zip of pictures, or `keras:NAME`.
        resolution: Height and width in pixels: 4, 8, 16, …
        init: A checkpoint, ours or foreign, a bundle or a run whose weights to start from; nothing for random ones.
        held_out: Pictures kept from training, to measure against.
        use_labels: Whether both sides are told the labels that the pictures have.
        label_layers: Which layers of mlp and dcgan are given the label: first, every.
        categories: Length of a one-hot code that the generator is given in place of labels, for Q to recover (InfoGAN).
        codes: How many of the last numbers of z are continuous codes for Q to recover.
        information: Weight of what Q fails to recover of them.
        z_dim: Length of z.
        z_distribution: How z is drawn: normal, uniform (from −1 to 1).
        w_dim: Length of w, and width of the mapping network.
        mapping_layers: Dense layers of the mapping network.
        channels: Feature maps of each block from the smallest up, in the generator; widths of its layers in mlp.
        d_channels: The same in the discriminator.
        d_norm: Norm of the discriminator's layers: none, batch (mlp and dcgan), spectral.
        minibatch_views: Views in which the discriminator compares the pictures of a group (minibatch discrimination).
        mirror: Whether a picture and its mirror image count as equally real.
        start_resolution: Size of the first pictures of a run that grows; 0 where all blocks learn from the start.
        fade_kimg: Over how many pictures each further block is faded in.
        stable_kimg: For how many pictures the first block learns alone, and each other before the next comes.
        kimg: Length of the run, in thousands of real pictures shown.
        batch: Pictures in a step, over all devices.
        group: Pictures that minibatch stddev and minibatch discrimination compare; they share a label.
        loss: What the two sides minimise: minimax, non-saturating, least-squares, wasserstein, hinge.
        label_smoothing: What is taken from the target 1 of real pictures, in the first three losses.
        flip_labels: Share of the pictures, in the first three losses, whose targets real and generated are swapped.
        g_lr: Adam's learning rate for the generator.
        d_lr: Adam's learning rate for the discriminator.
        beta1: Adam's first-moment decay.
        beta2: Adam's second-moment decay.
        d_steps: Steps of the discriminator for one of the generator.
        d_pretrain: Steps at the start in which the discriminator learns alone.
        gradient_penalty: Weight of what pulls the discriminator's slope to 1 (WGAN-GP: 10); 0 for none.
        r1_gamma: Weight of the R1 penalty at the start; 0 for none.
        r1_gamma_end: Its weight from `anneal_kimg` on; strong at first against collapse, then weak for detail.
        lr_end: Share of the learning rates that is left from `anneal_kimg` on.
        anneal_kimg: Where the cosine descent of both ends.
        r1_interval: Steps between two R1 penalties, each scaled up accordingly.
        mismatch: Weight of real pictures under a wrong label, refused like fakes; 0 for none.
        augment: What is done by chance to all that the discriminator sees: flip, rotate90, translate, geometry, color,
            cutout, with commas between.
        augment_p: Chance of each of these; where it starts with `augment_target`.
        augment_target: Mean sign of the discriminator's answer to real pictures that the chance is steered to; 0 to
            leave the chance as it is.
        augment_kimg: In how many thousand pictures the chance can go from 0 to 1.
        path_length: Weight of what makes steps in w of one size anywhere (stylegan2: 2); 0 for none.
        path_interval: Steps of the generator between two such penalties, each scaled up accordingly.
        style_mixing: Share of pictures drawn from two z.
        ema_kimg: Half-life of the averaged generator, in thousands of pictures.
        ema_rampup: The half-life is at most this share of the run so far.
        w_avg_beta: Decay of the running mean of w and of BatchNorm's statistics, per step.
        snapshot_kimg: Distance of two snapshots.
        metrics_kimg: Distance of two measurements; 0 for none.
        keep_snapshots: How many resumable snapshots stay on disk.
        seed: Of every random stream.
        deterministic: Whether TensorFlow must repeat its sums in one order (slower).
        mixed_precision: Whether the large layers run in bfloat16.
    """

    architecture: str = "stylegan2"
    data: str = "mnist10k"
    resolution: int = 32
    init: str = ""
    held_out: int = 2000
    use_labels: bool = True
    label_layers: str = "first"
    categories: int = 0
    codes: int = 0
    information: float = 1.0
    z_dim: int = 64
    z_distribution: str = "normal"
    w_dim: int = 64
    mapping_layers: int = 4
    channels: tuple[int, ...] = (64, 64, 48, 32)
    d_channels: tuple[int, ...] = (64, 64, 48, 32)
    d_norm: str = "none"
    minibatch_views: int = 0
    mirror: bool = False
    start_resolution: int = 0
    fade_kimg: float = 20.0
    stable_kimg: float = 20.0
    kimg: float = 240.0
    batch: int = 16
    group: int = 4
    loss: str = "non-saturating"
    label_smoothing: float = 0.0
    flip_labels: float = 0.0
    g_lr: float = 0.004
    d_lr: float = 0.004
    beta1: float = 0.0
    beta2: float = 0.99
    d_steps: int = 1
    d_pretrain: int = 0
    gradient_penalty: float = 0.0
    r1_gamma: float = 0.5
    r1_gamma_end: float = 0.05
    lr_end: float = 0.1
    anneal_kimg: float = 240.0
    r1_interval: int = 16
    mismatch: float = 0.5
    augment: tuple[str, ...] = ()
    augment_p: float = 0.0
    augment_target: float = 0.0
    augment_kimg: float = 100.0
    path_length: float = 0.0
    path_interval: int = 8
    style_mixing: float = 0.5
    ema_kimg: float = 10.0
    ema_rampup: float = 0.05
    w_avg_beta: float = 0.998
    snapshot_kimg: float = 10.0
    metrics_kimg: float = 40.0
    keep_snapshots: int = 2
    seed: int = 0
    deterministic: bool = False
    mixed_precision: bool = False

    def __post_init__(self) -> None:
        for words, fits, names in RANGES:
            for name in names.split():
                if not fits(getattr(self, name)):
                    raise OptionError(f"--{name.replace('_', '-')} must be {words}, found {getattr(self, name)}")
        if self.batch % self.group:
            raise OptionError(f"--batch {self.batch} must be a multiple of --group {self.group}")
        if len(self.channels) != len(self.d_channels):
            raise OptionError(f"--channels {self.channels} and --d-channels {self.d_channels} differ in length")
        self._check_choices()
        self._check_objectives()
        self._check_growth()

    def _check_choices(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                flag = f"--{name.replace('_', '-')}"
                raise OptionError(f"{flag} must be one of {', '.join(choices)}, found {getattr(self, name)!r}")
        if self.architecture not in CLASSIC and (self.recovers_codes or self.d_norm == "batch"):
            raise OptionError(
                f"--categories, --codes and --d-norm batch are for {' and '.join(CLASSIC)}, not {self.architecture}"
            )
        if self.categories < 0 or not 0 <= self.codes < self.z_dim:
            raise OptionError(
                f"--categories must be at least 0 and --codes fewer than --z-dim {self.z_dim}, "
                f"found {self.categories} and {self.codes}"
            )

    def _check_objectives(self) -> None:
        check_adversarial(self.loss, self.label_smoothing, self.flip_labels)
        if unknown := [kind for kind in self.augment if kind not in AUGMENTATIONS]:
            raise OptionError(f"--augment takes {', '.join(AUGMENTATIONS)}, found {unknown[0]!r}")
        if (self.augment_p or self.augment_target) and not self.augment:
            raise OptionError("--augment-p and --augment-target are of --augment, which names nothing: set them to 0")
        if self.gradient_penalty and self.d_norm == "batch":
            raise OptionError(
                "--gradient-penalty needs a discriminator that judges each picture by itself: "
                "set --d-norm to none or spectral"
            )
        if self.minibatch_views and self.group < 2:
            raise OptionError(
                f"--minibatch-views compares pictures of a group: --group must be at least 2, found {self.group}"
            )
        if self.path_length and self.architecture not in STYLED:
            raise OptionError(f"--path-length is for {' and '.join(STYLED)}; {self.architecture} has no w")

    def _check_growth(self) -> None:
        if self.init and self.start_resolution:
            raise OptionError("--init is of a generator that has grown: set --start-resolution to 0")
        if self.start_resolution and self.architecture not in GROWING:
            raise OptionError(f"--start-resolution is for {' and '.join(GROWING)}; {self.architecture} does not grow")
        sizes = [4 << i for i in range(11) if 4 << i <= self.resolution]
        if self.start_resolution not in (0, *sizes):
            raise OptionError(
                f"--start-resolution must be 0 or one of {', '.join(map(str, sizes))}, found {self.start_resolution}"
            )
        if self.fade_kimg < 0 or self.stable_kimg <= 0:
            raise OptionError(
                f"--fade-kimg must be at least 0 and --stable-kimg above 0, "
                f"found {self.fade_kimg:g} and {self.stable_kimg:g}"
            )

    def c_dim(self, classes: int) -> int:
        """Length of `c` where the pictures are of so many classes: codes take the place of labels."""
        return self.categories or (classes if self.gives_labels else 0)

    @property
    def gives_labels(self) -> bool:
        """Whether both sides are told the pictures' labels."""
        return self.use_labels and not self.categories

    @property
    def recovers_codes(self) -> bool:
        """Whether Q learns to tell what a picture was drawn from."""
        return self.categories > 0 or self.codes > 0

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.step_at(self.kimg)

    def step_at(self, kimg: float) -> int:
        """The step that ends nearest to `kimg`, at least 1."""
        return max(1, round(kimg * 1000 / self.batch))

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n", encoding="utf-8")

    @staticmethod
    def read(path: Path) -> Config:
        """Read what `write` wrote.

        Raises:
            CheckpointError: The file is damaged, or of another version.
        """
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
            return Config(**values)
        except (OSError, ValueError, TypeError, AttributeError, OptionError) as error:
            raise CheckpointError(f"{path} is no configuration of a run that can be read: {error}") from None
