"""The README.md of a bundle: what it is, where it came from, how it was proven, how to use it."""

from __future__ import annotations

from collections.abc import Sequence

from ganexport.generator import Generator
from ganexport.graph_model import GraphModel
from ganexport.manifest import Direction, Encoder, ParityResult, Precision
from ganexport.markdown import code, plain

__all__ = ["model_card", "with_directions", "with_encoder"]


def model_card(
    name: str, generator: Generator | GraphModel, parity: Sequence[ParityResult], precision: Precision
) -> str:
    """Text of the model card."""
    spec, provenance = generator.spec, generator.provenance
    kind = {1: "grey", 3: "RGB", 4: "RGBA"}[spec.image_channels]
    classes = ""
    if spec.c_dim:
        names = ", ".join(map(plain, (generator.labels or ())[:20]))
        classes = f", {spec.c_dim} classes" + (f" ({names}{' …' if spec.c_dim > 20 else ''})" if names else "")
    source = f"{plain(provenance.source_format)}, read by {code(provenance.importer)}"
    return f"""# {plain(name)}

![pictures that it draws](preview.webp)

{_what(generator)}: {spec.resolution}×{spec.resolution} {kind}{classes}, {generator.parameters:,} weights.

- **Source:** {source}; SHA-256 `{provenance.source_sha256}`
- **Weights:** SHA-256 `{provenance.weights_sha256}`
- **Licence of the weights:** {plain(provenance.licence) or "not stated by the source"}
- **Precision:** {_precision(precision)}

## Proof

Every graph was run and its whole tensors compared with {_oracle(generator)}.

{_proof(parity)}

## Use

Python, without TensorFlow or PyTorch (`pip install "ganexport[cpu]"`):

```python
import ganexport

pictures = ganexport.open_bundle(".").generate(seeds=[1, 2]{", label=0" if spec.c_dim else ""})  # uint8 [N, H, W, C]
```

Any service that runs ONNX: {_signature(generator)}

A web page:

```html
<gan-generator src="ganexport.json" seed="1"{' label="0"' if spec.c_dim else ""}></gan-generator>
```
"""


def with_directions(card: str, directions: Sequence[Direction]) -> str:
    """A model card with its section on directions made anew, or left out where there are none."""
    if not directions:
        return _with_section(card, "Directions", None)
    rows = ["| direction | means | method | layers | pictures |", "|---|---|---|---|---|"]
    for one in directions:
        layers = "all of z" if one.layers is None else f"{one.layers[0]}–{one.layers[1] - 1}"
        picture = "" if one.preview is None else f"![pictures along {plain(one.name)}]({one.preview})"
        rows.append(f"| {code(one.name)} | {plain(one.title or '')} | {one.method} | {layers} | {picture} |")
    text = "\n".join(["An amount of 1 is one standard deviation of the latents.\n", *rows])
    return _with_section(card, "Directions", text)


def with_encoder(card: str, encoder: Encoder | None) -> str:
    """A model card with its section on the encoder made anew, or left out where there is none."""
    if encoder is None:
        return _with_section(card, "Encoder", None)
    found = "`z` and the class" if encoder.space == "z" else "`ws`"
    rows = [f"- {plain(name)}: {value:.4g}" for name, value in encoder.figures.items()]
    text = f'From a picture back to {found}: `ganexport encode . picture.png`, or `open_bundle(".").encode(pictures)`.'
    return _with_section(card, "Encoder", "\n".join([text, *(["", *rows] if rows else [])]))


def _with_section(card: str, title: str, text: str | None) -> str:
    """A model card with this text under a heading before the one on use, and without what was there."""
    heading = f"\n## {title}\n"
    before, found, section = card.partition(heading)
    if found:
        _, following, rest = section.partition("\n## ")
        card = before + following + rest
    if text is None:
        return card
    at = card.find("\n## Use\n")
    whole = f"{heading}\n{text}\n"
    return card + whole if at < 0 else card[:at] + whole + card[at:]


def _precision(precision: Precision) -> str:
    if precision.bytes is None or precision.float32_bytes is None:
        return "float32"
    share = f"{precision.weights} weights, {precision.bytes / precision.float32_bytes:.0%} of their bytes as float32"
    errors = f"mean {precision.mean_grey_levels:.2g}, 99.9th percentile {precision.high_grey_levels:.2g}"
    return f"{share}; measured error in grey levels: {errors}, greatest {precision.max_grey_levels:.2g}"


def _signature(generator: Generator | GraphModel) -> str:
    spec = generator.spec
    inputs = [
        f"`z` float32 [N, {spec.z_dim}] (normal)"
        if spec.z_distribution == "normal"
        else f"`z` float32 [N, {spec.z_dim}] (uniform on −1…1)"
    ]
    if spec.c_dim:
        inputs.append(f"`c` float32 [N, {spec.c_dim}] (one-hot)")
    if spec.has_w_space:
        inputs.append("`truncation_psi` float32 [N]")
    size = f"[N, {spec.resolution}, {spec.resolution}, {spec.image_channels}]"
    return f"`onnx/generator.onnx` takes {', '.join(inputs)} and gives `images` uint8 {size}."


def _what(generator: Generator | GraphModel) -> str:
    name = generator.spec.architecture
    return (
        f"A generator of the family {name}"
        if isinstance(generator, Generator)
        else f"A generator known by its {name} graph alone"
    )


def _oracle(generator: Generator | GraphModel) -> str:
    if isinstance(generator, Generator):
        return "the generator in float64"
    return "ONNX's reference implementation" if generator.tensorflow is None else "what TensorFlow draws"


def _proof(parity: Sequence[ParityResult]) -> str:
    rows = ["| target | runtime | version | tensors compared | verdict |", "|---|---|---|---|---|"]
    groups: dict[tuple[str, str, str], list[ParityResult]] = {}
    for result in parity:
        groups.setdefault((result.target, result.runtime, result.version or "–"), []).append(result)
    for (target, runtime, version), group in groups.items():
        unverified = [f"not verified: {r.reason}" for r in group if r.status == "not verified"]
        ran = [r for r in group if r.status != "not verified"]
        worst = max(((r.max_abs or 0.0) / (r.tolerance or 1.0) for r in ran if r.tensor != "images"), default=0.0)
        verdict = "; ".join([f"ok; greatest error {worst:.2%} of what is allowed"] * bool(ran) + unverified)
        rows.append(f"| {target} | {runtime} | {version} | {len(ran)} | {verdict} |")
    return "\n".join(rows)
