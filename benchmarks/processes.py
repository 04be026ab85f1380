"""Contestants in processes of their own: no thread pool, allocator or library of one is in the way of another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ganexport.errors import ExportError

__all__ = ["Contestant", "NotMeasuredError", "do", "opened"]

ROOT = Path(__file__).parents[1]
LEFT_OUT = ("OPENBLAS_", "OMP_NUM_THREADS", "PYTHONDONTWRITEBYTECODE")
"""Settings of the shell that would slow numpy, or the start of Python."""


PATIENCE = 10
"""Seconds for a process that has closed its mouth to end."""


class NotMeasuredError(ExportError):
    """Something is not installed, or did not work; the text says what."""


@dataclass
class Contestant:
    """A process that runs one thing again and again.

    Attributes:
        load: Seconds until it could run: reading the file, creating the session.
        first: Seconds of the first run.
        imported_mib: Memory before loading: the interpreter and its libraries.
    """

    process: subprocess.Popen[str]
    load: float
    first: float
    imported_mib: int | None
    _answers: IO[str] = field(repr=False)

    def run(self) -> float:
        """Run once; returns seconds."""
        return float(self._ask("run")["seconds"])

    def peak_mib(self) -> int | None:
        """Most memory that it ever had."""
        found: int | None = self._ask("facts")["peak_mib"]
        return found

    def stop(self) -> None:
        """End it, so that its memory is free."""
        self.process.kill()
        self.process.wait()

    def _ask(self, word: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        try:
            print(word, file=self.process.stdin, flush=True)
        except BrokenPipeError:
            raise _NoAnswerError from None
        return _answer(self._answers)


def do(job: Mapping[str, Any], python: str = sys.executable) -> dict[str, Any]:
    """Do a job once in a process of its own; returns its facts, with `seconds`, `imported_mib` and `peak_mib`.

    Raises:
        NotMeasuredError: It failed.
    """
    with _started(job, python) as (_, answers):
        return _answer(answers)


@contextmanager
def opened(job: Mapping[str, Any], python: str = sys.executable) -> Iterator[Contestant]:
    """A contestant that has run once.

    Raises:
        NotMeasuredError: It did not get that far.
    """
    with _started(job, python) as (process, answers):
        facts = _answer(answers)
        yield Contestant(process, facts["load"], facts["first"], facts["imported_mib"], answers)


@contextmanager
def _started(job: Mapping[str, Any], python: str) -> Iterator[tuple[subprocess.Popen[str], IO[str]]]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(LEFT_OUT)}
    environment |= {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [python, "-m", "benchmarks.worker", json.dumps(dict(job))]
    with ExitStack() as stack:
        errors = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace"))
        try:
            process = stack.enter_context(
                subprocess.Popen(
                    command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=errors, text=True,
                )
            )  # fmt: skip
        except OSError as error:
            raise NotMeasuredError(f"{python} does not start: {error.strerror}") from None
        assert process.stdout is not None
        try:
            yield process, process.stdout
        except _NoAnswerError:
            raise NotMeasuredError(_last_words(process, errors)) from None
        finally:
            process.kill()
            assert process.stdin is not None
            with suppress(BrokenPipeError):  # what it was asked when it was already gone
                process.stdin.close()


def _last_words(process: subprocess.Popen[str], errors: IO[str]) -> str:
    status = process.wait(PATIENCE)
    errors.seek(0)
    lines = [line.strip() for line in errors if line.strip()]
    return f"it ended with status {status}" + (f": {lines[-1]}" if lines else "")


class _NoAnswerError(Exception):
    pass


def _answer(answers: IO[str]) -> dict[str, Any]:
    line = answers.readline()
    if not line:
        raise _NoAnswerError
    facts: dict[str, Any] = json.loads(line)
    if "failed" in facts:
        raise NotMeasuredError(facts["failed"])
    return facts
