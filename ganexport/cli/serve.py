"""`serve`: bundles as an HTTP service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganexport.cli._drawing import Provider
from ganexport.cli._shared import app, comma_parts

__all__ = ["serve"]


@app.command(epilog="Example: ganexport serve converted_models/digits --port 8080")
def serve(
    bundles: Annotated[list[Path], typer.Argument(help="Folders of bundles, each served under its name.")],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for every one.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes any that is free.")] = 8080,
    provider: Provider = "cpu",
    memory: Annotated[
        float | None, typer.Option("--memory-limit", min=0.1, help="Gigabytes that drawing may need, of each model.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes, each with every model.")] = 1,
    queue: Annotated[int, typer.Option(help="Pictures of one model that may wait.")] = 256,
    window: Annotated[float, typer.Option(help="Milliseconds to wait for more requests to draw at once.")] = 2.0,
    deadline: Annotated[float, typer.Option(help="Seconds after which a request is given up.")] = 30.0,
    most_pictures: Annotated[int, typer.Option(help="Pictures of one request.")] = 64,
    most_connections: Annotated[int, typer.Option(help="Connections at once.")] = 1024,
    read_timeout: Annotated[float, typer.Option(help="Seconds for headers, and for each part of a body.")] = 10.0,
    write_timeout: Annotated[float, typer.Option(help="Seconds that a client may read nothing.")] = 30.0,
    drain: Annotated[float, typer.Option(min=0.0, help="Seconds of `not ready` before a stop by SIGTERM.")] = 0.0,
    token: Annotated[
        Path | None, typer.Option("--token-file", help="File with the token that callers must send.")
    ] = None,
    cors: Annotated[list[str] | None, typer.Option(help="Origin whose pages may call; once for each.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Serve the page of these models at `/`.")] = False,
) -> None:
    """Serve pictures over HTTP: by seed, in batches, and by the Open Inference Protocol v2."""
    from ganexport.errors import MissingExtraError
    from ganexport.serve.settings import Settings

    try:
        from ganexport.serve.run import run_server
    except ImportError as error:
        raise MissingExtraError(f'a server needs {error.name}: pip install "ganexport[serve]"') from None
    settings = Settings(
        token=None if token is None else token.read_text(encoding="utf-8").strip(),
        cors=tuple(cors or ()),
        queue=queue,
        window=window / 1000,
        deadline=deadline,
        most_pictures=most_pictures,
        most_connections=most_connections,
        read_timeout=read_timeout,
        write_timeout=write_timeout,
    )
    opening = {"providers": comma_parts(provider), "memory_limit": None if memory is None else round(memory * 1e9)}
    run_server(bundles, settings, host=host, port=port, workers=workers, demo=demo, drain=drain, opening=opening)
