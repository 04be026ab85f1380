"""`write_report`: the page of a run, in one file."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image

from ganexport.atomic import atomic_path
from train.report.plot import number, table
from train.report.plots import metric_plots, training_plots
from train.report.read import RunData, finite, read_run

__all__ = ["report_html", "write_report"]

GRIDS = 8
"""Grids of pictures on the page, evenly over the run."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

FIGURES = {
    "class_agreement": "class agreement",
    "frechet": "Fréchet distance",
    "kid": "kernel distance (KID)",
    "precision": "precision",
    "recall": "recall",
    "within_class_distance_pixels": "distance within a class, pixels",
    "within_class_distance_features": "distance within a class, features",
    "histogram_distance": "pixel histogram distance, grey levels",
    "path_length_z": "perceptual path length in z",
    "path_length_w": "perceptual path length in w",
}


def write_report(run: Path, out: Path) -> Path:
    """Write the page of the run in folder `run`, whole or not at all; an older one is replaced.

    Raises:
        OptionError: `run` is no folder of a run.
        CheckpointError: Its configuration cannot be read.
    """
    html = report_html(read_run(run))
    with atomic_path(out, force=True) as temporary:
        temporary.write_text(html, encoding="utf-8")
    return out


def report_html(run: RunData) -> str:
    """The page: nothing in it is loaded from elsewhere, and nothing in it runs."""
    style = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
    sections = [
        _header(run),
        *(
            f'<div class="warning" role="note"><h2>{_title(w)}</h2><p>{escape(_sentence(w))}.</p></div>'
            for w in run.warnings
        ),
        _pictures(run),
        _section("Quality", _quality(run) + _plots(metric_plots(run))) if run.metrics else "",
        _section("Training", _plots(training_plots(run)) or "<p>Nothing has been logged yet.</p>"),
        _section("How it was made", _facts(run)),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"<title>{escape(run.name)}: training report</title><style>{style}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def _header(run: RunData) -> str:
    total = float(run.config.get("kimg") or 0)
    state = f"{number(run.kimg)} of {number(total)} kimg (thousand real pictures shown)"
    state += ", finished" if run.kimg >= total - 1e-3 else ", not finished"
    what = (
        f"{run.config.get('architecture', 'stylegan2')}, {run.config.get('resolution')}×{run.config.get('resolution')}"
    )
    return (
        f"<header><h1>{escape(run.name)}</h1><p>{escape(what)}, learned from {escape(_data(run))}.</p>"
        f"<p>{escape(state)}; last written {run.updated:%Y-%m-%d %H:%M} UTC.</p></header>"
    )


def _title(warning: dict[str, Any]) -> str:
    return escape(f"Warning at {number(warning['kimg'])} kimg: {str(warning.get('name')).replace('-', ' ')}")


def _sentence(warning: dict[str, Any]) -> str:
    text = str(warning.get("text"))
    return text[:1].upper() + text[1:]


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _plots(figures: list[str]) -> str:
    return f'<div class="plots">{"".join(figures)}</div>' if figures else ""


def _pictures(run: RunData) -> str:
    grids = [(kimg, source) for kimg, path in _spaced(run.samples) if (source := _data_uri(path)) is not None]
    if not grids:
        return _section("Pictures", "<p>There is no grid of pictures yet.</p>")
    (kimg, newest), older = grids[-1], grids[:-1]
    text = "Each place keeps its seed over the whole run; with classes, a row is a class."
    large = _image(kimg, newest, f"At {number(kimg)} kimg. {text}")
    small = [_image(k, source, f"{number(k)} kimg") for k, source in older]
    return _section("Pictures", f'<div class="large">{large}</div>') + (
        _section("Pictures over time", _plots(small)) if small else ""
    )


def _image(kimg: float, source: str, text: str) -> str:
    image = f'<img src="{source}" alt="Grid of generated pictures at {number(kimg)} kimg">'
    return f"<figure>{image}<figcaption><p>{escape(text)}</p></figcaption></figure>"


def _spaced(samples: list[tuple[float, Path]]) -> list[tuple[float, Path]]:
    """At most `GRIDS`, the first and the last among them."""
    if len(samples) <= GRIDS:
        return samples
    return [samples[round(i * (len(samples) - 1) / (GRIDS - 1))] for i in range(GRIDS)]


def _data_uri(path: Path) -> str | None:
    """The picture as it is, packed tighter; None where it cannot be read."""
    packed = io.BytesIO()
    try:
        with Image.open(path) as image:
            image.save(packed, format="webp", lossless=True)
    except OSError:
        return None
    return f"data:image/webp;base64,{base64.b64encode(packed.getvalue()).decode()}"


def _quality(run: RunData) -> str:
    last = run.metrics[-1]
    rows = [
        [
            label,
            number(last[key]),
            number(real) if finite(real := last.get(f"{key}_yardstick")) else "–",
        ]
        for key, label in FIGURES.items()
        if finite(last.get(key))
    ]
    seen_by = "a fixed random net, since labels are missing or few"
    if last.get("classifier_accuracy") is not None:
        seen_by = f"a classifier that names {last['classifier_accuracy']:.1%} of held-out pictures right"
    text = (
        f"{last.get('pictures', 0)} pictures at {number(last['kimg'])} kimg, compared with "
        f"{last.get('pictures_held_out', 0)} held-out ones in the features of {seen_by}."
    )
    if not last.get("held_out_unseen", True):
        text += " No pictures were held out: half of the training pictures stood in for them."
    return f"<p>{escape(text)}</p>{table(['figure', 'generated', 'real, as a yardstick'], rows)}"


def _data(run: RunData) -> str:
    started = run.starts[-1] if run.starts else {}
    name = str(started.get("data") or run.config.get("data"))
    return f"{name} ({started['pictures']} pictures)" if "pictures" in started else name


def _facts(run: RunData) -> str:
    started = run.starts[-1] if run.starts else {}
    facts = [
        ("data", _data(run)),
        ("attribution", run.licence or "not stated"),
        ("device", str(started.get("device") or "not logged")),
        ("programs", ", ".join(f"{k} {started[k]}" for k in ("ganexport", "tensorflow", "python") if k in started)),
        ("starts", ", ".join(f"{s.get('time')} at {number(s['kimg'])} kimg" for s in run.starts)),
    ]
    config = [[f"--{name.replace('_', '-')}", _written(value)] for name, value in run.config.items()]
    return (
        table(["of", "what"], [[name, text] for name, text in facts if text])
        + f"<details><summary>All settings</summary>{table(['flag', 'value'], config)}</details>"
    )


def _written(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
