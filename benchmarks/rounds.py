"""Timing of several contestants in one go: round after round, each once a round, so that noise hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Ratio", "Times", "interleave", "ratio"]

PAUSE = 0.03
"""Seconds before each run, for the threads of the contestant before to stop waiting in a loop."""


@dataclass(frozen=True)
class Times:
    """Seconds of each run, in the order of the rounds."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one, or the mean of both middle ones."""
        return statistics.median(self.seconds)

    def as_json(self) -> dict[str, float | list[float]]:
        """Median, least and greatest, and all runs."""
        return {
            "median": self.median,
            "least": min(self.seconds),
            "greatest": max(self.seconds),
            "runs": list(self.seconds),
        }


@dataclass(frozen=True)
class Ratio:
    """How many times as long one took as the other.

    Attributes:
        of_medians: Of the median times.
        least: Of the ratios within a round.
        greatest: Likewise.
    """

    of_medians: float
    least: float
    greatest: float


def interleave(
    contestants: Mapping[str, Callable[[], float]],
    runs: int,
    on_run: Callable[[], None] = lambda: None,
    pause: float = PAUSE,
) -> dict[str, Times]:
    """Let each run once a round and tell its seconds; each round begins with another of them.

    Args:
        contestants: By name; a call is a run and returns its seconds.
        runs: Number of rounds, at least 1.
        on_run: Called after each run.
        pause: Seconds before each run.
    """
    names, seconds = list(contestants), dict[str, list[float]]()
    for i in range(runs):
        first = i % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(pause)
            seconds.setdefault(name, []).append(contestants[name]())
            on_run()
    return {name: Times(tuple(seconds[name])) for name in names}


def ratio(slow: Times, fast: Times) -> Ratio:
    """`slow` divided by `fast`, which ran in the same rounds."""
    pairs: Sequence[float] = [a / b for a, b in zip(slow.seconds, fast.seconds, strict=True)]
    return Ratio(slow.median / fast.median, min(pairs), max(pairs))
