"""`EncoderSpec`: what goes into an encoder and what comes out, as pure data; each kind adds what only it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ganexport.errors import SpecError
from ganexport.spec import GeneratorSpec, explain

if TYPE_CHECKING:
    from ganexport.manifest import SpecSummary

__all__ = ["EncoderSpec"]


class EncoderSpec(BaseModel):
    """The contract of an encoder.

    Attributes:
        architecture: Name of the file in `ganexport/encoders` that runs it.
        resolution: Height and width of the picture in pixels.
        image_channels: 1 (grey), 3 (RGB) or 4 (RGBA).
        image_range: Values of `image` that stand for black and white.
        space: Whether it gives `ws` or `z`.
        latent_dim: Length of one w, or of z.
        num_ws: How many w it gives, each its own; 0 where it gives z.
        reach: Where its latents lie: anywhere (`free`), at a mean square of 1 (`sphere`) or within ±1 (`cube`).
        c_dim: Classes that it tells apart; 0 for none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    architecture: str
    resolution: int = Field(ge=4, le=4096)
    image_channels: Literal[1, 3, 4]
    image_range: tuple[float, float] = (-1.0, 1.0)
    space: Literal["w", "z"]
    latent_dim: int = Field(ge=1, le=65536)
    num_ws: int = Field(default=0, ge=0, le=256)
    reach: Literal["free", "sphere", "cube"] = "free"
    c_dim: int = Field(default=0, ge=0, le=65536)

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise SpecError(f"{type(self).__name__}: {explain(error)}") from None

    @model_validator(mode="before")
    @classmethod
    def _tuples_from_json(cls, data: Any) -> Any:
        """JSON knows no tuples: take lists for them."""
        if isinstance(data, dict):
            return {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return data

    @model_validator(mode="after")
    def _check(self) -> EncoderSpec:
        if not self.image_range[0] < self.image_range[1]:
            raise ValueError(f"image_range must rise, found {self.image_range}")
        if (self.space == "w") != (self.num_ws > 0):
            raise ValueError(f"num_ws {self.num_ws} does not go with latents in {self.space}")
        return self

    @staticmethod
    def contract(generator: GeneratorSpec | SpecSummary) -> dict[str, Any]:
        """The fields that a generator decides.

        With classes or without a w space it is z that is found, so that a style can be drawn in every class; else a w
        for each layer, which comes nearest to the picture.
        """
        in_w = generator.has_w_space and not generator.c_dim
        uniform = "cube" if generator.z_distribution == "uniform" else "free"
        return {
            "resolution": generator.resolution,
            "image_channels": generator.image_channels,
            "image_range": generator.image_range,
            "space": "w" if in_w else "z",
            "latent_dim": generator.w_dim if in_w else generator.z_dim,
            "num_ws": generator.num_ws if in_w else 0,
            "reach": "sphere" if generator.has_w_space and not in_w else "free" if in_w else uniform,
            "c_dim": generator.c_dim,
        }
