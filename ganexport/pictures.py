"""Pixels: from a generator's float image to 8-bit pictures, grids and files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ganexport.atomic import atomic_path
from ganexport.errors import OptionError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "FORMATS",
    "PictureFormat",
    "check_picture",
    "described",
    "encode",
    "enlarge",
    "enlargement",
    "fit",
    "from_uint8",
    "grid",
    "grid_shape",
    "is_picture",
    "opaque",
    "picture_size",
    "read_picture",
    "read_text",
    "save_picture",
    "save_webp",
    "smaller",
    "to_image",
    "to_uint8",
]

Pixels = NDArray[np.uint8]
PictureFormat = Literal["png", "webp", "jpeg"]

FORMATS: tuple[PictureFormat, ...] = ("png", "webp", "jpeg")
"""PNG and WebP keep every pixel; JPEG does not."""
READABLE = ("PNG", "WEBP", "JPEG", "GIF")
"""Of whose files it is read where they come from, films among them."""
JPEG_QUALITY = 95
MAX_TEXT = 1 << 16
"""Of what a file says of itself."""
DESCRIPTION = 0x010E
"""The EXIF tag ImageDescription."""
MAX_PIXELS = 1 << 26
"""Of a file that is read."""
BAND = 256
"""Rows of a picture that are averaged at once, so that a large one needs little memory."""


def to_uint8(image: NDArray[np.floating], image_range: tuple[float, float]) -> Pixels:
    """Float image [N, C, H, W] -> uint8 pictures [N, H, W, C]: floor(clip((x − lo)·255/(hi − lo) + 0.5, 0, 255)).

    In the precision of `image`: float32 gives what `generator.onnx` and the browser give.
    """
    low, high = image_range
    kind = image.dtype.type
    levels = (image - kind(low)) * kind(255.0 / (high - low)) + kind(0.5)
    pixels: Pixels = np.floor(np.clip(levels, kind(0), kind(255))).astype(np.uint8)
    return pixels.transpose(0, 2, 3, 1)


def from_uint8(pictures: Pixels, image_range: tuple[float, float]) -> NDArray[np.float32]:
    """Pictures uint8 [N, H, W, C] -> image float32 [N, C, H, W], which an encoder takes: level·(hi − lo)/255 + lo."""
    low, high = image_range
    levels = pictures.transpose(0, 3, 1, 2).astype(np.float32)
    return levels * np.float32((high - low) / 255) + np.float32(low)


def fit(picture: Pixels, size: int, channels: int) -> Pixels:
    """Any picture as one of a generator's: its middle square, each pixel the mean of the area that it covers.

    Transparency lies on white; grey is 0.299 R + 0.587 G + 0.114 B. The page does the same to the last level.

    Args:
        picture: [H, W, C] with 1 (grey), 3 (RGB) or 4 (RGBA) channels, of any size.
        size: Height and width of the result.
        channels: Its channels: 1, 3 or 4.

    Returns:
        [size, size, channels]; a picture that fits already stays as it is.

    Raises:
        OptionError: It is no such picture.
    """
    if picture.ndim != 3 or picture.shape[2] not in (1, 3, 4) or 0 in picture.shape or picture.dtype != np.uint8:
        found = f"{picture.dtype} {list(picture.shape)}"
        raise OptionError(f"a picture must be uint8 [H, W, C] with 1, 3 or 4 channels; found {found}")
    height, width, _ = picture.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    covered = _overlaps(side, size)  # whole numbers, which float64 adds up exactly
    planes = np.zeros((channels, size, size))
    for row in range(0, side, BAND):
        levels = _with_channels(square[row : row + BAND].astype(np.int64), channels)
        across = levels.transpose(2, 0, 1).astype(np.float64) @ covered.T  # [C, BAND, size]
        planes += covered[:, row : row + BAND] @ across
    area = side * side
    means = (2 * planes.astype(np.int64) + area) // (2 * area)  # a half is rounded up
    fitted: Pixels = means.transpose(1, 2, 0).astype(np.uint8)
    return fitted


def _with_channels(levels: NDArray[np.int64], channels: int) -> NDArray[np.int64]:
    """Pixels [H, W, 1, 3 or 4] -> [H, W, channels], in whole numbers."""
    if levels.shape[2] == channels:
        return levels
    if levels.shape[2] == 4:
        alpha = levels[..., 3:]
        levels = (levels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    if channels == 1 and levels.shape[2] == 3:
        # 0.299, 0.587 and 0.114 in steps of 1 / 65536, as Pillow has them
        luma: NDArray[np.int64] = (levels @ np.array([[19595], [38470], [7471]]) + 32768) >> 16
        return luma
    if levels.shape[2] == 1 and channels > 1:
        levels = levels.repeat(3, axis=2)
    opaque = np.full((*levels.shape[:2], channels - levels.shape[2]), 255, np.int64)
    return np.concatenate([levels, opaque], axis=2)


def _overlaps(side: int, size: int) -> NDArray[np.float64]:
    """[size, side]: how much of each new pixel each old one covers, of `side` in all."""
    new, old = np.arange(size)[:, None], np.arange(side)[None]
    ends = np.minimum((new + 1) * side, (old + 1) * size) - np.maximum(new * side, old * size)
    overlaps: NDArray[np.float64] = np.maximum(ends, 0).astype(np.float64)
    return overlaps


def read_picture(path: Path, size: int, channels: int) -> Pixels:
    """A picture file, upright, as one of a generator's pictures: [size, size, channels]; see `fit`.

    Raises:
        OptionError: The file cannot be read as a picture, or is too large.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise OptionError(f"{path} is too large: {opened.width}×{opened.height} pixels")
            image: Image.Image = ImageOps.exif_transpose(opened)
            if image.mode.startswith(("I", "F")):
                raise OSError(f"its pixels are {image.mode}, expected 8 bits a channel")
            grey = "L" if image.mode in ("1", "L") else "RGB"
            pixels = np.asarray(image.convert("RGBA" if image.has_transparency_data else grey), np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise OptionError(f"{path} cannot be read as a picture: {error}") from None
    return fit(pixels.reshape(*pixels.shape[:2], -1), size, channels)


def grid_shape(count: int, text: str | None) -> tuple[int, int]:
    """(columns, rows) of a grid of `count` pictures, from text like `4x4`; about square without one.

    Raises:
        OptionError: The text says something else, or the grid is too small.
    """
    if text is None:
        columns = int(np.ceil(np.sqrt(count)))
        return columns, -(-count // columns)
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(p.isdecimal() and int(p) > 0 for p in parts):
        raise OptionError(f"a grid is written COLUMNSxROWS, for example 4x4; found {text!r}")
    columns, rows = int(parts[0]), int(parts[1])
    if columns * rows < count:
        raise OptionError(f"a grid of {text} holds {columns * rows} pictures, but there are {count}")
    return columns, rows


def grid(pictures: Pixels, columns: int, rows: int) -> Pixels:
    """Pictures [N, H, W, C] side by side, row by row; empty places are white: [rows·H, columns·W, C]."""
    n, h, w, c = pictures.shape
    full = np.full((rows * columns, h, w, c), 255, np.uint8)
    full[:n] = pictures
    tiled = full.reshape(rows, columns, h, w, c).transpose(0, 2, 1, 3, 4)  # [rows, H, columns, W, C]
    return tiled.reshape(rows * h, columns * w, c)


def encode(
    picture: Pixels, kind: PictureFormat, text: Mapping[str, str] = {}, *, lossless: bool = True, quick: bool = False
) -> bytes:
    """One picture [H, W, C] as the bytes of a file, the same ones every time.

    Args:
        picture: uint8 with 1 (grey), 3 (RGB) or 4 (RGBA) channels; a JPEG has it on white.
        kind: `png`, `webp` or `jpeg`.
        text: Where it comes from, by name: PNG's texts, or in the others EXIF's description in ASCII.
        lossless: Whether a WebP keeps every pixel.
        quick: Whether to take a third of the time for a PNG and a twentieth for a lossless WebP, and up to a quarter
            more bytes.

    Returns:
        The file's bytes.

    Raises:
        OptionError: There is no such format.
    """
    from PIL.PngImagePlugin import PngInfo

    file = BytesIO()
    comment = described("; ".join(f"{name}: {value}" for name, value in text.items()))
    if kind == "png":
        info = PngInfo()
        for name, value in text.items():
            info.add_text(name, value)
        to_image(picture).save(file, format="png", pnginfo=info, compress_level=1 if quick else 6)
    elif kind == "webp":
        effort = {"method": 0, "quality": 0} if quick and lossless else {}
        to_image(picture).save(file, format="webp", lossless=lossless, exact=lossless, exif=comment, **effort)
    elif kind == "jpeg":
        to_image(opaque(picture)).save(file, format="jpeg", quality=JPEG_QUALITY, subsampling=0, exif=comment)
    else:
        raise OptionError(f"a picture's format is {', '.join(FORMATS)}; found {kind!r}")
    return file.getvalue()


def read_text(path: Path, name: str) -> str | None:
    """What a picture or film file says of itself under a name, as `encode` put it there; None where it says nothing.

    Raises:
        OptionError: The file cannot be read as a picture.
    """
    with _opened(path) as image:
        found = image.info.get(name)  # a PNG's
        if not isinstance(found, str):
            comment = image.info.get("comment", b"")  # a GIF's
            described_as = image.getexif().get(DESCRIPTION, comment)
            whole = described_as.decode("utf-8", "replace") if isinstance(described_as, bytes) else str(described_as)
            head, _, rest = whole.partition(": ")
            found = rest if head == name else None
    if found is not None and len(found) > MAX_TEXT:
        raise OptionError(f"what {path} says of itself is too long: {len(found):,} characters")
    return found


@contextmanager
def _opened(path: Path) -> Iterator[Image]:
    """A picture file of a kind that `encode` writes, or a film, to be asked what it says; its pixels are not read."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is damaged in it: what can be read is read
            with Image.open(path, formats=READABLE) as image:
                yield image
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise OptionError(f"{path} cannot be read as a picture: {error}") from None


def is_picture(path: Path) -> bool:
    """Whether a file begins like a PNG, JPEG, GIF or WebP, whatever its name."""
    with path.open("rb") as file:
        head = file.read(12)
    return head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8")) or (head[:4], head[8:]) == (b"RIFF", b"WEBP")


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture file, in pixels.

    Raises:
        OptionError: The file cannot be read as a picture.
    """
    with _opened(path) as image:
        return image.width, image.height


def save_webp(picture: Pixels, path: Path, *, lossless: bool = True) -> None:
    """Write one picture [H, W, C] as WebP."""
    path.write_bytes(encode(picture, "webp", lossless=lossless))


def save_picture(picture: Pixels, path: Path, text: Mapping[str, str]) -> None:
    """Write one picture [H, W, C] with its provenance, whole or not at all: WebP where the name says so, else PNG.

    Raises:
        OptionError: The name ends like that of another format.
    """
    kind: PictureFormat = "webp" if check_picture(path) == ".webp" else "png"
    with atomic_path(path, force=True) as temporary:
        temporary.write_bytes(encode(picture, kind, text))


def check_picture(path: Path) -> str:
    """The ending of a picture's name, where such a picture can be written.

    Raises:
        OptionError: Another format is asked for.
    """
    kind = path.suffix.lower()
    if kind not in ("", ".png", ".webp"):
        raise OptionError(f"a picture is a file that ends in .png or .webp; found {path.name!r}")
    return kind


def described(text: str) -> bytes:
    """EXIF with a description, in ASCII as its rules want it; nothing without one."""
    from PIL.Image import Exif

    if not text:
        return b""
    exif = Exif()
    exif[DESCRIPTION] = text.encode("ascii", "backslashreplace").decode()
    return exif.tobytes()


def opaque(picture: Pixels) -> Pixels:
    """RGB, or grey as it is; what is transparent lies on white."""
    if picture.shape[2] != 4:
        return picture
    alpha = picture[:, :, 3:].astype(np.uint16)  # [H, W, 1]
    return ((picture[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def smaller(pictures: Pixels, size: int) -> Pixels:
    """Square pictures [N, H, W, C] no larger than `size`: [N, size, size, C], or as they are."""
    from PIL import Image

    if pictures.shape[1] <= size:
        return pictures
    resized = [np.asarray(to_image(one).resize((size, size), Image.Resampling.BOX)) for one in pictures]
    return np.stack(resized).reshape(len(pictures), size, size, -1)


def enlarge(picture: Pixels, factor: int) -> Pixels:
    """Each pixel of a picture [H, W, C] as a square, so that its colour stays what it was: [H·factor, W·factor, C]."""
    return picture.repeat(factor, axis=0).repeat(factor, axis=1) if factor > 1 else picture


def enlargement(picture: Pixels, side: int) -> int:
    """By which whole number to enlarge a picture [H, W, C] so that neither side is shorter than this."""
    return max(1, -(-side // int(min(picture.shape[:2]))))


def to_image(picture: Pixels) -> Image:
    """A picture [H, W, C] as Pillow has it."""
    from PIL import Image  # late: drawing needs no files

    return Image.fromarray(picture[:, :, 0] if picture.shape[2] == 1 else picture)
