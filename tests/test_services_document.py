"""docs/services.md: its programs and commands are run as they stand there, and draw the library's pictures."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from google.protobuf import text_format
from PIL import Image
from support.native import cpp_folder, node_modules
from support.serving import served
from support.triton_model import TritonModel, over_http
from tritonclient.grpc.model_config_pb2 import ModelConfig

from ganexport import open_bundle
from ganexport.latents import z_from_seed
from ganexport.triton import write_repository

TEXT = (Path(__file__).parents[1] / "docs" / "services.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(?P<language>\w+)?(?: (?P<file>\S+))?\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
SEEDS, LABEL = [0, 1, 2], 3
INSTALLS = ("pip install ", "npm install ")


def section(title: str) -> list[re.Match[str]]:
    """The blocks under a heading, down to the next of its kind."""
    level, _, _ = title.partition(" ")
    (text,) = re.findall(rf"^{re.escape(title)}\n(.*?)(?=^#{{1,{len(level)}}} |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return list(FENCE.finditer(text))


def code(file: str) -> str:
    (found,) = (block["code"] for block in FENCE.finditer(TEXT) if block["file"] == file)
    return found


@pytest.fixture
def folder(digits_bundle: Path, tmp_path: Path) -> Path:
    """Of a reader, with a bundle."""
    (tmp_path / "digits").symlink_to(digits_bundle)
    return tmp_path


def run(command: str, folder: Path, **environment: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        ["bash", "-euc", command],
        cwd=folder,
        env={**settings, "PATH": path, **environment},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def follow(title: str, folder: Path) -> None:
    """Write the files of a section, and run its commands; what they would install is there."""
    for block in section(title):
        if block["file"]:
            (folder / block["file"]).write_text(block["code"], encoding="utf-8")
    commands = [line for block in section(title) if block["language"] == "sh" for line in block["code"].splitlines()]
    assert commands
    assert run("\n".join(line for line in commands if not line.startswith(INSTALLS)), folder) == ""


def assert_drawn(folder: Path, language: str, digits_bundle: Path) -> None:
    expected = open_bundle(digits_bundle).generate(SEEDS, label=LABEL)[..., 0]
    for seed, picture in zip(SEEDS, expected, strict=True):
        with Image.open(folder / f"{language}-{seed}.pgm") as image:
            np.testing.assert_allclose(np.asarray(image).astype(int), picture, atol=1)


# ----------------------------------------------------------------------------------------------- onnxruntime alone


def test_python_with_onnxruntime_alone(folder: Path, digits_bundle: Path) -> None:
    follow("### Python", folder)
    assert_drawn(folder, "python", digits_bundle)
    imported = set(re.findall(r"^(?:import|from) (\w+)", code("draw.py"), re.MULTILINE))
    assert imported == {"numpy", "onnxruntime"}


@pytest.mark.slow
def test_node_with_onnxruntime_alone(folder: Path, digits_bundle: Path) -> None:
    (folder / "node_modules").symlink_to(node_modules())
    follow("### Node", folder)
    assert_drawn(folder, "node", digits_bundle)


def test_seeds_in_javascript_are_numpys_bit_by_bit(tmp_path: Path) -> None:
    (tmp_path / "seeds.mjs").write_text(code("seeds.mjs"), encoding="utf-8")
    seeds = [0, 1, 7, 2**31, 2**32 - 1]
    program = f'import {{ zOf }} from "./seeds.mjs"; console.log(JSON.stringify({seeds}.map((s) => [...zOf(s, 701)])));'
    (tmp_path / "print.mjs").write_text(program, encoding="utf-8")
    found = np.asarray(json.loads(run("node print.mjs", tmp_path)), np.float64)
    np.testing.assert_array_equal(found, np.concatenate([z_from_seed(seed, 701) for seed in seeds]))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("g++"), reason="C++ is tried on Linux with g++")
def test_cpp_with_onnxruntime_alone(folder: Path, digits_bundle: Path) -> None:
    cpp_folder(folder / "onnxruntime")
    follow("### C++", folder)
    assert_drawn(folder, "cpp", digits_bundle)


# ----------------------------------------------------------------------------------------------- Triton and KServe


def test_the_commands_for_triton(folder: Path) -> None:
    (command, drawn) = section("## Triton and KServe")[:2]
    assert command["language"] == "sh"
    run(command["code"], folder, PYTHONPATH=str(Path(__file__).parents[1]))
    for line in drawn["code"].splitlines():
        pattern = line.split()[0].replace("…", "*")
        assert list(folder.glob(pattern)), f"{pattern} is not there"


def ask(address: str, folder: Path, digits_bundle: Path) -> None:
    """Follow the client, and look at what it got."""
    (folder / "ask.py").write_text(code("ask.py"), encoding="utf-8")
    assert run(f"python ask.py {address}", folder) == ""
    expected = open_bundle(digits_bundle).generate(SEEDS, label=LABEL)
    np.testing.assert_allclose(np.load(folder / "images.npy").astype(int), expected, atol=1)


def test_a_client_of_triton(folder: Path, digits_bundle: Path) -> None:
    (placed,) = write_repository([digits_bundle], folder / "repository")
    with over_http(TritonModel(placed.folder)) as address:
        ask(address, folder, digits_bundle)


def test_the_addition_to_its_configuration_is_valid() -> None:
    (block,) = (one for one in section("## Triton and KServe") if one["code"].startswith("optimization"))
    config = text_format.Parse(block["code"], ModelConfig())
    (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "cuda"
    assert dict(accelerator.parameters) == {"use_tf32": "0"}
    assert {key: one.string_value for key, one in config.parameters.items()} == {"cudnn_conv_algo_search": "1"}


def manifest(file: str) -> Any:
    return yaml.safe_load(code(file))


@pytest.mark.parametrize("file", ["triton.yaml", "serve.yaml"])
def test_manifests_for_kserve(file: str) -> None:
    data = manifest(file)
    assert (data["apiVersion"], data["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", data["metadata"]["name"])
    (predictor,) = data["spec"]["predictor"].items()
    part = predictor[1] if predictor[0] == "model" else predictor[1][0]
    for limit in part["resources"].values():
        assert isinstance(limit["cpu"], str), "a quantity"
        assert re.fullmatch(r"\d+[GM]i", limit["memory"])


def test_kserve_is_told_the_runtime_and_the_protocol() -> None:
    model = manifest("triton.yaml")["spec"]["predictor"]["model"]
    assert (model["modelFormat"], model["protocolVersion"]) == ({"name": "triton"}, "v2")
    assert model["storageUri"].startswith("s3://")


def container_command() -> list[str]:
    (line,) = (line for line in code("Containerfile").splitlines() if line.startswith("CMD "))
    return list(json.loads(line.removeprefix("CMD ")))


def test_the_container_has_the_bundle_that_it_serves_and_no_rights() -> None:
    lines = [shlex.split(line) for line in code("Containerfile").splitlines() if not line.startswith("CMD ")]
    words = [line[0] for line in lines]
    assert words == ["FROM", "RUN", "COPY", "USER", "EXPOSE"]
    by_word = dict(zip(words, lines, strict=True))
    assert "ganexport[cpu,serve]" in by_word["RUN"]
    assert by_word["COPY"][2] in container_command()
    assert by_word["USER"][1] == by_word["RUN"][-1] != "root"
    port = by_word["EXPOSE"][1]
    (container,) = manifest("serve.yaml")["spec"]["predictor"]["containers"]
    assert str(container["ports"][0]["containerPort"]) == port
    assert port in container_command()


def test_the_same_client_of_the_containers_server(folder: Path, digits_bundle: Path) -> None:
    command = container_command()
    assert command[:2] == ["ganexport", "serve"]
    here = {"/bundles/digits": str(digits_bundle), "0.0.0.0": "127.0.0.1"}
    with served(folder, *(here.get(word, word) for word in command[2:])) as server, server.client() as client:
        (container,) = manifest("serve.yaml")["spec"]["predictor"]["containers"]
        for probe in ("readinessProbe", "livenessProbe"):
            assert client.get(container[probe]["httpGet"]["path"]).status_code == 200
        ask(f"127.0.0.1:{server.port}", folder, digits_bundle)
