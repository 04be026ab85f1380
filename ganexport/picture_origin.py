"""Where a picture comes from: it is put into the picture's file, and the same picture can be drawn again from it.

::

    bundle = open_bundle("digits")
    origin = origin_of(bundle, seed=42, label=3)
    data = encode_picture(draw_again(bundle, origin), "png", origin)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ganexport.bundle import Bundle
from ganexport.errors import OptionError
from ganexport.inputs import mapping_inputs
from ganexport.latents import z_from_seed
from ganexport.pictures import PictureFormat, check_picture, encode, enlarge, picture_size, read_text, save_picture
from ganexport.spec import Sha256, explain

__all__ = ["KEYWORD", "Origin", "draw_again", "encode_picture", "origin_of", "read_facts", "read_origin", "redraw_file"]

KEYWORD = "ganexport"
"""Name of the text in a picture's file."""

NoiseName = Literal["const", "none", "random"]


class Origin(BaseModel):
    """All that one picture of a seed was drawn from.

    Attributes:
        bundle_digest: Hash of the bundle, as `Bundle.digest` has it.
        bundle_name: What the bundle is called.
        seed: 0 … 2³² − 1.
        label: Index of its class; None without classes.
        psi: Truncation; None for a family without a w space.
        cutoff: Truncated are the first so many layers; None for all of them.
        noise: Where the noise came from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    bundle_digest: Sha256
    bundle_name: str = Field(min_length=1)
    seed: int = Field(ge=0, lt=2**32)
    label: int | None = Field(default=None, ge=0)
    psi: float | None = Field(default=None, allow_inf_nan=False)
    cutoff: int | None = Field(default=None, ge=0)
    noise: NoiseName = "const"

    def to_text(self) -> str:
        """The same as JSON, in ASCII; what has no meaning here is left out."""
        return json.dumps(self.model_dump(exclude_none=True))

    @classmethod
    def from_text(cls, text: str) -> Origin:
        """An origin from what `to_text` wrote.

        Raises:
            OptionError: The text is something else.
        """
        try:
            return cls.model_validate(_parsed(text))
        except ValidationError as error:
            raise OptionError(f"this says not how one picture was drawn: {explain(error)}") from None


def origin_of(
    bundle: Bundle,
    seed: int,
    label: int | str | None = None,
    psi: float | None = None,
    *,
    cutoff: int | None = None,
    noise: NoiseName | None = None,
) -> Origin:
    """The origin of the picture that `Bundle.generate` draws of these; what is left out is the bundle's default.

    Raises:
        OptionError: An argument has no meaning for this generator.
    """
    manifest, spec = bundle.manifest, bundle.manifest.spec
    mapping_inputs(manifest, z_from_seed(seed, spec.z_dim), label, psi, cutoff)  # refuses what generate would
    labels = bundle.labels_of(label, 1)
    usual = manifest.defaults.truncation_psi if spec.has_w_space else None
    try:
        return Origin(
            bundle_digest=bundle.digest,
            bundle_name=bundle.name,
            seed=int(seed),
            label=None if labels is None else labels[0],
            psi=usual if psi is None else float(psi),
            cutoff=cutoff,
            noise=noise or manifest.defaults.noise_mode,  # type: ignore[arg-type]  # `input` is refused
        )
    except ValidationError as error:
        raise OptionError(f"no picture is drawn of these: {explain(error)}") from None


def draw_again(bundle: Bundle, origin: Origin) -> NDArray[np.uint8]:
    """The picture of an origin, uint8 [H, W, C].

    Raises:
        OptionError: It was drawn with another bundle.
        BundleError: The bundle cannot be drawn with.
        RuntimeUnavailableError: onnxruntime is not installed.
    """
    if origin.bundle_digest != bundle.digest:
        raise OptionError(
            f"the picture was drawn with {origin.bundle_name!r}, {origin.bundle_digest[:12]}…; "
            f"{bundle.path} is {bundle.name!r}, {bundle.digest[:12]}…"
        )
    drawn = bundle.generate([origin.seed], origin.label, origin.psi, cutoff=origin.cutoff, noise=origin.noise)
    picture: NDArray[np.uint8] = drawn[0]
    return picture


def encode_picture(pixels: NDArray[np.uint8], kind: PictureFormat, origin: Origin | None = None) -> bytes:
    """A picture [H, W, C] as the bytes of a PNG, WebP (lossless) or JPEG that says where it comes from.

    The same picture of the same origin gives the same bytes. It is made for services: quick, and somewhat larger than
    what `save_picture` writes.

    Raises:
        OptionError: There is no such format.
    """
    return encode(pixels, kind, {} if origin is None else {KEYWORD: origin.to_text()}, quick=True)


def read_facts(path: Path) -> dict[str, Any]:
    """What a picture or a film that was made here says of itself.

    Raises:
        OptionError: The file is no picture, or says nothing.
    """
    text = read_text(path, KEYWORD)
    if text is None:
        raise OptionError(f"{path} does not say where it comes from: no text {KEYWORD!r} is in it")
    return _parsed(text)


def read_origin(path: Path) -> Origin:
    """How the picture of this file was drawn.

    Raises:
        OptionError: The file is no picture, or does not tell, such as a sheet of several pictures.
    """
    facts = read_facts(path)
    if "seed" not in facts:
        raise OptionError(f"{path} is not a single picture of a seed; it says {', '.join(facts) or 'nothing'}")
    return Origin.from_text(json.dumps(facts))


def redraw_file(path: Path, bundle: Bundle, output: Path) -> Origin:
    """Draw the picture of a file again, as large as it is there.

    Args:
        path: A picture that says where it comes from.
        bundle: The one that drew it.
        output: The PNG or WebP to write.

    Returns:
        How it was drawn.

    Raises:
        OptionError: The file does not tell, or was drawn with another bundle.
        BundleError: The bundle cannot be drawn with.
        RuntimeUnavailableError: onnxruntime is not installed.
    """
    check_picture(output)
    origin = read_origin(path)
    picture = draw_again(bundle, origin)
    factor = max(1, picture_size(path)[0] // picture.shape[1])
    save_picture(enlarge(picture, factor), output, {KEYWORD: origin.to_text()})
    return origin


def _parsed(text: str) -> dict[str, Any]:
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict):
        raise OptionError(f"where a picture comes from is a JSON object; found {text[:60]!r}")
    return facts
