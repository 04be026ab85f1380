"""Playing with a bundle, against what the bundle draws of latents that were put together by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.told import Told

from ganexport.bundle import Bundle, open_bundle
from ganexport.directions import DirectionOptions, update_directions
from ganexport.directions.attributes import read_attributes
from ganexport.errors import OptionError
from ganexport.latent_files import save_latents
from ganexport.latents import arithmetic
from ganexport.play import (
    Studio,
    class_sweep,
    coordinate_sweep,
    direction_sweep,
    every_class,
    mix,
    signed_sum,
    walk,
)


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    """StyleGAN2, three classes: ash, birch, cedar; z of 8, six ws of 7."""
    return open_bundle(tiny_bundle)


@pytest.fixture(scope="module")
def dcgan(conditional_dcgan_bundle: Path) -> Bundle:
    """DCGAN, two classes: ash, birch; z of 10."""
    return open_bundle(conditional_dcgan_bundle)


@pytest.fixture(scope="module")
def digits(digits_bundle: Path) -> Bundle:
    return open_bundle(digits_bundle)


def z_of(*seeds: int, size: int) -> np.ndarray:
    return np.stack([np.random.RandomState(seed).randn(size) for seed in seeds]).astype(np.float32)


def same(found: np.ndarray, expected: np.ndarray) -> None:
    """Pictures within one grey level, latents within rounding: batches of another size may be reckoned otherwise."""
    assert found.dtype == expected.dtype
    if found.dtype == np.uint8:
        np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=1)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def line(a: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
    places = np.linspace(0, 1, steps)
    return np.stack([(1 - t) * a.astype(np.float64) + t * b.astype(np.float64) for t in places]).astype(np.float32)


# ---------------------------------------------------------------------------------------------------------- points


@pytest.mark.parametrize("psi", [None, 0.5])
def test_points_are_drawn_as_the_bundle_draws_them(psi: float | None, tiny: Bundle) -> None:
    studio = Studio(tiny, psi, cutoff=None if psi is None else 2)
    points = studio.seeds([3, 4, 5], ["birch", 0, 2])
    assert points.names == ("3@birch", "4@ash", "5@cedar")
    expected = tiny.generate([3, 4, 5], [1, 0, 2], psi, cutoff=studio.cutoff)
    same(studio.draw(points), expected)
    same(studio.draw(points.pick([2, 0, 0])), expected[[2, 0, 0]])


def test_points_are_drawn_a_few_at_a_time_and_told_of(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told()
    whole = Studio(tiny).draw(Studio(tiny).seeds(range(5), 0))
    monkeypatch.setattr("ganexport.bundle.PIXELS_A_RUN", 2 * 16 * 16)
    studio = Studio(tiny, progress=told)
    same(studio.draw(studio.seeds(range(5), 0)), whole)
    assert told.steps == {"drawing": (5, 5)}
    frames = studio.frames(studio.seeds(range(5), 0))
    same(next(frames), whole[0])
    frames.close()


def test_latents_out_of_a_file(tiny: Bundle, dcgan: Bundle, tmp_path: Path) -> None:
    path, studio = tmp_path / "l.safetensors", Studio(tiny)
    expected = tiny.generate([3, 4], [1, 2])
    save_latents(path, z_of(3, 4, size=8), c=np.eye(3, dtype=np.float32)[1:], names=["a.png", "b@2x.png"])
    assert studio.load(path).names == ("a.png", "b@2x.png")
    assert every_class(studio, studio.load(path, "ash")).rows == ("a.png", "b@2x.png")
    same(studio.draw(studio.load(path)), expected)
    same(studio.draw(studio.load(path, "ash")), tiny.generate([3, 4], 0))
    with pytest.raises(
        OptionError, match=r"latents of another generator: z of \(8,\) with 3 classes, expected \(10,\)"
    ):
        Studio(dcgan).load(path)
    save_latents(path, tiny.latents([3, 4], [1, 2]))
    same(studio.draw(studio.load(path)), expected)
    with pytest.raises(OptionError, match="ws have their class in them"):
        studio.load(path, "ash")
    with pytest.raises(OptionError, match="holds ws, and psi is of the way from z to w"):
        Studio(tiny, psi=0.7).load(path)
    with pytest.raises(OptionError, match=r"w of \(6, 7\), expected \(0, 0\)"):
        Studio(dcgan).load(path)


# --------------------------------------------------------------------------------------------------------- classes


def test_every_class_in_this_style(tiny: Bundle, dcgan: Bundle) -> None:
    for bundle, classes in ((tiny, 3), (dcgan, 2)):
        studio = Studio(bundle)
        sheet = every_class(studio, studio.seeds([7, 8], 1))
        assert (sheet.rows, sheet.columns) == (("7", "8"), ("ash", "birch", "cedar")[:classes])
        expected = bundle.generate([7] * classes + [8] * classes, [*range(classes)] * 2)
        same(studio.draw(sheet.points), expected)


def test_a_class_sweep_is_the_straight_line_in_w(tiny: Bundle) -> None:
    studio = Studio(tiny, psi=0.8)
    sheet = class_sweep(studio, studio.seeds([7, 8]), "cedar", 0, steps=5)
    assert (sheet.rows, sheet.columns) == (("7", "8"), ("0", "0.25", "0.5", "0.75", "1"))
    ends = [tiny.latents([7, 8], label, 0.8) for label in (2, 0)]
    expected = np.concatenate([line(ends[0][i], ends[1][i], 5) for i in range(2)])
    np.testing.assert_allclose(sheet.points.latents, expected, atol=1e-6)
    pictures = studio.draw(sheet.points).reshape(2, 5, 16, 16, 3)
    same(pictures[:, 0], tiny.generate([7, 8], 2, 0.8))
    same(pictures[:, -1], tiny.generate([7, 8], 0, 0.8))


def test_a_class_sweep_without_w_is_the_straight_line_in_c(dcgan: Bundle) -> None:
    studio = Studio(dcgan)
    sheet = class_sweep(studio, studio.seeds([7, 8], 0), 1, 0, steps=3)
    np.testing.assert_array_equal(sheet.points.c, [[0, 1], [0.5, 0.5], [1, 0]] * 2)
    np.testing.assert_array_equal(sheet.points.latents, z_of(7, 7, 7, 8, 8, 8, size=10))
    pictures = studio.draw(sheet.points)
    same(pictures[[0, 3]], dcgan.generate([7, 8], 1))
    same(pictures[[2, 5]], dcgan.generate([7, 8], 0))


# ---------------------------------------------------------------------------------------------------------- sweeps


def test_a_coordinate_of_z(tiny: Bundle) -> None:
    studio = Studio(tiny)
    sheet = coordinate_sweep(studio, studio.seeds([5, 6], 1), [0, 3], (-2, 2), steps=3)
    assert sheet.rows == ("5@birch: z0", "5@birch: z3", "6@birch: z0", "6@birch: z3")
    assert sheet.columns == ("-2", "0", "2")
    z = np.repeat(z_of(5, 5, 6, 6, size=8), 3, axis=0)
    z[[0, 1, 2, 6, 7, 8], 0] = z[[3, 4, 5, 9, 10, 11], 3] = [-2, 0, 2] * 2
    np.testing.assert_array_equal(sheet.points.latents, z)
    same(studio.draw(sheet.points), tiny.draw(tiny.latents((), 1, z=z)))


def test_a_coordinate_of_w(tiny: Bundle, dcgan: Bundle) -> None:
    studio = Studio(tiny)
    sheet = coordinate_sweep(studio, studio.seeds([5], 1), [2], steps=2, space="w")
    ws = np.repeat(tiny.latents([5], 1), 2, axis=0)
    ws[0, :, 2], ws[1, :, 2] = -1, 1
    same(sheet.points.latents, ws)
    assert sheet.rows == ("5@birch: w2",)
    with pytest.raises(OptionError, match="these latents are in z, so no coordinate of w can be set"):
        coordinate_sweep(Studio(dcgan), Studio(dcgan).seeds([5], 1), [2], space="w")


def test_along_directions(digits: Bundle) -> None:
    studio, items = Studio(digits), digits.manifest.directions
    if items is None:
        pytest.skip("the digits have no directions")
    one, other = items.items[0], next(d for d in items.items if d.title and d.range != items.items[0].range)
    points = studio.seeds([5, 6], [3, 4])
    sheet = direction_sweep(studio, points, [one.name, other.title or ""], steps=3)
    assert sheet.rows[0] == f"5@3: {one.title or one.name}"
    ws, expected = digits.latents([5, 6], [3, 4]), []
    for row in ws:
        for direction in (one, other):
            for amount in np.linspace(*direction.range, 3):
                moved = row.astype(np.float64)
                moved[slice(*direction.layers)] += amount * digits.directions[direction.name]
                expected.append(moved)
    np.testing.assert_allclose(sheet.points.latents, expected, atol=1e-6)
    assert sheet.columns == ("-1 of the range", "0 of the range", "1 of the range")
    short = direction_sweep(studio, points, [one.name], (-1, 2), steps=4)
    assert short.columns == ("-1", "0", "1", "2")
    same(short.points.latents[[1, 5]], ws)
    with pytest.raises(OptionError, match="no direction is called 'smile'; this bundle has: "):
        direction_sweep(studio, points, ["smile"])


def test_along_a_direction_of_z(dcgan_bundle: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(dcgan_bundle, tmp_path / "dcgan"))
    update_directions(folder, DirectionOptions(count=1, previews=False))
    studio = Studio(open_bundle(folder))
    sheet = direction_sweep(studio, studio.seeds([5]), ["sefa-0"], steps=3)
    assert (sheet.rows, sheet.columns) == (("5: sefa-0",), ("-3", "0", "3"))
    expected = z_of(5, size=10) + [[-3], [0], [3]] * studio.bundle.directions["sefa-0"]
    same(sheet.points.latents, expected.astype(np.float32))
    same(studio.draw(sheet.points)[1:2], studio.bundle.generate([5]))


# ----------------------------------------------------------------------------------------------------------- walks


def test_a_walk_in_z_goes_along_the_arc(dcgan: Bundle, tiny: Bundle) -> None:
    studio = Studio(tiny)
    way = walk(studio, studio.seeds([1, 2, 3], 0), 4, loop=True)
    assert (way.space, len(way)) == ("z", 12)
    np.testing.assert_array_equal(way.latents[::4], z_of(1, 2, 3, size=8))
    a, b = z_of(1, 2, size=8).astype(np.float64)
    angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    middle = (a + b) * np.sin(angle / 2) / np.sin(angle)
    np.testing.assert_allclose(way.latents[2], middle, rtol=1e-5)
    same(studio.draw(way)[::4], tiny.generate([1, 2, 3], 0))
    assert way.seeds == (1,) * 12
    blend = walk(Studio(dcgan), Studio(dcgan).seeds([1, 2], [0, 1]), 4)
    np.testing.assert_array_equal(blend.c, line(np.asarray([1, 0]), np.asarray([0, 1]), 5))


def test_a_loop_comes_back_in_steps_like_the_others(tiny: Bundle) -> None:
    studio = Studio(tiny)
    way = walk(studio, studio.seeds([1, 2], 0), 8, loop=True).latents
    steps = np.linalg.norm(np.roll(way, -1, axis=0) - way, axis=1)
    assert steps.max() < 1.5 * steps.min()


def test_a_walk_through_classes_is_straight_in_w(tiny: Bundle) -> None:
    studio = Studio(tiny)
    keyframes = studio.seeds([1, 2], [0, 2])
    way = walk(studio, keyframes, 3)
    ws = tiny.latents([1, 2], [0, 2])
    assert way.space == "w"
    np.testing.assert_allclose(way.latents, line(ws[0], ws[1], 4), atol=1e-6)
    same = walk(studio, studio.seeds([1, 2], 0), 3, space="w")
    np.testing.assert_allclose(same.latents, line(*tiny.latents([1, 2], 0), 4), atol=1e-6)
    in_z = walk(studio, keyframes, 3, space="z")  # if it is asked for
    np.testing.assert_allclose(in_z.c, line(np.asarray([1, 0, 0]), np.asarray([0, 0, 1]), 4), atol=1e-6)
    assert in_z.space == "z"


def test_there_is_no_way_through_another_space(tiny: Bundle, dcgan: Bundle) -> None:
    with pytest.raises(OptionError, match="in z, so there is no way through w"):
        walk(Studio(dcgan), Studio(dcgan).seeds([1, 2], 0), 3, space="w")
    placed = Studio(tiny).placed(Studio(tiny).seeds([1, 2], 0))
    with pytest.raises(OptionError, match="in w, so there is no way through z"):
        walk(Studio(tiny), placed, 3, space="z")
    assert walk(Studio(tiny), placed, 3).space == "w"


# ------------------------------------------------------------------------------------------------- mixing and sums


def test_mixing_takes_the_rows_layers_and_shows_the_sources(tiny: Bundle, dcgan: Bundle) -> None:
    studio = Studio(tiny)
    sheet = mix(studio, studio.seeds([1, 2], 0), studio.seeds([3], 2), ["coarse", "fine", "1-4"])
    a, b = tiny.latents([1, 2], 0), tiny.latents([3], 2)[0]
    expected = [*a]
    for layers in ((0, 2), (4, 6), (1, 5)):  # of six
        mixed = a.copy()
        mixed[:, slice(*layers)] = b[slice(*layers)]
        expected += [b, *mixed]
    same(sheet.points.latents, np.asarray(expected))
    assert sheet.rows == ("", "coarse: 3@cedar", "fine: 3@cedar", "1-4: 3@cedar")
    assert sheet.columns == ("", "1@ash", "2@ash")
    pictures = studio.draw(sheet.points)
    whole = sheet.assemble(pictures)
    assert whole.shape == (4 * 16, 3 * 16, 3)
    assert (whole[:16, :16] == 255).all()
    same(whole[:16, 16:32], tiny.generate([1], 0)[0])
    same(whole[48:, :16], tiny.generate([3], 2)[0])
    with pytest.raises(OptionError, match="which layers come from the rows is not said"):
        mix(studio, studio.seeds([1], 0), studio.seeds([3], 2), [])
    with pytest.raises(OptionError, match="has no w space, and so no layers to mix"):
        mix(Studio(dcgan), Studio(dcgan).seeds([1], 0), Studio(dcgan).seeds([2], 0), ["coarse"])


def test_a_sum_of_seeds(tiny: Bundle, dcgan: Bundle) -> None:
    studio = Studio(tiny)
    sheet = signed_sum(studio, "12 - 7@cedar + 40@0", label="birch")
    same(sheet.points.latents[:3], tiny.latents([12, 7, 40], [1, 2, 0]))
    np.testing.assert_array_equal(sheet.points.latents[3:], arithmetic(*np.split(sheet.points.latents[:3], 3)))
    assert sheet.columns == ("12@birch", "7@cedar", "40@ash", "result")
    half = signed_sum(studio, "0.5*12 + .5*7", label=1).points.latents[-1]
    np.testing.assert_allclose(half, tiny.latents([12, 7], 1).mean(axis=0), atol=1e-6)
    in_z = signed_sum(Studio(dcgan), "1@ash - 2@ash + 3@birch").points
    np.testing.assert_allclose(in_z.latents[-1:], [[1, -1, 1]] @ z_of(1, 2, 3, size=10), atol=1e-6)
    np.testing.assert_array_equal(in_z.c, [[1, 0], [1, 0], [0, 1], [0, 1]])
    with pytest.raises(OptionError, match="which class 2 is of is not said, but that of others is"):
        signed_sum(Studio(dcgan), "1@ash - 2")


def test_a_sum_of_what_labelled_seeds_show(tiny: Bundle, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("seed,label,hat,long hair,age\n1,0,1,0,3\n2,1,1,1,4\n3,2,0,1,5\n4,0,0,0,6\n")
    table, studio = read_attributes(tmp_path / "a.csv"), Studio(tiny)
    ws = tiny.latents([1, 2, 3, 4], [0, 1, 2, 0]).astype(np.float64)
    sheet = signed_sum(studio, "3@ash - !hat + 'hat&long hair'", table)
    expected = tiny.latents([3], 0)[0] - ws[2:].mean(axis=0) + ws[1]
    np.testing.assert_allclose(sheet.points.latents[3], expected, atol=1e-6)
    assert sheet.columns == ("3@ash", "!hat", "hat&long hair", "result")
    for text, message in [
        ("3 - age", "'age' is a number: only columns of 0 and 1"),
        ("3 - 'hat&!hat'", "no labelled seed shows hat&!hat"),
        (
            "3 - beard",
            "'beard' is no seed, and no direction is called 'beard'; .*; the labelled seeds have: hat, long hair",
        ),
    ]:
        with pytest.raises(OptionError, match=message):
            signed_sum(studio, text, table, label=0)
    (tmp_path / "b.csv").write_text("seed,hat\n1,1\n2,1\n3,0\n")
    found = signed_sum(studio, "hat", read_attributes(tmp_path / "b.csv"), label=2).points.latents[0]
    np.testing.assert_allclose(found, tiny.latents([1, 2], 2).mean(axis=0), atol=1e-6)


def test_a_sum_with_directions(digits: Bundle) -> None:
    if digits.manifest.directions is None:
        pytest.skip("the digits have no directions")
    one = digits.manifest.directions.items[0]
    found = signed_sum(Studio(digits), f"5@3 - 2*{one.name} + {one.name}").points
    moved = digits.latents([5], 3).astype(np.float64)
    moved[:, slice(*one.layers)] -= digits.directions[one.name]
    np.testing.assert_allclose(found.latents, [digits.latents([5], 3)[0], moved[0]], atol=1e-6)


@pytest.mark.parametrize(
    "text", ["", "12 -", "- 12", "12 7", "12 - 7 + ", "12 * 7", "12 − 7", "12 - '7", "12 - ''", "12-7", "sefa-0"]
)
def test_sums_that_cannot_be_read(text: str, tiny: Bundle) -> None:
    with pytest.raises(OptionError):
        signed_sum(Studio(tiny), text, label=0)


# ---------------------------------------------------------------------------------------------------------- errors


def test_what_has_no_meaning(tiny: Bundle, dcgan_bundle: Path) -> None:
    studio, plain = Studio(tiny), Studio(open_bundle(dcgan_bundle))
    placed = studio.placed(studio.seeds([1], 0))
    for message, call in [
        ("this generator has no classes", lambda: every_class(plain, plain.seeds([1]))),
        ("no classes", lambda: class_sweep(plain, plain.seeds([1]), 0, 1)),
        ("ws have their class in them", lambda: every_class(studio, placed)),
        ("ws have their class in them", lambda: class_sweep(studio, placed, 0, 1)),
        ("class 'oak' is unknown", lambda: class_sweep(studio, studio.seeds([1]), "oak", 1)),
        ("this generator has 3 classes", lambda: studio.draw(studio.seeds([1]))),
        ("two steps at least, found 1", lambda: class_sweep(studio, studio.seeds([1]), 0, 1, steps=1)),
        ("finite number", lambda: coordinate_sweep(studio, studio.seeds([1], 0), [0], (0, np.inf))),
        ("coordinates go from 0 to 7, found 8", lambda: coordinate_sweep(studio, studio.seeds([1], 0), [8])),
        ("nothing to draw", lambda: coordinate_sweep(studio, studio.seeds([1], 0), [])),
        ("nothing to draw", lambda: studio.draw(studio.seeds([], 0))),
        ("no w space, so psi and cutoff mean nothing", lambda: Studio(plain.bundle, psi=0.5).draw(plain.seeds([1]))),
        ("a keyframe and a frame each", lambda: walk(studio, studio.seeds([1], 0), 0)),
        ("this bundle has: none", lambda: direction_sweep(studio, studio.seeds([1], 0), ["sefa-0"])),
    ]:
        with pytest.raises(OptionError, match=message):
            call()
