"""The machinery of the benchmarks, at sizes where nothing is worth timing.

PyTorch is in no environment of the tests; where it is, the same file runs with it:
`python -m pytest tests/test_benchmarks.py`.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks import browser, bulk, synthesis
from benchmarks.nets import feeds, make_generator, paper_spec, synthesis_multiply_adds
from benchmarks.plot import plot
from benchmarks.processes import NotMeasuredError, do, opened
from benchmarks.report import markdown, show
from benchmarks.rounds import Times, interleave, ratio
from benchmarks.synthesis import CONTESTANTS, EAGER, OURS, PEAK, PLAIN, PREVIEW, TORCH_ONNX, Options, check_picture
from ganexport.architectures.stylegan2 import Spec
from ganexport.errors import ParityError

ROOT = Path(__file__).parents[1]
TINY = paper_spec(16, most_channels=8)


def test_all_run_once_a_round_and_each_round_begins_with_another() -> None:
    ran: list[str] = []

    def contestant(name: str, seconds: float) -> float:
        ran.append(name)
        return seconds

    names = {"a": 1.0, "b": 2.0, "c": 3.0}
    times = interleave({n: lambda n=n, s=s: contestant(n, s) for n, s in names.items()}, 4, pause=0.0)
    assert "".join(ran) == "abc" + "bca" + "cab" + "abc"
    assert {name: found.seconds for name, found in times.items()} == {n: (s,) * 4 for n, s in names.items()}


def test_a_ratio_is_of_medians_and_its_spread_of_pairs() -> None:
    slow, fast = Times((4.0, 6.0, 9.0)), Times((2.0, 2.0, 4.0))
    found = ratio(slow, fast)
    assert (found.of_medians, found.least, found.greatest) == (3.0, 2.0, 3.0)
    assert slow.as_json() == {"median": 6.0, "least": 4.0, "greatest": 9.0, "runs": [4.0, 6.0, 9.0]}


def test_who_draws_another_picture_is_not_timed() -> None:
    reference = np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(np.float32)
    check_picture(reference.transpose(0, 2, 3, 1), reference, "channels last")
    check_picture(reference * np.float32(1 + 9e-5), reference, "nearly")
    for wrong in (reference * np.float32(1 + 2e-4), np.full_like(reference, np.nan), reference[:1]):
        with pytest.raises(ParityError, match="other draws"):
            check_picture(wrong, reference, "other")
    with pytest.raises(ParityError):
        check_picture(np.zeros_like(reference), np.zeros_like(reference), "blank")


def test_the_arithmetic_is_that_of_direct_convolution() -> None:
    """Counted by hand: two blocks of 6 and 4 maps, 8 numbers in w."""
    spec = Spec(resolution=8, image_channels=3, z_dim=8, w_dim=8, mapping_width=8, channels=(6, 4))
    styles = 8 * (6 + 6 + 6 + 4 + 4)  # affines of conv1, torgb, conv0, conv1, torgb
    demodulation = 6 * 6 + 6 * 4 + 4 * 4
    b4 = 9 * 6 * 6 * 16 + 6 * 3 * 16
    b8 = 9 * 6 * 4 * 16 + 9 * 4 * 4 * 64 + 4 * 3 * 64  # the transposed convolution walks the 16 places of its input
    filters = 16 * 4 * 64 + 16 * 3 * 16  # after conv0; a transposed one makes the picture larger
    assert synthesis_multiply_adds(spec) == styles + demodulation + b4 + b8 + filters


def test_a_failing_contestant_says_why() -> None:
    with pytest.raises(NotMeasuredError, match=r"No module named 'benchmarks\.nobody'"):
        do({"function": "benchmarks.nobody:run"})
    with pytest.raises(NotMeasuredError, match="KeyError: 'checkpoint'"):
        do({"function": "benchmarks.onnx_graphs:export_plain"})
    with pytest.raises(NotMeasuredError, match="does not start"):
        do({"function": "benchmarks.peak:in_numpy"}, python=str(ROOT / "no-python"))
    with pytest.raises(NotMeasuredError, match="it ended with status 1: "):
        do({"function": "sys:exit"})


def test_datasets_are_timed_beside_the_session(digits_bundle: Path) -> None:
    result = bulk.measure_bundle(digits_bundle, 16, runs=2)
    rows = {row["name"]: row for row in json.loads(json.dumps(result))["rows"]}
    sessions = [row for name, row in rows.items() if name.startswith("session")]
    assert rows.keys() - {row["name"] for row in sessions} == {"bulk, npz", "bulk, webdataset"}
    best = max(row["a_second"] for row in sessions)
    for row in rows.values():
        assert row["a_second"] == pytest.approx(16 / row["median"])
        assert row["of_best_session"]["of_medians"] == pytest.approx(row["a_second"] / best)


def test_a_contestant_that_dies_between_runs_says_so() -> None:
    peak = {"function": "benchmarks.peak:in_numpy"}
    with pytest.raises(NotMeasuredError, match="it ended with status -9"), opened(peak) as contestant:
        contestant.process.kill()
        contestant.process.wait()
        contestant.run()


def test_contestants_are_timed_and_those_that_are_not_there_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = () if importlib.util.find_spec("torch") else (EAGER, TORCH_ONNX)
    only = (PREVIEW, PLAIN, EAGER, TORCH_ONNX, PEAK)
    result = synthesis.measure(TINY, 2, tmp_path, Options(runs=3, only=only))
    rows = {row["name"]: row for row in json.loads(json.dumps(result))["rows"]}
    assert set(rows) == {OURS, *only} <= set(CONTESTANTS)
    assert (result["resolution"], result["batch"]) == (16, 2)
    assert result["giga_operations"] == 2 * 2 * synthesis_multiply_adds(TINY) / 1e9
    assert rows[PREVIEW]["not_measured"] == "the picture comes in one stage at this size"
    for name in (OURS, PLAIN, PEAK):
        assert len(rows[name]["seconds"]["runs"]) == 3
        assert min(rows[name]["load"], rows[name]["first"], rows[name]["seconds"]["least"], rows[name]["gflops"]) > 0
    assert rows[PEAK]["of_peak"] == 1.0
    assert set(rows[PEAK]["forms"]) == {"onnxruntime", "torch", "numpy"}
    assert rows[PLAIN]["bytes"] == (tmp_path / "plain" / "synthesis.onnx").stat().st_size
    assert rows[PLAIN]["conversion"]["seconds"] > 0
    assert rows[PLAIN]["ratio"]["least"] <= rows[PLAIN]["ratio"]["greatest"]
    for name in missing:
        assert rows[name] == {"name": name, "not_measured": "ModuleNotFoundError: No module named 'torch'"}
    show({"synthesis": [result]})
    printed = capsys.readouterr().out
    assert all(name in printed for name in rows)
    drawn = ElementTree.fromstring(plot({"synthesis": [result]}))
    texts = [element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "16², batch 2, native, two threads" in texts
    assert PLAIN in texts
    assert PEAK not in texts


def test_a_contestant_that_draws_another_picture_stops_the_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesis, "TOLERANCE", -1.0)
    with pytest.raises(ParityError, match=r"ganexport .* draws another picture"):
        synthesis.measure(TINY, 1, tmp_path, Options(runs=1, only=(PLAIN,)))


def test_the_peer_in_pytorch_draws_our_picture(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    result = synthesis.measure(TINY, 2, tmp_path, Options(runs=1, only=(EAGER, TORCH_ONNX)))
    assert all("seconds" in row for row in result["rows"])
    (eager,) = (row for row in result["rows"] if row["name"] == EAGER)
    assert len(eager["forms"]) == 4


def test_a_converter_s_graph_has_transposed_convolutions_and_nothing_fused(tmp_path: Path) -> None:
    make_generator(TINY).save(tmp_path / "checkpoint.safetensors")
    job = {
        "function": "benchmarks.browser_graphs:export_as_converter",
        "checkpoint": str(tmp_path / "checkpoint.safetensors"),
    }
    (graph,) = do({**job, "folder": str(tmp_path / "converted")})["graphs"]
    nodes = json.loads((tmp_path / "converted" / graph["file"]).read_text())["modelTopology"]["node"]
    operations = [node["op"] for node in nodes]
    assert operations.count("Conv2DBackpropInput") == 4  # two of the features, two of the picture
    assert operations.count("DepthwiseConv2dNative") == 2
    assert not [op for op in operations if op.startswith("_Fused")]


@pytest.mark.web
def test_in_a_browser_all_draw_one_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = browser.measure(TINY, tmp_path, 2)
    rows = {row["name"]: row for row in json.loads(json.dumps(result))["rows"]}
    assert set(rows) == {browser.NATIVE, *browser.CONTESTANTS}
    for row in rows.values():
        assert len(row["seconds"]["runs"]) == 2
    assert rows["tfjs-wasm, as converted"]["ratio_to"] == "tfjs-wasm, for wasm"
    show({"browser": [result]})
    assert "tfjs-wasm, as converted" in capsys.readouterr().out
    assert "16², Chromium, one thread" in plot({"browser": [result]})


def test_training_is_printed_and_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = Times((1.0, 2.0)).as_json()
    row = {"seconds": seconds, "images_per_second": 170.6, "first": 3.0, "peak_mib": None}
    rows = [{"name": "train, TensorFlow", **row}, {"name": "PyTorch, nchw", "not_measured": "no torch"}]
    result = {"channels": [32] * 4, "batch": 16, "steps": 16, "rows": rows}
    show({"training": result})
    printed = capsys.readouterr().out
    assert "16 training steps at 32², 32 channels, batch 16" in printed
    assert "1500 (1000–2000) ms" in printed
    assert "PyTorch, nchw: not measured: no torch" in printed
    assert "16 training steps" in plot({"training": result})
    written = markdown({"training": result})
    assert "| train, TensorFlow | 1500 (1000–2000) ms |  | 171 | 3000 ms |  |" in written
    assert "PyTorch, nchw: not measured: no torch" in written


def test_feeds_are_as_many_as_the_batch() -> None:
    given = feeds(TINY, 3)
    assert given["ws"].shape == (3, TINY.num_ws, TINY.w_dim)
    assert (given["ws"][0] != given["ws"][1]).all()
    assert given["noise_scale"].tolist() == [1.0, 1.0, 1.0]


def test_the_command_line_refuses_to_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "there.json").write_text("{}")
    command = [sys.executable, "-m", "benchmarks", "synthesis", "--json", str(tmp_path / "there.json")]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "exists; choose another name or pass --force" in found.stderr
