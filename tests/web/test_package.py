"""The npm package as its users have it: packed, installed without a network, built with Vite, drawn in a browser.

The sources of the project that uses it are the snippets of `docs/web.md`, and what lies in `consumer/`.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from watched import Watched

from ganexport import __version__
from ganexport.manifest import read_manifest

pytestmark = [pytest.mark.web, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web_demo"
GUIDE = ROOT / "docs" / "web.md"
CONSUMER = Path(__file__).parent / "consumer"
BORROWED = ("react", "react-dom", "vue", "vite", "@types/react")  # of the project's own node_modules
EXAMPLE = "https://example.org/my-site"
NO_ICON = '<link rel="icon" href="data:,">'  # browsers ask for one otherwise

MOST_LOADER_BYTES = 25_000  # gzip, before any runtime
MOST_PACKED_BYTES = 13_000_000
MOST_UNPACKED_BYTES = 50_000_000
PACKED = re.compile(
    r"(package\.json|README\.md|LICENSE|THIRD_PARTY_LICENSES\.txt|(gan-generator|index)\.js"
    r"|parts/[\w.-]+\.(js|mjs|wasm)|types/[\w/.-]+\.d\.ts)"
)
STATIC_IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*["'`](\.[^"'`]+)["'`]""")


def run(*command: str | Path, cwd: Path) -> str:
    result = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command}:\n{result.stdout}\n{result.stderr}"
    return result.stdout


def snippets() -> dict[str, str]:
    """The guide's snippets by the names that stand on their fences."""
    found = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE))
    assert set(found) == {
        *("page.html", "vite.config.js", "main.js", "Picture.tsx", "vue.config.js", "Picture.vue", "api.js"),
    }
    return found


@pytest.fixture(scope="module")
def package() -> Path:
    run(sys.executable, WEB / "build.py", "run", "package", "--silent", cwd=ROOT)
    return WEB / "dist" / "package"


