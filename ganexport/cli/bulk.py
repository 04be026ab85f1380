"""Datasets of generated pictures: `bulk`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganexport.cli._drawing import Cutoff, Noise, Psi
from ganexport.cli._shared import AsJson, BundleFolder, app, comma_parts
from ganexport.errors import OptionError
from ganexport.terminal import console, plain, progress

if TYPE_CHECKING:
    from ganexport.bundle import Bundle

__all__ = ["bulk"]


@app.command(epilog="Example: ganexport bulk digits/ --count 100000 -o dataset/ --format webdataset --psi 0.8")
def bulk(
    bundle: BundleFolder,
    output: Annotated[
        str,
        typer.Option("-o", "--output", help="A folder, or an address such as s3://bucket/name.", show_default=False),
    ],
    count: Annotated[int, typer.Option(min=1, help="Pictures in all.", show_default=False)],
    seed: Annotated[int, typer.Option(help="Of picture 0; picture i has this seed + i.")] = 0,
    format: Annotated[str, typer.Option(help="webdataset, parquet, png or npz.")] = "webdataset",
    label: Annotated[
        str | None,
        typer.Option(help="A class by index or name, shares such as 3=2,7=1, or balanced: all alike, as without it."),
    ] = None,
    psi: Psi = None,
    cutoff: Cutoff = None,
    noise: Noise = None,
    shard_size: Annotated[
        int | None, typer.Option(min=1, help="Pictures in a shard; about 128 MB of pixels without it.")
    ] = None,
    shards: Annotated[
        str | None, typer.Option(metavar="A-B", help="Only these, such as 0-99: several runs may share the work.")
    ] = None,
    engine: Annotated[str, typer.Option(help="local, or ray: the machines of a Ray cluster.")] = "local",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Shards made at once: 1, with ray one for each machine.")
    ] = None,
    provider: Annotated[str, typer.Option(help="What draws: cpu, cuda, …; several with commas between.")] = "cpu",
    memory: Annotated[
        float | None, typer.Option("--memory", metavar="GB", help="What drawing may need; larger batches suit a GPU.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw a dataset of pictures, in checksummed shards.

    Picture i is the same whenever and wherever it is drawn. After a kill or a full disk the same command goes on with
    what is missing, and it repairs what was damaged.
    """
    from ganexport.bulk import make, plan
    from ganexport.bundle import open_bundle

    with progress() as shown:
        limit = None if memory is None else _bytes(memory)
        opened = open_bundle(bundle, providers=comma_parts(provider), memory_limit=limit)
        chosen: dict[str, Any] = {"format": format, "noise": noise, "label": _label(opened, label)}
        job = plan(opened, count, seed=seed, psi=psi, cutoff=cutoff, shard_size=shard_size, **chosen)
        range_ = None if shards is None else _shards(shards)
        made = make(job, opened, output, engine=engine, workers=workers, shards=range_, progress=shown)  # type: ignore[arg-type]
    if as_json:
        print(json.dumps(asdict(made), indent=1))
        return
    speed = f", {made.pictures / made.seconds:,.1f} a second" if made.pictures and made.seconds else ""
    console.print(f"drew {made.pictures:,} pictures in {made.shards:,} shards{speed}; {made.kept:,} were there already")
    if made.missing:
        console.print(f"{made.missing:,} shards are still missing; the last run of them writes the manifest")
    console.print(f"wrote {plain(made.output)}", soft_wrap=True)


def _label(bundle: Bundle, text: str | None) -> str | dict[int | str, int] | None:
    """A class, or the shares of several."""
    if text is None or "=" not in text or text in (bundle.manifest.labels or ()):
        return text
    shares: dict[int | str, int] = {}
    for part in comma_parts(text):
        name, _, share = part.rpartition("=")
        if not share.isdecimal() or not name or name in shares:
            raise OptionError(f"--label takes shares such as 3=2,7=1, each class once; found {text!r}")
        shares[name] = int(share)
    return shares


def _bytes(gigabytes: float) -> int:
    """A memory limit from gigabytes."""
    if not 0 < gigabytes < 1e6:
        raise OptionError(f"--memory takes gigabytes, such as 4 or 0.5; found {gigabytes}")
    return int(gigabytes * 1e9)


def _shards(text: str) -> range:
    """Shards from text such as `0-99` or `7`."""
    first, _, last = text.partition("-")
    if not first.isdecimal() or not (last or first).isdecimal():
        raise OptionError(f"--shards takes a range such as 0-99; found {text!r}")
    return range(int(first), int(last or first) + 1)
