"""The service keeps to its OpenAPI document, and the document's examples work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from support.serving import Server

KNOWN = """
[parameters]
"path.name" = "digits"
"path.version" = "1"
"""
# What a model can draw stands in its description, not in the document: it refuses much that the document allows.
EXCLUDED = "positive_data_acceptance"


def fuzz(server: Server, folder: Path, examples: int, seed: int, config: str, timeout: float) -> None:
    (folder / "schemathesis.toml").write_text(config)
    program = "from schemathesis.cli import schemathesis; schemathesis()"
    command = [sys.executable, "-c", program, "run", f"{server.address}/openapi.json", "--checks", "all"]
    command += ["--exclude-checks", EXCLUDED, "--phases", "examples,coverage,fuzzing", "--no-color"]
    command += ["--max-examples", str(examples), "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "Tested: 15" in done.stdout, done.stdout[-3000:]
    assert not server.troubles()


def test_requests_made_of_the_document(server: Server, tmp_path: Path) -> None:
    fuzz(server, tmp_path, 5, 1, KNOWN, 120)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("config", [KNOWN, ""], ids=["the digits", "any name"])
def test_many_requests_made_of_the_document(server: Server, tmp_path: Path, seed: int, config: str) -> None:
    fuzz(server, tmp_path, 200, seed, config, 1200)


def test_the_examples_of_the_document_work(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    post = document["paths"]["/v1/models/{name}/images"]["post"]
    examples = post["requestBody"]["content"]["application/json"]["examples"]
    assert set(examples) == {"seeds", "mix", "walk"}
    for example in examples.values():
        assert client.post("/v1/models/digits/images", json=example["value"]).status_code == 200
    get = document["paths"]["/v1/models/{name}/image"]["get"]
    given = {one["name"]: one["schema"]["examples"][0] for one in get["parameters"] if "examples" in one["schema"]}
    assert {"seed", "label", "psi"} <= set(given)
    assert client.get("/v1/models/digits/image", params=given).status_code == 200
