"""Put directions into a bundle, name them, or take them out; the bundle changes as a whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ganexport.bundle import Bundle, check_files
from ganexport.directions.attributes import MAX_TITLE
from ganexport.directions.find import DirectionOptions, Found, find_directions
from ganexport.directions.previews import PREVIEW_FOLDER, save_preview
from ganexport.errors import OptionError, OutputExistsError, shown
from ganexport.manifest import Direction, Directions, Manifest
from ganexport.model_card import with_directions
from ganexport.progress import SILENT, Progress
from ganexport.revision import revised

__all__ = ["update_directions"]

VECTORS_NAME = "directions.safetensors"
CARD_NAME = "README.md"
SAME = 1e-3
"""Vectors that differ by less than this part of their length are the same direction, found again."""


def update_directions(
    folder: Path,
    options: DirectionOptions | None = DirectionOptions(),  # noqa: B008  # frozen
    *,
    titles: Mapping[str, str] = {},
    drop: Sequence[str] = (),
    progress: Progress = SILENT,
) -> tuple[Direction, ...]:
    """Find directions and write them into a bundle: vectors, pictures, manifest, model card.

    Args:
        folder: The bundle.
        options: What to find; None to find nothing and only name or drop.
        titles: What people call a direction, by its name; an empty text takes the title away.
        drop: Names of directions to take out.
        progress: Told what happens now.

    Returns:
        All directions that the bundle has now. One that was found again keeps its title.

    Raises:
        OptionError: An option has no meaning for this bundle, or no direction has such a name.
        OutputExistsError: A direction is there already and `options.force` was not given.
        BundleError: The folder is no whole bundle, or lacks what a method needs.
    """
    bundle = Bundle(folder.resolve())
    progress.stage("checking the files")
    check_files(bundle.path, bundle.manifest)
    present = _present(bundle)
    found = [] if options is None else find_directions(bundle, options, progress)
    merged = _merged(present, found, force=options is not None and options.force)
    for name in [*titles, *drop]:
        if name not in merged:
            known = ", ".join(merged) or "none"
            raise OptionError(f"no direction {shown(name)!r}; this bundle has: {known}")
    for name, title in titles.items():
        if len(title) > MAX_TITLE or not title.isprintable():
            raise OptionError(f"a title is one line of at most {MAX_TITLE} characters, found {shown(title)!r}")
        one = merged[name]
        merged[name] = replace(one, direction=one.direction.model_copy(update={"title": title or None}))
    fresh = {one.direction.name for one in found} if options is not None and options.previews else set()
    kept = [one for name, one in merged.items() if name not in drop]
    return _write(bundle, kept, fresh, progress)


def _present(bundle: Bundle) -> list[Found]:
    directions = bundle.manifest.directions
    return [] if directions is None else [Found(one, bundle.directions[one.name]) for one in directions.items]


def _merged(present: Sequence[Found], found: Sequence[Found], *, force: bool) -> dict[str, Found]:
    """Directions by name: those that are there, then those that are new."""
    merged = {one.direction.name: one for one in present}
    names = [one.direction.name for one in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise OptionError(f"two attributes come to the same name: {', '.join(twice)}")
    if (there := [name for name in names if name in merged]) and not force:
        raise OutputExistsError(
            f"the bundle has {', '.join(there[:8])} already; pass --force to find them again, or --name to name them"
        )
    for one in found:
        before = merged.get(one.direction.name)
        title = before.direction.title if before is not None and _same(before, one) else None
        update = {"title": title or one.direction.title}
        merged[one.direction.name] = replace(one, direction=one.direction.model_copy(update=update))
    return merged


def _same(a: Found, b: Found) -> bool:
    distance = np.linalg.norm(a.vector - b.vector)
    return bool(a.direction.layers == b.direction.layers and distance <= SAME * np.linalg.norm(b.vector))


def _write(bundle: Bundle, kept: Sequence[Found], fresh: set[str], progress: Progress) -> tuple[Direction, ...]:
    """Write the bundle with these directions; those in `fresh` are drawn anew."""
    with revised(bundle.path) as revision:
        progress.stage("drawing pictures along the directions", len(fresh & {one.direction.name for one in kept}))
        items = []
        for one in kept:
            direction = one.direction
            if direction.name in fresh:
                path = f"{PREVIEW_FOLDER}/{_file_name(direction.name)}.webp"
                save_preview(bundle, direction, one.vector, revision.new(path))
                direction = direction.model_copy(update={"preview": path})
                progress.step()
            items.append(direction)
        vectors = {one.direction.name: np.ascontiguousarray(one.vector) for one in kept}
        if vectors:
            save_file(vectors, revision.new(VECTORS_NAME))
        directions = Directions(file=VECTORS_NAME, items=tuple(items)) if items else None
        manifest = bundle.manifest.model_copy(update={"directions": directions})
        for path in _used(bundle.manifest) - _used(manifest):
            if path == VECTORS_NAME or path.startswith(f"{PREVIEW_FOLDER}/"):  # whatever else is called a preview stays
                revision.drop(path)
        if CARD_NAME in manifest.files:
            card = (revision.folder / CARD_NAME).read_text(encoding="utf-8")
            revision.new(CARD_NAME).write_text(with_directions(card, items), encoding="utf-8")
        revision.save(manifest)
    return tuple(items)


def _used(manifest: Manifest) -> set[str]:
    if manifest.directions is None:
        return set()
    previews = {one.preview for one in manifest.directions.items if one.preview is not None}
    return {manifest.directions.file, *previews}


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name)
