"""How the command line looks: plain text, errors in one line, progress with rate and time left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.table import Table
from rich.text import Text

from ganexport.progress import Progress

__all__ = ["console", "errors", "plain", "progress", "say_error", "table"]

console, errors = Console(highlight=False), Console(stderr=True, highlight=False)


MOST_CHARACTERS = 4000


def plain(text: str) -> str:
    """Text that rich prints as it is: one line, not without end, and nothing in it that a terminal would obey."""
    shown = "".join(c if c.isprintable() else "?" for c in text[:MOST_CHARACTERS].replace("\n", " "))
    return escape(shown if len(text) <= MOST_CHARACTERS else f"{shown}…")


def say_error(text: str) -> None:
    """One line on stderr."""
    errors.print(f"[red]error:[/] {plain(text)}", soft_wrap=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table of plain texts, without lines."""
    shown = Table(box=None, header_style="bold")
    for column in columns:
        shown.add_column(column)
    for row in rows:
        shown.add_row(*map(plain, row))
    return shown


@contextmanager
def progress() -> Iterator[Progress]:
    """A line that says what happens now, with a bar where steps are known; on a terminal only, gone afterwards."""
    what = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), _Counted())
    time = (TimeElapsedColumn(), _Rate(), TimeRemainingColumn())
    quiet = not errors.is_terminal
    # What is printed meanwhile goes to stdout all the same, where a script may read it.
    with Bars(*what, *time, console=errors, transient=True, redirect_stdout=False, disable=quiet) as bars:
        yield _Shown(bars)


class _Shown:
    """Progress as one line of a terminal."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task = bars.add_task("starting", total=None)

    def stage(self, text: str, steps: int | None = None) -> None:
        self._bars.remove_task(self._task)
        self._task = self._bars.add_task(plain(text), total=steps)

    def step(self, count: int = 1) -> None:
        self._bars.advance(self._task, count)


class _Counted(ProgressColumn):
    """Steps done of all, where these are known."""

    def render(self, task: Task) -> Text:
        return MofNCompleteColumn().render(task) if task.total is not None else Text("")


class _Rate(ProgressColumn):
    """Steps a second, or seconds a step."""

    def render(self, task: Task) -> Text:
        if task.total is None or not task.speed:
            return Text("")
        return Text(f"{task.speed:.1f}/s" if task.speed >= 1 else f"{1 / task.speed:.1f} s each")
