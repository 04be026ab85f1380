"""Pictures that follow each other, as one file: GIF, WebP, or MP4 with the extra `video`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ganexport.atomic import atomic_path
from ganexport.errors import MissingExtraError, OptionError
from ganexport.pictures import described, enlarge, enlargement, opaque, to_image

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["FORMATS", "check_film", "save_film"]

Pixels = NDArray[np.uint8]

LEAST_SIDE = 256
"""A side that a moving picture should have, so that players show it well."""
MOST_PIXELS = 1 << 28
"""Of all frames of a GIF or WebP together, whose encoders want them all at once: 1 GiB at most."""
MOST_RATE = {".gif": 50, ".webp": 100, ".mp4": 120}
"""Frames a second; browsers slow a GIF down that is faster."""
LEAST_RATE = 0.1
"""Frames a second: a GIF counts a frame's hundredths of a second in 16 bits."""
CODECS = ("libx264", "libopenh264", "mpeg4")
"""The first that PyAV was built with."""
CRF = "16"
"""Quality of H.264: hardly to be told from the pictures."""


def save_film(
    frames: Iterable[Pixels],
    path: Path,
    *,
    fps: float = 30,
    text: Mapping[str, str] = {},
    least_side: int = LEAST_SIDE,
    force: bool = True,
) -> None:
    """Write a film, whole or not at all, in the format that the name ends in; GIF and WebP repeat for ever.

    A GIF has up to 256 colours a frame, its own, without dithering, which would flicker. A WebP of pictures that were
    enlarged is lossless. An MP4 (H.264) takes its frames one by one, however many.

    Args:
        frames: Pictures [H, W, C] of one size, such as a generator draws as they are asked for.
        path: Ends in .gif, .webp or .mp4.
        fps: Frames a second.
        text: Where the film comes from, by name; kept as a comment in the file.
        least_side: Smaller pictures are enlarged by a whole number until no side is shorter.
        force: Whether to replace an existing file.

    Raises:
        OptionError: There is no frame, another format is asked for, or too much of one.
        MissingExtraError: An MP4 without the extra `video`.
        OutputExistsError: The file exists and `force` is false.
    """
    kind = check_film(path, fps)
    first = next(pictures := iter(frames), None)
    if first is None:
        raise OptionError(f"{path}: a film needs a frame at least")
    factor = enlargement(first, least_side)
    large = (enlarge(one, factor) for one in chain([first], pictures))
    comment = "; ".join(f"{name}: {value}" for name, value in text.items())
    with atomic_path(path, force=force) as temporary:
        FORMATS[kind](large, temporary, fps, comment, factor > 1)


def check_film(path: Path, fps: float) -> str:
    """The ending of a film's name, where such a film can be written.

    Raises:
        OptionError: Another format is asked for, or too many or too few frames a second.
        MissingExtraError: An MP4 without the extra `video`.
    """
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise OptionError(f"a film is a file that ends in {', '.join(FORMATS)}; found {path.name!r}")
    if not LEAST_RATE <= fps <= MOST_RATE[kind]:
        raise OptionError(f"a {kind} plays {LEAST_RATE} to {MOST_RATE[kind]} frames a second, found {fps}")
    if kind == ".mp4":
        _pyav()
    return kind


def _save_gif(frames: Iterator[Pixels], path: Path, fps: float, comment: str, enlarged: bool) -> None:
    first, *others = (_few_colours(to_image(opaque(one))) for one in _limited(frames))
    first.save(
        path,
        format="gif",
        save_all=True,
        append_images=others,
        duration=[10 * hundredths for hundredths in _durations(1 + len(others), fps, 100)],
        loop=0,
        comment=comment.encode(),
        optimize=False,
    )


def _save_webp(frames: Iterator[Pixels], path: Path, fps: float, comment: str, enlarged: bool) -> None:
    first, *others = (to_image(one) for one in _limited(frames))
    first.save(
        path,
        format="webp",
        save_all=True,
        append_images=others,
        duration=_durations(1 + len(others), fps, 1000),
        loop=0,
        exif=described(comment),
        lossless=enlarged,
        quality=50 if enlarged else 90,  # of a lossless one it is the effort
        method=4,
    )


def _save_mp4(frames: Iterator[Pixels], path: Path, fps: float, comment: str, enlarged: bool) -> None:
    av = _pyav()
    first = _even(opaque(next(frames)))
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        container.metadata["comment"] = comment
        codec = next(name for name in CODECS if name in av.codecs_available)
        stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
        stream.height, stream.width, stream.pix_fmt = *first.shape[:2], "yuv420p"
        stream.options = {"crf": CRF} if codec == "libx264" else {}
        context, bt709 = stream.codec_context, av.video.reformatter.Colorspace.ITU709
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1
        for one in chain([first], (_even(opaque(one)) for one in frames)):
            frame = av.VideoFrame.from_ndarray(one, format="rgb24")
            container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace=bt709)))
        container.mux(stream.encode())


FORMATS: dict[str, Callable[[Iterator[Pixels], Path, float, str, bool], None]] = {
    ".gif": _save_gif,
    ".webp": _save_webp,
    ".mp4": _save_mp4,
}
"""By the ending of a name: what writes enlarged frames [H, W, C] at so many a second, with a comment."""


def _pyav() -> Any:
    try:
        import av
    except ImportError:
        raise MissingExtraError(
            'MP4 needs PyAV: pip install "ganexport[video]"; or choose a name that ends in .gif or .webp'
        ) from None
    return av


def _limited(frames: Iterator[Pixels]) -> Iterator[Pixels]:
    """The frames, as long as they are not too many to be kept."""
    pixels = 0
    for one in frames:
        pixels += one.shape[0] * one.shape[1]
        if pixels > MOST_PIXELS:
            raise OptionError(
                f"a GIF or WebP of more than {MOST_PIXELS >> 20} million pixels does not fit into memory: "
                "choose fewer frames, or .mp4"
            )
        yield one


def _durations(count: int, fps: float, ticks: int) -> list[int]:
    """How long each frame stays, in ticks of which a second has so many: they add up to the whole."""
    ends = np.round(np.arange(count + 1) * ticks / fps).astype(int)
    return [int(length) for length in np.diff(ends)]


def _few_colours(image: Image) -> Image:
    from PIL.Image import Dither

    return image if image.mode == "L" else image.quantize(256, dither=Dither.NONE)


def _even(picture: Pixels) -> Pixels:
    """RGB of even height and width, as the codecs want it: the last row or column comes twice."""
    height, width, channels = picture.shape
    padded = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(np.broadcast_to(padded, (*padded.shape[:2], 3)) if channels == 1 else padded)
