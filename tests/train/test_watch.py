"""What a run says of itself: figures of a batch against plain NumPy, the log after kills, warnings and their advice."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from train.config import Config
from train.metrics.histogram import histogram_distance
from train.presets import preset
from train.watch.log import RunLog, read_lines
from train.watch.warnings import WARNINGS, WINDOW, warnings_of
from train.watch.watcher import LOG_NAME, Watcher

# -- figures of a batch --


def pictures(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (6, 4, 4, 3), np.uint8)


def plain_distance(images: np.ndarray, labels: np.ndarray | None) -> float:
    rows = images.reshape(len(images), -1) / 255
    pairs = [(i, j) for i in range(len(rows)) for j in range(i) if labels is None or labels[i] == labels[j]]
    return float(np.mean([np.linalg.norm(rows[i] - rows[j]) for i, j in pairs]))


def test_figures_of_a_batch_equal_plain_ones() -> None:
    tf = pytest.importorskip("tensorflow")
    from train.watch.observe import mean_distance, observe

    reals, fakes, labels = pictures(1), pictures(2) // 2, np.array([0, 0, 1, 1, 1, 2])
    batch = [tf.constant(x / np.float32(127.5) - 1, tf.float32) for x in (reals, fakes)]
    one_hot = tf.one_hot(labels, 3)
    figures = {k: float(v) for k, v in observe(*batch, one_hot).items()}
    expected = {
        "distance_real": plain_distance(reals, labels),
        "distance_fake": plain_distance(fakes, labels),
        "histogram_distance": histogram_distance(reals, fakes),
    }
    assert figures == pytest.approx(expected, rel=1e-5)
    assert float(mean_distance(batch[0], None)) == pytest.approx(plain_distance(reals, None), rel=1e-5)
    every_class_once = tf.one_hot(np.arange(6), 6)
    assert float(mean_distance(batch[0], every_class_once)) == pytest.approx(plain_distance(reals, None), rel=1e-5)
    assert float(mean_distance(tf.repeat(batch[0][:1], 6, axis=0), one_hot)) == pytest.approx(0, abs=1e-3)
    assert float(mean_distance(batch[0][:1], None)) == 0


def test_of_many_values_some_from_every_column_are_compared() -> None:
    """The sides of a picture divide most strides: whatever the size, what differs in one column must be found."""
    tf = pytest.importorskip("tensorflow")
    from train.watch.observe import value_distance

    for count, size in ((16, 64), (32, 28), (64, 28), (16, 256)):
        column = np.full((count, size, size, 1), -1.0, np.float32)
        column[:, :, 1::2] = 1.0  # every other column white: the mean difference is half of 255
        found = float(value_distance(tf.constant(column), tf.fill(column.shape, -1.0)))
        assert found == pytest.approx(127.5, rel=0.02), (count, size)


# -- the log --


def test_lines_are_means_and_what_is_no_number_is_null(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "log.jsonl", every=2)
    log.event(0.0, "start", device="abacus")
    assert not log.reading(0.1, {"loss_d": 1.0})
    assert log.reading(0.2, {"loss_d": 2.0, "r1": 5.0})
    assert log.reading(0.3, {"loss_d": math.nan}) is False
    assert log.flush(0.3) and not log.flush(0.3)
    text = (tmp_path / "log.jsonl").read_text()
    assert "NaN" not in text and read_lines(tmp_path / "log.jsonl") == [
        {"kimg": 0.0, "event": "start", "device": "abacus"},
        {"kimg": 0.2, "loss_d": 1.5, "r1": 5.0},
        {"kimg": 0.3, "loss_d": None},
    ]


def test_a_log_cut_short_anywhere_can_be_read_and_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    whole = "".join(json.dumps({"kimg": k, "loss_d": 1.0}) + "\n" for k in (1.0, 2.0, 3.0))
    for end in range(len(whole) + 1):
        path.write_text(whole[:end])
        kept = [line["kimg"] for line in read_lines(path)]
        assert kept == [1.0, 2.0, 3.0][: len(kept)] and len(kept) >= whole[:end].count("\n")
        log = RunLog(path, every=1)
        log.resume(2.0)
        log.reading(2.5, {"loss_d": 4.0})
        assert [line["kimg"] for line in read_lines(path)] == [*[k for k in kept if k <= 2], 2.5]
    assert read_lines(tmp_path / "none") == []
    path.write_bytes(b'[1]\n{"kimg": "x"}\n\xff\n{"kimg": 7}\n')
    assert read_lines(path) == [{"kimg": 7}]


# -- warnings --

CONFIG = dataclasses.replace(preset("digits"), kimg=10.0)
HEALTHY: dict[str, Any] = {
    **{"loss_d": 1.0, "loss_g": 2.0, "accuracy_real": 0.8, "accuracy_fake": 0.8},
    **{"distance_real": 8.0, "distance_fake": 7.0},
}


def run_of(count: int = WINDOW, **changes: Any) -> list[dict[str, Any]]:
    return [{"kimg": 1 + k / 100, **HEALTHY, **changes} for k in range(count)]


def test_a_healthy_run_is_not_warned_of() -> None:
    assert warnings_of(run_of(), CONFIG) == {} and warnings_of([], CONFIG) == {}


@pytest.mark.parametrize(
    ("name", "trouble"),
    [
        ("collapse", {"distance_fake": 2.0}),
        ("saturation", {"accuracy_real": 1.0, "accuracy_fake": 0.995, "loss_g": 6.0}),
        ("not-finite", {"loss_d": None}),
    ],
)
def test_trouble_is_named_with_flags_that_exist(name: str, trouble: dict[str, Any]) -> None:
    found = warnings_of([*run_of(5), *run_of(**trouble)], CONFIG)
    assert list(found) == [name]
    flags = re.findall(r"--([a-z0-9-]+)", found[name])
    assert flags and {f.replace("-", "_") for f in flags} <= {f.name for f in dataclasses.fields(Config)}
    if name != "not-finite":
        assert warnings_of(run_of(WINDOW - 1, **trouble), CONFIG) == {}, "a moment is not enough"


def test_every_warning_is_tried() -> None:
    assert set(WARNINGS) == {"collapse", "saturation", "not-finite"}


def test_grey_pictures_at_the_start_are_no_collapse() -> None:
    early = [{**line, "kimg": line["kimg"] / 10} for line in run_of(distance_fake=0.5)]
    assert warnings_of(early, CONFIG) == {}


def test_a_sure_discriminator_is_fine_while_the_generator_keeps_up() -> None:
    assert warnings_of(run_of(accuracy_real=1.0, accuracy_fake=1.0, loss_g=2.0), CONFIG) == {}


def test_a_warning_comes_once_even_over_a_stop(tmp_path: Path) -> None:
    watcher = Watcher(CONFIG, tmp_path, 0.0, 16)
    watcher.start(0.0, device="abacus")
    bad = {**HEALTHY, "distance_fake": 1.0}
    said = [text for k in range(2 * WINDOW) for text in watcher.reading(1 + k / 100, bad)]
    assert len(said) == 1 and "collapsed" in said[0]
    again = Watcher(CONFIG, tmp_path, 1.5, 16)
    assert [text for k in range(WINDOW) for text in again.reading(2 + k / 100, bad)] == []
    lost = Watcher(CONFIG, tmp_path, 0.5, 16)  # the snapshot was older than the warning
    assert len([text for k in range(WINDOW) for text in lost.reading(2 + k / 100, bad)]) == 1
    events = [line["event"] for line in read_lines(tmp_path / LOG_NAME) if "event" in line]
    assert events == ["start", "warning"]
