"""Pictures that say where they come from, and are drawn again from that."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganexport import open_bundle
from ganexport.bundle import Bundle
from ganexport.errors import OptionError
from ganexport.manifest import MANIFEST_NAME
from ganexport.picture_origin import Origin, draw_again, encode_picture, origin_of, read_facts, read_origin
from ganexport.pictures import FORMATS, encode

DIGEST = "0123456789abcdef" * 4
ORIGIN = Origin(bundle_digest=DIGEST, bundle_name="Bäume", seed=2**32 - 1, label=2, psi=0.7, cutoff=3, noise="none")


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return open_bundle(tiny_bundle)


def picture(channels: int) -> np.ndarray:
    return np.random.default_rng(channels).integers(0, 256, (16, 16, channels), np.uint8)


def test_the_digest_is_the_manifests(tiny: Bundle, tiny_bundle: Path) -> None:
    assert tiny.digest == hashlib.sha256((tiny_bundle / MANIFEST_NAME).read_bytes()).hexdigest()
    assert tiny.name == "tiny"


def test_text_is_json_and_comes_back() -> None:
    text = ORIGIN.to_text()
    assert text.isascii()
    assert json.loads(text) == {
        "bundle_digest": DIGEST,
        "bundle_name": "Bäume",
        "seed": 4294967295,
        "label": 2,
        "psi": 0.7,
        "cutoff": 3,
        "noise": "none",
    }
    assert Origin.from_text(text) == ORIGIN
    least = Origin(bundle_digest=DIGEST, bundle_name="a", seed=0)
    assert Origin.from_text(least.to_text()) == least


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_each_format_carries_it(name: str, channels: int, tmp_path: Path) -> None:
    pixels = picture(channels)
    data = encode_picture(pixels, name, ORIGIN)  # type: ignore[arg-type]
    assert data == encode_picture(pixels.copy(), name, ORIGIN)  # type: ignore[arg-type]
    (tmp_path / "p").write_bytes(data)
    assert read_origin(tmp_path / "p") == ORIGIN
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format or "").lower() == name
        mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
        seen = np.asarray(image.convert("RGB" if name == "jpeg" and channels == 4 else mode))
    if name != "jpeg":
        np.testing.assert_array_equal(seen.reshape(pixels.shape), pixels)  # under what is transparent too


def test_a_jpeg_is_near_and_has_transparency_on_white() -> None:
    flat = np.full((16, 16, 4), (200, 40, 90, 51), np.uint8)
    with Image.open(io.BytesIO(encode_picture(flat, "jpeg"))) as image:
        seen = np.asarray(image, int)
    white = np.array([255, 255, 255]) * 0.8 + np.array([200, 40, 90]) * 0.2
    assert abs(seen - white).max() <= 2


def test_another_programs_reader_finds_the_text(tmp_path: Path) -> None:
    """PNG's text chunk and EXIF's description, as their documents lay them out."""
    text = ORIGIN.to_text().encode()
    png = encode_picture(picture(3), "png", ORIGIN)
    at = png.index(b"tEXtganexport\0")
    length = int.from_bytes(png[at - 4 : at], "big")
    assert png[at + 4 : at + 4 + length] == b"ganexport\0" + text
    assert at < png.index(b"IDAT")
    for name in ("jpeg", "webp"):
        data = encode_picture(picture(3), name, ORIGIN)  # type: ignore[arg-type]
        tiff = data[data.index(b"MM\0*" if b"MM\0*" in data else b"II*\0") :]
        order = "big" if tiff[:2] == b"MM" else "little"
        number = lambda start, size: int.from_bytes(tiff[start : start + size], order)  # type: ignore[arg-type]  # noqa: B023, E731
        entry = number(4, 4) + 2
        assert (number(entry, 2), number(entry + 2, 2)) == (0x010E, 2)
        start, count = number(entry + 8, 4), number(entry + 4, 4)
        assert tiff[start : start + count] == b"ganexport: " + text + b"\0"


def test_another_format_is_refused() -> None:
    with pytest.raises(OptionError, match="a picture's format is png, webp, jpeg; found 'bmp'"):
        encode_picture(picture(3), "bmp")  # type: ignore[arg-type]


# -------------------------------------------------------------------------------------------------------- drawn again


@pytest.mark.parametrize(
    "arguments",
    [
        {"seed": 5, "label": "birch", "psi": 0.4, "cutoff": 2, "noise": "none"},
        {"seed": np.int64(7), "label": np.int64(2)},
    ],
)
def test_a_picture_is_drawn_again(
    arguments: dict[str, object], tiny: Bundle, tiny_bundle: Path, tmp_path: Path
) -> None:
    given = dict(arguments)
    expected = tiny.generate([given.pop("seed")], **given)[0]  # type: ignore[list-item, arg-type]
    (tmp_path / "p.webp").write_bytes(encode_picture(expected, "webp", origin_of(tiny, **arguments)))  # type: ignore[arg-type]
    found = read_origin(tmp_path / "p.webp")
    assert (found.bundle_name, found.bundle_digest) == ("tiny", tiny.digest)
    np.testing.assert_array_equal(draw_again(open_bundle(tiny.path), found), expected)


def test_what_is_left_out_is_the_bundles_default(tiny: Bundle, dcgan_bundle: Path) -> None:
    made = origin_of(tiny, 1, 0)
    assert (made.psi, made.cutoff, made.noise) == (tiny.manifest.defaults.truncation_psi, None, "const")
    plain = origin_of(open_bundle(dcgan_bundle), 1)
    assert (plain.label, plain.psi, plain.noise) == (None, None, "none")
    np.testing.assert_array_equal(
        draw_again(open_bundle(dcgan_bundle), plain), open_bundle(dcgan_bundle).generate([1])[0]
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1, "label": 0}, "a seed is a whole number from 0"),
        ({"seed": 1}, "this generator has 3 classes: say which"),
        ({"seed": 1, "label": "oak"}, "class 'oak' is unknown"),
        ({"seed": 1, "label": 0, "psi": float("nan")}, "psi must be a finite number"),
        ({"seed": 1, "label": 0, "cutoff": -1}, "cutoff counts layers from 0"),
        ({"seed": 1, "label": 0, "noise": "some"}, "noise: Input should be 'const', 'none' or 'random'"),
    ],
)
def test_what_generate_refuses_has_no_origin(arguments: dict[str, Any], message: str, tiny: Bundle) -> None:
    with pytest.raises(OptionError, match=message):
        origin_of(tiny, **arguments)


def test_another_bundle_is_refused(tiny: Bundle, tiny_bundle: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(tiny_bundle, tmp_path / "other"))
    text = (other / MANIFEST_NAME).read_text(encoding="utf-8")
    (other / MANIFEST_NAME).write_text(text.replace('"name": "tiny"', '"name": "tony"'), encoding="utf-8")
    with pytest.raises(OptionError, match=rf"drawn with 'tiny', {tiny.digest[:12]}…; .*other is 'tony'"):
        draw_again(open_bundle(other), origin_of(tiny, 1, 0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is a JSON object; found '{'"),
        ("[1]", r"is a JSON object; found '\[1\]'"),
        (json.dumps({"seed": 1}), "bundle_digest: Field required"),
        (ORIGIN.to_text().replace("4294967295", "4294967296"), "seed: Input should be less than 4294967296"),
        (ORIGIN.to_text().replace("0.7", "NaN"), "psi: Input should be a finite number"),
        (ORIGIN.to_text().replace('"noise"', '"noises"'), "noises: Extra inputs are not permitted"),
        ("[" * 100_000, "is a JSON object"),
    ],
)
def test_a_text_that_is_no_origin(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=message):
        Origin.from_text(text)
    (tmp_path / "p.png").write_bytes(encode(picture(1), "png", {"ganexport": text}))
    with pytest.raises(OptionError):
        read_origin(tmp_path / "p.png")


def test_files_that_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "plain.png").write_bytes(encode(picture(3), "png", {"name": "x"}))
    (tmp_path / "other.jpeg").write_bytes(encode(picture(3), "jpeg", {"camera": "x: y"}))
    for name in ("plain.png", "other.jpeg"):
        with pytest.raises(OptionError, match="does not say where it comes from"):
            read_facts(tmp_path / name)
    (tmp_path / "sheet.webp").write_bytes(encode(picture(3), "webp", {"ganexport": '{"seeds": "0-3"}'}))
    assert read_facts(tmp_path / "sheet.webp") == {"seeds": "0-3"}
    with pytest.raises(OptionError, match="is not a single picture of a seed; it says seeds"):
        read_origin(tmp_path / "sheet.webp")
    (tmp_path / "no.png").write_bytes(b"no picture")
    with pytest.raises(OptionError, match="cannot be read as a picture"):
        read_facts(tmp_path / "no.png")
    (tmp_path / "large.png").write_bytes(encode(picture(1), "png", {"ganexport": "x" * 70_000}))
    with pytest.raises(OptionError, match="too long: 70,000 characters"):
        read_facts(tmp_path / "large.png")


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_is_refused_or_read_but_nothing_else(name: str, tmp_path: Path) -> None:
    whole, random = encode_picture(picture(3), name, ORIGIN), np.random.default_rng(5)  # type: ignore[arg-type]
    read = refused = 0
    for i in range(300):
        data = bytearray(whole)
        for at in random.integers(0, len(data) if i % 2 else 400, 3):
            data[at] = random.integers(0, 256)
        (tmp_path / "p").write_bytes(data[: random.integers(1, len(data))] if i % 5 == 0 else data)
        try:
            read_origin(tmp_path / "p")
            read += 1
        except OptionError:
            refused += 1
    assert read > 30
    assert refused > 30
