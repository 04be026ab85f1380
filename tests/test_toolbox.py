"""The latent toolbox, against straight-line arithmetic and closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from ganexport.errors import OptionError
from ganexport.latents import (
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

Z = np.random.RandomState(0).randn(4, 6).astype(np.float32)
WS = np.random.RandomState(1).randn(4, 5, 3).astype(np.float32)
VECTOR = np.asarray([1.0, -2.0, 0.5], np.float32)


def arc(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """One vector's slerp as White 2016 writes it."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    omega = math.acos(float(a @ b) / math.sqrt(float(a @ a) * float(b @ b)))
    weights = math.sin((1 - t) * omega) / math.sin(omega), math.sin(t * omega) / math.sin(omega)
    return (weights[0] * a + weights[1] * b).astype(np.float32)


def test_lerp() -> None:
    expected = [[np.float32(0.75 * float(x) + 0.25 * float(y)) for x, y in zip(*p)] for p in zip(Z, Z[::-1])]  # noqa: B905
    np.testing.assert_array_equal(lerp(Z, Z[::-1], 0.25), expected)
    assert lerp(Z, Z, 0.5).dtype == np.float32


@pytest.mark.parametrize("t", [0.0, 0.1, 0.5, 0.99, 1.0])
def test_slerp_is_the_published_formula(t: float) -> None:
    np.testing.assert_allclose(slerp(Z[:1], Z[1:2], t)[0], arc(Z[0], Z[1], t), rtol=2e-7)
    found = slerp(WS[:1], WS[1:2], t)[0]  # each w on its own
    np.testing.assert_allclose(found, [arc(a, b, t) for a, b in zip(WS[0], WS[1], strict=True)], rtol=3e-7)


@pytest.mark.parametrize("blend", [lerp, slerp])
def test_a_blend_ends_exactly_at_its_ends(blend: Any) -> None:
    for latents in (Z, WS):
        np.testing.assert_array_equal(blend(latents, latents[::-1], 0), latents)
        np.testing.assert_array_equal(blend(latents, latents[::-1], 1), latents[::-1])


def test_slerp_goes_evenly_along_the_circle() -> None:
    """A quarter in ninety degrees is 22.5 degrees, whatever the lengths; equal lengths stay."""
    x, y = np.asarray([[3, 0]], np.float32), np.asarray([[0, 3]], np.float32)
    angle = math.radians(22.5)
    np.testing.assert_allclose(slerp(x, y, 0.25), [[3 * math.cos(angle), 3 * math.sin(angle)]], rtol=1e-7)


@pytest.mark.parametrize("scale", [1e-3, 1e-8, 1e-12])
def test_small_angles_lose_nothing(scale: float) -> None:
    """Between vectors that nearly point the same way the arc is the straight line."""
    a = np.asarray([[1.0, 0.0]], np.float32)
    b = np.asarray([[1.0, scale]], np.float32)
    np.testing.assert_allclose(slerp(a, b, 0.3), [[1.0, 0.3 * scale]], rtol=3e-7)


def test_there_is_no_arc_between_opposites_and_from_nothing() -> None:
    np.testing.assert_array_equal(slerp(Z, -Z, 0.25), lerp(Z, -Z, 0.25))
    np.testing.assert_array_equal(slerp(Z, Z * 0, 0.25), lerp(Z, Z * 0, 0.25))
    np.testing.assert_array_equal(slerp(Z, Z, 0.25), Z)
    assert np.isfinite(slerp(Z * 1e30, -Z * 1e30, 0.5)).all()


def test_a_place_for_each_row() -> None:
    places = [0.0, 0.2, 0.7, 1.0]
    together = slerp(Z, Z[:1], places)
    for row, place in enumerate(places):
        np.testing.assert_array_equal(together[row : row + 1], slerp(Z[row : row + 1], Z[:1], place))
    assert slerp(Z[:1], Z[1:2], places).shape == (4, 6)


@pytest.mark.parametrize(("keyframes", "blend"), [(Z, slerp), (WS, lerp)])
def test_a_walk_passes_every_keyframe(keyframes: np.ndarray, blend: Any) -> None:
    way = walk(keyframes, 5)
    assert len(way) == 16
    np.testing.assert_array_equal(way[::5], keyframes)
    np.testing.assert_array_equal(way[7:8], blend(keyframes[1:2], keyframes[2:3], 2 / 5))
    loop = walk(keyframes, 5, loop=True)
    assert len(loop) == 20
    np.testing.assert_array_equal(loop[:16], way)
    np.testing.assert_array_equal(loop[18:19], blend(keyframes[3:], keyframes[:1], 3 / 5))
    np.testing.assert_array_equal(walk(keyframes[:1], 5), keyframes[:1])


