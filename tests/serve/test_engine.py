"""The queue of one model: what is drawn together, what is refused, what is given up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.shipped import DIGITS

from ganexport.bundle import Bundle
from ganexport.errors import BusyError, DeadlineError, OptionError
from ganexport.serve.engine import Engine
from ganexport.serve.orders import Order
from ganexport.serve.requests import order_of_one
from ganexport.serve.settings import Settings

Pixels = NDArray[np.uint8]


class Watched(Bundle):
    """The digits in runs of four, which can be held up and are counted."""

    a_run = 4

    def __init__(self) -> None:
        super().__init__(DIGITS)
        self.go = threading.Event()
        self.go.set()
        self.runs: list[int] = []

    def draw(self, latents: NDArray[np.float32], *args: Any, **kwargs: Any) -> Pixels:
        assert self.go.wait(30)
        self.runs.append(len(latents))
        return super().draw(latents, *args, **kwargs)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Runs wait until the end of the block."""
        self.go.clear()
        try:
            yield
        finally:
            self.go.set()


def run(test: Callable[[Engine, Watched], Awaitable[None]], **settings: Any) -> None:
    """A test with an engine that is ready."""

    async def with_engine() -> None:
        bundle = Watched()
        async with started(bundle, **settings) as engine:
            bundle.runs.clear()
            await test(engine, bundle)

    asyncio.run(asyncio.wait_for(with_engine(), 60))


@asynccontextmanager
async def started(bundle: Bundle, **settings: Any):  # type: ignore[no-untyped-def]
    engine = Engine(bundle, Settings(**settings))
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


def order(bundle: Bundle, seed: int, psi: float = 1.0, noise: Any = None) -> Order:
    return order_of_one(bundle, seed, seed % 10, psi, None, noise)[0]


def several(bundle: Bundle, seeds: list[int]) -> Order:
    return Order(len(seeds), lambda on: on.latents(seeds, [seed % 10 for seed in seeds]), None, seeds)


def wanted(bundle: Bundle, seed: int, psi: float = 1.0, noise: Any = None) -> Pixels:
    return bundle.generate([seed], seed % 10, psi, noise=noise)


def near(a: Pixels, b: Pixels) -> bool:
    return a.shape == b.shape and int(np.abs(a.astype(int) - b.astype(int)).max()) <= 1


async def waiting(engine: Engine, bundle: Bundle, orders: list[Order]) -> list[asyncio.Task[Pixels]]:
    """Orders that wait while a run is held up."""
    tasks = [asyncio.create_task(engine.draw(one)) for one in orders]
    await asyncio.sleep(0.05)
    return tasks


def test_requests_are_drawn_together_and_each_gets_its_own() -> None:
    async def test(engine: Engine, bundle: Watched) -> None:
        psis = [1.0, 0.5, 0.0, 0.7, 1.0, 0.3, 0.9]
        with bundle.held():
            first = await waiting(engine, bundle, [order(bundle, 50)])
            tasks = await waiting(engine, bundle, [order(bundle, i, psi) for i, psi in enumerate(psis)])
        drawn = await asyncio.gather(*first, *tasks)
        assert bundle.runs == [1, 4, 3]
        for seed, psi, pictures in zip(range(7), psis, drawn[1:], strict=True):
            assert near(pictures, wanted(bundle, seed, psi))

    run(test)


def test_only_orders_of_one_kind_are_drawn_together() -> None:
    async def test(engine: Engine, bundle: Watched) -> None:
        noises = [None, "none", None, "none"]
        with bundle.held():
            first = await waiting(engine, bundle, [order(bundle, 50)])
            tasks = await waiting(engine, bundle, [order(bundle, i, 1.0, noise) for i, noise in enumerate(noises)])
        drawn = await asyncio.gather(*first, *tasks)
        assert bundle.runs == [1, 2, 2]
        for seed, noise, pictures in zip(range(4), noises, drawn[1:], strict=True):
            assert near(pictures, wanted(bundle, seed, 1.0, noise))

    run(test)


def test_a_large_order_is_drawn_in_several_runs_with_others() -> None:
    async def test(engine: Engine, bundle: Watched) -> None:
        seeds = list(range(10))
        with bundle.held():
            first = await waiting(engine, bundle, [order(bundle, 50)])
            tasks = await waiting(engine, bundle, [several(bundle, seeds), order(bundle, 20), order(bundle, 21)])
        large, one, other = (await asyncio.gather(*first, *tasks))[1:]
        assert bundle.runs == [1, 4, 4, 4]
        assert near(large, np.concatenate([wanted(bundle, seed) for seed in seeds]))
        assert near(one, wanted(bundle, 20))
        assert near(other, wanted(bundle, 21))

    run(test)


