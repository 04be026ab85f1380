"""Pictures over plain HTTP: one by its address, several by a request."""

from __future__ import annotations

import asyncio
import hashlib
import io
from base64 import b64encode
from typing import Annotated, Any

import numpy as np
import PIL
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from ganexport import __version__
from ganexport.bundle import Bundle
from ganexport.picture_origin import Origin, encode_picture, origin_of
from ganexport.pictures import PictureFormat
from ganexport.serve.errors import PROBLEMS
from ganexport.serve.models import CLIENT_LEFT, Model, ModelList, Models, described, drawn_for
from ganexport.serve.orders import Pixels
from ganexport.serve.requests import Cutoff, ImagesRequest, Noise, Psi, Seed, order_of, order_of_one
from ganexport.serve.settings import Settings

__all__ = ["picture_routes"]

PROBLEMS_OF_READING: dict[int | str, dict[str, Any]] = {status: PROBLEMS[status] for status in (401, 404)}
BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
EXAMPLES: dict[str, Any] = {
    "seeds": {"summary": "Three pictures of a class", "value": {"seeds": [1, 2, 3], "label": 7, "psi": 0.7}},
    "mix": {
        "summary": "The coarse layers of another seed",
        "value": {"seeds": [1, 2], "label": 7, "mix": {"seeds": [9], "layers": "coarse"}, "format": "webp"},
    },
    "walk": {
        "summary": "On the way from seed to seed",
        "value": {"seeds": [1, 2, 3], "label": 7, "walk": {"frames": 8, "loop": True}, "format": "npz"},
    },
}


class Picture(BaseModel):
    """One of several pictures."""

    seed: int | None = Field(description="null for a picture on the way between seeds.")
    label: int | None = Field(description="Index of its class; null without classes, and between two.")
    data: str = Field(description="The picture's file in base64.")


class Pictures(BaseModel):
    """Several pictures, in the order of the request."""

    model: str
    digest: str = Field(description="Of the model's bundle.")
    type: str = Field(examples=["image/png"])
    pictures: list[Picture]


def picture_routes(models: Models, settings: Settings) -> APIRouter:
    """The routes under `/v1`."""
    routes = APIRouter(prefix="/v1", tags=["pictures"])

    @routes.get("/models", summary="The models of this server", responses=PROBLEMS_OF_READING)
    async def list_models() -> ModelList:
        return ModelList(models=[described(engine.bundle) for engine in models])

    @routes.get("/models/{name}", summary="One model", responses=PROBLEMS_OF_READING)
    async def show_model(name: str) -> Model:
        return described(models.find(name).bundle)

    @routes.get(
        "/models/{name}/image",
        summary="The picture of a seed",
        description="The same address is the same picture, so it can be cached: the answer has an ETag.",
        response_class=Response,
        responses={
            200: {
                "description": "The picture.",
                "content": {f"image/{kind}": BINARY for kind in ("png", "webp", "jpeg")},
            },
            304: {"description": "The picture that the client has is the one."},
            **PROBLEMS,
        },
    )
    async def image(
        request: Request,
        name: str,
        seed: Annotated[Seed, Query(examples=[42])] = 0,
        label: Annotated[
            str | None, Query(description="A class by name or index.", max_length=200, examples=["7"])
        ] = None,
        psi: Annotated[Psi | None, Query(examples=[0.7])] = None,
        cutoff: Annotated[Cutoff | None, Query()] = None,
        noise: Annotated[Noise | None, Query()] = None,
        format: Annotated[PictureFormat, Query()] = "png",
        if_none_match: Annotated[str | None, Header(max_length=4000)] = None,
    ) -> Response:
        engine = models.find(name)
        order, origin = order_of_one(engine.bundle, seed, label, psi, cutoff, noise)
        who = "private" if settings.token else "public"
        headers = {"ETag": _etag(origin, format), "Cache-Control": f"{who}, max-age={settings.max_age}"}
        if _matches(if_none_match, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        drawn = await drawn_for(request, engine, order)
        if drawn is None:
            return Response(status_code=CLIENT_LEFT)
        data = await asyncio.to_thread(encode_picture, drawn[0], format, origin)
        return Response(data, headers=headers, media_type=f"image/{format}")

    @routes.post(
        "/models/{name}/images",
        summary="Several pictures: of seeds, mixed, moved, or on a walk",
        response_model=Pictures,
        responses={
            200: {
                "description": "The pictures.",
                "content": {"application/octet-stream": BINARY, "application/zip": BINARY},
            },
            **PROBLEMS,
        },
        openapi_extra={"requestBody": {"content": {"application/json": {"examples": EXAMPLES}}}},
    )
    async def images(request: Request, name: str, wanted: ImagesRequest) -> Response:
        engine = models.find(name)
        order, labels = order_of(engine.bundle, wanted, settings.most_pictures)
        drawn = await drawn_for(request, engine, order)
        if drawn is None:
            return Response(status_code=CLIENT_LEFT)
        return await asyncio.to_thread(_answer, engine.bundle, wanted, drawn, labels)

    return routes


def _answer(bundle: Bundle, wanted: ImagesRequest, drawn: Pixels, labels: list[int] | None) -> Response:
    """Pictures in the form that was asked for."""
    if wanted.format == "raw":
        shape = ",".join(map(str, drawn.shape))
        return Response(drawn.tobytes(), headers={"Ganexport-Shape": shape}, media_type="application/octet-stream")
    if wanted.format == "npz":
        named: dict[str, Any] = {"images": drawn}
        if wanted.walk is None:
            named["seeds"] = np.asarray(wanted.seeds, np.int64)
        if labels is not None:
            named["labels"] = np.asarray(labels, np.int64)
        file = io.BytesIO()
        np.savez(file, **named)
        return Response(file.getvalue(), media_type="application/zip")
    pictures = []
    plain = wanted.walk is None and wanted.mix is None and not wanted.moves
    for i, picture in enumerate(drawn):
        seed = wanted.seeds[i] if wanted.walk is None else None
        label = None if labels is None else labels[i]
        origin = _origin(bundle, wanted, seed, label) if plain and seed is not None else None
        data = b64encode(encode_picture(picture, wanted.format, origin)).decode()
        pictures.append({"seed": seed, "label": label, "data": data})
    kind = f"image/{wanted.format}"
    return JSONResponse({"model": bundle.name, "digest": bundle.digest, "type": kind, "pictures": pictures})


def _origin(bundle: Bundle, wanted: ImagesRequest, seed: int, label: int | None) -> Origin:
    return origin_of(bundle, seed, label, wanted.psi, cutoff=wanted.cutoff, noise=wanted.noise)


def _etag(origin: Origin, kind: str) -> str:
    """A name of these very bytes: another version of ours or of Pillow may encode the same picture differently."""
    text = "\n".join((origin.to_text(), kind, __version__, PIL.__version__))
    return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def _matches(given: str | None, etag: str) -> bool:
    """Whether one of the tags that a client has is this one (RFC 9110, section 13.1.2)."""
    tags = [tag.strip().removeprefix("W/") for tag in (given or "").split(",")]
    return "*" in tags or etag in tags
