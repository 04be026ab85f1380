"""Looking inside a generator: `inspect`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ganexport.cli._shared import AsJson, app
from ganexport.errors import OptionError
from ganexport.terminal import console, plain, progress, table

__all__ = ["inspect"]


@app.command(epilog="Example: ganexport inspect digits/ --seed 9 --label 3 --layer b16.conv1 -o inside.png")
def inspect(
    source: Annotated[Path, typer.Argument(help="A bundle's folder, or a checkpoint.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The PNG or WebP to write.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The picture to look into.")] = 0,
    label: Annotated[str | None, typer.Option(help="Its class, by index or name.")] = None,
    psi: Annotated[float | None, typer.Option(help="Truncation; the bundle's default without it.")] = None,
    layer: Annotated[
        str | None, typer.Option(help="Such as b16.conv1; the last before the picture without it.")
    ] = None,
    channels: Annotated[int, typer.Option(min=1, max=256, help="How many of its channels, the strongest first.")] = 12,
    listed: Annotated[bool, typer.Option("--list", help="List the layers.")] = False,
    web: Annotated[
        bool | None,
        typer.Option(
            "--web/--no-web", help="Put every layer of this picture into the bundle, for its page; or take all out."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a layer's filters beside the feature maps that they make, and how the last layers assemble the picture."""
    from ganexport.inspect import add_inside, drop_inside, list_layers, look_inside, open_subject
    from ganexport.pictures import check_picture, save_picture

    if output is None and not (listed or as_json) and web is None:
        raise OptionError("say where the picture goes, for example -o inside.png, or pass --list, --json or --web")
    if web is not None and (listed or as_json or output is not None or layer is not None):
        raise OptionError(
            "--web puts all layers into the bundle, and --no-web takes them out: neither goes with an output"
        )
    if output is not None:
        check_picture(output)
    with progress() as shown:
        shown.stage(f"reading {source}")
        if web:
            added = add_inside(source, seed, label, psi, shown)
            news = f"{source} has {len(added.items)} pictures from within of seed {seed}"
        elif web is False:
            drop_inside(source)
            news = f"{source} has no pictures from within"
        elif listed:
            layers = list_layers(open_subject(source), shown)
        else:
            inside = look_inside(open_subject(source), seed, label, psi, shown)
            chosen = inside.layer(layer)
            shown.stage("measuring what its channels add")
            facts = inside.facts(chosen, channels) if as_json else {}
            news = f"wrote {output}"
            if output is not None:
                made = {"ganexport": json.dumps({"inside": inside.title, "layer": chosen.name})}
                save_picture(inside.draw(chosen, channels), output, made)
    if as_json:
        print(json.dumps(layers if listed else facts, indent=1, ensure_ascii=False))
    elif listed:
        console.print(table(("layer", "kind", "kernel", "channels", "size"), map(_row, layers)))
    else:
        console.print(plain(news), soft_wrap=True)


def _row(layer: dict[str, Any]) -> tuple[str, ...]:
    kernel, size = "×".join(map(str, layer["kernel"])), layer["size"]
    return layer["layer"], layer["kind"], kernel, f"{layer['inputs']} → {layer['outputs']}", f"{size}×{size}"
