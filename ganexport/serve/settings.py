"""How a server behaves: limits, time-outs, who may ask."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from math import isfinite

from ganexport.errors import OptionError

__all__ = ["Settings"]

POSITIVE = ("queue", "most_pictures", "most_bytes", "most_connections")
SECONDS = ("deadline", "read_timeout", "write_timeout")


@dataclass(frozen=True)
class Settings:
    """What holds for every model of a server.

    Attributes:
        token: What a caller must send as `Authorization: Bearer …`; None lets everyone in.
        cors: Origins whose pages may call it; none by default.
        queue: Pictures of one model that may wait; who asks for more is told when to come again (429).
        window: Seconds that a request waits for others to be drawn with, when nothing else is being drawn.
        deadline: Seconds after which a request is given up (504).
        most_pictures: Of one request.
        most_bytes: Of one request's body.
        most_connections: Open at once; further ones are refused (503).
        read_timeout: Seconds that headers may take to come, and each next part of a body (408).
        write_timeout: Seconds that a client may leave its answer unread before the connection is closed.
        max_age: Seconds that a cache may keep a picture without asking whether it is still the same.
        site: Folder of a page to serve at `/`.
    """

    token: str | None = field(default=None, repr=False)
    cors: tuple[str, ...] = ()
    queue: int = 256
    window: float = 0.002
    deadline: float = 30.0
    most_pictures: int = 64
    most_bytes: int = 8 << 20
    most_connections: int = 1024
    read_timeout: float = 10.0
    write_timeout: float = 30.0
    max_age: int = 3600
    site: str | None = None

    def __post_init__(self) -> None:
        for name in POSITIVE:
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be at least 1, found {getattr(self, name)}")
        for name in SECONDS:
            if not (isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise OptionError(f"{name} must be more than 0 seconds, found {getattr(self, name)}")
        if not (isfinite(self.window) and 0 <= self.window < self.deadline):
            raise OptionError(f"window must be from 0 seconds to less than the deadline, found {self.window}")
        if self.queue < self.most_pictures:
            raise OptionError(f"a queue of {self.queue} pictures cannot take a request of {self.most_pictures}")
        if self.token is not None and (not self.token or not self.token.isascii() or not self.token.isprintable()):
            raise OptionError("a token must be printable ASCII, and not empty")
        if self.token is not None and self.site is not None:
            raise OptionError("a browser cannot send a token for a page: use either the demo page or a token")

    def to_dict(self) -> dict[str, object]:
        """Plain values, from which `Settings(**…)` is the same again."""
        return {one.name: getattr(self, one.name) for one in fields(self)}
