"""Whole runs of the tiny preset: what they write, that they resume, that nothing is lost by a kill."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from ganexport.generator import load
from train.__main__ import main
from train.watch.log import read_lines

ROOT = Path(__file__).parents[2]
QUIET = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}


def start(out, *more):
    command = [sys.executable, "-m", "train", "run", "digits-tiny", "--out", str(out), *more]
    return subprocess.Popen(command, cwd=ROOT, env=QUIET, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process):
    output = process.communicate(timeout=600)[0]
    assert process.returncode == 0, output
    return output


def final_tensors(out):
    newest = max((out / "snapshots").glob("step*.safetensors"))
    return newest.name, load_file(newest)


def assert_same_end(out, expected):
    name, tensors = final_tensors(out)
    wanted_name, wanted = final_tensors(expected)
    assert name == wanted_name and tensors.keys() == wanted.keys()
    for key in wanted:
        np.testing.assert_array_equal(tensors[key], wanted[key], err_msg=key)
    last = max(path.name for path in (expected / "generators").iterdir())
    assert (out / "generators" / last).read_bytes() == (expected / "generators" / last).read_bytes()
    assert readings(out) == readings(expected)


def readings(out):
    """What the log says of the steps, but for their rate and the last penalty, which may be from before a stop."""
    lines = [line for line in read_lines(out / "log.jsonl") if "event" not in line]
    return [{k: v for k, v in line.items() if k not in ("rate", "r1")} for line in lines]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    out = tmp_path_factory.mktemp("uninterrupted") / "run"
    output = finish(start(out))
    assert "Training on CPU" in output
    return out


@pytest.mark.slow
def test_a_run_writes_what_it_promises(uninterrupted):
    generator = load(max((uninterrupted / "generators").iterdir()))
    assert generator.spec.resolution == 16 and generator.labels == tuple("0123456789")
    assert generator.provenance.training["kimg"] == pytest.approx(0.512)
    assert "MNIST" in generator.provenance.licence
    grid = np.asarray(Image.open(max((uninterrupted / "samples").iterdir())))
    assert grid.shape == (160, 192) and grid.std() > 10
    assert len(list((uninterrupted / "snapshots").iterdir())) == 2
    assert not list(uninterrupted.rglob(".*"))


@pytest.mark.slow
def test_a_run_logs_what_it_does(uninterrupted):
    start, *_ = (line for line in read_lines(uninterrupted / "log.jsonl") if line.get("event") == "start")
    assert "CPU" in start["device"] and "MNIST" in start["licence"] and start["pictures"] == 8000
    first, last = readings(uninterrupted)
    assert last["kimg"] == pytest.approx(0.512)
    assert {"loss_d", "loss_g", "score_real", "score_fake", "accuracy_real", "accuracy_fake"} <= last.keys()
    assert min(first["distance_fake"], first["distance_real"], first["histogram_distance"]) > 0


@pytest.mark.slow
def test_tensorboard_can_read_the_run(uninterrupted):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(uninterrupted / "tensorboard"))
    events.Reload()
    assert {"train/loss_d", "train/loss_g", "train/rate", "samples"} <= set(events.Tags()["tensors"])


@pytest.mark.slow
def test_a_run_has_a_report_and_a_film(uninterrupted, tmp_path):
    from train.report.read import read_run

    assert main(["report", str(uninterrupted), "-o", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "0.512 of 0.512 kimg" in page and "MNIST by LeCun" in page and "<h3>Variety of a batch</h3>" in page
    assert main(["film", str(uninterrupted), "-o", str(tmp_path / "film.webp")]) == 0
    with Image.open(tmp_path / "film.webp") as film:
        assert film.n_frames > 1
    logged = read_run(uninterrupted).series("loss_d")
    without = tmp_path / "from before there was a log"
    shutil.copytree(uninterrupted, without, ignore=shutil.ignore_patterns("log.jsonl", "snapshots"))
    np.testing.assert_allclose(read_run(without).series("loss_d"), logged, rtol=1e-4)


@pytest.mark.soak
def test_a_killed_run_goes_on_to_the_same_end(uninterrupted, tmp_path):
    out = tmp_path / "run"
    process = start(out)
    deadline = time.monotonic() + 300
    while not list(out.glob("snapshots/step*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "the run was over before the kill"
    finish(start(out))
    assert_same_end(out, uninterrupted)


@pytest.mark.slow
def test_ctrl_c_saves_and_the_same_command_goes_on(uninterrupted, tmp_path):
    out = tmp_path / "run"
    process = start(out)
    deadline = time.monotonic() + 300
    while not list(out.glob("snapshots/step*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert "Stopped and saved" in finish(process)
    finish(start(out))
    assert_same_end(out, uninterrupted)


@pytest.mark.soak
def test_ten_kills_at_random_moments_change_nothing(tmp_path):
    """Each kill comes up to a second after a new snapshot, so among steps and in the middle of writing."""
    longer, moment = ("--kimg", "6"), random.Random(20)
    out, whole = tmp_path / "run", tmp_path / "whole"
    finish(start(whole, *longer))
    for _ in range(10):
        before = set(out.glob("snapshots/step*.safetensors"))
        process = start(out, *longer)
        while not set(out.glob("snapshots/step*.safetensors")) - before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moment.uniform(0, 1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, "the run was over before the kill"
    finish(start(out, *longer))
    assert_same_end(out, whole)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "nowhere.npz"], "nowhere.npz"),
        (["--batch", "10", "--group", "4"], "multiple of --group"),
        (["--kimg", "-1"], "must be above 0"),
        (["--channels", "8,8", "--d-channels", "8,8,8"], "differ in length"),
        (["--channels", "8,8", "--d-channels", "8,8"], "2 blocks end at 8"),
    ],
)
def test_bad_options_give_one_line_and_status_two(arguments, words, tmp_path, capsys):
    assert main(["run", "digits-tiny", "--out", str(tmp_path / "run"), *arguments]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and words in err


def test_another_configuration_in_the_same_folder_is_refused(tmp_path, capsys):
    out = tmp_path / "run"
    out.mkdir()
    from train.presets import preset

    preset("digits-tiny").write(out / "config.json")
    assert main(["run", "digits-tiny", "--out", str(out), "--seed", "5"]) == 2
    assert "seed was 0 and is now 5" in capsys.readouterr().err


def test_what_a_kill_left_half_written_is_cleared_away(tmp_path):
    from train.presets import preset
    from train.snapshot import RunFolder

    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots" / ".step000000008.safetensors.k2j4").write_bytes(b"half")
    (tmp_path / "snapshots" / "step000000008.safetensors").write_bytes(b"whole")
    RunFolder(tmp_path).begin(preset("digits-tiny"))
    assert [p.name for p in (tmp_path / "snapshots").iterdir()] == ["step000000008.safetensors"]


@pytest.mark.parametrize(("options", "alike"), [({}, True), ({"use_labels": False}, False), ({"categories": 3}, False)])
def test_real_groups_share_a_label_where_generated_ones_do(options, alike):
    """Else D tells a group of real pictures by its class."""
    from dataclasses import replace

    from train.data import Dataset
    from train.loop import sampler_of
    from train.presets import preset

    labels = np.arange(64) % 4
    images = np.broadcast_to(labels[:, None, None, None] * 60, (64, 4, 4, 1)).astype(np.uint8)
    config = replace(preset("dcgan"), **{"use_labels": True, "batch": 32, "group": 4, **options})
    shown, _ = sampler_of(config, Dataset(images, labels)).sample(0)
    assert (shown.reshape(8, 4, -1).std(axis=1) == 0).all() == alike


def test_metrics_lines_are_replaced_not_doubled(tmp_path):
    from train.snapshot import RunFolder

    folder = RunFolder(tmp_path)
    folder.log_metrics({"kimg": 1.0, "frechet": 5.0})
    folder.log_metrics({"kimg": 2.0, "frechet": 4.0})
    folder.log_metrics({"kimg": 2.0, "frechet": 3.0})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert lines == [{"kimg": 1.0, "frechet": 5.0}, {"kimg": 2.0, "frechet": 3.0}]


@pytest.mark.slow
def test_mixed_precision_ends_in_float32_weights(tmp_path):
    output = finish(start(tmp_path / "run", "--mixed-precision", "--kimg", "0.064"))
    assert "Generator:" in output
    generator = load(max((tmp_path / "run" / "generators").iterdir()))
    assert all(tensor.dtype == np.float32 for tensor in generator.weights.values())


@pytest.mark.slow
def test_a_run_measures_itself(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "run"
    finish(start(out, "--kimg", "0.032", "--metrics-kimg", "0.032"))
    (line,) = (out / "metrics.jsonl").read_text().splitlines()
    figures = json.loads(line)
    assert figures["kimg"] == pytest.approx(0.032) and figures["pictures"] == 2000
    assert figures["class_agreement"] < 0.5 < figures["class_agreement_yardstick"]
    assert figures["frechet"] > 6 * figures["frechet_yardstick"]
    assert not all(figures["passed"].values())
    events = EventAccumulator(str(out / "tensorboard"))
    events.Reload()
    assert {"metrics/frechet", "metrics/class_agreement"} <= set(events.Tags()["tensors"])