@pytest.fixture(scope="module")
def packed(package: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The file that is published, and what npm says of it."""
    folder = tmp_path_factory.mktemp("packed")
    (said,) = json.loads(run("npm", "pack", package, "--json", cwd=folder))
    return folder / said["filename"], said


@pytest.fixture(scope="module")
def project(packed: tuple[Path, dict[str, Any]], host_url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's project with the package in it."""
    folder = tmp_path_factory.mktemp("consumer") / "project"
    shutil.copytree(CONSUMER, folder)
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    run("npm", "install", "--offline", "--no-audit", "--no-fund", packed[0], cwd=folder)
    modules = folder / "node_modules"
    installed = [path.name for path in modules.iterdir() if not path.name.startswith(".")]
    assert installed == ["ganexport"]  # it depends on nothing
    for name in BORROWED:
        (modules / name).parent.mkdir(exist_ok=True)
        (modules / name).symlink_to(WEB / "node_modules" / name)
    plugin = modules / "@vitejs" / "plugin-vue"
    plugin.mkdir(parents=True)
    shutil.move(folder / "plugin-vue.js", plugin / "index.js")
    (plugin / "package.json").write_text('{"type": "module", "main": "index.js"}')
    (folder / "documented").mkdir()
    for name, text in snippets().items():
        (folder / "documented" / name).write_text(text)
    for path in [*folder.glob("*.js"), *folder.glob("documented/*")]:
        path.write_text(path.read_text().replace(EXAMPLE, f"{host_url}/sub/site"))
    scripts = {"plain": "documented/main.js", "api": "documented/api.js"}
    for name in ("plain", "api", "react", "vue", "shaken"):
        script = scripts.get(name, f"{name}.js")
        page = f'<!doctype html>{NO_ICON}<script type="module" src="./{script}"></script><body></body>'
        (folder / f"{name}.html").write_text(page)
    return folder


@pytest.fixture(scope="module")
def built(project: Path, site_folder: Path) -> str:
    """Address of the project's pages on the host of the site."""
    run("node", "node_modules/vite/bin/vite.js", "build", cwd=project)
    shutil.copytree(project / "dist", site_folder.parents[1] / "project")
    page = (project / "documented" / "page.html").read_text().replace("<title>", f"{NO_ICON}<title>")
    (site_folder.parents[1] / "project" / "page.html").write_text(page)
    return "/project"


def loaded_with(entry: Path) -> set[Path]:
    """A script and all that it imports before it runs."""
    found, waiting = set[Path](), [entry.resolve()]
    while waiting:
        script = waiting.pop()
        if script not in found:
            found.add(script)
            waiting += [(script.parent / name).resolve() for name in STATIC_IMPORT.findall(script.read_text())]
    return found


@pytest.mark.parametrize("entry", ["gan-generator.js", "index.js", "parts/worker.js"])
def test_what_loads_before_a_runtime_is_small(package: Path, entry: str) -> None:
    scripts = loaded_with(package / entry)
    assert len(scripts) > 1
    assert sum(len(gzip.compress(script.read_bytes(), 9)) for script in scripts) <= MOST_LOADER_BYTES


def test_the_packed_file(packed: tuple[Path, dict[str, Any]], package: Path) -> None:
    file, said = packed
    assert [entry["path"] for entry in said["files"] if not PACKED.fullmatch(entry["path"])] == []
    assert file.stat().st_size <= MOST_PACKED_BYTES
    assert said["unpackedSize"] <= MOST_UNPACKED_BYTES
    assert said["version"] == __version__
    assert not {"dependencies", "private", "scripts"} & set(json.loads((package / "package.json").read_text()))


def test_it_can_be_imported_where_there_is_no_browser(project: Path) -> None:
    code = "import('ganexport/element').then(({ RandomState }) => console.log(new RandomState(1).randn(1)[0]))"
    drawn = float(run("node", "--eval", code, cwd=project))
    assert drawn == np.float32(np.random.RandomState(1).randn())


@pytest.mark.parametrize("resolution", ["bundler", "nodenext"])
def test_its_types(project: Path, resolution: str) -> None:
    files = ["types.ts", "documented/Picture.tsx"]
    options = ["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--jsx", "react-jsx", "--types", ""]
    modules = ["--module", "nodenext" if resolution == "nodenext" else "esnext", "--moduleResolution", resolution]
    run("node", WEB / "node_modules/typescript/bin/tsc", *options, *modules, *files, cwd=project)


def test_what_is_not_used_is_left_out(project: Path) -> None:
    run("node", "node_modules/vite/bin/vite.js", "build", "--config", "shaken.config.js", cwd=project)
    (entry,) = (project / "shaken" / "assets").glob("shaken-*.js")
    script = entry.read_text()
    assert loaded_with(entry) == {entry}
    assert len(script) < 8000  # a third of it is Vite's own
    assert "attachShadow" not in script and "new Worker" not in script


def test_the_plain_snippets(built: str, open_page: Callable[[str], Watched]) -> None:
    for page in ("page", "plain"):
        watched = open_page(f"{built}/{page}.html")
        watched.page.wait_for_function(f"document.querySelector('gan-generator')?.{SHOWN}")
        assert [text for text in watched.messages if not text.startswith("log: ")] == []
    assert watched.messages == ["log: seed 7 is there", "log: 32 by 32 pixels"]
    scripts = [worker.url.rsplit("/", 1)[-1] for worker in watched.page.workers]
    assert len([script for script in scripts if script.startswith("worker-")]) == 1  # others are a runtime's threads


SHOWN = "shadowRoot.querySelector('canvas').ariaLabel.startsWith('digits')"

DRAW = """async ({ runtime, ...settings }) => {
  const element = document.querySelector('gan-generator');
  Object.assign(element, { runtime });
  const { pictures } = await element.generate(settings);
  return { data: [...pictures.data], runtime: element.generator.runtime };
}"""


def test_every_runtime_comes_through_the_bundler(
    built: str, open_page: Callable[[str], Watched], digits_bundle: Path
) -> None:
    page = open_page(f"{built}/plain.html").page
    case = next(c for c in read_manifest(digits_bundle).goldens.cases if c.labels and c.truncation_cutoff is None)
    expected = load_file(digits_bundle / "goldens.safetensors")[f"{case.name}.images"][0]
    assert case.labels
    settings = {"seed": case.seeds[0], "label": str(case.labels[0]), "psi": case.truncation_psi}
    for runtime in ("ort-wasm", "tfjs-cpu", "tfjs-wasm", "tfjs-webgl"):
        drawn = page.evaluate(DRAW, {"runtime": runtime, **settings})
        assert drawn["runtime"] == runtime
        assert np.abs(np.array(drawn["data"]) - expected.reshape(-1).astype(int)).max() <= 1, runtime


@pytest.mark.parametrize("framework", ["react", "vue"])
def test_the_snippets_of_frameworks(built: str, open_page: Callable[[str], Watched], framework: str) -> None:
    watched = open_page(f"{built}/{framework}.html")
    page = watched.page
    page.get_by_text("seed 42", exact=True).wait_for()
    assert page.evaluate("document.querySelector('gan-generator').label") == "3"
    page.get_by_role("button").click()
    page.get_by_text("seed 43", exact=True).wait_for()
    assert watched.messages == []


def test_the_api_snippet(built: str, open_page: Callable[[str], Watched]) -> None:
    watched = open_page(f"{built}/api.html")
    watched.page.wait_for_function("document.querySelectorAll('canvas').length === 2")
    texts = watched.page.evaluate("[...document.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL())")
    assert len(set(texts)) == 2
    assert watched.messages[-1] == "log: 100 %"
