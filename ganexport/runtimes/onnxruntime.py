"""ONNX graphs in ONNX Runtime, on this machine's CPU or another of its providers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ganexport.errors import BundleError, RuntimeUnavailableError
from ganexport.manifest import Graph, Graphs, TargetName
from ganexport.providers import PROVIDERS, check_installed

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["OnnxRuntime", "OnnxSession", "generate_feeds", "require_providers"]

WEIGHTS_KEY = "ganexport.weights_sha256"


class OnnxSession:
    """One graph, ready to run; any number of threads may run it at once.

    Args:
        path: Of the file.
        graph: Its entry in the manifest.
        providers: Names out of `PROVIDERS`: the first that can start here, with the others for what it cannot do.
        keep_memory: Whether what a run needed is kept for the next one. Asking the system for it anew takes twice the
            time of the rest at 1024²; kept, it is about 1 GB there.

    Attributes:
        providers: Those of the names that started.

    Raises:
        RuntimeUnavailableError: onnxruntime is not installed, lacks a provider, or can start none of them here.
        BundleError: The file is no graph that it can run.
    """

    def __init__(
        self, path: Path, graph: Graph, providers: Sequence[str] = ("cpu",), *, keep_memory: bool = True
    ) -> None:
        ort = require_providers(providers)
        options = ort.SessionOptions()
        options.log_severity_level = 3
        # Threads that wait for this session's next run would take the processors from the next stage's.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self._session, self.providers = _started(ort, path, options, providers)
        self._run_options = ort.RunOptions()
        if not keep_memory:
            self._run_options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        self._path = path
        self._inputs = [t.name for t in graph.inputs]
        self._outputs = [t.name for t in graph.outputs]

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs by name, from the feeds that this graph lists.

        Raises:
            BundleError: The graph is not what its manifest says.
        """
        try:
            arrays = self._session.run(self._outputs, {name: feeds[name] for name in self._inputs}, self._run_options)
        except Exception as error:  # onnxruntime has no public base class of its errors
            raise BundleError(f"onnxruntime cannot run {self._path}: {_first_line(error)}") from None
        return dict(zip(self._outputs, map(np.asarray, arrays), strict=True))

    def fingerprint(self) -> str | None:
        """Hash of the weights that the graph says it was made of."""
        found = self._session.get_modelmeta().custom_metadata_map.get(WEIGHTS_KEY)
        return None if found is None else str(found)


class OnnxRuntime:
    """Replays the ONNX target."""

    name = "onnxruntime-cpu"
    target: TargetName = "onnx"

    def version(self) -> str:
        """Version of onnxruntime."""
        return str(_module().__version__)

    def replay(
        self,
        folder: Path,
        graphs: Graphs,
        cases: Sequence[Mapping[str, NDArray[Any]]],
        on_case: Callable[[], None] = lambda: None,
    ) -> list[dict[str, NDArray[Any]]]:
        """Outputs of `mapping`, `synthesis` and, where its inputs can say the same, `generator`."""
        chain = [g for g in (graphs.mapping, *graphs.synthesis) if g is not None]
        sessions = [OnnxSession(folder / graph.file, graph, keep_memory=False) for graph in chain]
        whole = None
        if graphs.generator is not None:
            whole = OnnxSession(folder / graphs.generator.file, graphs.generator, keep_memory=False)
        results = []
        for case in cases:
            values = dict(case)
            for session in sessions:
                values |= session.run(values)
            if whole is not None and (feeds := generate_feeds(case)) is not None:
                values |= whole.run(feeds)
            results.append({name: array for name, array in values.items() if name not in case})
            on_case()
        return results

    def fingerprint(self, path: Path) -> str | None:
        """Hash of the weights that a graph file says it was made of."""
        return OnnxSession(path, Graph(file=path.name, resolution=None, inputs=(), outputs=())).fingerprint()


def generate_feeds(case: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]] | None:
    """A case for `generator.onnx`, which takes one psi a picture and adds the stored noise; None if it cannot."""
    feeds = dict(case)
    if (psi := feeds.get("truncation_psi")) is not None:
        if (psi != psi[:, :1]).any():
            return None
        feeds["truncation_psi"] = psi[:, 0]
    if (noise := feeds.pop("noise_scale", None)) is not None and (noise != 1).any():
        return None
    return feeds


def require_providers(providers: Sequence[str]) -> Any:
    """onnxruntime, if it has these providers.

    Raises:
        RuntimeUnavailableError: It is not installed, or lacks one.
    """
    ort = _module()
    check_installed(providers, ort.get_available_providers())
    return ort


def _started(ort: Any, path: Path, options: Any, names: Sequence[str]) -> tuple[InferenceSession, tuple[str, ...]]:
    """A session with the first of the providers that starts, and those of them that it has.

    onnxruntime itself would go on without a provider that does not start, and the caller would only find it slow.
    """
    if {"cuda", "tensorrt"} & set(names) and hasattr(ort, "preload_dlls"):
        with redirect_stdout(sys.stderr):
            ort.preload_dlls()  # NVIDIA's libraries that pip installed
    problem = None
    for i in range(len(names)):
        wanted = [(PROVIDERS[name].name, dict(PROVIDERS[name].options)) for name in names[i:]]
        try:
            session = ort.InferenceSession(str(path), options, providers=wanted, enable_fallback=0)
        except Exception as error:  # onnxruntime has no public base class of its errors
            problem = f"onnxruntime cannot run {path}: {_first_line(error)}"
            continue
        started = set(session.get_providers())
        if used := tuple(name for name in names if PROVIDERS[name].name in started):
            return session, used
    if problem is not None and not _opens(ort, path, options):
        raise BundleError(problem)
    raise RuntimeUnavailableError(
        f"onnxruntime has {', '.join(names)} but cannot start it here: its driver or libraries are missing, or there "
        "is no such device. Choose another provider, or name one after it, such as cpu, to be taken then"
        + (f" ({problem})" if problem else "")
    )


def _opens(ort: Any, path: Path, options: Any) -> bool:
    """Whether a graph is one that onnxruntime can run at all."""
    try:
        ort.InferenceSession(str(path), options, providers=[(PROVIDERS["cpu"].name, {})], enable_fallback=0)
    except Exception:  # as above
        return False
    return True


def _module() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise RuntimeUnavailableError(
            'onnxruntime is not installed; install "ganexport[cpu]" (or "ganexport[gpu]")'
        ) from None
    return onnxruntime


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
