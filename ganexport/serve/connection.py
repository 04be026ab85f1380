"""HTTP connections of uvicorn that do not wait for ever for their clients."""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["Connection"]


class Connection(H11Protocol):
    """A connection that is closed when headers do not come, or an answer is not read, in time.

    It is the parser in Python, which limits headers to 64 KiB and is what the extra `serve` installs everywhere.

    Args:
        read_timeout: Seconds for a request's headers, from the first byte or, for the first request, from the start.
        write_timeout: Seconds that a client may read nothing of its answer.
        given: As uvicorn gives it.
    """

    def __init__(self, read_timeout: float, write_timeout: float, **given: Any) -> None:
        super().__init__(**given)
        self._read_timeout, self._write_timeout = read_timeout, write_timeout
        self._reading: TimerHandle | None = None
        self._writing: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Wait for the first request, but not for long."""
        super().connection_made(transport)
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        """What comes between two requests is the beginning of the next one."""
        super().data_received(data)
        if self._idle and self._reading is None:
            self._await_headers()
        elif not self._idle and self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def pause_writing(self) -> None:
        """The client reads too slowly: its time runs."""
        super().pause_writing()
        self._writing = self.loop.call_later(self._write_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for any more."""
        super().connection_lost(exc)
        self._forget()
        if self._reading is not None:
            self._reading.cancel()

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _await_headers(self) -> None:
        self._reading = self.loop.call_later(self._read_timeout, self._too_late)

    def _too_late(self) -> None:
        self._reading = None
        if self._idle:
            self.transport.abort()

    def _forget(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
