"""Runs the graphs of many generators in one Node, since starting it takes longer than running them."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from support.generators import Arrays

from ganexport.exporters import EXPORTERS, ExportOptions
from ganexport.generator import Generator
from ganexport.manifest import Graphs, NoiseMode, TargetName
from ganexport.runtimes.tfjs import RUNNER, node_program

Feeds = Mapping[str, np.ndarray]


def export_to(folder: Path, generator: Generator, target: TargetName, noise: NoiseMode = "const") -> Graphs:
    """The graphs of a generator, noise kept."""
    folder.mkdir(parents=True, exist_ok=True)
    return EXPORTERS[target](generator, folder, ExportOptions(noise=noise))


def replay_tfjs(
    folder: Path,
    backend: str,
    generators: Mapping[str, Generator],
    cases: Mapping[str, Sequence[Feeds]],
    noise: NoiseMode = "const",
) -> dict[str, list[Arrays]]:
    """Outputs of each generator's cases in TF.js on Node; maps come back as [N, C, H, W]."""
    runs, inputs = [], {}
    for key, generator in generators.items():
        graphs = export_to(folder / key, generator, "tfjs", noise)
        for i, feeds in enumerate(cases[key]):
            inputs |= {f"{key}|{i}|{name}": np.ascontiguousarray(array) for name, array in feeds.items()}
            for graph in (graphs.mapping, *graphs.synthesis):
                if graph is None:
                    continue
                runs.append(
                    {
                        "model": str(folder / key / graph.file),
                        "inputs": {t.name: f"{key}|{i}|{t.name}" for t in graph.inputs},
                        "outputs": {t.name: f"{key}|{i}|{t.name}" for t in graph.outputs},
                    }
                )
    save_file(inputs, folder / "inputs.safetensors")
    (folder / "job.json").write_text(json.dumps({"backend": backend, "runs": runs}), encoding="utf-8")
    command = [node_program(), str(RUNNER), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["leaked_tensors"] == 0
    outputs: dict[str, list[Arrays]] = {key: [{} for _ in cases[key]] for key in generators}
    for name, array in load_file(folder / "outputs.safetensors").items():
        key, i, output = name.split("|")
        outputs[key][int(i)][output] = array.transpose(0, 3, 1, 2) if array.ndim == 4 else array
    return outputs
