"""Errors as answers: problem documents (RFC 9457), and `{"error": …}` for the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from ganexport.errors import GanExportError, OptionError, RuntimeUnavailableError, ServiceError, shown

__all__ = ["PROBLEMS", "Problem", "add_error_handlers", "problem"]

PROTOCOL = "/v2"
LONGEST = 500


class Problem(BaseModel):
    """What went wrong with a request (RFC 9457)."""

    type: str = Field(default="about:blank", examples=["about:blank"])
    title: str = Field(description="What the status means.", examples=["Unprocessable Entity"])
    status: int = Field(description="The status of the answer.", examples=[422])
    detail: str = Field(
        description="What was found, what was expected, what to do.",
        examples=["class '11' is unknown; choose from: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"],
    )


def _documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    content = {"application/problem+json": schema}
    return {
        status: {"description": HTTPStatus(status).phrase, "model": Problem, "content": content} for status in statuses
    }


PROBLEMS = _documented(400, 401, 404, 413, 422, 429, 503, 504)
"""The answers of a route that draws, apart from the good one."""


def problem(path: str, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """An error as the caller of this path expects it."""
    if path.startswith(PROTOCOL):
        return JSONResponse({"error": detail}, status, headers)
    title = HTTPStatus(status).phrase
    return JSONResponse(
        Problem(title=title, status=status, detail=detail).model_dump(),
        status,
        headers,
        media_type="application/problem+json",
    )


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error of ours, and of the framework, in this way."""

    async def ours(request: Request, error: Exception) -> Response:
        headers = None
        if isinstance(error, ServiceError):
            status = error.status
            if error.retry_after is not None:
                headers = {"Retry-After": str(error.retry_after)}
        elif isinstance(error, OptionError):
            status = 422
        else:
            status = 503 if isinstance(error, RuntimeUnavailableError) else 500
        return problem(request.url.path, status, str(error), headers)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        found = error.errors()
        status = 400 if any(one["type"] == "json_invalid" for one in found) else 422
        # The values themselves are left out: they may be long, or nothing that JSON can hold.
        texts = [f"{'.'.join(shown(str(part), 40) for part in one['loc'])}: {one['msg']}" for one in found]
        return problem(request.url.path, status, "; ".join(texts)[:LONGEST])

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        detail = error.detail
        if error.status_code == 404:
            detail = "nothing is served at this address; GET /openapi.json lists what is"
        return problem(request.url.path, error.status_code, detail, error.headers)

    async def unforeseen(request: Request, _: Exception) -> Response:
        return problem(request.url.path, 500, "the server failed; its log says more")

    app.add_exception_handler(GanExportError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unforeseen)
