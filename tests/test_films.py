"""Films: every frame is there, for its time, with its colours; read back with Pillow and PyAV."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganexport import films
from ganexport.errors import MissingExtraError, OptionError, OutputExistsError
from ganexport.films import check_film, save_film

TEXT = {"ganexport": '{"seeds": "größe"}'}


def moving(channels: int, count: int = 7, size: int = 8) -> np.ndarray:
    """Smooth pictures of more than 256 colours together, but not in one: [N, size, size, C]."""
    places = np.arange(size * size * channels).reshape(size, size, channels)
    return np.stack([127.5 + 100 * np.sin(places / 50 + i) for i in range(count)]).astype(np.uint8)


def read(path: Path, mode: str) -> tuple[np.ndarray, list[int], str]:
    """Frames [N, H, W, C], how long each stays in ms, and the comment of a GIF or WebP."""
    frames, times = [], []
    with Image.open(path) as film:
        comment = film.info.get("comment", b"").decode() if path.suffix == ".gif" else film.getexif().get(0x010E, "")
        assert film.info["loop"] == 0
        for i in range(film.n_frames):  # type: ignore[attr-defined]
            film.seek(i)
            frames.append(np.asarray(film.convert(mode)))
            times.append(film.info["duration"])
    stacked = np.stack(frames)
    return stacked.reshape(*stacked.shape[:3], -1), times, comment


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_small_pictures_are_enlarged_and_keep_every_colour(kind: str, channels: int, mode: str, tmp_path: Path) -> None:
    pictures = moving(channels)
    save_film(iter(pictures), tmp_path / f"f.{kind}", fps=30, text=TEXT, least_side=20)
    frames, _, comment = read(tmp_path / f"f.{kind}", mode)
    expected = np.repeat(np.repeat(pictures, 3, axis=1), 3, axis=2)
    np.testing.assert_array_equal(frames, expected)
    assert comment == 'ganexport: {"seeds": "größe"}' if kind == "gif" else 'ganexport: {"seeds": "gr\\xf6\\xdfe"}'


def test_a_webp_keeps_what_is_transparent_and_a_gif_lays_it_on_white(tmp_path: Path) -> None:
    clear = moving(4)
    clear[..., 3] = 255 * (np.arange(8) % 2)[:, None]
    for kind in ("gif", "webp"):
        save_film(clear, tmp_path / f"f.{kind}", least_side=16)
    frames, _, _ = read(tmp_path / "f.webp", "RGBA")
    np.testing.assert_array_equal(frames[:, ::2, ::2, 3], clear[..., 3])
    frames, _, _ = read(tmp_path / "f.gif", "RGB")
    np.testing.assert_array_equal(frames[:, ::2, ::2], np.where(clear[..., 3:] == 255, clear[..., :3], 255))


def test_large_pictures_stay_as_large_as_they_are(tmp_path: Path) -> None:
    pictures = moving(3, 2, 64)[:, :40]
    for kind in ("gif", "webp"):
        save_film(pictures, tmp_path / f"f.{kind}", least_side=40)
        frames, _, _ = read(tmp_path / f"f.{kind}", "RGB")
        assert frames.shape == pictures.shape
        assert abs(frames.astype(int) - pictures).mean() < 4  # few colours, or lossy


@pytest.mark.parametrize("fps", [7, 12.5, 30, 50])
def test_frames_stay_for_their_time(fps: float, tmp_path: Path) -> None:
    pictures = moving(1, 21)
    for kind, tick in (("gif", 10), ("webp", 1)):
        save_film(pictures, tmp_path / f"f.{kind}", fps=fps, least_side=8)
        times = read(tmp_path / f"f.{kind}", "L")[1]
        assert abs(sum(times) - 21_000 / fps) <= tick / 2
        assert abs(np.asarray(times) - 1000 / fps).max() <= tick


def test_one_picture_is_a_film_too(tmp_path: Path) -> None:
    for kind in ("gif", "webp"):
        save_film(moving(3, 1), tmp_path / f"f.{kind}", least_side=8)
        with Image.open(tmp_path / f"f.{kind}") as film:
            assert film.size == (8, 8)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_mp4(channels: int, tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    size = 45  # odd: one more row and column
    pictures = np.repeat(np.repeat(moving(channels, 9, 9), 5, axis=1), 5, axis=2)
    pictures[..., 3:] = 255
    save_film(iter(pictures), tmp_path / "f.mp4", fps=12.5, text=TEXT, least_side=20)
    with av.open(str(tmp_path / "f.mp4")) as container:
        stream = container.streams.video[0]
        assert container.metadata["comment"] == 'ganexport: {"seeds": "größe"}'
        assert stream.average_rate == Fraction(25, 2)
        assert (stream.width, stream.height, stream.pix_fmt) == (46, 46, "yuv420p")
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert len(frames) == 9
    error = abs(frames[:, :size, :size].astype(int) - pictures[..., :3])
    assert error.mean() < 3  # colours at half the size


def test_mp4_without_the_extra_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r'pip install "ganexport\[video\]"; or choose .* \.gif or \.webp'):
        save_film(moving(1), tmp_path / "f.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "fps", "message"),
    [
        ("f.avi", 30, r"a film is a file that ends in \.gif, \.webp, \.mp4; found 'f\.avi'"),
        ("film", 30, r"found 'film'"),
        ("f.gif", 60, r"a \.gif plays 0.1 to 50 frames a second, found 60"),
        ("f.WEBP", 0, r"a \.webp plays 0.1 to 100 frames a second, found 0"),
        ("f.gif", 0.001, r"a \.gif plays 0.1 to 50 frames a second, found 0.001"),
        ("f.webp", float("nan"), "found nan"),
    ],
)
def test_what_is_no_film(name: str, fps: float, message: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=message):
        save_film(moving(1), tmp_path / name, fps=fps)
    assert not list(tmp_path.iterdir())


def test_no_frames_and_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="a film needs a frame at least"):
        save_film([], tmp_path / "f.gif")
    monkeypatch.setattr(films, "MOST_PIXELS", 64 * 6)
    save_film(moving(1, 6), tmp_path / "f.gif", least_side=8)
    for kind in ("gif", "webp"):
        with pytest.raises(OptionError, match=r"does not fit into memory: choose fewer frames, or \.mp4"):
            save_film(moving(1, 7), tmp_path / f"g.{kind}", least_side=8)
    assert [path.name for path in tmp_path.iterdir()] == ["f.gif"]


def test_a_film_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "f.gif"
    save_film(moving(1), path, least_side=8)
    before = path.read_bytes()

    def broken() -> Iterator[np.ndarray]:
        yield from moving(1)[:3]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_film(broken(), path)
    with pytest.raises(OutputExistsError):
        save_film(moving(1), path, force=False)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["f.gif"]


def test_a_name_is_checked_before_anything_is_drawn(tmp_path: Path) -> None:
    assert check_film(tmp_path / "f.GIF", 30) == ".gif"
    drawn = []

    def pictures() -> Iterator[np.ndarray]:
        drawn.append(1)
        yield moving(1)[0]

    with pytest.raises(OptionError):
        save_film(pictures(), tmp_path / "f.avi")
    assert not drawn
