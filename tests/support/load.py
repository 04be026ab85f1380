"""Load on a server: many clients that ask, read the answer, and come again when they were told to."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Outcome:
    """What clients met with.

    Attributes:
        statuses: How often each status was answered; 0 for a connection that broke.
        seconds: How long each good answer took.
        lasted: Seconds from the first request to the last answer.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    lasted: float = 0.0

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.statuses[200] / self.lasted

    def quantile(self, share: float) -> float:
        """Seconds within which this share of the good answers came."""
        return float(np.quantile(self.seconds, share))

    def __str__(self) -> str:
        times = ", ".join(f"p{round(share * 100)} {self.quantile(share) * 1000:.0f} ms" for share in (0.5, 0.99))
        return f"{dict(self.statuses)} in {self.lasted:.1f} s: {self.rate:.1f} good answers/s, {times}"


def load(
    port: int, request: Callable[[int], bytes], *, clients: int, seconds: float = 1e9, requests: int | None = None
) -> Outcome:
    """Ask with so many clients at once, for so long or so often in all.

    Args:
        port: Of the server, on this machine.
        request: The bytes of the n-th request, with keep-alive.
        clients: Each has a connection, and waits for each answer; after 429 for as long as it is told to.
        seconds: How long.
        requests: How many in all; without end if None.
    """
    outcome = Outcome()
    asyncio.run(_load(port, request, clients, seconds, requests, outcome))
    return outcome


async def _load(
    port: int, request: Callable[[int], bytes], clients: int, seconds: float, requests: int | None, outcome: Outcome
) -> None:
    begin = time.perf_counter()
    asked = 0

    async def client() -> None:
        nonlocal asked
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() - begin < seconds and (requests is None or asked < requests):
            asked += 1
            start = time.perf_counter()
            writer.write(request(asked))
            try:
                status, headers = await _answer(reader)
            except (OSError, asyncio.IncompleteReadError):
                outcome.statuses[0] += 1
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                continue
            outcome.statuses[status] += 1
            if status == 200:
                outcome.seconds.append(time.perf_counter() - start)
            else:
                writer.close()  # which the server would do meanwhile
                await asyncio.sleep(float(headers.get("retry-after", 0)))
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    outcome.lasted = time.perf_counter() - begin


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Status and headers of an answer, which is read to its end."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    await reader.readexactly(int(headers["content-length"]))
    return int(head[0].split()[1]), headers


def post(path: str, body: str) -> bytes:
    """A request with JSON."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def get(path: str) -> bytes:
    """A request without a body."""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
