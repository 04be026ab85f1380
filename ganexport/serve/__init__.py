"""Bundles as an HTTP service (extra `serve`): pictures by seed, batches, and the Open Inference Protocol v2."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ganexport.errors import MissingExtraError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ganexport.bundle import Bundle
    from ganexport.serve.settings import Settings

__all__ = ["create_app"]


def create_app(bundles: Sequence[Bundle], settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI application, to be run by any server of such or mounted into another application.

    Args:
        bundles: What it draws with, each under its name.
        settings: Limits, time-outs, who may ask; the usual ones without it.

    Returns:
        A FastAPI application; its lifespan opens the graphs and must be run.

    Raises:
        OptionError: No bundles, two of the same name, or a name that no address can have.
        MissingExtraError: The extra `serve` is not installed.
    """
    try:
        from ganexport.serve.app import build_app
    except ImportError as error:
        raise MissingExtraError(f'a server needs {error.name}: pip install "ganexport[serve]"') from None
    from ganexport.serve.settings import Settings

    return build_app(bundles, settings or Settings())