def test_one_s_mistake_is_not_the_others() -> None:
    def broken(_: Bundle) -> NDArray[np.float32]:
        raise OptionError("no such thing")

    async def test(engine: Engine, bundle: Watched) -> None:
        too_small = Order(1, lambda _: np.zeros((1, 8, 3), np.float32), None, [1])
        with bundle.held():
            first = await waiting(engine, bundle, [order(bundle, 50)])
            orders = [order(bundle, 1), Order(1, broken, None, [1]), too_small, order(bundle, 2)]
            tasks = await waiting(engine, bundle, orders)
        good, raised, small, good_too = (await asyncio.gather(*first, *tasks, return_exceptions=True))[1:]
        assert isinstance(raised, OptionError)
        assert isinstance(small, Exception)
        assert not isinstance(good, BaseException) and near(good, wanted(bundle, 1))
        assert not isinstance(good_too, BaseException) and near(good_too, wanted(bundle, 2))
        assert near(await engine.draw(order(bundle, 3)), wanted(bundle, 3))  # and it goes on

    run(test)


def test_a_full_queue_refuses_and_says_when_to_come_again() -> None:
    async def test(engine: Engine, bundle: Watched) -> None:
        with bundle.held():
            tasks = await waiting(engine, bundle, [order(bundle, 50)])
            tasks += await waiting(engine, bundle, [order(bundle, seed) for seed in range(8)])
            with pytest.raises(BusyError, match="8 pictures wait already") as caught:
                await engine.draw(order(bundle, 9))
            assert (caught.value.status, caught.value.retry_after) == (429, 1)
        drawn = await asyncio.gather(*tasks)
        assert len(drawn) == 9
        assert near(await engine.draw(order(bundle, 9)), wanted(bundle, 9))  # there is room again

    run(test, queue=8, most_pictures=8)


def test_who_would_wait_too_long_is_refused_at_once() -> None:
    async def test(engine: Engine, bundle: Watched) -> None:
        engine._pace = 1.0  # seconds a picture
        with bundle.held():
            tasks = await waiting(engine, bundle, [order(bundle, 50)])
            tasks += await waiting(engine, bundle, [order(bundle, seed) for seed in range(3)])
            with pytest.raises(BusyError, match="about 4 seconds") as caught:
                await engine.draw(order(bundle, 9))
            assert caught.value.retry_after == 4
        await asyncio.gather(*tasks)

    run(test, deadline=4.5)


def test_what_is_late_is_given_up_and_not_drawn() -> None:
    async def test(engine: Engine, bundle: Watched) -> None:
        with bundle.held():
            tasks = [asyncio.create_task(engine.draw(order(bundle, seed))) for seed in range(3)]
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(one) for one in results] == [DeadlineError] * 3
        assert near(await engine.draw(order(bundle, 5)), wanted(bundle, 5))
        assert sum(bundle.runs) <= 3 + 1 + 1

    run(test, deadline=0.3, window=0.0)


def test_who_left_is_taken_out_of_the_queue() -> None:
    async def test(engine: Engine, bundle: Watched) -> None:
        with bundle.held():
            first = await waiting(engine, bundle, [order(bundle, 50)])
            tasks = await waiting(engine, bundle, [order(bundle, seed) for seed in range(8)])
            for task in tasks:
                task.cancel()
            await asyncio.sleep(0.05)
            assert (engine._waiting, len(engine._jobs)) == (0, 0)
            last = await waiting(engine, bundle, [order(bundle, 7)])
        await asyncio.gather(*first, *last)
        assert bundle.runs == [1, 1]

    run(test, queue=8, most_pictures=8)


def test_an_order_that_fails_half_way_is_dropped() -> None:
    async def test(engine: Engine, bundle: Watched) -> None:
        latents = bundle.latents(list(range(10)), 3)
        latents[5] = np.nan
        with pytest.raises(OptionError, match="not finite"):
            await engine.draw(Order(10, lambda _: latents, None, list(range(10))))
        assert (engine._waiting, len(engine._jobs)) == (0, 0)
        assert near(await engine.draw(order(bundle, 3)), wanted(bundle, 3))

    run(test)
