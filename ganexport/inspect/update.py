"""Put pictures from within into a bundle, for its page, or take them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganexport.bundle import check_files
from ganexport.inspect.look import Inside, look_inside, open_subject
from ganexport.manifest import Inside as Entry
from ganexport.manifest import InsidePicture, Manifest, read_manifest
from ganexport.pictures import save_webp
from ganexport.progress import SILENT, Progress
from ganexport.revision import Revision, revised

__all__ = ["add_inside", "drop_inside"]

FOLDER = "inside"
CHANNELS = 8
"""Of each layer: as many as one looks through on a phone."""
TOGETHER = "together"


def add_inside(
    folder: Path,
    seed: int,
    label: int | str | None = None,
    psi: float | None = None,
    progress: Progress = SILENT,
) -> Entry:
    """Draw every layer of one picture and put it into the bundle, beside those of other pictures.

    Args:
        folder: The bundle, with its checkpoint.
        seed: Of the picture.
        label: Class by index or name; needed when there are classes.
        psi: Truncation; the bundle's default without it.
        progress: Told what happens now.

    Returns:
        What the manifest says of it now.

    Raises:
        BundleError: The folder is no whole bundle, or has no checkpoint.
        OptionError: The class or psi has no meaning for this generator.
    """
    folder = folder.resolve()
    manifest = read_manifest(folder)
    progress.stage("checking the files")
    check_files(folder, manifest)
    inside = look_inside(open_subject(folder), seed, label, psi, progress)
    with revised(folder) as revision:
        entry = _entry(inside, revision, progress)
        others = [one for one in manifest.inside if (one.seed, one.label) != (entry.seed, entry.label)]
        _save(revision, manifest, (*others, entry))
    return entry


def drop_inside(folder: Path) -> None:
    """Take all of them out of a bundle.

    Raises:
        BundleError: The folder is no whole bundle.
    """
    folder = folder.resolve()
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    with revised(folder) as revision:
        _save(revision, manifest, ())


def _entry(inside: Inside, revision: Revision, progress: Progress) -> Entry:
    layers = list(inside.recording.layers.values())
    start = f"{FOLDER}/{inside.seed}" if inside.label is None else f"{FOLDER}/{inside.seed}-{inside.label}"
    progress.stage("drawing the layers", len(layers))

    def item(layer: str | None, text: str, picture: NDArray[np.uint8]) -> InsidePicture:
        path = f"{start}/{layer or TOGETHER}.webp"
        save_webp(picture, revision.new(path))
        progress.step()
        return InsidePicture(layer=layer, text=text, picture=path)

    items = []
    if (together := inside.draw_assembly()) is not None:
        items.append(item(None, "What the last layers add to the picture, one after the other.", together))
    items += [item(one.name, inside.in_words(one, CHANNELS), inside.draw_layer(one, CHANNELS)) for one in layers]
    return Entry(seed=inside.seed, label=inside.label, truncation_psi=inside.truncation_psi, items=tuple(items))


def _save(revision: Revision, manifest: Manifest, entries: tuple[Entry, ...]) -> None:
    before, after = ({one.picture for inside in all_ for one in inside.items} for all_ in (manifest.inside, entries))
    for path in before - after:
        if path.startswith(f"{FOLDER}/"):  # whatever else is called so stays
            revision.drop(path)
    revision.save(manifest.model_copy(update={"inside": entries}))
