"""One model's queue: requests wait here for a short while, and those that can are drawn in one run."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from math import ceil
from typing import Any, Protocol, TypeVar

import numpy as np

from ganexport.bundle import Bundle
from ganexport.errors import BusyError, DeadlineError
from ganexport.serve.orders import Floats, Order, Part, Pixels, draw_parts
from ganexport.serve.settings import Settings

__all__ = ["SILENT", "Engine", "Listener"]

T = TypeVar("T")

SMOOTHING = 0.2
"""Weight of the newest run in the running mean of the time a picture takes."""


class Listener(Protocol):
    """Who wants to know what an engine does."""

    def ran(self, pictures: int, requests: int, seconds: float) -> None:
        """A run of the graphs is over."""

    def waits(self, pictures: int) -> None:
        """So many pictures wait now."""


class _Silent:
    def ran(self, pictures: int, requests: int, seconds: float) -> None:
        pass

    def waits(self, pictures: int) -> None:
        pass


SILENT: Listener = _Silent()


@dataclass(eq=False)
class _Job:
    """An order on its way: `taken` of its pictures are drawn or being drawn."""

    order: Order
    done: asyncio.Future[Pixels]
    latents: Floats | None = None
    taken: int = 0
    drawn: list[Pixels] = field(default_factory=list)


@dataclass(frozen=True)
class _Share:
    """The pictures of a job that one run draws."""

    job: _Job
    start: int
    stop: int


class Engine:
    """Draws what requests want, several at once.

    All methods belong to one event loop; the graphs run in a thread of the engine's own, one run after the other, since
    each run uses every processor.

    Args:
        bundle: The model.
        settings: Limits and times.
        listener: Told of each run and of the queue.
    """

    def __init__(self, bundle: Bundle, settings: Settings, listener: Listener = SILENT) -> None:
        self.bundle = bundle
        self._settings = settings
        self._listener = listener
        self._jobs: deque[_Job] = deque()
        self._waiting = self._running = 0  # pictures
        self._pace = 0.0  # seconds a picture
        self._some = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ganexport-engine")
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Open the graphs and draw once, so that the first request waits for nothing; then take orders.

        Raises:
            GanExportError: The bundle cannot draw.
        """
        manifest = self.bundle.manifest
        label = 0 if manifest.spec.c_dim else None
        noise = "none" if manifest.defaults.noise_mode == "input" else None
        for _ in range(2):  # the first run also opens the graphs, so its time says little
            begin = time.perf_counter()
            await self._in_thread(self.bundle.generate, [0], label, noise=noise)
            self._pace = time.perf_counter() - begin
        self._loop = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Take no more orders; those that wait are cancelled."""
        if self._loop is not None:
            self._loop.cancel()
            with suppress(asyncio.CancelledError):
                await self._loop
        for job in self._jobs:
            job.done.cancel()
        self._thread.shutdown(wait=True)

    async def draw(self, order: Order) -> Pixels:
        """Draw an order's pictures: uint8 [N, H, W, C]. Cancelling it takes the order out of the queue.

        Raises:
            BusyError: The queue is full, or the answer would come after the deadline.
            DeadlineError: The answer did not come in time.
            GanExportError: What `Bundle.draw` raises.
        """
        self._admit(order.count)
        job = _Job(order, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        self._waits(order.count)
        self._some.set()
        try:
            async with asyncio.timeout(self._settings.deadline):
                return await job.done
        except TimeoutError:
            seconds = self._settings.deadline
            raise DeadlineError(f"the pictures were not drawn within {seconds:g} seconds; ask for fewer") from None
        finally:
            job.done.cancel()
            if job in self._jobs:
                self._drop(job)

    def _admit(self, count: int) -> None:
        wait = (self._waiting + self._running) * self._pace
        if self._waiting and self._waiting + count > self._settings.queue:
            raise BusyError(f"{self._waiting} pictures wait already; come again later", ceil(wait))
        if self._waiting and wait + count * self._pace > self._settings.deadline:
            text = f"it would take about {wait:.0f} seconds until these pictures' turn; come again later"
            raise BusyError(text, ceil(wait))

    def _drop(self, job: _Job) -> None:
        self._jobs.remove(job)
        self._waits(job.taken - job.order.count)

    def _waits(self, change: int) -> None:
        self._waiting += change
        self._listener.waits(self._waiting)

    async def _work(self) -> None:
        """Take what waits, draw it, hand it out; for ever."""
        while True:
            if not self._jobs:
                self._some.clear()
                await self._some.wait()
                if self._settings.window and self._waiting < self.bundle.a_run:
                    await asyncio.sleep(self._settings.window)
            shares = self._take()
            if not shares:
                continue
            self._running = sum(share.stop - share.start for share in shares)
            begin = time.perf_counter()
            drawn = await self._in_thread(self._drawn, shares)
            seconds = time.perf_counter() - begin
            self._pace += SMOOTHING * (seconds / self._running - self._pace)
            self._listener.ran(self._running, len(shares), seconds)
            self._running = 0
            for share, result in zip(shares, drawn, strict=True):
                self._hand_out(share.job, result)

    def _take(self) -> list[_Share]:
        """Up to a run's pictures of orders of one kind, the eldest first; what is taken whole leaves the queue."""
        shares: list[_Share] = []
        room = self.bundle.a_run
        for job in list(self._jobs):
            order = job.order
            if job.done.done():  # it failed in an earlier run, or nobody waits for it any more
                self._drop(job)
                continue
            if shares and order.kind != shares[0].job.order.kind:
                continue
            stop = order.count if order.kind is order else min(order.count, job.taken + room)
            shares.append(_Share(job, job.taken, stop))
            room -= stop - job.taken
            self._waits(job.taken - stop)
            job.taken = stop
            if stop == order.count:
                self._jobs.remove(job)
            if room <= 0:
                break
        return shares

    def _drawn(self, shares: Sequence[_Share]) -> list[Pixels | Exception]:
        """The pictures of each share, or what is wrong with it; one's mistake is not the others'."""
        parts: dict[int, Part] = {}
        results: dict[int, Pixels | Exception] = {}
        for i, share in enumerate(shares):
            try:
                if share.job.latents is None:
                    share.job.latents = share.job.order.latents(self.bundle)
                parts[i] = Part(share.job.order, share.job.latents, share.start, share.stop)
            except Exception as error:
                results[i] = error
        try:
            results |= zip(parts, draw_parts(self.bundle, list(parts.values())), strict=True) if parts else ()
        except Exception as error:
            if len(parts) == 1:
                results |= dict.fromkeys(parts, error)
            else:
                results |= {i: self._drawn([shares[i]])[0] for i in parts}
        return [results[i] for i in range(len(shares))]

    def _hand_out(self, job: _Job, result: Pixels | Exception) -> None:
        if isinstance(result, Exception):
            if not job.done.done():
                job.done.set_exception(result)
            return
        job.drawn.append(result)
        if job.taken == job.order.count and not job.done.done():
            job.done.set_result(job.drawn[0] if len(job.drawn) == 1 else np.concatenate(job.drawn))

    async def _in_thread(self, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(call, *args, **kwargs))
