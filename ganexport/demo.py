"""The whole way once, with the shipped digits: convert, verify, site, picture."""

from __future__ import annotations

from pathlib import Path

from ganexport.atomic import atomic_folder
from ganexport.bundle import open_bundle
from ganexport.convert import ConvertOptions, convert
from ganexport.errors import CheckpointError
from ganexport.generator import load
from ganexport.manifest import is_bundle
from ganexport.pictures import grid, save_picture
from ganexport.progress import SILENT, Progress
from ganexport.site import build_site
from ganexport.verify import verify

__all__ = ["SHIPPED", "run_demo"]

SHIPPED = Path(__file__).parents[1] / "converted_models" / "digits" / "checkpoint.safetensors"
COLUMNS = 10


def run_demo(output: Path, *, force: bool = False, progress: Progress = SILENT) -> dict[str, Path]:
    """Convert the shipped digits, verify the bundle, build its site and draw a picture.

    Args:
        output: Folder for `digits/` (the bundle), `site/` and `digits.png`.
        force: Whether to replace an existing folder.
        progress: Told what happens now.

    Returns:
        Paths of `bundle`, `site` and `picture`.

    Raises:
        CheckpointError: The shipped checkpoint is not there: it comes with a clone, not with the wheel.
        OutputExistsError: `output` exists and `force` was not given.
    """
    if not SHIPPED.exists():
        raise CheckpointError(f"the demo needs {SHIPPED}, which comes with a clone of the repository")
    generator = load(SHIPPED)
    with atomic_folder(output, kind="demo", is_one=lambda folder: is_bundle(folder / "digits"), force=force) as folder:
        convert(generator, folder / "digits", ConvertOptions(), name="digits", progress=progress)
        verify(folder / "digits", progress=progress)
        progress.stage("building the site")
        build_site([folder / "digits"], folder / "site")
        progress.stage("drawing")
        bundle = open_bundle(folder / "digits")
        classes = max(1, generator.spec.c_dim)
        seeds = list(range(COLUMNS)) * classes
        labels = [c for c in range(classes) for _ in range(COLUMNS)] if generator.spec.c_dim else None
        pictures = bundle.generate(seeds, labels)
        save_picture(
            grid(pictures, COLUMNS, classes),
            folder / "digits.png",
            {"ganexport": '{"bundle_name": "digits", "seeds": "0-9", "label": "all"}'},
        )
    return {"bundle": output / "digits", "site": output / "site", "picture": output / "digits.png"}
