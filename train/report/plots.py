"""Which plots a report has: what they show of a run, beside what, and what a reader may make of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from train.report.plot import Curve, Level, bars, plot
from train.report.read import RunData, Series
from train.watch.warnings import COLLAPSED, SURE

__all__ = ["metric_plots", "training_plots"]

Config = dict[str, Any]
BALANCE = math.log(2.0)


@dataclass(frozen=True)
class _Plot:
    """A plot over kimg.

    Attributes:
        title: What it shows.
        text: What a reader may make of it.
        curves: Label -> figure of the log, `metrics.…` for one of the measurements.
        levels: Lines to compare with, from the configuration.
        yardsticks: Whether each measurement's yardstick is a line too.
    """

    title: str
    text: str
    curves: dict[str, str]
    levels: Callable[[Config], list[Level]] = lambda config: []
    yardsticks: bool = False


def _cross_entropy(config: Config) -> bool:
    return config.get("loss", "non-saturating") in ("non-saturating", "minimax")


def _balance(config: Config) -> list[Level]:
    if not _cross_entropy(config):
        return []
    level = Level("balance, ln 2", BALANCE)
    return [level, Level("G's balance, −ln 2", -BALANCE)] if config.get("loss") == "minimax" else [level]


TRAINING = (
    _Plot(
        "Losses",
        "Of cross-entropy losses half of D's is shown, the mean over real and generated pictures: where D can only "
        "guess, either side's is 0.69. That alone does not tell good pictures: look at the figures of quality.",
        {"D": "loss_d", "G": "loss_g"},
        _balance,
    ),
    _Plot(
        "Accuracy of D",
        "Share of pictures that D takes for what they are. Near 1 for long on both: G has little to learn from.",
        {"real": "accuracy_real", "generated": "accuracy_fake"},
        lambda config: [Level("guessing", 0.5), Level("too sure", SURE)],
    ),
    _Plot(
        "Scores of D",
        "D's mean answer, before the loss: above 0 for real, below for generated, where the loss is a cross-entropy.",
        {"real": "score_real", "generated": "score_fake"},
    ),
    _Plot(
        "Variety of a batch",
        "Mean distance of two pictures of a batch, in pixels of 0 to 1, within a class where classes are known. "
        "Generated pictures that are all alike are a collapse.",
        {"real": "distance_real", "generated": "distance_fake"},
    ),
    _Plot(
        "Variety beside the real pictures'",
        "The same as a share: 1 is as varied as real pictures.",
        {"generated ÷ real": "variety"},
        lambda config: [Level("collapse", COLLAPSED), Level("real", 1.0)],
    ),
    _Plot(
        "Distance of pixel values",
        "Earth mover's distance of the values in a batch of real and one of generated pictures, in grey levels.",
        {"generated to real": "histogram_distance"},
    ),
    _Plot(
        "Chance of augmentation",
        "How often each augmentation is done to all that D sees; steered by how sure D is of real pictures.",
        {"p": "augment_p"},
    ),
    _Plot("R1 penalty", "Squared slope of D at real pictures.", {"R1": "r1"}),
    _Plot("Gradient penalty", "How far D's slope between pictures is from 1.", {"penalty": "gradient_penalty"}),
    _Plot("Path length penalty", "How unevenly w moves the picture.", {"penalty": "path_length"}),
    _Plot("Information", "What Q fails to recover of the codes.", {"loss": "information"}),
    _Plot("Resolution", "Height and width of the pictures of this stage.", {"pixels": "resolution"}),
    _Plot("Rate", "Real pictures shown in a second.", {"pictures a second": "rate"}),
)

_REAL = "as many real training pictures"

METRICS = (
    _Plot(
        "Fréchet distance",
        "Of features, each set taken for a Gaussian; small is good.",
        {"generated": "metrics.frechet"},
        yardsticks=True,
    ),
    _Plot(
        "Kernel distance (KID)", "Of the same features, without bias.", {"generated": "metrics.kid"}, yardsticks=True
    ),
    _Plot(
        "Precision and recall",
        "Precision: generated pictures that could be real. Recall: real ones that could be generated.",
        {"precision": "metrics.precision", "recall": "metrics.recall"},
        yardsticks=True,
    ),
    _Plot(
        "Agreement of classes",
        "How often a classifier sees the class that was asked for.",
        {"generated": "metrics.class_agreement"},
        yardsticks=True,
    ),
    _Plot(
        "Distance within a class",
        "Of two pictures, in pixels of 0 to 1.",
        {"generated": "metrics.within_class_distance_pixels"},
        yardsticks=True,
    ),
    _Plot(
        "Pixel histogram",
        "Earth mover's distance to held-out pictures, in grey levels.",
        {"generated": "metrics.histogram_distance"},
        yardsticks=True,
    ),
    _Plot(
        "Perceptual path length",
        "Squared speed of the picture, in our own features (not LPIPS), as z or w moves evenly from one to another. "
        "1 is a straight way between two pictures as unlike as real ones.",
        {"z": "metrics.path_length_z", "w": "metrics.path_length_w"},
        lambda config: [Level("straight", 1.0)],
    ),
)


def training_plots(run: RunData) -> list[str]:
    """What the steps said of themselves, as HTML figures."""
    return _made(TRAINING, run, "t")


def metric_plots(run: RunData) -> list[str]:
    """What was measured, as HTML figures."""
    made = _made(METRICS, run, "m")
    last = run.metrics[-1] if run.metrics else {}
    if "histogram" in last and "histogram_held_out" in last:
        count = len(last["histogram"])
        labels = [str(k * 256 // count) for k in range(count)]
        shares = [("generated", last["histogram"]), ("held out", last["histogram_held_out"])]
        text = "How often each range of pixel values comes, at the last measurement; 0 is black."
        made.append(bars("m-values", "Pixel values", text, labels, shares))
    return made


def _made(plots: tuple[_Plot, ...], run: RunData, prefix: str) -> list[str]:
    made = []
    for i, one in enumerate(plots):
        curves = [Curve(label, points) for label, name in one.curves.items() if (points := _points(run, name))]
        if not curves:
            continue
        levels = one.levels(run.config)
        if one.yardsticks:
            for label, name in one.curves.items():
                if real := run.series(f"{name}_yardstick"):
                    levels.append(Level(_REAL if len(one.curves) == 1 else f"{label} of {_REAL}", real[-1][1]))
        made.append(plot(f"{prefix}{i}", one.title, one.text, curves, levels))
    return made


def _points(run: RunData, name: str) -> Series:
    if name == "variety":
        real = dict(run.series("distance_real"))
        return [(x, v / real[x]) for x, v in run.series("distance_fake") if real.get(x)]
    points = run.series(name)
    return [(x, v / 2) for x, v in points] if name == "loss_d" and _cross_entropy(run.config) else points
