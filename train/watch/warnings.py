"""When a run goes wrong: collapse, a discriminator that wins, figures that are no numbers. Each is told once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from train.config import Config
from train.watch.log import Line

__all__ = ["COLLAPSED", "SURE", "WARNINGS", "WINDOW", "warnings_of"]

WINDOW = 32
"""Lines of the log that are looked at together; one bad moment is no trouble."""

COLLAPSED = 0.4
"""Share of the real pictures' mean distance under which generated pictures count as all alike."""

SURE = 0.99
"""Accuracy on real and on generated pictures from which on the discriminator has nothing to learn."""

LEAST_G_LOSS = {"minimax": -0.02, "non-saturating": 3.0, "least-squares": 0.45, "hinge": 0.9}
"""The generator's loss above which it is losing. A Wasserstein critic is meant to be sure: it is not judged by this."""


def warnings_of(lines: Sequence[Line], config: Config) -> dict[str, str]:
    """What is wrong with a run by the last lines of its log: name of each trouble -> what to say and to try."""
    readings = [line for line in lines[-2 * WINDOW :] if "event" not in line][-WINDOW:]
    found = {}
    for name, look in WARNINGS.items():
        if (text := look(readings, config)) is not None:
            found[name] = text
    return found


def _collapse(readings: Sequence[Line], config: Config) -> str | None:
    real, fake = _mean(readings, "distance_real"), _mean(readings, "distance_fake")
    # At first all generated pictures are grey: a twentieth of the run is theirs to become different.
    if real is None or fake is None or readings[0]["kimg"] < config.kimg / 20 or fake >= COLLAPSED * real:
        return None
    return (
        f"the generated pictures are nearly all alike: their mean distance is {fake / real:.0%} of the real pictures'. "
        "The run has collapsed, and rarely gets out of it by itself. Try another run with a stronger --r1-gamma, "
        f"a lower --g-lr (now {config.g_lr:g}), a larger --batch, or another --seed"
    )


def _saturation(readings: Sequence[Line], config: Config) -> str | None:
    accuracy = [_mean(readings, name) for name in ("accuracy_real", "accuracy_fake")]
    loss, least = _mean(readings, "loss_g"), LEAST_G_LOSS.get(getattr(config, "loss", "non-saturating"))
    if loss is None or least is None or loss <= least or any(a is None or a < SURE for a in accuracy):
        return None
    return (
        "D is winning: it tells nearly every picture apart "
        f"(G's loss {loss:.2f}), so G learns little from it. Try another run with a slower D "
        f"(--d-lr {config.d_lr / 2:g} with --g-lr {config.g_lr:g}), a stronger --r1-gamma (now {config.r1_gamma:g}), "
        "or, where pictures are few, --augment translate,color --augment-target 0.6"
    )


def _not_finite(readings: Sequence[Line], config: Config) -> str | None:
    if not readings or not any(name.startswith("loss") and value is None for name, value in readings[-1].items()):
        return None
    return (
        "the losses are no longer finite numbers, and nothing more is learned. Try another run with a lower "
        f"--g-lr (now {config.g_lr:g}) and --d-lr (now {config.d_lr:g})"
    )


WARNINGS: dict[str, Callable[[Sequence[Line], Config], str | None]] = {
    "collapse": _collapse,
    "saturation": _saturation,
    "not-finite": _not_finite,
}
"""By name: what looks at the readings of a window, oldest first."""


def _mean(readings: Sequence[Line], name: str) -> float | None:
    """Mean of a figure over a full window; None where it is not full."""
    values = [line[name] for line in readings if isinstance(line.get(name), int | float)]
    return sum(values) / len(values) if len(values) == WINDOW else None
