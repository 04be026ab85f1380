"""Providers by name, and what is said where one is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from ganexport import open_bundle
from ganexport.errors import BundleError, OptionError, RuntimeUnavailableError
from ganexport.manifest import Graph
from ganexport.providers import PROVIDERS, check_installed, check_providers
from ganexport.runtimes.onnxruntime import OnnxSession


def test_the_names_are_onnxruntimes_own() -> None:
    known = onnxruntime.get_all_providers()
    assert {one.name for one in PROVIDERS.values()} <= set(known)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("gpu", "no provider 'gpu'; choose from: cpu, cuda, tensorrt"),
        (("cpu", "CUDA"), "no provider 'CUDA'; choose from"),
        ((), r"one or more different ones of cpu, .*; found \[\]"),
        (("cpu", "cpu"), "one or more different ones"),
    ],
)
def test_a_name_that_is_unknown(names: Any, message: str, digits_bundle: Path) -> None:
    with pytest.raises(OptionError, match=message):
        check_providers(names)
    with pytest.raises(OptionError, match=message):
        open_bundle(digits_bundle, providers=names)


def test_a_provider_that_is_not_installed_names_those_that_are(digits_bundle: Path) -> None:
    message = r'onnxruntime has no cuda; it has: cpu\. For cuda: pip install "ganexport\[gpu\]"'
    with pytest.raises(RuntimeUnavailableError, match=message):
        check_installed(("cpu", "cuda"), {"CPUExecutionProvider", "AzureExecutionProvider"})
    assert "CUDAExecutionProvider" not in onnxruntime.get_available_providers()
    for names in ("cuda", ("cuda", "cpu")):
        with pytest.raises(RuntimeUnavailableError, match=message):
            open_bundle(digits_bundle, providers=names)


def test_cpu_by_name(digits_bundle: Path) -> None:
    bundle = open_bundle(digits_bundle, providers=("cpu",))
    np.testing.assert_array_equal(bundle.generate([3], 1), open_bundle(digits_bundle).generate([3], 1))
    assert {session.providers for session in bundle._sessions.values()} == {("cpu",)}


class Graphics:
    """An onnxruntime with a graphics card's providers, of which only some start: no machine here has such a card."""

    SessionOptions, RunOptions = onnxruntime.SessionOptions, onnxruntime.RunOptions

    def __init__(self, starting: set[str], refusing: frozenset[str] = frozenset()) -> None:
        self.starting, self.refusing = starting, refusing
        self.asked: list[list[tuple[str, dict[str, str]]]] = []

    def get_available_providers(self) -> list[str]:
        return ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]

    def preload_dlls(self) -> None:
        print("libcudnn is not there")

    def InferenceSession(self, path: str, options: Any, providers: Any, enable_fallback: int) -> Any:  # noqa: N802
        assert enable_fallback == 0
        self.asked.append(providers)
        names = [name for name, _ in providers]
        if self.refusing & set(names):
            raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected")
        real = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        started = [name for name in names if name in self.starting]
        return SimpleNamespace(run=real.run, get_providers=lambda: [*started, "CPUExecutionProvider"])


TRT, CUDA, CPU = "TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"


@pytest.mark.parametrize(
    ("names", "starting", "refusing", "used"),
    [
        (("cuda",), {CUDA}, set(), ("cuda",)),
        (("tensorrt", "cuda", "cpu"), {TRT, CUDA}, set(), ("tensorrt", "cuda", "cpu")),
        (("tensorrt", "cuda"), {CUDA}, set(), ("cuda",)),
        (("tensorrt", "cuda"), {CUDA}, {TRT}, ("cuda",)),
        (("cuda", "cpu"), set(), set(), ("cpu",)),
        (("cuda", "cpu"), set(), {CUDA}, ("cpu",)),
    ],
)
def test_they_are_tried_in_order(
    names: tuple[str, ...],
    starting: set[str],
    refusing: set[str],
    used: tuple[str, ...],
    digits_bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    graphics = Graphics(starting, frozenset(refusing))
    monkeypatch.setitem(sys.modules, "onnxruntime", graphics)
    bundle = open_bundle(digits_bundle, providers=names)
    assert bundle.latents([1], 2).shape[0] == 1
    assert [session.providers for session in bundle._sessions.values()] == [used]
    assert [name for name, _ in graphics.asked[0]] == [PROVIDERS[name].name for name in names]
    assert all(options == ({"use_tf32": "0"} if name == CUDA else {}) for name, options in graphics.asked[0])
    assert capsys.readouterr().out == ""  # where scripts read JSON


@pytest.mark.parametrize(("refusing", "message"), [(set(), "to be taken then$"), ({CUDA}, "CUDA failure 100")])
def test_none_that_starts_is_an_error_and_not_a_slow_picture(
    refusing: set[str], message: str, digits_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", Graphics(set(), frozenset(refusing)))
    with pytest.raises(RuntimeUnavailableError, match=f"has cuda but cannot start it here: .*{message}"):
        open_bundle(digits_bundle, providers="cuda").generate([1], 2)


def test_a_broken_graph_is_not_the_provider_s_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", Graphics({CUDA}))
    graph = Graph(file="broken.onnx", resolution=None, inputs=(), outputs=())
    (tmp_path / graph.file).write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"cannot run .*broken\.onnx"):
        OnnxSession(
            tmp_path / "broken.onnx", Graph(file="broken.onnx", resolution=None, inputs=(), outputs=()), ("cuda",)
        )
