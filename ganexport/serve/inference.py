"""The Open Inference Protocol v2 over HTTP: any of its clients can draw.

A model takes what `onnx/generator.onnx` takes: z [N, z_dim], c [N, c_dim] where there are classes, truncation_psi [N]
where there is a w space. It gives images uint8 [N, H, W, C].
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Header, Request
from fastapi.responses import Response

from ganexport import __version__
from ganexport.bundle import Bundle
from ganexport.errors import BusyError, RequestError, shown
from ganexport.inputs import Noise
from ganexport.manifest import is_noise_input
from ganexport.serve.models import CLIENT_LEFT, Models, drawn_for
from ganexport.serve.orders import Floats, Order
from ganexport.serve.settings import Settings
from ganexport.serve.tensors import (
    InferError,
    InferResponse,
    ModelMetadata,
    ServerMetadata,
    TensorMetadata,
    read_request,
    write_response,
)

__all__ = ["inference_routes"]

VERSION = "1"
OUTPUT = "images"
HEADER = "Inference-Header-Content-Length"
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": InferError, "description": "What went wrong."}
    for status in (400, 401, 404, 413, 422, 429, 503, 504)
}
REQUEST_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/InferRequest"}},
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    },
}


def inference_routes(models: Models, settings: Settings) -> APIRouter:
    """The routes under `/v2`."""
    routes = APIRouter(prefix="/v2", tags=["Open Inference Protocol v2"], responses={401: ERRORS[401]})

    @routes.get("", summary="The server")
    async def server() -> ServerMetadata:
        return ServerMetadata(name="ganexport", version=__version__, extensions=["binary_tensor_data"])

    @routes.get("/health/live", summary="Whether the server runs", response_class=Response)
    async def live() -> Response:
        return Response()

    @routes.get(
        "/health/ready", summary="Whether it takes requests", response_class=Response, responses={503: ERRORS[503]}
    )
    async def ready() -> Response:
        if models.draining:
            raise BusyError("the server is about to stop", 1, 503)
        return Response()

    async def metadata(name: str, version: str = VERSION) -> ModelMetadata:
        return _metadata(_found(models, name, version))

    async def model_ready(name: str, version: str = VERSION) -> Response:
        _found(models, name, version)
        return await ready()

    async def infer(
        request: Request,
        name: str,
        version: str = VERSION,
        inference_header_content_length: Annotated[
            str | None, Header(description="Bytes of JSON, where tensors follow it.", pattern=r"^\d{1,11}$")
        ] = None,
    ) -> Response:
        bundle = _found(models, name, version)
        asked, tensors = read_request(await request.body(), inference_header_content_length)
        if unknown := [one.name for one in asked.outputs if one.name != OUTPUT]:
            raise RequestError(f"no output {shown(unknown[0])!r}; there is {OUTPUT!r}", 400)
        drawn = await drawn_for(request, models.find(name), _order(bundle, tensors, settings.most_pictures))
        if drawn is None:
            return Response(status_code=CLIENT_LEFT)
        body, length = await asyncio.to_thread(write_response, asked, name, VERSION, OUTPUT, drawn)
        if length == len(body):
            return Response(body, media_type="application/json")
        return Response(body, headers={HEADER: str(length)}, media_type="application/octet-stream")

    for prefix in ("/models/{name}", "/models/{name}/versions/{version}"):
        routes.add_api_route(prefix, metadata, summary="What a model takes and gives", responses={404: ERRORS[404]})
        routes.add_api_route(
            f"{prefix}/ready",
            model_ready,
            summary="Whether a model takes requests",
            response_class=Response,
            responses={404: ERRORS[404], 503: ERRORS[503]},
        )
        routes.add_api_route(
            f"{prefix}/infer",
            infer,
            methods=["POST"],
            summary="Draw latents",
            response_model=InferResponse,
            responses={200: {"content": {"application/octet-stream": {}}}, **ERRORS},
            openapi_extra={"requestBody": REQUEST_BODY},
        )
    return routes


def _found(models: Models, name: str, version: str) -> Bundle:
    bundle = models.find(name).bundle
    if version != VERSION:
        raise RequestError(f"model {name!r} has no version {shown(version)!r}; it has {VERSION!r}", 404)
    return bundle


def _further_inputs(bundle: Bundle) -> dict[str, tuple[int, ...]]:
    """What `generator.onnx` takes beside latents, classes and psi: noise, or StyleGAN3's transform."""
    graphs = bundle.manifest.targets.get("onnx")
    inputs = graphs.generator.inputs if graphs is not None and graphs.generator is not None else ()
    usual = ("z", "c", "truncation_psi")
    return {one.name: tuple(n for n in one.shape if n != "N") for one in inputs if one.name not in usual}


