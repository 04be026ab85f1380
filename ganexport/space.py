"""The README.md of a Hugging Face Space with a site: its settings as YAML, then what is drawn and on whose terms."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ganexport.manifest import Manifest
from ganexport.markdown import one_line, plain

__all__ = ["space_readme"]

MOST_TITLE = 100
"""Characters that the Hub takes; it refuses a README with more."""
DESCRIPTION = "Pictures by a generator that runs on your own device"
"""At most 60 characters, for the same reason."""
# fmt: off
LICENCES = {
    "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd-2-clause", "bsd-3-clause", "cc-by-3.0", "cc-by-4.0",
    "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0",
    "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "creativeml-openrail-m", "gpl-2.0", "gpl-3.0", "isc", "lgpl-2.1",
    "lgpl-3.0", "mit", "mpl-2.0", "openrail", "unlicense",
}
# fmt: on
"""Those that have a name on the Hub, under that name."""
ISOLATION = {
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "cross-origin",
}
"""What isolates the page, so that it may use threads, and still lets other origins embed it."""


def space_readme(models: Sequence[tuple[str, Manifest]]) -> str:
    """Text of the README.md of a static Space.

    Args:
        models: Folder within the site, and manifest, of each bundle on it.

    Returns:
        A YAML header in which every text is quoted, then Markdown.

    Source: the Hub's references of Spaces' configuration and of licences.
    """
    names = filter(None, (one_line(manifest.name) for _, manifest in models))
    title = _short(" · ".join(names), MOST_TITLE) or "ganexport"
    header = {
        "title": title,
        "emoji": "🎨",
        "colorFrom": "gray",
        "colorTo": "red",
        "sdk": "static",
        "app_file": "index.html",
        "pinned": False,
        "short_description": DESCRIPTION,
        **_licence([manifest for _, manifest in models]),
    }
    lines = ["---"]
    lines += [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in header.items()]  # JSON is YAML
    lines += ["custom_headers:", *(f"  {name}: {value}" for name, value in ISOLATION.items()), "---"]
    return "\n".join(lines) + f"\n\n# {plain(title)}\n\n{DESCRIPTION}.\n\n" + "\n".join(map(_model, models))


def _licence(manifests: Sequence[Manifest]) -> dict[str, str]:
    """The licence by the Hub's name where all models have the same one and it has a name there."""
    found = {"-".join(manifest.provenance.licence.lower().split()) for manifest in manifests}
    if len(found) == 1 and found <= LICENCES:
        return {"license": found.pop()}
    return {"license": "other", "license_name": "see-each-model"}


def _model(model: tuple[str, Manifest]) -> str:
    folder, manifest = model
    card = f" ([model card]({folder}/README.md))" if "README.md" in manifest.files else ""
    picture = f"![pictures that it draws]({folder}/{manifest.preview})\n\n" if manifest.preview else ""
    licence = plain(manifest.provenance.licence) or "not stated by the source"
    return f"""## {plain(manifest.name)}

{picture}- **Licence of the weights:** {licence}{card}
- **Source:** {plain(manifest.provenance.source_format)}
"""


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
