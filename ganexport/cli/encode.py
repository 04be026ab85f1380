"""From a picture back to its latents: `encode` and `add-encoder`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganexport.cli._drawing import Provider
from ganexport.cli._shared import AllowUnverified, AsJson, BundleFolder, Force, app, comma_parts
from ganexport.errors import OptionError
from ganexport.terminal import console, plain, progress, table

if TYPE_CHECKING:
    from ganexport.bundle import Bundle
    from ganexport.manifest import ParityResult
    from ganexport.play import Found
    from ganexport.progress import Progress

__all__ = ["add_encoder", "encode"]


@app.command(
    epilog="Example: ganexport encode digits/ three.png -o three.safetensors --draw back.png --classes all.png"
)
def encode(
    bundle: BundleFolder,
    pictures: Annotated[list[Path], typer.Argument(help="Picture files.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A .safetensors file for the latents.", show_default=False)
    ] = None,
    draw: Annotated[Path | None, typer.Option(help="A PNG or WebP of each picture beside what is drawn of it.")] = None,
    classes: Annotated[Path | None, typer.Option(help="A PNG or WebP of every class in each picture's style.")] = None,
    provider: Provider = "cpu",
    as_json: AsJson = False,
) -> None:
    """Find the latents of pictures with the bundle's encoder.

    Of a picture that is not square the middle is taken, and it is resized to what the generator draws.
    """
    from ganexport.bundle import open_bundle
    from ganexport.pictures import check_picture
    from ganexport.play import encode_files

    for path in (draw, classes):
        if path is not None:
            check_picture(path)
    with progress() as shown:
        opened = open_bundle(bundle, providers=comma_parts(provider))
        found = encode_files(opened, pictures, shown)
        written = _write(opened, found, output, draw, classes, shown)
    names, labels, probabilities = opened.manifest.labels, found.encoded.labels, found.encoded.probabilities
    each = []
    for i, (name, error) in enumerate(zip(found.points.names, found.errors, strict=True)):
        one: dict[str, object] = {"picture": name, "error": round(error, 2)}
        if labels is not None and probabilities is not None:
            one |= {"label": labels[i], "class": names[labels[i]] if names else str(labels[i])}
            one["probability"] = round(float(probabilities[i, labels[i]]), 4)
        each.append(one)
    if as_json:
        print(json.dumps(each, indent=1, ensure_ascii=False))
        return
    rows = [
        (str(one["picture"]), str(one.get("class", "–")), str(one.get("probability", "–")), str(one["error"]))
        for one in each
    ]
    console.print(table(("picture", "class", "probability", "differs by (grey levels)"), rows))
    for path in written:
        console.print(f"wrote {plain(str(path))}", soft_wrap=True)


@app.command("add-encoder", epilog="Example: ganexport add-encoder digits/ encoder.safetensors")
def add_encoder(
    bundle: BundleFolder,
    encoder: Annotated[Path | None, typer.Argument(help="What `python -m train encoder` wrote.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take the encoder out of the bundle.")] = False,
    allow_unverified: AllowUnverified = False,
    force: Force = False,
) -> None:
    """Put an encoder into a bundle, and prove that every runtime finds what it finds."""
    from ganexport.add_encoder import add_encoder as add
    from ganexport.add_encoder import remove_encoder
    from ganexport.encoders.encoder import load_encoder
    from ganexport.parity import parity_table

    if (encoder is None) != remove:
        raise OptionError("give an encoder's file, or --remove")
    results: list[ParityResult] = []
    with progress() as shown:
        if encoder is None:
            remove_encoder(bundle, progress=shown)
        else:
            loaded = load_encoder(encoder)
            try:
                add(
                    bundle,
                    loaded,
                    force=force,
                    allow_unverified=allow_unverified,
                    progress=shown,
                    on_result=results.append,
                )
            finally:
                if results:
                    console.print(parity_table(results))
    console.print(f"{plain(str(bundle))} has {'no' if encoder is None else 'an'} encoder now", soft_wrap=True)


def _write(
    bundle: Bundle, found: Found, output: Path | None, draw: Path | None, classes: Path | None, shown: Progress
) -> list[Path]:
    """Write what is asked for."""
    import numpy as np

    from ganexport.pictures import grid, save_picture
    from ganexport.play import draw_classes

    names = found.points.names
    text = {"ganexport": json.dumps({"bundle_name": bundle.name, "bundle_digest": bundle.digest, "pictures": names})}
    if output is not None:
        found.save(output)
    if draw is not None:
        pairs = np.stack([found.pictures, found.drawn], axis=1)  # [N, 2, H, W, C]
        save_picture(grid(pairs.reshape(-1, *pairs.shape[2:]), 2, len(names)), draw, text)
    if classes is not None:
        drawn = np.concatenate([found.pictures[:, None], draw_classes(bundle, found, shown)], axis=1)
        save_picture(grid(drawn.reshape(-1, *drawn.shape[2:]), drawn.shape[1], len(names)), classes, text)
    return [path for path in (output, draw, classes) if path is not None]
