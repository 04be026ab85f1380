"""The static site: what it holds, what it refuses, and how the preview serves it."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from ganexport import site
from ganexport.errors import BundleError, ExportError, OptionError, OutputExistsError
from ganexport.manifest import read_manifest
from ganexport.site import build_site, make_server

NEEDED = {
    "onnx/mapping.onnx",
    "onnx/synthesis.onnx",
    "onnx/shared.bin",
    "tfjs/synthesis/model.json",
    "tfjs/synthesis/shard1.bin",
    "goldens.safetensors",
    "preview.webp",
    "README.md",
}
LEFT_OUT = {"checkpoint.safetensors", "onnx/generator.onnx", "onnx/generator.bin"}


@pytest.fixture(autouse=True)
def web_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page, instead of the built one."""
    folder = tmp_path / "web"
    (folder / "lib").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "lib" / "module.mjs").write_text("export {};")
    monkeypatch.setattr(site, "WEB_FILES", folder)
    return folder


def make_bundle(folder: Path, name: str) -> Path:
    """A bundle whose files hold their own names."""
    files = {}
    for path in sorted(NEEDED | LEFT_OUT):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
        files[path] = {"bytes": len(path), "sha256": hashlib.sha256(path.encode()).hexdigest()}
    (folder / "ganexport.json").write_text(json.dumps(manifest_of(name, files)))
    return folder


def manifest_of(name: str, files: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "name": name,
        "spec": {
            "architecture": "stylegan2",
            "resolution": 4,
            "image_channels": 1,
            "z_dim": 2,
            "c_dim": 0,
            "w_dim": 2,
            "num_ws": 2,
            "z_distribution": "normal",
            "image_range": [-1, 1],
            "its_own_field": 3,
        },
        "labels": None,
        "provenance": {
            "source_format": "ganexport",
            "source_sha256": None,
            "weights_sha256": "0" * 64,
            "importer": "test",
            "licence": "none",
        },
        "defaults": {"truncation_psi": 1.0, "noise_mode": "const"},
        "precision": {},
        "targets": {
            "onnx": {
                "mapping": graph("onnx/mapping.onnx"),
                "synthesis": [graph("onnx/synthesis.onnx", "onnx/shared.bin")],
                "generator": graph("onnx/generator.onnx", "onnx/shared.bin", "onnx/generator.bin"),
            },
            "tfjs": {
                "mapping": None,
                "synthesis": [graph("tfjs/synthesis/model.json", "tfjs/synthesis/shard1.bin")],
            },
        },
        "goldens": {"file": "goldens.safetensors", "cases": []},
        "preview": "preview.webp",
        "parity": [],
        "tools": {},
        "files": files,
    }


def graph(file: str, *weight_files: str) -> dict[str, Any]:
    return {"file": file, "weight_files": weight_files, "resolution": None, "inputs": [], "outputs": []}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle", "tiny")


def test_site_holds_what_a_page_loads(bundle: Path, tmp_path: Path) -> None:
    output = build_site([bundle], tmp_path / "deep" / "site")
    models = json.loads((output / "models.json").read_text())["models"]
    assert models == [{"name": "tiny", "manifest": "models/tiny/ganexport.json"}]
    assert (output / "lib" / "module.mjs").is_file()

    folder = output / "models" / "tiny"
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert found == NEEDED | {"ganexport.json"}


def test_manifest_lists_what_was_copied(bundle: Path, tmp_path: Path) -> None:
    build_site([bundle], tmp_path / "site")
    manifest = read_manifest(tmp_path / "site" / "models" / "tiny")
    assert set(manifest.files) == NEEDED
    assert manifest.targets["onnx"].generator is None
    kept = read_manifest(bundle).model_dump(exclude={"files", "targets"})
    assert manifest.model_dump(exclude={"files", "targets"}) == kept


