"""`ganexport.json`: what is read, and what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ganexport.errors import BundleError
from ganexport.manifest import MANIFEST_NAME, SCHEMA_VERSION, Manifest, json_schema, read_manifest

SHA = "ab" * 32


@pytest.fixture
def data(tiny_bundle: Path) -> dict[str, Any]:
    """The manifest of a bundle as plain data, to be changed."""
    found: dict[str, Any] = json.loads((tiny_bundle / MANIFEST_NAME).read_text(encoding="utf-8"))
    return found


@pytest.fixture
def read(tmp_path: Path) -> Callable[[Any], Manifest]:
    """Writes data as a manifest and reads it."""

    def read(data: Any) -> Manifest:
        text = data if isinstance(data, bytes) else json.dumps(data).encode()
        (tmp_path / MANIFEST_NAME).write_bytes(text)
        return read_manifest(tmp_path)

    return read


def test_what_is_written_is_read(tiny_bundle: Path, data: dict[str, Any], read: Callable[[Any], Manifest]) -> None:
    manifest = read(data)
    assert manifest == read_manifest(tiny_bundle)
    assert json.loads(manifest.to_json()) == data
    assert manifest.to_json() == (tiny_bundle / MANIFEST_NAME).read_text(encoding="utf-8")


def test_the_spec_keeps_the_fields_of_its_architecture(data: dict[str, Any], read: Callable[[Any], Manifest]) -> None:
    spec = read(data).spec.model_dump(mode="json")
    assert spec == data["spec"]
    assert spec["resample_filter"] == [1.0, 3.0, 3.0, 2.0]


# -------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("version", [0, 2, 99, -1, "1", "2", None, [1], 1.5])
def test_an_unknown_schema_version_says_which_is_read(
    data: dict[str, Any], read: Callable[[Any], Manifest], version: Any
) -> None:
    with pytest.raises(BundleError, match=r"has schema version .*; this ganexport reads version 1"):
        read({**data, "schema_version": version})
    with pytest.raises(BundleError, match="has schema version None"):
        read({k: v for k, v in data.items() if k != "schema_version"})


def test_the_version_is_looked_at_first(read: Callable[[Any], Manifest]) -> None:
    # A newer manifest may hold what this version does not know: its version is what the reader needs to hear of.
    with pytest.raises(BundleError, match="schema version 2"):
        read({"schema_version": SCHEMA_VERSION + 1, "everything": "else"})


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[1, 2]", b"5", b"null", b'"text"', b"[" * 100_000, b"1" * 5000]
)
def test_what_is_no_manifest_is_refused(read: Callable[[Any], Manifest], content: bytes) -> None:
    with pytest.raises(BundleError) as caught:
        read(content)
    assert "\n" not in str(caught.value)


def test_a_pipe_or_a_device_is_no_manifest(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / MANIFEST_NAME)
    with pytest.raises(BundleError, match="no plain file"):
        read_manifest(tmp_path)
    (tmp_path / MANIFEST_NAME).unlink()
    (tmp_path / MANIFEST_NAME).symlink_to("/dev/zero")
    with pytest.raises(BundleError, match="no plain file"):
        read_manifest(tmp_path)


def test_a_folder_without_one_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"is no bundle: it has no ganexport\.json"):
        read_manifest(tmp_path)
    with pytest.raises(BundleError, match="is no bundle"):
        read_manifest(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError):
        read_manifest(tmp_path / "file")


OUTSIDE = [
    "../goldens.safetensors",
    "onnx/../../secret",
    "onnx/..",
    "/etc/passwd",
    "//host/share",
    "C:/windows",
    "c:file",
    "onnx\\mapping.onnx",
    "..\\secret",
    "",
    ".",
    "./",
    "https://example.org/x",
]


@pytest.mark.parametrize("path", OUTSIDE)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d, p: d["files"].update({p: {"bytes": 1, "sha256": SHA}}), id="files"),
        pytest.param(lambda d, p: d["goldens"].update(file=p), id="goldens"),
        pytest.param(lambda d, p: d.update(preview=p), id="preview"),
        pytest.param(lambda d, p: d["targets"]["onnx"]["mapping"].update(file=p), id="graph"),
        pytest.param(lambda d, p: d["targets"]["tfjs"]["synthesis"][0].update(weight_files=[p]), id="weights"),
    ],
)
def test_a_path_that_leaves_the_bundle_is_refused(
    data: dict[str, Any], read: Callable[[Any], Manifest], change: Callable[[Any, str], Any], path: str
) -> None:
    change(data, path)
    with pytest.raises(BundleError, match="must be a relative path inside the bundle"):
        read(data)


def test_a_path_with_a_nul_is_refused(data: dict[str, Any], read: Callable[[Any], Manifest]) -> None:
    data["files"]["onnx/\0"] = {"bytes": 1, "sha256": SHA}
    with pytest.raises(BundleError):
        read(data)


@pytest.mark.parametrize("path", ["a", "onnx/mapping.onnx", "a..b", "...", "größe/ä b.bin"])
def test_paths_inside_are_taken(data: dict[str, Any], read: Callable[[Any], Manifest], path: str) -> None:
    data["files"][path] = {"bytes": 1, "sha256": SHA}
    assert path in read(data).files


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("files"), "files: Field required"),
        (lambda d: d.update(more=1), "more: Extra inputs are not permitted"),
        (lambda d: d.update(name=""), "name"),
        (lambda d: d["files"]["preview.webp"].update(bytes=-1), r"files\.preview\.webp\.bytes"),
        (lambda d: d["files"]["preview.webp"].update(sha256="xyz"), r"files\.preview\.webp\.sha256"),
        (lambda d: d["targets"].update(coreml=d["targets"]["onnx"]), r"targets\.coreml"),
        (lambda d: d["targets"]["onnx"].update(synthesis=[]), r"targets\.onnx\.synthesis"),
        (lambda d: d["targets"]["onnx"]["mapping"]["inputs"][0].update(dtype="float64"), "dtype"),
        (lambda d: d["targets"]["onnx"]["mapping"]["inputs"][0].update(shape=["M", 8]), "shape"),
        (lambda d: d["parity"][0].update(status="fine"), "status"),
        (lambda d: d["defaults"].update(noise_mode="loud"), "noise_mode"),
        (lambda d: d["spec"].pop("z_dim"), r"spec\.z_dim: Field required"),
        (lambda d: d["provenance"].update(weights_sha256=None), r"provenance\.weights_sha256"),
    ],
)
def test_a_field_that_is_wrong_is_named(
    data: dict[str, Any], read: Callable[[Any], Manifest], change: Callable[[Any], Any], message: str
) -> None:
    change(data)
    with pytest.raises(BundleError, match=message) as caught:
        read(data)
    assert "is not a valid manifest" in str(caught.value)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------------------------------------------- schema


def test_the_schema_is_json_and_knows_every_field(data: dict[str, Any]) -> None:
    schema = json.loads(json_schema())
    assert set(schema["properties"]) == set(data) == set(Manifest.model_fields)
    assert schema["additionalProperties"] is False
    assert json_schema() == json_schema()
