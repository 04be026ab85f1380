"""What a request may be: who asks, how large it is, how long its body takes to come."""

from __future__ import annotations

import asyncio
import hmac

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganexport.serve.errors import problem
from ganexport.serve.settings import Settings

__all__ = ["Limits"]

OPEN = ("/healthz", "/v2/health/live", "/v2/health/ready")
"""What needs no token: whoever watches over the server has none."""
CLOSE = {"Connection": "close"}


class Limits:
    """Refuses requests without the token, and bodies that are too large or too slow.

    Args:
        app: What answers the others.
        settings: The limits.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._token = None if settings.token is None else f"Bearer {settings.token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let it through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        path = scope["path"]
        length = headers.get(b"content-length", b"0")
        if not self._may(path, headers.get(b"authorization", b"")):
            more = {"WWW-Authenticate": "Bearer"}
            answer = problem(path, 401, "send the server's token as `Authorization: Bearer …`", more)
        elif not length.isdigit() or len(length) > 18 or int(length) > self._settings.most_bytes:
            answer = problem(path, 413, self._too_large, CLOSE)
        elif headers.get(b"content-encoding", b"identity") != b"identity":
            answer = problem(path, 415, "send the body as it is, without Content-Encoding", CLOSE)
        else:
            await self._app(scope, self._measured(receive), send)
            return
        await answer(scope, receive, send)

    @property
    def _too_large(self) -> str:
        return f"a body may have {self._settings.most_bytes:,} bytes at most"

    def _may(self, path: str, authorization: bytes) -> bool:
        return self._token is None or path in OPEN or hmac.compare_digest(authorization, self._token)

    def _measured(self, receive: Receive) -> Receive:
        """The same body; too much of it, or too long a wait for the next part, is an error."""
        received, complete = 0, False

        async def measured() -> Message:
            nonlocal received, complete
            if complete:  # now it waits for the client to leave, which is no matter of time
                return await receive()
            try:
                async with asyncio.timeout(self._settings.read_timeout):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "the body did not come in time", CLOSE) from None
            received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if received > self._settings.most_bytes:
                raise HTTPException(413, self._too_large, CLOSE)
            return message

        return measured