def test_bundles_keep_their_order_and_get_safe_addresses(tmp_path: Path) -> None:
    bundles = [make_bundle(tmp_path / "b", "Ünï ../ x"), make_bundle(tmp_path / "a", "second")]
    output = build_site(bundles, tmp_path / "site")
    models = json.loads((output / "models.json").read_text())["models"]
    assert [m["name"] for m in models] == ["Ünï ../ x", "second"]
    assert models[0]["manifest"] == "models/n-..-x/ganexport.json"
    assert all((output / m["manifest"]).is_file() for m in models)


def test_existing_output_needs_force(bundle: Path, tmp_path: Path) -> None:
    output = build_site([bundle], tmp_path / "site")
    (output / "old.txt").write_text("old")
    with pytest.raises(OutputExistsError, match="--force"):
        build_site([bundle], output)
    assert (output / "old.txt").exists()
    build_site([bundle], output, force=True)
    assert not (output / "old.txt").exists()


def test_force_replaces_nothing_but_sites(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "home" / "work").mkdir(parents=True)
    with pytest.raises(OutputExistsError, match="no site that could be replaced"):
        build_site([bundle], tmp_path / "home", force=True)


def test_force_keeps_the_history_of_a_repository(bundle: Path, tmp_path: Path) -> None:
    output = build_site([bundle], tmp_path / "site")
    (output / ".git").mkdir()
    with pytest.raises(OutputExistsError, match="is a git repository"):
        build_site([bundle], output, force=True)
    assert (output / ".git").is_dir()


def test_a_site_is_ready_for_static_hosts(bundle: Path, tmp_path: Path) -> None:
    output = build_site([bundle], tmp_path / "site")
    assert (output / ".nojekyll").is_file()
    assert not (output / "README.md").exists()
    build_site([bundle], output, space=True, force=True)
    assert (output / "README.md").read_text().startswith('---\ntitle: "tiny"\n')
    assert (output / "models" / "tiny" / "README.md").read_text() == "README.md"  # the model card stays


def test_failure_leaves_nothing(bundle: Path, tmp_path: Path) -> None:
    altered = bundle / "onnx" / "synthesis.onnx"
    altered.write_text(altered.read_text().upper())
    before = sorted(tmp_path.iterdir())
    with pytest.raises(BundleError, match=r"synthesis\.onnx was altered"):
        build_site([bundle], tmp_path / "site")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("link", ["preview.webp", "onnx"])
