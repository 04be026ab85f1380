"""From somebody's checkpoint to a page that draws it, by one command."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import expect
from support.goldens import golden_arrays, golden_file
from watched import Watched

from ganexport.runtimes.browser import open_browser
from ganexport.site import make_server

pytestmark = pytest.mark.web

FACES = "real/dcgan-faces64"
LEVELS = """all => all.slice(0, 4).map((canvas) => {
  return [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data];
})"""


@pytest.fixture(scope="module")
def faces_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    site = tmp_path_factory.mktemp("faces") / "site"
    command = [sys.executable, "-m", "ganexport", "site", str(golden_file(f"{FACES}.tar")), "-o", str(site)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with make_server(site, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("runtime", ["ort-wasm", "tfjs-webgl", "tfjs-wasm"])
def test_the_page_shows_the_faces_that_were_recorded(faces_url: str, runtime: str) -> None:
    golden = golden_arrays(FACES)
    assert golden["seeds"].tolist() == [0, 1, 2, 3]  # the page draws from its first seed on
    with open_browser() as browser:
        watched = Watched(browser.new_page())
        watched.page.goto(f"{faces_url}#seed=0&runtime={runtime}")
        expect(watched.page.locator("#status")).to_have_attribute("data-state", "done", timeout=90_000)
        shown = np.asarray(watched.page.eval_on_selector_all("#grid canvas", LEVELS)).reshape(4, 64, 64, 4)
    assert watched.messages == []
    expected = np.clip(golden["img"] * 127.5 + 128, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)  # [4, 64, 64, 3]
    assert np.abs(shown[..., :3] - expected.astype(int)).max() <= 1
    assert (shown[..., 3] == 255).all()
