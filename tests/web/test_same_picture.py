"""Same seed, same picture: wherever a service, a client or a page draws it."""

from __future__ import annotations

import io
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from elements import MANIFEST, change, make
from PIL import Image
from support.native import node_modules
from support.serving import Server, served
from support.triton_model import TritonModel, over_http
from tritonclient.http import InferenceServerClient, InferInput
from watched import Watched

from ganexport.bulk import make as make_bulk
from ganexport.bulk import plan
from ganexport.bundle import open_bundle
from ganexport.latents import one_hot, z_from_seeds
from ganexport.triton import write_repository

pytestmark = [pytest.mark.web, pytest.mark.slow]

DOCUMENT = Path(__file__).parents[2] / "docs" / "services.md"
SEEDS, LABEL = [0, 1, 2], 3  # those of the document's programs


def from_server(server: Server) -> np.ndarray:
    with server.client() as client:
        answers = [
            client.get("/v1/models/digits/image", params={"seed": seed, "label": LABEL, "format": "png"})
            for seed in SEEDS
        ]
    return np.stack([np.asarray(Image.open(io.BytesIO(answer.content)))[..., None] for answer in answers])


def from_client(address: str) -> np.ndarray:
    """Triton's client, which asks for the shapes first."""
    client = InferenceServerClient(address)
    values = {"z": z_from_seeds(SEEDS, 64), "c": one_hot([LABEL] * 3, 10), "truncation_psi": np.ones(3, np.float32)}
    inputs = []
    for tensor in client.get_model_metadata("digits")["inputs"]:
        value = values[tensor["name"]].reshape(3, *tensor["shape"][1:])
        inputs.append(InferInput(tensor["name"], value.shape, tensor["datatype"]))
        inputs[-1].set_data_from_numpy(value)
    return np.asarray(client.infer("digits", inputs).as_numpy("images"))


def from_bulk(bundle: Path, folder: Path) -> np.ndarray:
    opened = open_bundle(bundle)
    make_bulk(plan(opened, len(SEEDS), seed=SEEDS[0], label=LABEL, format="npz"), opened, str(folder))
    (shard,) = folder.rglob("*.npz")
    with np.load(shard) as arrays:
        assert arrays["seed"].tolist() == SEEDS
        return np.asarray(arrays["images"])


def from_node(bundle: Path, folder: Path) -> np.ndarray:
    """The document's program, which needs nothing of this project."""
    folder.mkdir()
    (folder / "node_modules").symlink_to(node_modules())
    (folder / "digits").symlink_to(bundle)
    fences = re.findall(r"^```js (\S+)\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for name, code in fences:
        (folder / name).write_text(code, encoding="utf-8")
    subprocess.run(["node", "draw.mjs"], cwd=folder, check=True)
    return np.stack([np.asarray(Image.open(folder / f"node-{seed}.pgm"))[..., None] for seed in SEEDS])


def from_page(page: Watched, runtime: str) -> np.ndarray:
    make(page.page, src=MANIFEST, runtime=runtime, seed=SEEDS[-1] + 1, label=LABEL)
    page.page.wait_for_function("events.some(({ type }) => type === 'generate')")
    drawn = [change(page.page, seed=seed) for seed in SEEDS]
    assert [one["seed"] for one in drawn] == SEEDS
    assert not page.page.evaluate("events.some(({ type }) => type === 'fallback')"), "another runtime drew"
    return np.stack([np.reshape(one["rgba"], (*one["size"], 4))[..., :1] for one in drawn])


def test_a_seed_is_one_picture_everywhere(
    digits_bundle: Path, tmp_path: Path, open_page: Callable[[str], Watched]
) -> None:
    drawn = {
        "bulk": from_bulk(digits_bundle, tmp_path / "bulk"),
        "Node": from_node(digits_bundle, tmp_path / "node"),
    }
    (tmp_path / "server").mkdir()
    with served(tmp_path / "server", digits_bundle) as server:
        drawn["server"] = from_server(server)
        drawn["client of the server"] = from_client(f"127.0.0.1:{server.port}")
    (placed,) = write_repository([digits_bundle], tmp_path / "repository")
    with over_http(TritonModel(placed.folder)) as address:
        drawn["client of Triton's model"] = from_client(address)
    for runtime in ("ort-wasm", "tfjs-wasm"):
        drawn[f"browser, {runtime}"] = from_page(open_page("/"), runtime)
    library = open_bundle(digits_bundle).generate(SEEDS, label=LABEL)
    assert library.shape == (3, 32, 32, 1)
    assert library.std() > 50, "no blank pictures"
    differences = {where: int(np.abs(found.astype(int) - library).max()) for where, found in drawn.items()}
    assert {found.shape for found in drawn.values()} == {library.shape}
    assert max(differences.values()) <= 1, differences
