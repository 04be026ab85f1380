"""A bundle in somebody's service: threads, a memory limit, mixing and walking."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest

from ganexport import bundle as bundle_module
from ganexport import open_bundle
from ganexport.bundle import Bundle
from ganexport.convert import ConvertOptions
from ganexport.errors import OptionError
from ganexport.exporters import ExportOptions
from ganexport.generator import Generator
from ganexport.latents import slerp, z_from_seeds
from ganexport.memory import bytes_needed
from ganexport.play import Studio
from ganexport.play import walk as play_walk
from ganexport.runtimes.onnxruntime import OnnxSession

THREADS = 16


@pytest.fixture(scope="module")
def noisy_bundle(tiny_generator: Generator, bundle_of: Callable[..., Path]) -> Path:
    """`tiny_generator` with noise as inputs, drawn from the seed."""
    return bundle_of(tiny_generator, "noisy", ConvertOptions(targets=("onnx",), export=ExportOptions(noise="random")))


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return open_bundle(tiny_bundle)


# --------------------------------------------------------------------------------------------------------- threads


def test_threads_share_a_bundle_and_open_each_graph_once(digits_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: Counter[str] = Counter()

    class Slow(OnnxSession):
        def __init__(self, path: Path, *arguments: Any) -> None:
            opened[path.name] += 1
            time.sleep(0.05)  # so that the others come while it opens
            super().__init__(path, *arguments)

    alone = open_bundle(digits_bundle)
    expected = alone.generate(range(THREADS), 3)
    found_alone = alone.encode(expected[:2]).latents
    monkeypatch.setattr(bundle_module, "OnnxSession", Slow)
    shared, start = open_bundle(digits_bundle), Barrier(THREADS)
    assert not opened  # lazy: nothing is loaded before it is needed

    def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
        start.wait()
        for _ in range(5):
            picture = shared.generate([seed], 3)[0]
        return picture, shared.encode(expected[:2]).latents

    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(drawn, range(THREADS)))
    assert opened == {"mapping.onnx": 1, "synthesis.onnx": 1, "encoder.onnx": 1}
    for (picture, latents), one in zip(results, expected, strict=True):
        assert abs(picture.astype(int) - one.astype(int)).max() <= 1
        np.testing.assert_allclose(latents, found_alone, atol=1e-4)


# ---------------------------------------------------------------------------------------------------------- memory


def test_batches_keep_within_the_limit_and_are_the_same_pictures(
    tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = open_bundle(tiny_bundle)
    expected = whole.generate(range(7), 1)
    bundle = open_bundle(tiny_bundle, memory_limit=bytes_needed(whole.manifest.spec, 3) + 1)
    assert (whole.a_run, bundle.a_run) == (1024, 3)
    sizes: list[int] = []
    run = OnnxSession.run

    def counted(self: OnnxSession, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        sizes.append(len(feeds["ws"] if "ws" in feeds else feeds["z"]))
        return run(self, feeds)

    monkeypatch.setattr(OnnxSession, "run", counted)
    assert abs(bundle.generate(range(7), 1).astype(int) - expected.astype(int)).max() <= 1
    assert sizes == [7, 3, 3, 1]  # the mapping, which needs little, then three runs
    assert len(list(bundle.walk([1, 2], 4, 0))) == 5
    assert sizes[4:] == [5, 3, 2]
    assert open_bundle(tiny_bundle, memory_limit=1).a_run == 1


def test_pictures_to_encode_are_split_too(digits_bundle: Path) -> None:
    pictures = open_bundle(digits_bundle).generate(range(5), 4)
    whole = open_bundle(digits_bundle)
    found = whole.encode(pictures)
    limited = open_bundle(digits_bundle, memory_limit=bytes_needed(whole.manifest.spec, 2))
    assert limited.a_run == 2
    split = limited.encode(pictures)
    np.testing.assert_allclose(split.latents, found.latents, atol=1e-4)
    assert split.labels == found.labels == [4] * 5
    none = open_bundle(digits_bundle).encode(pictures[:0])
    assert (len(none.latents), none.labels) == (0, [])


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_of_nothing(limit: int, tiny_bundle: Path) -> None:
    with pytest.raises(OptionError, match=rf"a number of bytes, such as 2 \* 10\*\*9; found {limit}"):
        open_bundle(tiny_bundle, memory_limit=limit)


def test_noise_of_seeds_does_not_depend_on_the_split(noisy_bundle: Path) -> None:
    whole = open_bundle(noisy_bundle)
    expected = whole.generate(range(5), 1, noise="random")
    limited = open_bundle(noisy_bundle, memory_limit=bytes_needed(whole.manifest.spec, 2))
    split = limited.generate(range(5), 1, noise="random")
    assert abs(split.astype(int) - expected.astype(int)).max() <= 1
    quiet = open_bundle(noisy_bundle).generate(range(5), 1, noise="none")
    assert not np.array_equal(quiet, expected)


def test_seeds_that_are_not_one_a_picture(tiny: Bundle) -> None:
    with pytest.raises(OptionError, match="2 pictures have 2 seeds, found 3"):
        tiny.draw(tiny.latents([1, 2], 0), seeds=[1, 2, 3])


# ---------------------------------------------------------------------------------------------------- mix and walk


def test_mixing_takes_the_layers_of_the_donors(tiny: Bundle) -> None:
    num_ws = tiny.manifest.spec.num_ws
    ws, donors = tiny.latents([1, 2], 0, 0.8), tiny.latents([3, 4], "birch", 0.8)
    ws[:, 1:3] = donors[:, 1:3]
    expected = tiny.draw(ws)
    np.testing.assert_array_equal(tiny.mix([1, 2], [3, 4], "1-2", 0, 0.8, donor_label="birch"), expected)
    np.testing.assert_array_equal(tiny.mix([1, 2], [3, 4], (1, 3), 0, 0.8, donor_label="birch"), expected)
    np.testing.assert_array_equal(tiny.mix([1, 2], [3, 4], "all", 0), tiny.generate([3, 4], 0))
    assert not np.array_equal(expected, tiny.generate([1, 2], 0, 0.8))
    one_for_all = tiny.mix([1], [3, 4, 5], (0, num_ws - 1), 2)
    for picture, donor in zip(one_for_all, (3, 4, 5), strict=True):
        single = tiny.mix([1], [donor], (0, num_ws - 1), 2)[0]
        assert abs(picture.astype(int) - single.astype(int)).max() <= 1


@pytest.mark.parametrize(
    ("donors", "layers", "message"),
    [
        ((3,), "fine-ish", "found 'fine-ish'"),
        ((3,), (2, 99), "found 2 up to 99"),
        ((3, 4, 5), "all", "do not go together"),
    ],
)
def test_mixing_that_means_nothing(donors: tuple[int, ...], layers: Any, message: str, tiny: Bundle) -> None:
    with pytest.raises(OptionError, match=message):
        tiny.mix([1, 2], donors, layers, 0)


def test_mixing_needs_a_w_space(dcgan_bundle: Path) -> None:
    with pytest.raises(OptionError, match="a dcgan generator has no w space, so there are no layers to mix"):
        open_bundle(dcgan_bundle).mix([1], [2])


@pytest.mark.parametrize("loop", [False, True])
@pytest.mark.parametrize("label", [1, [0, 2, 0]])
def test_a_walk_is_that_of_the_command_line(loop: bool, label: Any, tiny: Bundle) -> None:
    studio = Studio(tiny, psi=0.7)
    points = play_walk(studio, studio.seeds([1, 5, 9], label), 3, loop=loop)
    frames = list(tiny.walk([1, 5, 9], 3, label, 0.7, loop=loop))
    assert len(frames) == (9 if loop else 7)
    np.testing.assert_array_equal(np.stack(frames), studio.draw(points))
    np.testing.assert_array_equal(frames[3], tiny.generate([5], label if label == 1 else 2, 0.7)[0])


def test_a_walk_without_a_w_space_blends_classes_straight(conditional_dcgan_bundle: Path) -> None:
    bundle = open_bundle(conditional_dcgan_bundle)
    frames = list(bundle.walk([1, 2], 4, [0, 1]))
    z = z_from_seeds([1, 2], bundle.manifest.spec.z_dim)
    middle = bundle.draw(slerp(z[:1], z[1:], 0.25), np.asarray([[0.75, 0.25]], np.float32))[0]
    assert abs(frames[1].astype(int) - middle.astype(int)).max() <= 1


def test_a_walk_keeps_the_noise_of_its_first_seed(noisy_bundle: Path) -> None:
    bundle = open_bundle(noisy_bundle)
    frames = list(bundle.walk([4, 6], 1, 0))
    ws = bundle.latents([4, 6], 0)
    np.testing.assert_array_equal(np.stack(frames), bundle.draw(ws, seeds=[4, 4]))


def test_a_walk_that_leads_nowhere(tiny: Bundle) -> None:
    with pytest.raises(OptionError, match="a keyframe and a frame each at least"):
        tiny.walk([], 3, 0)
    with pytest.raises(OptionError, match="a keyframe and a frame each at least"):
        tiny.walk([1, 2], 0, 0)
    for nonsense in ({"noise": "random"}, {"inputs": {"transform": np.eye(3)}}, {"cutoff": -1}):
        with pytest.raises(OptionError):
            tiny.walk([1, 2], 3, 0, **nonsense)  # and not when the first frame is asked for