def test_mixing_takes_whole_layers() -> None:
    mixed = mix_styles(WS, WS[2:3], (1, 3))
    np.testing.assert_array_equal(mixed[:, [0, 3, 4]], WS[:, [0, 3, 4]])
    np.testing.assert_array_equal(mixed[:, 1:3], np.stack([WS[2, 1:3]] * 4))
    np.testing.assert_array_equal(mix_styles(WS[:1], WS, (0, 5)), WS)


def test_a_sweep_of_one_coordinate() -> None:
    swept = sweep_coordinate(Z[:2], 3, [-1, 0, 1])
    assert swept.shape == (6, 6)
    assert swept[:, 3].tolist() == [-1, 0, 1] * 2
    np.testing.assert_array_equal(np.delete(swept, 3, 1), np.delete(np.repeat(Z[:2], 3, 0), 3, 1))
    in_w = sweep_coordinate(WS[:1], 0, [7, 8])
    assert in_w[:, :, 0].tolist() == [[7] * 5, [8] * 5]


def test_a_sweep_of_classes() -> None:
    assert class_sweep([8, 5], 3) == ([8, 8, 8, 5, 5, 5], [0, 1, 2, 0, 1, 2])


def test_moves_add_up_and_touch_their_layers_alone() -> None:
    moved = move_along(WS, [Move(VECTOR, 2.0, (1, 3)), Move(VECTOR, [0, 1, 2, 3])])
    for row in range(4):
        for layer in range(5):
            amount = row + (2 if layer in (1, 2) else 0)
            expected = (WS[row, layer].astype(np.float64) + amount * VECTOR).astype(np.float32)
            np.testing.assert_array_equal(moved[row, layer], expected)
    outside = [0, 3, 4]
    np.testing.assert_array_equal(move_along(WS, [Move(VECTOR, 9.0, (1, 3))])[:, outside], WS[:, outside])
    np.testing.assert_array_equal(move_along(WS, []), WS)
    line = move_along(Z[:1], [Move(Z[1], [-1.0, 0.0, 1.0])])
    np.testing.assert_array_equal(line[1], Z[0])


def test_arithmetic() -> None:
    np.testing.assert_array_equal(arithmetic(WS, WS, WS[::-1]), WS[::-1])
    expected = (Z[0].astype(np.float64) - Z[1] + Z[2]).astype(np.float32)
    np.testing.assert_array_equal(arithmetic(Z[:1], Z[1:2], Z[2:3])[0], expected)


def test_nothing_given_is_changed() -> None:
    before = WS.copy(), Z.copy()
    mix_styles(WS, WS[::-1], (0, 5))
    sweep_coordinate(Z, 0, [9])
    move_along(WS, [Move(VECTOR, 1.0)])
    np.testing.assert_array_equal(WS, before[0])
    np.testing.assert_array_equal(Z, before[1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lerp(Z, WS, 0), r"latents of \(5, 3\) and \(6,\) do not go together"),
        (lambda: lerp(Z, Z[:3], 0), "3 and 4 rows do not go together"),
        (lambda: slerp(Z, Z, [0, 1]), "2 and 4 rows do not go together"),
        (lambda: lerp(Z, Z, float("nan")), "t must be a finite number, found nan"),
        (lambda: walk(Z, 0), "a walk needs a keyframe and a frame each at least, found 4 and 0"),
        (lambda: walk(Z[:0], 3), "found 0 and 3"),
        (lambda: mix_styles(Z, Z, (0, 1)), "only latents in w have layers"),
        *[(lambda s=s: mix_styles(WS, WS, s), f"found {s[0]} up to {s[1]}") for s in ((0, 6), (2, 2), (-1, 2))],
        (lambda: sweep_coordinate(Z, 6, [0]), "coordinates go from 0 to 5, found 6"),
        (lambda: sweep_coordinate(Z, 0, [float("inf")]), "a coordinate must be a finite number, found inf"),
        (lambda: move_along(WS, [Move(Z[0], 1.0)]), r"a direction of \(6,\) does not fit latents of \(3,\)"),
        (lambda: move_along(WS, [Move(VECTOR, 1.0, (0, 9))]), "layers go from 0 up to 5"),
        (lambda: move_along(WS, [Move(VECTOR, float("nan"))]), "an amount must be a finite number"),
        (lambda: arithmetic(Z, Z, Z[:2]), "2 and 4 rows do not go together"),
    ],
)
def test_what_does_not_fit_is_said(call: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        call()
