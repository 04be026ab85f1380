"""Bundles to a static site, and a server to look at it.

The page itself was built from `web_demo/` and lies in `ganexport/_web/site`; a site is a copy of it, with the
files of each bundle that a page loads and `models.json`, which lists them. It works on any static host.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ganexport.atomic import atomic_folder
from ganexport.errors import BundleError, ExportError, OptionError, OutputExistsError
from ganexport.manifest import MANIFEST_NAME, Graphs, Manifest, read_manifest
from ganexport.space import space_readme

__all__ = ["build_site", "make_server", "serve_site"]

WEB_FILES = Path(__file__).parent / "_web" / "site"
MODELS_NAME = "models.json"
MODEL_CARD = "README.md"
NO_JEKYLL = ".nojekyll"
"""Tells GitHub Pages to serve every file as it is."""

MIME_TYPES = {
    ".bin": "application/octet-stream",
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript",
    ".onnx": "application/octet-stream",
    ".png": "image/png",
    ".safetensors": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    "": "application/octet-stream",
}
HEADERS = {
    # Together they isolate the page, which is what browsers ask for before they let it use threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "Accept-Ranges": "bytes",
}
CORS_HEADERS = {
    # Together they let pages of any origin load the library and the bundles, and resume a download.
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Content-Range, Retry-After",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
# One part; whoever asks for several gets the whole, as HTTP allows.
RANGE = re.compile(r"bytes=(?=.*\d)(\d{0,15})-(\d{0,15})")


def build_site(bundles: Sequence[Path], output: Path, *, space: bool = False, force: bool = False) -> Path:
    """Write a static site that draws these bundles' pictures in the visitor's browser.

    Args:
        bundles: Folders of bundles; the page offers them in this order.
        output: Folder to write. It appears whole or not at all.
        space: Write the README.md that a Hugging Face Space needs, too.
        force: Replace a site that is there already.

    Returns:
        `output`.

    Raises:
        OptionError: No bundles, or two of the same name.
        OutputExistsError: `output` is there without `force`, or it holds something else than a site, such as a
            repository.
        BundleError: A folder is no bundle, or its files are not those that its manifest lists.
        ExportError: The page was not built.
    """
    if not bundles:
        raise OptionError("a site needs at least one bundle")
    if not (WEB_FILES / "index.html").is_file():
        raise ExportError(f"the web files are not built: run `make web` in the clone to get {WEB_FILES}")
    if (output / ".git").exists():
        raise OutputExistsError(f"{output} is a git repository: build the site elsewhere and copy its files there")
    with atomic_folder(output, kind="site", is_one=_is_site, force=force) as staging:
        shutil.copytree(WEB_FILES, staging, dirs_exist_ok=True)
        models = [_add_bundle(bundle, staging) for bundle in bundles]
        listed = [{"name": manifest.name, "manifest": f"{folder}/{MANIFEST_NAME}"} for folder, manifest in models]
        text = json.dumps({"models": listed}, indent=1, ensure_ascii=False)
        (staging / MODELS_NAME).write_text(f"{text}\n", encoding="utf-8")
        (staging / NO_JEKYLL).touch()
        if space:
            (staging / MODEL_CARD).write_text(space_readme(models), encoding="utf-8")
    return output


def _is_site(folder: Path) -> bool:
    return (folder / MODELS_NAME).is_file()


def _add_bundle(bundle: Path, site: Path) -> tuple[str, Manifest]:
    """Copy what a page needs of a bundle; returns the folder within the site, and the manifest there."""
    manifest = _for_pages(read_manifest(bundle))
    address = f"models/{re.sub(r'[^A-Za-z0-9._-]+', '-', manifest.name).strip('.-') or 'model'}"
    folder = site / address
    if folder.exists():
        raise OptionError(f"bundles of one site need different names; two are called {manifest.name}")
    for path, entry in manifest.files.items():
        data = _read(bundle, path, entry.bytes)
        if hashlib.sha256(data).hexdigest() != entry.sha256:
            raise BundleError(f"{bundle / path} was altered: its SHA-256 is not the one in {MANIFEST_NAME}")
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / MANIFEST_NAME).write_text(manifest.to_json(), encoding="utf-8")
    return address, manifest


def _read(bundle: Path, path: str, size: int) -> bytes:
    """A file of a bundle; one that is a link, or not as long as it should be, stays unread."""
    file = bundle / path
    try:
        linked = any(part.is_symlink() for part in (file, *file.parents) if part != bundle and bundle in part.parents)
        if linked or (file.exists() and (not file.is_file() or file.stat().st_size != size)):
            raise BundleError(f"{file} was altered: it is no file of {size} bytes, as {MANIFEST_NAME} says")
        return file.read_bytes()
    except OSError as error:
        raise BundleError(f"{bundle} is incomplete: {path} cannot be read ({error.strerror})") from None


def _for_pages(manifest: Manifest) -> Manifest:
    """The manifest without what only services and trainers use, and without those files."""
    no_generator = {"generator": None}
    targets = {name: graphs.model_copy(update=no_generator) for name, graphs in manifest.targets.items()}
    wanted = {manifest.goldens.file, manifest.preview, MODEL_CARD}
    for graphs in targets.values():
        wanted.update(_files(graphs))
    if manifest.precision.plot is not None:  # the model card shows it
        wanted.add(manifest.precision.plot)
    if manifest.directions is not None:
        wanted |= {manifest.directions.file, *(one.preview for one in manifest.directions.items)}
    wanted |= {one.picture for inside in manifest.inside for one in inside.items}
    encoder = manifest.encoder and manifest.encoder.model_copy(update={"file": None})
    for graph in encoder.graphs.values() if encoder else ():
        wanted |= {graph.file, *graph.weight_files}
    files = {path: entry for path, entry in manifest.files.items() if path in wanted}
    return manifest.model_copy(update={"targets": targets, "files": files, "encoder": encoder})


def _files(graphs: Graphs) -> Iterator[str]:
    for graph in (graphs.mapping, *graphs.synthesis):
        if graph is not None:
            yield from (graph.file, *graph.weight_files)


class SiteHandler(SimpleHTTPRequestHandler):
    """Files with their right types; no listings, nothing outside the folder, no log."""

    protocol_version = "HTTP/1.1"
    extensions_map = MIME_TYPES

    def __init__(self, *args: Any, extra: Mapping[str, str], **kwargs: Any) -> None:
        self._extra = extra
        super().__init__(*args, **kwargs)  # this answers the requests

    def end_headers(self) -> None:
        """Add the headers that every answer has."""
        for name, value in self._extra.items():
            self.send_header(name, value)
        super().end_headers()

    def translate_path(self, path: str) -> str:
        """The file of an address; an address that leaves the folder, also by a link, has none."""
        root = Path(self.directory).resolve()
        plain = super().translate_path(path)
        found = Path(plain if "\0" not in plain else "/").resolve()
        # A folder is answered with its page, which may be a link itself.
        pages = (found / name for name in ("index.html", "index.htm")) if plain.endswith("/") else ()
        if any(file != root and root not in file.parents for file in (found, *(page.resolve() for page in pages))):
            return str(root / MODELS_NAME / "is no folder")
        # `resolve` drops the slash at the end, which tells a folder's page from a file.
        return f"{found}/" if plain.endswith("/") else str(found)

    def send_head(self) -> Any:
        """The file, or the part of it that is asked for."""
        path = self.translate_path(self.path)
        wanted = RANGE.fullmatch(self.headers.get("Range", ""))
        if wanted is None or "If-Range" in self.headers or path.endswith("/") or not Path(path).is_file():
            return super().send_head()
        data = Path(path).read_bytes()
        first, last = wanted.groups()
        start = int(first) if first else max(0, len(data) - int(last))
        end = min(len(data), int(last) + 1) if first and last else len(data)
        if start >= end:
            self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            data = b""
        else:
            self.send_response(HTTPStatus.PARTIAL_CONTENT)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
            self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Length", str(len(data[start:end])))
        self.end_headers()
        return io.BytesIO(data[start:end])

    def list_directory(self, path: Any) -> None:
        """No listing."""
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, format: str, *args: Any) -> None:
        """No log."""


def make_server(folder: Path, port: int, host: str = "127.0.0.1", *, cors: bool = False) -> ThreadingHTTPServer:
    """A server of a folder's files, bound but not started; port 0 takes any that is free.

    Args:
        folder: What holds an `index.html`.
        port: TCP port.
        host: Address to listen on.
        cors: Whether pages of other origins may use the files.

    Raises:
        OptionError: The folder is no site, or the port cannot be had.
    """
    if not (folder / "index.html").is_file():
        raise OptionError(f"{folder} is no site: it has no index.html")
    try:
        extra = {**HEADERS, **(CORS_HEADERS if cors else {})}
        return ThreadingHTTPServer((host, port), partial(SiteHandler, directory=str(folder), extra=extra))
    except (OSError, OverflowError) as error:
        raise OptionError(f"port {port} on {host} cannot be had: {error}; choose another") from None


def serve_site(
    folder: Path,
    port: int,
    host: str = "127.0.0.1",
    *,
    cors: bool = False,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Serve a site until it is interrupted.

    Args:
        folder: What `build_site` wrote.
        port: TCP port; 0 takes any that is free.
        host: Address to listen on. Without https, browsers check files only on their own machine.
        cors: Whether pages of other origins may use the files.
        on_ready: Called with the site's address before the first answer.

    Raises:
        OptionError: The folder is no site, or the port cannot be had.
    """
    with make_server(folder, port, host, cors=cors) as server:
        if on_ready:
            on_ready(f"http://{host}:{server.server_port}/")
        with suppress(KeyboardInterrupt):
            server.serve_forever()
