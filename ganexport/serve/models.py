"""The models of a server, and what it tells of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from typing import Literal

from pydantic import BaseModel, Field
from starlette.requests import Request

from ganexport.bundle import Bundle
from ganexport.errors import OptionError, RequestError, shown
from ganexport.inputs import noise_choices
from ganexport.serve.engine import Engine
from ganexport.serve.orders import Order, Pixels

__all__ = ["CLIENT_LEFT", "Model", "ModelList", "Models", "check_names", "described", "drawn_for"]

CLIENT_LEFT = 499
"""Status, as nginx counts it, of a request whose client did not wait for the answer."""
NAME = re.compile(r"[A-Za-z0-9._~-]{1,100}")


class Model(BaseModel):
    """What a model draws, and what can be asked of it."""

    name: str = Field(examples=["digits"])
    digest: str = Field(description="SHA-256 of its bundle: another digest, other pictures.")
    architecture: str = Field(examples=["stylegan2"])
    resolution: int = Field(description="Height and width of its pictures.", examples=[32])
    channels: Literal[1, 3, 4]
    labels: list[str] | None = Field(description="Its classes in order; null without classes.")
    psi: float | None = Field(description="Truncation where none is asked for; null without a w space.")
    num_ws: int = Field(description="Layers that can be mixed; 0 without a w space.")
    noise: list[str] = Field(description="Noise that can be asked for.")
    directions: list[str] = Field(description="Directions to move along.")
    multiply_adds: int = Field(description="Of one picture; 0 where they were not counted.")
    licence: str | None


class ModelList(BaseModel):
    """The models of this server."""

    models: list[Model]


class Models:
    """Engines by name. A request's name is looked up here and never becomes a path.

    Args:
        engines: One a model.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = {engine.bundle.name: engine for engine in engines}
        self.draining = False

    def __iter__(self) -> Iterator[Engine]:
        return iter(self._engines.values())

    def find(self, name: str) -> Engine:
        """The engine of a model.

        Raises:
            RequestError: There is none of this name.
        """
        if name not in self._engines:
            raise RequestError(f"no model {shown(name)!r} here; there is: {', '.join(self._engines)}", 404)
        return self._engines[name]


def check_names(bundles: Sequence[Bundle]) -> None:
    """Check that each bundle can have an address of its own.

    Raises:
        OptionError: No bundles, two of the same name, or a name that no address can have.
    """
    if not bundles:
        raise OptionError("a server needs at least one bundle")
    names = [bundle.name for bundle in bundles]
    for name in names:
        if not NAME.fullmatch(name) or set(name) == {"."}:
            raise OptionError(f"a served model's name has letters, digits and . _ ~ - only; found {shown(name)!r}")
        if names.count(name) > 1:
            raise OptionError(f"models of one server need different names; two are called {name!r}")


def described(bundle: Bundle) -> Model:
    """What is told of a model."""
    manifest = bundle.manifest
    spec, classes = manifest.spec, manifest.spec.c_dim
    return Model(
        name=bundle.name,
        digest=bundle.digest,
        architecture=spec.architecture,
        resolution=spec.resolution,
        channels=spec.image_channels,
        labels=list(manifest.labels or map(str, range(classes))) if classes else None,
        psi=manifest.defaults.truncation_psi if spec.has_w_space else None,
        num_ws=spec.num_ws,
        noise=list(noise_choices(manifest.defaults.noise_mode)),
        directions=[one.name for one in manifest.directions.items] if manifest.directions else [],
        multiply_adds=manifest.multiply_adds,
        licence=manifest.provenance.licence,
    )


async def drawn_for(request: Request, engine: Engine, order: Order) -> Pixels | None:
    """The pictures of an order; None if the client left meanwhile, whose order is then taken out of the queue."""
    drawing = asyncio.ensure_future(engine.draw(order))
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((drawing, leaving), return_when=asyncio.FIRST_COMPLETED)
        if drawing.done():
            return await drawing
        await leaving  # raises what was wrong with the rest of the body, if anything
        return None
    finally:
        drawing.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    """Wait until the client is gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
