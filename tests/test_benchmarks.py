"""The machinery of the benchmarks, at sizes where nothing is worth timing."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.rounds import Times, interleave, ratio
from benchmarks.synthesis import check_picture
from ganexport.errors import ParityError


def test_all_run_once_a_round_and_each_round_begins_with_another() -> None:
    ran: list[str] = []

    def contestant(name: str, seconds: float) -> float:
        ran.append(name)
        return seconds

    names = {"a": 1.0, "b": 2.0, "c": 3.0}
    times = interleave({n: lambda n=n, s=s: contestant(n, s) for n, s in names.items()}, 4, pause=0.0)
    assert "".join(ran) == "abc" + "bca" + "cab" + "abc"
    assert {name: found.seconds for name, found in times.items()} == {n: (s,) * 4 for n, s in names.items()}


def test_a_ratio_is_of_medians_and_its_spread_of_pairs() -> None:
    slow, fast = Times((4.0, 6.0, 9.0)), Times((2.0, 2.0, 4.0))
    found = ratio(slow, fast)
    assert (found.of_medians, found.least, found.greatest) == (3.0, 2.0, 3.0)
    assert slow.as_json() == {"median": 6.0, "least": 4.0, "greatest": 9.0, "runs": [4.0, 6.0, 9.0]}


def test_who_draws_another_picture_is_not_timed() -> None:
    reference = np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(np.float32)
    check_picture(reference.transpose(0, 2, 3, 1), reference, "channels last")
    check_picture(reference * np.float32(1 + 9e-5), reference, "nearly")
    for wrong in (reference * np.float32(1 + 2e-4), np.full_like(reference, np.nan), reference[:1]):
        with pytest.raises(ParityError, match="other draws"):
            check_picture(wrong, reference, "other")
    with pytest.raises(ParityError):
        check_picture(np.zeros_like(reference), np.zeros_like(reference), "blank")
