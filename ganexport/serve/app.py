"""The application: its routes, what stands before them, its beginning and its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response
from pydantic.json_schema import models_json_schema
from starlette.middleware.cors import CORSMiddleware

from ganexport import __version__
from ganexport.bundle import Bundle
from ganexport.errors import BusyError
from ganexport.serve.engine import Engine
from ganexport.serve.errors import add_error_handlers
from ganexport.serve.inference import inference_routes
from ganexport.serve.limits import Limits
from ganexport.serve.metrics import CONTENT_TYPE, Metrics
from ganexport.serve.models import Models, check_names
from ganexport.serve.page import Page
from ganexport.serve.pictures import picture_routes
from ganexport.serve.settings import Settings
from ganexport.serve.tensors import InferRequest
from ganexport.serve.watch import Watch

__all__ = ["build_app"]

ABOUT = """Pictures of generators, each from its seed: the same seed is the same picture everywhere.

Errors are problem documents (RFC 9457) under `/v1`, and `{"error": …}` under `/v2`. 429 and 503 say with `Retry-After`
when to come again."""


def build_app(bundles: Sequence[Bundle], settings: Settings) -> FastAPI:
    """The service; see `ganexport.serve.create_app`.

    Raises:
        OptionError: No bundles, two of the same name, or a name that no address can have.
    """
    check_names(bundles)
    metrics = Metrics()
    models = Models([Engine(bundle, settings, metrics.of_model(bundle.name)) for bundle in bundles])

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        started: list[Engine] = []
        try:
            for engine in models:
                started.append(engine)
                await engine.start()
            yield
        finally:
            for engine in started:
                await engine.stop()

    app = FastAPI(
        title="ganexport",
        version=__version__,
        description=ABOUT,
        lifespan=lifespan,
        docs_url=None,  # its page would load a program from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.models = models
    add_error_handlers(app)
    app.include_router(picture_routes(models, settings))
    app.include_router(inference_routes(models, settings))
    _add_operations(app, models, metrics)
    if settings.site is not None:
        app.mount("/", Page(directory=settings.site, html=True), name="page")
    app.add_middleware(Limits, settings=settings)
    if settings.cors:
        exposed = ("ETag", "Retry-After", "X-Request-ID", "Ganexport-Shape", "Inference-Header-Content-Length")
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors,
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            expose_headers=exposed,
        )
    app.add_middleware(Watch, metrics=metrics)
    _complete_document(app)
    return app


def _add_operations(app: FastAPI, models: Models, metrics: Metrics) -> None:
    """What those ask who keep the server running."""

    @app.get("/healthz", tags=["operations"], summary="Whether it takes requests", response_class=PlainTextResponse)
    async def healthz() -> str:
        if models.draining:
            raise BusyError("the server is about to stop", 1, 503)
        return "ok\n"

    @app.get("/metrics", tags=["operations"], summary="Figures for Prometheus", response_class=PlainTextResponse)
    async def figures() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)


def _complete_document(app: FastAPI) -> None:
    """Put into the OpenAPI document what is read by hand."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        _, found = models_json_schema([(InferRequest, "validation")], ref_template="#/components/schemas/{model}")
        document["components"]["schemas"] |= found["$defs"]
        return document

    app.openapi = openapi  # type: ignore[method-assign]
