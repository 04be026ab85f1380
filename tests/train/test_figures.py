"""Kernel distance, histograms, path length, random features, and generators of every kind measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
from numpy.typing import NDArray
from support.generators import dcgan_spec, make_generator, stylegan2_spec

from ganexport.errors import MissingExtraError, RuntimeUnavailableError
from ganexport.latents import lerp, slerp
from train.data import Dataset, load_dataset, split
from train.metrics.evaluate import evaluate, verdict
from train.metrics.histogram import histogram, histogram_distance, pooled
from train.metrics.kernel import kernel_distance, squared_mmd
from train.metrics.path_length import path_length, spread


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


# -- kernel distance --


def plain_mmd(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The unbiased estimate, pair by pair."""

    def k(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        return float((np.dot(x, y) / len(x) + 1) ** 3)

    within_a = np.mean([k(a[i], a[j]) for i in range(len(a)) for j in range(len(a)) if i != j])
    within_b = np.mean([k(b[i], b[j]) for i in range(len(b)) for j in range(len(b)) if i != j])
    return float(within_a + within_b - 2 * np.mean([k(x, y) for x in a for y in b]))


def test_squared_mmd_equals_the_plain_sum() -> None:
    a, b = rng().standard_normal((7, 3)), rng().standard_normal((5, 3)) + 0.5
    assert squared_mmd(a, b) == pytest.approx(plain_mmd(a, b), rel=1e-12)


def test_mmd_of_gaussians_on_a_line_has_a_closed_form() -> None:
    """E (xy + 1)³ = E[x³]E[y³] + 3 E[x²]E[y²] + 3 E[x]E[y] + 1; for N(m, 1): m, m² + 1, m³ + 3m."""
    shift = 0.7
    square, cube = shift**2 + 1, shift**3 + 3 * shift
    expected = (3 + 1) + (cube**2 + 3 * square**2 + 3 * shift**2 + 1) - 2 * (3 * square + 1)
    draw = rng().standard_normal((16, 2, 400, 1))
    got = np.mean([squared_mmd(a, b + shift) for a, b in draw])
    assert got == pytest.approx(expected, rel=0.1)


def test_kernel_distance_is_unbiased_and_knows_no_unit() -> None:
    a, b = rng().standard_normal((400, 16)), np.random.default_rng(5).standard_normal((400, 16))
    same = kernel_distance(a, b)
    assert abs(same.mean) < same.std and same.std > 0
    apart = kernel_distance(a + 0.5, b)
    assert apart.mean > 10 * same.std
    scaled = kernel_distance(100 * (a + 0.5), 100 * b)
    assert scaled == pytest.approx(apart)
    assert kernel_distance(a + 0.5, b) == apart


# -- histograms --


def test_histograms_count_each_channel() -> None:
    images = np.array([0, 255, 0, 7], np.uint8).reshape(1, 1, 2, 2)
    shares = histogram(images)
    assert shares.shape == (2, 256)
    assert shares[0, 0] == 1 and shares[1, 255] == 0.5 and shares[1, 7] == 0.5
    assert pooled(images, 2) == [0.75, 0.25] and sum(pooled(images)) == 1


def test_histogram_distance_is_the_mean_move() -> None:
    images = rng().integers(10, 200, (20, 4, 4, 3), np.uint8)
    assert histogram_distance(images, images[::-1]) == 0
    assert histogram_distance(images, images + np.uint8(17)) == pytest.approx(17)
    other = rng().integers(0, 255, (20, 4, 4, 3), np.uint8)
    moves = [np.abs(np.sort(images[..., c].ravel() * 1.0) - np.sort(other[..., c].ravel() * 1.0)) for c in range(3)]
    assert histogram_distance(images, other) == pytest.approx(np.mean(moves))


# -- path length --


def test_path_length_of_a_linear_net_along_lines() -> None:
    """Then every step is (end − start)·A, wherever it is made."""
    start, end = rng().standard_normal((2, 400, 6)).astype(np.float32)
    matrix = rng().standard_normal((6, 9))
    squares = (((end - start) @ matrix) ** 2).sum(axis=1)
    low, high = np.percentile(squares, [1, 99])
    expected = squares[(squares >= low) & (squares <= high)].mean()
    got = path_length(lambda x: x.astype(np.float64) @ matrix, start, end, lerp, epsilon=1e-2)
    assert got == pytest.approx(expected, rel=1e-3)


def test_path_length_along_arcs_is_the_squared_angle() -> None:
    start = np.tile(np.float32([1, 0, 0]), (50, 1))
    end = np.tile(np.float32([np.cos(1.2), np.sin(1.2), 0]), (50, 1))
    got = path_length(lambda x: x.astype(np.float64), start, end, slerp, epsilon=1e-2)
    assert got == pytest.approx(1.2**2, rel=1e-3)


def test_spread_is_the_mean_squared_distance() -> None:
    rows = rng().standard_normal((30, 5))
    pairs = [((rows[i] - rows[j]) ** 2).sum() for i in range(30) for j in range(30) if i != j]
    assert spread(rows) == pytest.approx(np.mean(pairs))


# -- without labels, with few pictures, of any architecture --


def digits() -> tuple[Dataset, Dataset]:
    return split(split(load_dataset("mnist10k", resolution=16), 9400, 0)[0], 200, 0)


def test_random_features_order_what_is_worse_and_worse() -> None:
    pytest.importorskip("tensorflow")
    from train.metrics.features import RandomFeatures

    training, held_out = digits()
    judge = RandomFeatures.of(training)
    again = RandomFeatures.of(training)
    np.testing.assert_array_equal(judge.judge(held_out.images).features, again.judge(held_out.images).features)
    features = judge.judge(training.images).features
    np.testing.assert_allclose([features.mean(), features.std()], [0, 1], atol=0.05)

    real = training.images[:200].astype(np.float64)
    noise = np.random.default_rng(0).normal(0, 1, real.shape)
    sets = [np.clip(real + noise * amount, 0, 255).astype(np.uint8) for amount in (0, 20, 60)]
    figures = [evaluate(s, None, training, held_out, judge) for s in sets]
    for key in ("frechet", "kid", "histogram_distance"):
        values = [f[key] for f in figures]
        assert values == sorted(values) and values[2] > 2 * max(values[0], 0), key
    assert figures[0]["frechet"] == pytest.approx(figures[0]["frechet_yardstick"], rel=0.3)
    assert figures[0]["class_agreement"] is None and figures[0]["features"] == "random"
    assert "class_agreement" not in verdict(figures[0])
    collapsed = evaluate(np.repeat(sets[0][:1], 500, axis=0), None, training, held_out, judge)
    assert not any(verdict(collapsed).values())


@pytest.mark.parametrize("kind", ["unlabelled", "few and none held out"])
def test_any_generator_can_be_measured(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    from train.measure_checkpoint import measure_checkpoint

    images = rng().integers(0, 255, (60, 16, 16, 3), np.uint8)
    spec = dcgan_spec() if kind == "unlabelled" else stylegan2_spec(z_distribution="uniform")
    labels = {} if kind == "unlabelled" else {"labels": np.arange(60) % 3}
    np.savez(tmp_path / "data.npz", images=images, **labels)
    make_generator(spec).save(tmp_path / "net.safetensors")
    held_out = 20 if kind == "unlabelled" else 0
    figures = measure_checkpoint(tmp_path / "net.safetensors", str(tmp_path / "data.npz"), held_out, tmp_path)
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures
    assert figures["features"] == "random" and figures["held_out_unseen"] is (held_out > 0)
    assert figures["pictures"] == figures["pictures_yardstick"] == (40 if held_out else 30)
    assert figures["path_length_z"] > 0 and ("path_length_w" in figures) is spec.has_w_space
    assert figures["histogram_distance"] > figures["histogram_distance_yardstick"]


def test_a_run_can_be_measured_afterwards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tensorflow")
    from train.__main__ import main
    from train.watch.log import read_lines

    images = rng().integers(0, 255, (60, 16, 16, 3), np.uint8)
    np.savez(tmp_path / "data.npz", images=images)
    options = ["--data", str(tmp_path / "data.npz"), "--cache", str(tmp_path)]
    assert main(["measure", str(tmp_path), *options]) == 2
    assert "holds no generators" in capsys.readouterr().err
    for kimg in (10, 20):
        make_generator(dcgan_spec()).save(tmp_path / "generators" / f"kimg{kimg:08.1f}.safetensors")
    (tmp_path / "metrics.jsonl").write_text('{"kimg": 10.04, "frechet": 5.0}\n')
    for measured in (1, 0):
        assert main(["measure", str(tmp_path), *options]) == 0
        assert len(capsys.readouterr().out.splitlines()) == measured
    first, second = read_lines(tmp_path / "metrics.jsonl")
    assert first["frechet"] == 5 and second["kimg"] == 20 and second["frechet"] > 0


# -- in Inception's features --


def test_fidelity_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from train.metrics.fidelity import inception_distances

    images = rng().integers(0, 255, (6, 8, 8, 1), np.uint8)
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    with pytest.raises(MissingExtraError, match=r'pip install "ganexport\[fidelity\]"'):
        inception_distances(images, images)

    def offline(**options: object) -> None:
        folder = Path(str(options["input1"]))
        assert len(list(folder.glob("*.png"))) == 6 and options["kid_subset_size"] == 4
        raise URLError("no route to host")

    monkeypatch.setitem(sys.modules, "torch_fidelity", SimpleNamespace(calculate_metrics=offline))
    with pytest.raises(RuntimeUnavailableError, match=r"could not be downloaded .*no route to host.* needs a network"):
        inception_distances(images, images[:4])
