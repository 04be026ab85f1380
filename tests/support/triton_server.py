"""Triton Inference Server itself, from a package that brings its program; it reads a repository and answers clients.

Its ONNX Runtime backend is in no registry, so that `triton_backend.py` stands in for it; all else is Triton's own: the
reading and checking of configurations, warm-up, batching, reshaping, versions, HTTP.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

PACKAGE = "nvidia-pytriton==0.7.0"
SECONDS = 60.0
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True)
class TritonServer:
    """A server that runs."""

    address: str
    runs_file: Path
    log_file: Path

    def runs(self, model: str) -> list[dict[str, Any]]:
        """What its backend was asked to run so far, in order."""
        lines = self.runs_file.read_text(encoding="utf-8").splitlines() if self.runs_file.is_file() else []
        return [run for run in map(json.loads, lines) if run["model"] == model]

    def is_ready(self, path: str = "/v2") -> bool:
        """Whether it takes requests, or the model at this path does."""
        where = f"http://{self.address}{'/v2/health' if path == '/v2' else path}/ready"
        try:
            with urlopen(where, timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def wait_for(self, path: str = "/v2") -> None:
        """Until it is ready."""
        end = time.monotonic() + SECONDS
        while not self.is_ready(path):
            assert time.monotonic() < end, self.log_file.read_text(encoding="utf-8", errors="replace")[-4000:]
            time.sleep(0.2)


def fetch_triton(folder: Path) -> Path:
    """Triton's folder, in a package unpacked here; the test is skipped where it cannot run."""
    try:
        ctypes.CDLL(f"libpython{PYTHON}.so.1.0")
    except OSError:
        pytest.skip(f"Triton's Python backend needs libpython{PYTHON}.so.1.0")
    pip = [str(Path(sys.base_prefix) / "bin" / f"python{PYTHON}"), "-m", "pip", "download", "-q", "--no-deps"]
    done = subprocess.run([*pip, "-d", str(folder), PACKAGE], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"{PACKAGE} is not to be had: {done.stderr.strip().splitlines()[-1]}")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    wheel.unlink()
    triton = folder / "pytriton" / "tritonserver"
    backends = folder / "backends"
    shutil.copytree(triton / "backends" / "python", backends / "python")
    stub = "triton_python_backend_stub"
    shutil.copy(triton / "python_backend_stubs" / PYTHON / stub, backends / "python" / stub)
    (backends / "onnxruntime").mkdir()
    shutil.copy(Path(__file__).with_name("triton_backend.py"), backends / "onnxruntime" / "model.py")
    for program in (triton / "bin" / "tritonserver", backends / "python" / stub):
        program.chmod(0o755)
    return folder


@contextmanager
def triton_server(triton: Path, repository: Path) -> Iterator[TritonServer]:
    """A server of this repository, which looks for changes in it every second."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = TritonServer(f"127.0.0.1:{port}", triton / "runs.jsonl", triton / "server.log")
    command = [
        *(str(triton / "pytriton" / "tritonserver" / "bin" / "tritonserver"), f"--model-repository={repository}"),
        *(f"--backend-directory={triton / 'backends'}", "--disable-auto-complete-config"),
        *("--model-control-mode=poll", "--repository-poll-secs=1", "--exit-on-error=false"),
        *("--http-address=127.0.0.1", f"--http-port={port}", "--allow-grpc=false", "--allow-metrics=false"),
    ]
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(triton / "nvidia_pytriton.libs"),
        "TRITON_TEST_PACKAGES": sysconfig.get_path("purelib"),
        "TRITON_TEST_RUNS": str(server.runs_file),
    }
    with server.log_file.open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        server.wait_for()
        yield server
    finally:
        process.terminate()
        try:
            process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