def _shapes(bundle: Bundle) -> dict[str, tuple[int, ...]]:
    """Each input's shape without N."""
    spec = bundle.manifest.spec
    shapes: dict[str, tuple[int, ...]] = {"z": (spec.z_dim,)}
    if spec.c_dim:
        shapes["c"] = (spec.c_dim,)
    if spec.has_w_space:
        shapes["truncation_psi"] = ()
    return shapes | _further_inputs(bundle)


def _metadata(bundle: Bundle) -> ModelMetadata:
    spec = bundle.manifest.spec
    inputs = [TensorMetadata(name=name, datatype="FP32", shape=[-1, *shape]) for name, shape in _shapes(bundle).items()]
    picture = [-1, spec.resolution, spec.resolution, spec.image_channels]
    outputs = [TensorMetadata(name=OUTPUT, datatype="UINT8", shape=picture)]
    return ModelMetadata(
        name=bundle.name, versions=[VERSION], platform="onnxruntime_onnx", inputs=inputs, outputs=outputs
    )


def _order(bundle: Bundle, tensors: dict[str, Floats], most: int) -> Order:
    """The order of a request's tensors.

    Raises:
        RequestError: They are not those that the model takes.
    """
    shapes = _shapes(bundle)
    if tensors.keys() != shapes.keys():
        found = ", ".join(shown(name, 40) for name in list(tensors)[:8]) or "none"
        raise RequestError(f"the model takes {', '.join(shapes)}; found {found}", 400)
    for name, array in tensors.items():
        if array.ndim == 0 or array.shape[1:] != shapes[name]:
            raise RequestError(f"{name} must be {['N', *shapes[name]]}, found {list(array.shape)}", 400)
        if not np.isfinite(array).all():
            raise RequestError(f"{name} holds values that are not finite", 400)
    count = len(tensors["z"])
    if not 1 <= count <= most:
        raise RequestError(f"a request is for 1 to {most} pictures; this one is for {count}", 400)
    if uneven := [name for name, array in tensors.items() if len(array) != count]:
        raise RequestError(f"{uneven[0]} is for {len(tensors[uneven[0]])} pictures, z for {count}", 400)
    z, c, psis = tensors["z"], tensors.get("c"), tensors.get("truncation_psi")
    further = _further_inputs(bundle)
    in_w = bundle.manifest.spec.has_w_space
    noise: Noise | None = {name: tensors[name] for name in further if is_noise_input(name)} or None
    inputs = {name: tensors[name] for name in further if not is_noise_input(name)}
    return Order(count, lambda on: _latents(on, z, c, psis), None if in_w else c, None, noise, inputs)


def _latents(bundle: Bundle, z: Floats, c: Floats | None, psis: Floats | None) -> Floats:
    """ws [N, num_ws, w_dim] with a psi a picture; z itself without a w space."""
    if psis is None:
        return z
    rows: list[Floats] = [np.empty(0, np.float32)] * len(z)
    for psi in np.unique(psis):
        chosen = np.flatnonzero(psis == psi)
        ws = bundle.latents([], None if c is None else c[chosen], float(psi), z=z[chosen])
        for row, one in zip(chosen, ws, strict=True):
            rows[row] = one
    return np.stack(rows)
