"""The child process that runs TensorFlow: a folder and an environment of its own, limits, and typed errors."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ganexport import errors
from ganexport.errors import CheckpointError, GanExportError

__all__ = ["Child"]

SECONDS = 600
"""For one answer: TensorFlow alone takes ten to start."""
MEMORY = 4 << 30
MEMORY_PER_BYTE = 8
"""A model is there several times while it is converted: as variables, as constants, and as the files written."""
KEPT = ("PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL")


class Child:
    """A child process with its own folder; it ends with this object, and when its input ends.

    Args:
        size: Bytes of the model, to which its memory is limited.

    Attributes:
        folder: Where both sides put files; it goes with this object.
    """

    def __init__(self, size: int) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="ganexport-keras-", ignore_cleanup_errors=True)
        self.folder = Path(self._temporary.name)
        limit = MEMORY + MEMORY_PER_BYTE * size
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ganexport.importers.graphs.keras_child", str(limit)],
            cwd=self.folder,
            env=_environment(self.folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._end = weakref.finalize(self, _end, self._process, self._temporary)

    def ask(self, task: str, **arguments: Any) -> dict[str, Any]:
        """Have something done, and wait for the answer.

        Raises:
            GanExportError: What the child says; CheckpointError where it says nothing.
        """
        try:
            answer = self._answer({"task": task, **arguments})
        except BaseException:  # Ctrl-C too: a child that was left in the middle is of no more use
            self.close()
            raise
        if "error" in answer:
            raise _error(answer)
        return answer

    def close(self) -> None:
        """End the process and remove its folder."""
        self._end()

    def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            line = _line(process.stdout, time.monotonic() + SECONDS)
        except (BrokenPipeError, ValueError):
            line = b""
        if not line:
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            self.close()
            raise CheckpointError(
                f"the process that was to read it ended without an answer (status {process.returncode}): "
                "it is damaged, or needs more memory than is allowed"
            )
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer


def _line(stream: IO[bytes], until: float) -> bytes:
    """One line, or nothing where the other side ended."""
    if sys.platform == "win32":  # pipes cannot be waited for there
        return stream.readline()
    parts = []
    while True:
        ready, _, _ = select.select([stream], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            raise CheckpointError(f"the process that reads it did not finish in {SECONDS} seconds")
        part = os.read(stream.fileno(), 1 << 16)
        parts.append(part)
        if not part or part.endswith(b"\n"):
            return b"".join(parts) if part else b""


def _environment(home: Path) -> dict[str, str]:
    """No settings of the caller's, no graphics card, few threads; the same modules."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path if entry),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(home),
        "KERAS_HOME": str(home),
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "-1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_NUM_INTRAOP_THREADS": "4",
        "TF_NUM_INTEROP_THREADS": "2",
        "OMP_NUM_THREADS": "4",
        "OPENBLAS_NUM_THREADS": "4",
        "MALLOC_ARENA_MAX": "2",
    }


def _end(process: subprocess.Popen[bytes], temporary: tempfile.TemporaryDirectory[str]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):  # what was not written any more
                stream.close()
    temporary.cleanup()


def _error(answer: Mapping[str, Any]) -> GanExportError:
    kind = getattr(errors, str(answer["error"]), CheckpointError)
    made = kind(str(answer["message"]))
    assert isinstance(made, GanExportError)
    return made
