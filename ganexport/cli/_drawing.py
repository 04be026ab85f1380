"""What the verbs that draw share: whose pictures, how, and where they go."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganexport.cli._shared import comma_parts, parse_numbers
from ganexport.errors import OptionError
from ganexport.terminal import console, plain

if TYPE_CHECKING:
    from ganexport.picture_origin import Origin
    from ganexport.play import Points, Sheet, Studio
    from ganexport.progress import Progress

Seeds = Annotated[str | None, typer.Option(help="Seeds, such as 0-15 or 1,5,9.", show_default=False)]
Label = Annotated[
    str | None, typer.Option(help="Class, by index or name; one for each seed with commas between; or all.")
]
Psi = Annotated[float | None, typer.Option(help="Truncation; the bundle's default without it.")]
Cutoff = Annotated[int | None, typer.Option(help="Truncate only the first so many layers.")]
Noise = Annotated[str | None, typer.Option(help="const, random or none, as the bundle was made for.")]
Provider = Annotated[
    str, typer.Option(help="On what to draw: cpu, cuda, tensorrt; with commas between, the first that starts.")
]
Latents = Annotated[
    Path | None, typer.Option(help="A file of latents in place of seeds, such as `encode` writes.", show_default=False)
]

Size = Annotated[int, typer.Option(min=1, help="Enlarge smaller pictures to this many pixels at least.")]


@dataclass(frozen=True)
class Drawing:
    """What was asked for, as text."""

    bundle: Path
    seeds: str | None
    label: str | None = None
    psi: float | None = None
    cutoff: int | None = None
    noise: str | None = None
    latents: Path | None = None
    size: int = 1
    provider: str = "cpu"

    def every_class(self, at: Studio) -> bool:
        """Whether each point is to be drawn in every class; a class of that name is a class."""
        return self.label == "all" and "all" not in at.class_names

    def points(self, at: Studio, option: str = "--seeds", *, classes: bool = True) -> Points:
        """The points of the seeds or of the file; in their classes, unless these do not matter."""
        if self.seeds is not None and self.latents is not None:
            raise OptionError(f"{option} and --latents both say where to start: choose one")
        one_each = self.label is not None and "," in self.label and self.label not in at.class_names
        label = comma_parts(self.label or "") if one_each else self.label
        given = label if classes and not self.every_class(at) else None
        if self.latents is not None:
            points = at.load(self.latents, given)
        else:
            points = at.seeds(parse_numbers(self.seeds or "", option, "seeds"), given)
        if classes and self.every_class(at):
            from ganexport.play import every_class

            return every_class(at, points).points
        return points

    def provenance(self, at: Studio, facts: Mapping[str, Any]) -> dict[str, str]:
        """Where a sheet or film comes from, as its file keeps it."""
        manifest = at.bundle.manifest
        usual = manifest.defaults.truncation_psi if manifest.spec.has_w_space else None
        psi = usual if self.psi is None else self.psi
        made: dict[str, Any] = {
            "seeds": self.seeds,
            "label": self.label,
            "psi": psi,
            "cutoff": self.cutoff,
            "noise": self.noise,
        }
        made |= {"latents": self.latents and self.latents.name}
        made |= {"bundle_name": at.bundle.name, "bundle_digest": at.bundle.digest, **facts}
        return {"ganexport": json.dumps({k: v for k, v in made.items() if v is not None})}

    def origins(self, at: Studio, points: Points) -> list[Origin] | None:
        """How each picture of these points is drawn; None for latents out of a file, which no seed can tell."""
        from ganexport.picture_origin import origin_of

        if self.latents is not None:
            return None
        labels = [None] * len(points) if points.c is None else [int(one) for one in points.c.argmax(axis=1)]
        return [
            origin_of(at.bundle, seed, label, self.psi, cutoff=self.cutoff, noise=at.noise_name)
            for seed, label in zip(points.seeds, labels, strict=True)
        ]


def start(seeds: str | None, latents: Path | None, usual: str) -> str | None:
    """The seeds to start from: the usual ones where nothing else is said."""
    return usual if seeds is None and latents is None else seeds


def studio(made: Drawing, shown: Progress) -> Studio:
    """The bundle, opened to draw as was asked."""
    from ganexport.bundle import open_bundle
    from ganexport.play import Studio

    if made.noise not in (None, "const", "none", "random"):
        raise OptionError(f"--noise is const, random or none, found {made.noise!r}")
    bundle = open_bundle(made.bundle, providers=comma_parts(made.provider))
    return Studio(bundle, made.psi, made.cutoff, made.noise, shown)  # type: ignore[arg-type]


def draw_sheet(
    made: Drawing,
    at: Studio,
    sheet: Sheet,
    output: Path,
    facts: Mapping[str, Any] = {},
    *,
    origins: list[Origin] | None = None,
    each: bool = False,
    force: bool = False,
) -> dict[str, Any]:
    """Draw a sheet into one file, or one file a picture into a folder; what was made, for scripts.

    A picture that is alone in its file says how it is drawn again, where its origin is known.
    """
    from ganexport.atomic import atomic_folder
    from ganexport.picture_origin import KEYWORD
    from ganexport.pictures import check_picture, enlarge, enlargement, save_picture

    points = sheet.points
    found: list[dict[str, Any]] = [{"name": name} for name in points.names]
    if each:
        with atomic_folder(output, kind="folder of such pictures", is_one=_is_drawn, force=force) as folder:
            for i, (one, picture) in enumerate(zip(found, at.frames(points), strict=True)):
                one["file"] = f"{i:05d}-{points.names[i].replace('@', '-')}"
                one["file"] = "".join(c if c.isalnum() or c in "-_." else "-" for c in one["file"][:80]) + ".png"
                text = made.provenance(at, {**facts, "picture": one["name"]})
                text = text if origins is None else {KEYWORD: origins[i].to_text()}
                save_picture(enlarge(picture, enlargement(picture, made.size)), folder / one["file"], text)
    else:
        check_picture(output)
        pictures = at.draw(points)
        factor = enlargement(pictures[0], made.size)
        alone = len(sheet.rows) * len(sheet.columns) == 1
        text = {KEYWORD: origins[0].to_text()} if origins and alone else made.provenance(at, facts)
        save_picture(enlarge(sheet.assemble(pictures), factor), output, text)
    layout = {"rows": sheet.rows, "columns": sheet.columns} if any(sheet.columns) and not each else {"pictures": found}
    return {**facts, **layout}


def _is_drawn(folder: Path) -> bool:
    """Whether nothing but pictures of an earlier --each lies there."""
    return all(re.fullmatch(r"[0-9]{5}-.+\.png", path.name) for path in folder.iterdir())


def said(made: Drawing, at: Studio, output: Path, facts: Mapping[str, Any], *, as_json: bool) -> None:
    """Say where it was written, when the bar is gone; as JSON also what was drawn."""
    if as_json:
        known = json.loads(made.provenance(at, facts)["ganexport"])
        print(json.dumps({"output": str(output), **known}, indent=1))
    else:
        console.print(f"wrote {plain(str(output))}", soft_wrap=True)
