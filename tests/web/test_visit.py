"""What a first visit to a page costs, and pages of models whose weights are stored in fewer bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from host import Host, serve
from playwright.sync_api import BrowserContext, expect
from support.generators import make_generator, stylegan2_spec

from ganexport.convert import ConvertOptions
from ganexport.generator import Generator, load
from ganexport.site import build_site

pytestmark = pytest.mark.web

LARGE = 10_000_000
DIGITS = Path(__file__).parents[2] / "converted_models" / "digits" / "checkpoint.safetensors"


@pytest.fixture(scope="module")
def large_generator() -> Generator:
    """16², with a convolution of 512 channels: 10 MB of weights, most of them in Winograd's reach."""
    return make_generator(stylegan2_spec(channels=(512, 32, 16), c_dim=0))


@pytest.fixture(scope="module")
def large_site(
    large_generator: Generator, bundle_of: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return build_site([bundle_of(large_generator, "large")], tmp_path_factory.mktemp("large") / "site")


@pytest.mark.parametrize(("runtime", "target"), [("ort-wasm", "onnx"), ("tfjs-wasm", "tfjs")])
def test_a_visit_loads_the_weights_once_and_for_one_runtime(
    large_generator: Generator, large_site: Path, context: BrowserContext, runtime: str, target: str
) -> None:
    weights = sum(array.nbytes for array in large_generator.weights.values())
    assert weights > LARGE
    with serve(large_site) as host:
        visit(host, context, f"#runtime={runtime}")
        graphs = [asked for asked in host.asked if re.match("/models/large/(onnx|tfjs)/", asked.path)]
        runtimes = [Path(asked.path).name for asked in host.of(".wasm")]
    assert {asked.path.split("/")[3] for asked in graphs} == {target}
    assert max(Counter(asked.path for asked in graphs).values()) == 1
    assert weights <= sum(asked.sent for asked in graphs) <= 1.02 * weights
    assert len(runtimes) == 1
    assert runtimes[0].startswith(runtime.split("-", maxsplit=1)[0])


def visit(host: Host, context: BrowserContext, state: str) -> None:
    page = context.new_page()
    page.goto(f"{host.url}/{state}")
    expect(page.locator("#status")).to_have_attribute("data-state", "done", timeout=120_000)
    page.close()


@pytest.mark.parametrize("runtime", ["ort-wasm", "tfjs-wasm"])
def test_weights_in_fewer_bytes_draw_the_recorded_pictures(
    small_site: Path, context: BrowserContext, runtime: str
) -> None:
    with serve(small_site) as host:
        page = context.new_page()
        page.goto(f"{host.url}/#runtime={runtime}&tool=check")
        row = page.locator(f"[data-runtime={runtime}]")
        row.get_by_role("button").click()
        expect(row).to_have_attribute("data-state", "passed", timeout=60_000)
        expect(row).to_contain_text(re.compile(r"Passed: (the same in every pixel|within 1 of 255 grey levels)"))
        page.close()


@pytest.fixture(scope="module")
def small_site(bundle_of: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits, 8 bits a weight."""
    bundle = bundle_of(load(DIGITS), "small", ConvertOptions(precision="int8"))
    return build_site([bundle], tmp_path_factory.mktemp("small") / "site")
