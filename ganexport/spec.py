"""`GeneratorSpec` and `Provenance`: what every side needs to know of a generator, as pure data.

Each architecture extends it, in its own file, by the fields that only its arithmetic needs.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ganexport.errors import SpecError, shown

__all__ = ["GeneratorSpec", "Provenance", "Sha256", "explain", "short"]

MAX_PROBLEMS = 8

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class GeneratorSpec(BaseModel):
    """The contract of a generator: what goes in and what comes out.

    Attributes:
        architecture: Name of the file in `ganexport/architectures` that draws it.
        resolution: Height and width of the picture in pixels; pictures are square.
        image_channels: 1 (grey), 3 (RGB) or 4 (RGBA).
        z_dim: Length of the input latent `z`.
        c_dim: Number of classes; 0 means unconditional.
        w_dim: Length of one `w`; 0 for families without a w space.
        num_ws: How many `w` the synthesis takes; 0 for families without a w space.
        z_distribution: How training drew `z`: `normal` or `uniform` on [-1, 1).
        noise_distribution: How noise is drawn where a graph takes it as an input: `normal`, or `uniform` on [0, 1).
        image_range: Values of `image` that stand for black and white.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    architecture: str
    resolution: int = Field(ge=4, le=4096)
    image_channels: Literal[1, 3, 4]
    z_dim: int = Field(ge=1, le=65536)
    c_dim: int = Field(default=0, ge=0, le=65536)
    w_dim: int = Field(default=0, ge=0, le=65536)
    num_ws: int = Field(default=0, ge=0, le=256)
    z_distribution: Literal["normal", "uniform"] = "normal"
    noise_distribution: Literal["normal", "uniform"] = "normal"
    image_range: tuple[float, float] = (-1.0, 1.0)

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
            return {k: _as_tuple(v) for k, v in data.items()}
        return data

    @model_validator(mode="after")
    def _check(self) -> GeneratorSpec:
        if not self.image_range[0] < self.image_range[1]:
            raise ValueError(f"image_range must rise, found {self.image_range}")
        if (self.w_dim == 0) != (self.num_ws == 0):
            raise ValueError(f"w_dim {self.w_dim} and num_ws {self.num_ws} must both be zero or neither")
        return self

    @property
    def has_w_space(self) -> bool:
        """Whether a mapping network turns `z` into `ws` before the synthesis."""
        return self.num_ws > 0


class Provenance(BaseModel):
    """Where the weights came from."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    source_format: str = Field(description="Kind of the file that was read, e.g. `ganexport` or `training`.")
    source_sha256: Sha256 | None = Field(description="Hash of that file.")
    weights_sha256: Sha256 = Field(description="Hash of the canonical tensors: names, shapes and bytes.")
    importer: str = Field(description="What read it.")
    licence: str = Field(description="Licence of the weights, or a note on who sets it.")
    training: dict[str, Any] | None = Field(default=None, description="How they were trained, if known.")


def explain(error: ValidationError) -> str:
    """One line from a pydantic error: each field with what was wrong and what was found."""
    parts = []
    for item in error.errors(include_url=False)[:MAX_PROBLEMS]:
        where = ".".join(shown(str(p)) for p in item["loc"])
        found = "" if item["type"] == "missing" else f", found {short(item['input'])}"
        message = item["msg"].removeprefix("Value error, ")
        parts.append(f"{where}: {message}{found}" if where else message)
    more = error.error_count() - len(parts)
    return "; ".join(parts) + (f"; and {more} more" if more else "")


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(v) for v in value) if isinstance(value, list) else value


def short(value: Any, limit: int = 60) -> str:
    """Any value as a message may have it: one line, not long."""
    try:
        return shown(repr(value), limit)
    except RecursionError:
        return f"a deep {type(value).__name__}"
