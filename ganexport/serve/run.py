"""Runs the application with uvicorn: one process, or several that are watched over and replaced."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from ganexport.bundle import open_bundle
from ganexport.errors import OptionError
from ganexport.serve import create_app
from ganexport.serve.connection import Connection
from ganexport.serve.logs import LOG_CONFIG, log
from ganexport.serve.metrics import FOLDER
from ganexport.serve.models import Models, check_names
from ganexport.serve.settings import Settings
from ganexport.site import build_site

__all__ = ["application", "run_server"]

CONFIG = "GANEXPORT_SERVE"
"""Names, in the environment, what `run_server` was told, for the workers to read."""
BACKLOG = 2048


def run_server(
    bundles: Sequence[Path],
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    workers: int = 1,
    demo: bool = False,
    drain: float = 0.0,
    opening: dict[str, Any] | None = None,
) -> None:
    """Serve bundles until SIGTERM or Ctrl-C; requests that are being answered then are answered to their end.

    Args:
        bundles: Their folders.
        settings: Limits, time-outs, who may ask.
        host: Address to listen on.
        port: TCP port; 0 takes any that is free, which the log tells.
        workers: Processes. Each holds every model, and is replaced when it dies.
        demo: Whether to serve the page of these bundles at `/`.
        drain: Seconds between the signal and the end in which the server says that it is not ready, but answers: time
            for a load balancer to turn elsewhere.
        opening: What `open_bundle` takes besides the path.

    Raises:
        OptionError: A name, the port or a setting will not do.
        BundleError: A folder is no bundle.
    """
    check_names([open_bundle(path, **(opening or {})) for path in bundles])
    with _listening(host, port) as listener, tempfile.TemporaryDirectory(prefix="ganexport-serve-") as temporary:
        said = settings.to_dict()
        if demo:
            said["site"] = str(build_site(bundles, Path(temporary) / "site"))
            Settings(**said)  # type: ignore[arg-type]  # a page and a token contradict each other
        if workers > 1:
            (Path(temporary) / "metrics").mkdir()
            os.environ[FOLDER] = str(Path(temporary) / "metrics")
        paths = [str(path.resolve()) for path in bundles]
        os.environ[CONFIG] = json.dumps({"bundles": paths, "settings": said, "drain": drain, "opening": opening or {}})
        config = uvicorn.Config(
            f"{__name__}:application",
            factory=True,
            http=partial(  # type: ignore[arg-type]  # uvicorn calls it as it calls the class
                Connection, read_timeout=settings.read_timeout, write_timeout=settings.write_timeout
            ),
            ws="none",
            lifespan="on",
            log_config=LOG_CONFIG,
            access_log=False,
            server_header=False,
            workers=workers,
            limit_concurrency=settings.most_connections,
            timeout_graceful_shutdown=round(settings.deadline + settings.write_timeout),
            backlog=BACKLOG,
        )
        address = f"http://{host if ':' not in host else f'[{host}]'}:{listener.getsockname()[1]}"
        log.info("listening", extra={"fields": {"address": address, "workers": workers, "models": len(paths)}})
        if workers > 1:
            Multiprocess(config, sockets=[listener]).run()
        else:
            # uvicorn raises the signal again at its end; a server that was told to stop, and did, has not failed.
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            uvicorn.Server(config).run(sockets=[listener])


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        raise OptionError(f"port {port} on {host} cannot be had: {error}; choose another") from None
    listener.set_inheritable(True)
    return listener


def application() -> FastAPI:
    """The application that `run_server` described in the environment; uvicorn calls this in each worker."""
    said = json.loads(os.environ[CONFIG])
    settings = Settings(**{**said["settings"], "cors": tuple(said["settings"]["cors"])})
    app = create_app([open_bundle(path, **said["opening"]) for path in said["bundles"]], settings)
    usual = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(on: FastAPI) -> AsyncIterator[None]:
        async with usual(on):
            _drain_on_signal(on.state.models, said["drain"])
            log.info("ready")
            yield

    app.router.lifespan_context = lifespan
    return app


def _drain_on_signal(models: Models, seconds: float) -> None:
    """On SIGTERM say first that the server is not ready, and let uvicorn stop it after so many seconds."""
    loop = asyncio.get_running_loop()
    stop = signal.getsignal(signal.SIGTERM)

    def drain(number: int, frame: FrameType | None) -> None:
        models.draining = True
        if callable(stop):
            loop.call_soon_threadsafe(loop.call_later, seconds, stop, number, None)

    signal.signal(signal.SIGTERM, drain)