def test_a_link_is_not_followed(link: str, bundle: Path, tmp_path: Path) -> None:
    (bundle / link).rename(tmp_path / "elsewhere")
    (bundle / link).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match=r"was altered: it is no file of \d+ bytes"):
        build_site([bundle], tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_a_bundle_behind_a_link_is_one(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(bundle)
    assert build_site([tmp_path / "linked"], tmp_path / "site").is_dir()


def test_a_file_that_never_ends_is_not_read(bundle: Path, tmp_path: Path) -> None:
    (bundle / "preview.webp").unlink()
    os.mkfifo(bundle / "preview.webp")
    with pytest.raises(BundleError, match="was altered"):
        build_site([bundle], tmp_path / "site")


def test_failure_keeps_the_old_site(bundle: Path, tmp_path: Path) -> None:
    output = build_site([bundle], tmp_path / "site")
    (bundle / "preview.webp").unlink()
    with pytest.raises(BundleError, match=r"incomplete: preview\.webp cannot be read"):
        build_site([bundle], output, force=True)
    assert (output / "models" / "tiny" / "preview.webp").is_file()


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is no bundle: it has no ganexport\.json"):
        build_site([tmp_path], tmp_path / "site")
    with pytest.raises(OptionError, match="at least one bundle"):
        build_site([], tmp_path / "site")


def test_two_bundles_of_one_name_are_refused(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="two are called tiny"):
        build_site([bundle, bundle], tmp_path / "site")


def test_missing_web_files_are_said(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "WEB_FILES", tmp_path / "none")
    with pytest.raises(ExportError, match="run `make web`"):
        build_site([bundle], tmp_path / "site")


@pytest.fixture
def connection(bundle: Path, tmp_path: Path) -> Iterator[HTTPConnection]:
    output = build_site([bundle], tmp_path / "site")
    (tmp_path / "secret.txt").write_text("secret")
    (output / "link.txt").symlink_to(tmp_path / "secret.txt")
    (output / "linked").mkdir()
    (output / "linked" / "index.html").symlink_to(tmp_path / "secret.txt")
    with make_server(output, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
        try:
            yield connection
        finally:
            connection.close()
            server.shutdown()
            thread.join()


def get(connection: HTTPConnection, path: str) -> HTTPResponse:
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    return response


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/lib/module.mjs", "text/javascript"),
        ("/models.json", "application/json"),
        ("/models/tiny/onnx/synthesis.onnx", "application/octet-stream"),
        ("/models/tiny/preview.webp", "image/webp"),
        ("/models/tiny/goldens.safetensors", "application/octet-stream"),
    ],
)
def test_preview_types(connection: HTTPConnection, path: str, kind: str) -> None:
    response = get(connection, path)
    assert response.status == 200
    assert response.headers["Content-Type"] == kind
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response.headers["Cross-Origin-Embedder-Policy"] == "require-corp"


MODULE = b"export {};"  # what /lib/module.mjs holds


@pytest.mark.parametrize(
    ("wanted", "found", "part"),
    [
        ("bytes=7-", "bytes 7-9/10", MODULE[7:]),
        ("bytes=0-3", "bytes 0-3/10", MODULE[:4]),
        ("bytes=9-99", "bytes 9-9/10", MODULE[9:]),
        ("bytes=-3", "bytes 7-9/10", MODULE[-3:]),
        ("bytes=-99", "bytes 0-9/10", MODULE),
    ],
)
def test_preview_gives_parts(connection: HTTPConnection, wanted: str, found: str, part: bytes) -> None:
    connection.request("GET", "/lib/module.mjs", headers={"Range": wanted})
    response = connection.getresponse()
    assert (response.status, response.headers["Content-Range"]) == (206, found)
    assert response.headers["Content-Type"] == "text/javascript"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response.read() == part


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=5-4", "bytes=-0"])
def test_preview_has_no_such_part(connection: HTTPConnection, wanted: str) -> None:
    connection.request("GET", "/lib/module.mjs", headers={"Range": wanted})
    response = connection.getresponse()
    assert (response.status, response.headers["Content-Range"], response.read()) == (416, "bytes */10", b"")
    assert get(connection, "/lib/module.mjs").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=0-1,4-5"},
        {"Range": "bytes=-"},
        {"Range": "lines=1-2"},
        {"Range": "bytes=1-", "If-Range": '"an etag"'},
    ],
)
def test_preview_gives_the_whole_where_it_knows_no_better(connection: HTTPConnection, headers: dict[str, str]) -> None:
    connection.request("GET", "/lib/module.mjs", headers=headers)
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, MODULE)
    assert response.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(
    "path",
    ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/link.txt", "/linked/", "/lib/", "/%00", "/none"],
)
def test_preview_keeps_to_its_folder(connection: HTTPConnection, path: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert get(connection, path).status == 404
    assert capfd.readouterr() == ("", "")


def test_preview_lets_other_origins_in_when_asked(bundle: Path, tmp_path: Path) -> None:
    output = build_site([bundle], tmp_path / "site")
    for cors in (False, True):
        with make_server(output, 0, cors=cors) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
            headers = get(connection, "/models.json").headers
            connection.close()
            server.shutdown()
            thread.join()
        assert headers["Access-Control-Allow-Origin"] == ("*" if cors else None)
        assert headers["Cross-Origin-Resource-Policy"] == ("cross-origin" if cors else "same-origin")
        assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"


def test_preview_says_what_is_wrong(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is no site"):
        make_server(tmp_path, 0)
    output = build_site([bundle], tmp_path / "site")
    with make_server(output, 0) as server, pytest.raises(OptionError, match=r"port \d+ .* cannot be had"):
        make_server(output, server.server_port)
    with pytest.raises(OptionError, match="port 70000"):
        make_server(output, 70000)
