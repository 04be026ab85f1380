"""Pixels, grids and picture files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.generators import oracle_pixels

from ganexport.errors import OptionError
from ganexport.pictures import fit, from_uint8, grid, grid_shape, save_picture, save_webp, to_uint8

RANGE = (-1.0, 1.0)


# ---------------------------------------------------------------------------------------------------------- pixels


def one(*values: float, kind: type[np.floating] = np.float64) -> np.ndarray:
    return np.asarray(values, kind).reshape(1, 1, 1, -1)


def test_pixel_rule_is_nvidias_in_float64() -> None:
    image = np.random.default_rng(0).uniform(-1.3, 1.3, (4, 3, 64, 64))
    np.testing.assert_array_equal(to_uint8(image, RANGE), oracle_pixels(image))
    every_step = np.arange(-300, 301) / 128  # among them all of the steps' exact edges that a float can hold
    np.testing.assert_array_equal(to_uint8(one(*every_step), RANGE), oracle_pixels(one(*every_step)))


def test_pixel_rule_is_nvidias_in_float32_but_for_rounding_at_the_edges() -> None:
    image = np.random.default_rng(0).uniform(-1.3, 1.3, (8, 3, 64, 64)).astype(np.float32)
    found, expected = to_uint8(image, RANGE).astype(int), oracle_pixels(image).astype(int)
    assert abs(found - expected).max() <= 1
    assert (found != expected).mean() < 1e-4


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_pixels_at_the_ends_and_beyond(kind: type[np.floating]) -> None:
    values = (-1e30, -2, -1, -0.999, 0, 0.999, 1, 2, 1e30)
    found = to_uint8(one(*values, kind=kind), RANGE)[0, 0, :, 0].tolist()
    assert found == [0, 0, 0, 0, 128, 255, 255, 255, 255]
    assert to_uint8(one(-np.inf, np.inf, kind=kind), RANGE)[0, 0, :, 0].tolist() == [0, 255]


@pytest.mark.parametrize("image_range", [(0.0, 1.0), (-0.5, 0.5), (0.0, 255.0), (-1.0, 3.0)])
def test_pixels_of_another_range(image_range: tuple[float, float]) -> None:
    low, high = image_range
    shares = np.asarray([-0.1, 0, 0.25, 0.5, 1, 1.1])
    found = to_uint8(one(*(low + shares * (high - low))), image_range)[0, 0, :, 0].tolist()
    assert found == [0, 0, 64, 128, 255, 255]


def test_every_level_survives_the_way_there_and_back() -> None:
    levels = np.arange(256)
    image = (levels / 255 * 2 - 1).astype(np.float32).reshape(1, 1, 16, 16)
    np.testing.assert_array_equal(to_uint8(image, RANGE).ravel(), levels)


def test_channels_go_last() -> None:
    image = np.zeros((2, 3, 4, 5), np.float32)
    image[1, 2, 3, 4] = 1
    pixels = to_uint8(image, RANGE)
    assert pixels.shape == (2, 4, 5, 3)
    assert pixels.dtype == np.uint8
    assert pixels[1, 3, 4, 2] == 255
    assert (pixels == 255).sum() == 1


# -------------------------------------------------------------------------------------------- pictures of any size


def random_picture(height: int, width: int, channels: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize("image_range", [(-1.0, 1.0), (0.0, 1.0), (-0.7, 2.3)])
def test_levels_come_back(image_range: tuple[float, float]) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    np.testing.assert_array_equal(to_uint8(from_uint8(levels, image_range), image_range), levels)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_fits_stays(channels: int) -> None:
    picture = random_picture(8, 8, channels)
    np.testing.assert_array_equal(fit(picture, 8, channels), picture)


@pytest.mark.parametrize(("side", "size"), [(8, 4), (9, 4), (7, 5), (3, 8), (1, 4), (260, 3)])
def test_a_pixel_is_the_mean_of_what_it_covers(side: int, size: int) -> None:
    picture = random_picture(side, side, 1)
    fine = picture.repeat(size, axis=0).repeat(size, axis=1).astype(np.int64)  # a new pixel is side x side of these
    sums = fine.reshape(size, side, size, side).sum(axis=(1, 3))
    expected = [[int(total / side**2 + 0.5) for total in row] for row in sums.tolist()]
    np.testing.assert_array_equal(fit(picture, size, 1)[:, :, 0], expected)


@pytest.mark.parametrize(("height", "width", "rows", "columns"), [(6, 9, (0, 6), (1, 7)), (5, 4, (0, 4), (0, 4))])
def test_the_middle_counts(height: int, width: int, rows: tuple[int, int], columns: tuple[int, int]) -> None:
    picture = random_picture(height, width, 3)
    middle = picture[slice(*rows), slice(*columns)]
    np.testing.assert_array_equal(fit(picture, len(middle), 3), middle)


def test_channels() -> None:
    colour, clear = random_picture(16, 16, 3), random_picture(16, 16, 4)
    np.testing.assert_array_equal(fit(colour, 16, 1)[:, :, 0], np.asarray(Image.fromarray(colour).convert("L")))
    np.testing.assert_array_equal(fit(colour, 16, 4), np.asarray(Image.fromarray(colour).convert("RGBA")))
    np.testing.assert_array_equal(fit(colour[:, :, :1], 16, 3), colour[:, :, :1].repeat(3, axis=2))
    on_white = Image.alpha_composite(Image.new("RGBA", (16, 16), "white"), Image.fromarray(clear)).convert("RGB")
    assert abs(fit(clear, 16, 3).astype(int) - np.asarray(on_white)).max() <= 1  # Pillow rounds more than once


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 2), (0, 8, 3)])
def test_what_is_no_picture(shape: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match=r"must be uint8 \[H, W, C\] with 1, 3 or 4 channels; found uint8 \["):
        fit(np.zeros(shape, np.uint8), 4, 1)


# ----------------------------------------------------------------------------------------------------------- grids


def test_a_grid_is_filled_row_by_row_and_the_rest_is_white() -> None:
    pictures = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((5, 2, 3, 1), np.uint8)
    tiled = grid(pictures, 3, 2)
    assert tiled.shape == (4, 9, 1)
    np.testing.assert_array_equal(tiled[::2, ::3, 0], [[0, 1, 2], [3, 4, 255]])
    np.testing.assert_array_equal(tiled[1::2, 2::3, 0], [[0, 1, 2], [3, 4, 255]])


def test_a_picture_in_a_grid_stays_itself() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), np.uint8)
    np.testing.assert_array_equal(grid(pictures, 2, 2)[5:, 6:], pictures[3])


@pytest.mark.parametrize(
    ("count", "text", "shape"),
    [
        (16, None, (4, 4)),
        (1, None, (1, 1)),
        (5, None, (3, 2)),
        (7, None, (3, 3)),
        (6, "3x2", (3, 2)),
        (6, "2X3", (2, 3)),
        (5, "10x1", (10, 1)),
    ],
)
def test_shape_of_a_grid(count: int, text: str | None, shape: tuple[int, int]) -> None:
    assert grid_shape(count, text) == shape


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4",
        "x",
        "4x",
        "4x4x4",
        "0x4",
        "-1x4",
        "4.0x4",
        "axb",
        " 4x4",
        pytest.param("²x4"),
    ],
)
def test_a_grid_that_is_none(text: str) -> None:
    with pytest.raises(OptionError, match="a grid is written COLUMNSxROWS, for example 4x4; found"):
        grid_shape(4, text)


def test_a_grid_that_is_too_small() -> None:
    with pytest.raises(OptionError, match="a grid of 2x2 holds 4 pictures, but there are 5"):
        grid_shape(5, "2x2")


# ----------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_picture_files_are_lossless(tmp_path: Path, channels: int, mode: str) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    if channels == 4:
        picture[..., 3] = 200  # WebP may drop the colour under what cannot be seen
    save_picture(picture, tmp_path / "p.png", {"ganexport": '{"seeds": "1"}', "name": "größe"})
    save_webp(picture, tmp_path / "p.webp")
    with Image.open(tmp_path / "p.png") as png:
        assert png.mode == mode
        assert png.text == {"ganexport": '{"seeds": "1"}', "name": "größe"}  # type: ignore[attr-defined]
        np.testing.assert_array_equal(np.asarray(png).reshape(picture.shape), picture)
    with Image.open(tmp_path / "p.webp") as webp:
        seen = np.asarray(webp.convert(mode)).reshape(picture.shape)
    np.testing.assert_array_equal(seen, picture)


def test_another_format_is_not_written_under_its_name(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"ends in .png or .webp; found 'p.jpg'"):
        save_picture(np.zeros((2, 2, 1), np.uint8), tmp_path / "p.jpg", {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["p.png", "p.WEBP", "p"])
def test_a_picture_keeps_where_it_comes_from_in_either_format(name: str, tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    save_picture(picture, tmp_path / name, {"ganexport": '{"model": "B\u00e4ume"}'})
    with Image.open(tmp_path / name) as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), picture)
        if name == "p.WEBP":
            assert image.format == "WEBP"
            assert image.getexif()[0x010E] == 'ganexport: {"model": "B\\xe4ume"}'
        else:
            assert image.text == {"ganexport": '{"model": "B\u00e4ume"}'}  # type: ignore[attr-defined]
    save_webp(picture, tmp_path / "plain.webp")
    assert b"EXIF" not in (tmp_path / "plain.webp").read_bytes()
