"""From what a request says to what is to be drawn: seeds, mixing, walks, moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ganexport.bundle import Bundle
from ganexport.errors import OptionError
from ganexport.latents import layer_range, mix_styles, move_along, one_hot, walk, z_from_seeds
from ganexport.picture_origin import Origin, origin_of
from ganexport.serve.orders import Floats, Order

__all__ = ["ImagesRequest", "Noise", "Seed", "order_of", "order_of_one"]

Seed = Annotated[int, Field(ge=0, lt=2**32, description="The same seed is the same picture everywhere.")]
Psi = Annotated[float, Field(ge=-4, le=4, allow_inf_nan=False, description="Truncation; the model's own without it.")]
Cutoff = Annotated[int, Field(ge=0, le=256, description="Truncate the first so many layers only.")]
Label = Annotated[int | str, Field(description="A class by name or index; needed where the model has classes.")]
Noise = Literal["const", "none", "random"]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Mix(_Request):
    """Take some layers from the pictures of other seeds."""

    seeds: list[Seed] = Field(min_length=1, description="Donors: one for all pictures, or one each.")
    layers: str = Field(default="coarse", max_length=20, description="`coarse`, `middle`, `fine`, or such as `0-3`.")


class Walk(_Request):
    """Go from seed to seed."""

    frames: int = Field(ge=1, le=10_000, description="Pictures from one seed to the next.")
    loop: bool = Field(default=False, description="Go on from the last seed to the first.")


class ImagesRequest(_Request):
    """Several pictures: of seeds, mixed, moved, or on the way between seeds."""

    seeds: list[Seed] = Field(min_length=1, max_length=10_000)
    label: Label | list[Label] | None = Field(default=None, description="A class for all pictures, or one each.")
    psi: Psi | None = None
    cutoff: Cutoff | None = None
    noise: Noise | None = None
    mix: Mix | None = None
    moves: dict[str, Annotated[float, Field(allow_inf_nan=False, ge=-100, le=100)]] = Field(
        default={}, description="How far along each direction of the model; 1 is one standard deviation."
    )
    walk: Walk | None = None
    format: Literal["png", "webp", "jpeg", "npz", "raw"] = Field(
        default="png",
        description="`png`, `webp`, `jpeg`: JSON with each picture in base64. `npz`: NumPy's archive with `images` "
        "uint8 [N, H, W, C], `seeds` and `labels`. `raw`: these bytes alone, their shape in `Ganexport-Shape`.",
    )


def order_of_one(
    bundle: Bundle, seed: int, label: int | str | None, psi: float | None, cutoff: int | None, noise: Noise | None
) -> tuple[Order, Origin]:
    """One picture, and where it comes from.

    Raises:
        OptionError: Something has no meaning for this generator.
    """
    origin = origin_of(bundle, seed, label, psi, cutoff=cutoff, noise=noise)
    labels = None if origin.label is None else [origin.label]
    return _order(bundle, [seed], labels, psi, cutoff, noise), origin


def order_of(bundle: Bundle, request: ImagesRequest, most: int) -> tuple[Order, list[int] | None]:
    """The pictures of a request, and the class of each; None where they have none, or are between classes.

    Args:
        bundle: The model.
        request: What is asked for.
        most: Pictures at most.

    Raises:
        OptionError: Something has no meaning for this generator, or it is too much.
    """
    seeds = request.seeds
    count = len(seeds) if request.walk is None else _length(len(seeds), request.walk)
    if count > most:
        raise OptionError(f"a request is for {most} pictures at most; this one is for {count}")
    labels = bundle.labels_of(request.label, len(seeds))
    if request.mix is not None and not bundle.manifest.spec.has_w_space:
        raise OptionError("this generator has no w space, so there are no layers to mix")
    plain = _order(bundle, seeds, labels, request.psi, request.cutoff, request.noise)
    if request.mix is None and request.walk is None and not request.moves:
        return plain, labels
    return _edited(bundle, request, plain, labels, count)


def _order(
    bundle: Bundle,
    seeds: list[int],
    labels: list[int] | None,
    psi: float | None,
    cutoff: int | None,
    noise: Noise | None,
) -> Order:
    """Pictures of seeds."""
    spec = bundle.manifest.spec
    if not spec.has_w_space and (psi is not None or cutoff is not None):
        raise OptionError(f"a {spec.architecture} generator has no w space, so psi and cutoff mean nothing")
    c = None if labels is None or spec.has_w_space else one_hot(labels, spec.c_dim)
    return Order(len(seeds), lambda on: on.latents(seeds, labels, psi, cutoff=cutoff), c, seeds, noise)


def _length(keyframes: int, walked: Walk) -> int:
    """Pictures of a walk, as `ganexport.latents.walk` counts them."""
    return keyframes * walked.frames if walked.loop else (keyframes - 1) * walked.frames + 1


def _edited(
    bundle: Bundle, request: ImagesRequest, plain: Order, labels: list[int] | None, count: int
) -> tuple[Order, list[int] | None]:
    """Pictures of seeds that are mixed, moved and walked through, in this order."""
    spec, walked, seeds = bundle.manifest.spec, request.walk, request.seeds
    edits = _edits(bundle, request, labels)
    same_class = len(set(labels or ())) <= 1
    if walked is None:
        return Order(count, lambda on: edits(on, plain.latents(on)), plain.c, seeds, request.noise), labels
    one_noise = seeds[:1] * count
    still = labels[:1] * count if labels and same_class else None
    if spec.has_w_space and (request.mix or request.moves or not same_class):  # the straight line in w

        def through_w(on: Bundle) -> Floats:
            return walk(edits(on, plain.latents(on)), walked.frames, loop=walked.loop)

        return Order(count, through_w, None, one_noise, request.noise), still
    c = None if plain.c is None else walk(plain.c[:, None], walked.frames, loop=walked.loop)[:, 0]  # straight
    label = labels[0] if labels and spec.has_w_space else c

    def through_z(on: Bundle) -> Floats:
        keyframes = z_from_seeds(seeds, spec.z_dim, spec.z_distribution)
        if not spec.has_w_space:
            keyframes = edits(on, keyframes)
        z = walk(keyframes, walked.frames, loop=walked.loop)
        return on.latents([], label, request.psi, cutoff=request.cutoff, z=z)

    return Order(count, through_z, c, one_noise, request.noise), still


def _edits(bundle: Bundle, request: ImagesRequest, labels: list[int] | None) -> Callable[[Bundle, Floats], Floats]:
    """What mixing and moves make of latents, one row a seed."""
    spec, mixed = bundle.manifest.spec, request.mix
    space = "w" if spec.has_w_space else "z"
    moves = bundle.moves(request.moves)
    items = bundle.manifest.directions.items if bundle.manifest.directions else ()
    if elsewhere := [one.name for one in items if one.name in request.moves and one.space != space]:
        raise OptionError(f"direction {elsewhere[0]!r} is not in {space}, where this server moves")
    donors: list[int] = []
    layers = (0, 0)
    if mixed is not None:
        layers = layer_range(mixed.layers, spec.num_ws)
        donors = mixed.seeds * len(request.seeds) if len(mixed.seeds) == 1 else mixed.seeds
        if len(donors) != len(request.seeds):
            raise OptionError(f"{len(donors)} seeds to mix with for {len(request.seeds)} seeds; give one, or one each")

    def edits(on: Bundle, latents: Floats) -> Floats:
        if donors:
            given = on.latents(donors, labels, request.psi, cutoff=request.cutoff)
            latents = mix_styles(latents, given, layers)
        return move_along(latents, moves)

    return edits
