"""Command line of the trainer: `python -m train run PRESET`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from ganexport.errors import GanExportError, UserError
from train.config import Config
from train.presets import PRESETS, preset

__all__ = ["main"]

EXAMPLES = """examples:
  python -m train run digits                          train the digits in runs/digits; run it again to go on
  python -m train run digits --kimg 100 --out runs/d  a shorter run in another folder
  python -m train run digits --data photos.zip --resolution 64 --channels 64,64,48,32,16 --d-channels 64,64,48,32,16
  python -m train measure runs/digits/generators/kimg000240.0.safetensors
  python -m train label runs/e/generators/kimg000300.0.safetensors --data emoji-people --attribute kind -o kinds.csv
  python -m train report runs/digits                  the run as a page: runs/digits/report.html
  python -m train film runs/digits -o digits.webp     how its pictures came to be
  python -m train encoder runs/digits -o encoder.safetensors
  python -m train project runs/digits/generators/kimg000240.0.safetensors three.png -o three.safetensors
  ganexport convert runs/digits/generators/kimg000240.0.safetensors -o digits/
"""


INTERRUPTED = 130
"""Exit status after Ctrl-C."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = vars(_parser().parse_args(arguments))
    debug, verb = options.pop("debug"), options.pop("verb")
    try:
        verbs = {"run": _run, "measure": _measure, "label": _label, "report": _report, "film": _film}
        verbs |= {"encoder": _encoder, "project": _project}
        verbs[verb](options)
    except GanExportError as error:
        if debug:
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, UserError) else 1
    except OSError as error:
        if debug:
            raise
        print(f"error: {error.filename or type(error).__name__}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; nothing half-written was left", file=sys.stderr)
        return INTERRUPTED
    return 0


def _run(options: dict[str, Any]) -> None:
    name, out, worker = options.pop("preset"), options.pop("out"), options.pop("worker")
    workers = tuple(part for part in (options.pop("workers") or "").split(",") if part)
    config = dataclasses.replace(preset(name), **{k: v for k, v in options.items() if v is not None})
    from train.devices import cluster_from
    from train.loop import train

    made = train(config, out or Path("runs") / name, cluster=cluster_from(workers, worker))
    print("Done; the first worker has written the generator" if made is None else f"Generator: {made}")


def _measure(options: dict[str, Any]) -> None:
    from train.measure_checkpoint import measure_checkpoint, measure_run

    path = options.pop("checkpoint")
    if path.is_dir():
        for record in measure_run(path, **options):
            print(json.dumps(record), flush=True)
    else:
        print(json.dumps(measure_checkpoint(path, **options), indent=1))


def _report(options: dict[str, Any]) -> None:
    from train.report.page import write_report

    print(f"Report: {write_report(options['run'], options['out'] or options['run'] / 'report.html')}")


def _film(options: dict[str, Any]) -> None:
    from train.film import write_film

    print(f"Film: {write_film(options['run'], options['out'], fps=options['fps'], force=options['force'])}")


def _label(options: dict[str, Any]) -> None:
    from train.label_seeds import label_seeds

    checkpoint, output = options.pop("checkpoint"), options.pop("output")
    accuracy = label_seeds(checkpoint, output, **options)
    print(f"wrote {output}; the classifier names {accuracy:.1%} of real pictures right that it did not see")


def _encoder(options: dict[str, Any]) -> None:
    from train.encoder.options import EncoderOptions
    from train.encoder.run import train_encoder

    own = {f.name: options.pop(f.name) for f in dataclasses.fields(EncoderOptions)}
    chosen = EncoderOptions(**{name: value for name, value in own.items() if value is not None})
    path, out = options.pop("source"), options.pop("output")
    if train_encoder(path, out, chosen, **options) is not None:
        print(f"Encoder: {out}")


def _project(options: dict[str, Any]) -> None:
    from ganexport.terminal import progress
    from train.project import ProjectOptions, project_file

    checkpoint, picture, out = options.pop("checkpoint"), options.pop("picture"), options.pop("output")
    force = options.pop("force")
    with progress() as shown:
        shown.stage("looking for w", options["steps"])
        error = project_file(
            checkpoint, picture, out, ProjectOptions(**options), force=force, on_step=lambda step, loss: shown.step()
        )
    print(f"wrote {out}; what is drawn of it differs from the picture by {error:.1f} grey levels")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train", epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = _verb(verbs, "run", "train a preset, or go on with it")
    run.add_argument("preset", choices=sorted(PRESETS), help="where the fields below start from")
    run.add_argument("--out", type=Path, help="folder of the run (default: runs/PRESET)")
    run.add_argument("--workers", help="host:port of each machine that trains, with commas between; or TF_CONFIG")
    run.add_argument("--worker", type=int, help="which of these this one is, from 0")
    measure = _verb(verbs, "measure", "measure a checkpoint, or those of a run, against held-out pictures, as JSON")
    measure.add_argument(
        "checkpoint", type=Path, help="of any architecture that ganexport reads; or the folder of a run, for its report"
    )
    measure.add_argument("--data", help="what it learned from (default: what it says itself)")
    measure.add_argument("--held-out", type=int, help="pictures that it did not see (default: what it says, else 0)")
    measure.add_argument("--cache", type=Path, default=Path("runs/classifier"), help="keeps the classifier")
    measure.add_argument(
        "--fidelity", action="store_true", help="FID and KID in Inception's features too (extra fidelity, a download)"
    )
    report = _verb(verbs, "report", "a run as one page of HTML: plots, pictures, figures, warnings")
    report.add_argument("run", type=Path, help="folder of a run, of one that goes on too")
    report.add_argument("-o", "--out", type=Path, help="the page (default: report.html in the folder)")
    film = _verb(verbs, "film", "a run's pictures from fixed seeds, one snapshot after another, as a film")
    film.add_argument("run", type=Path, help="folder of a run, of one that goes on too")
    film.add_argument("-o", "--out", type=Path, required=True, help="ends in .gif, .webp or .mp4 (extra video)")
    film.add_argument("--fps", type=float, default=6.0, help="snapshots a second (default: 6)")
    _add_force(film)
    label = _verb(verbs, "label", "say of seeds what they show, for `ganexport directions --attributes`")
    label.add_argument("checkpoint", type=Path, help="a checkpoint of any architecture that ganexport reads")
    label.add_argument("-o", "--output", type=Path, required=True, help="the CSV file")
    label.add_argument("--data", required=True, help="pictures that show the attribute, with labels")
    label.add_argument("--attribute", help="which array of labels of an .npz or an embedded set (default: the usual)")
    label.add_argument("--count", type=int, default=2000, help="seeds to draw (default: 2000)")
    label.add_argument("--classes", type=_reader((0,)), help="classes to draw in turn (default: all)")
    label.add_argument("--cache", type=Path, default=Path("runs/classifier"), help="keeps the classifier")
    _add_force(label)
    _add_fields(run, Config)
    _add_encoder(verbs)
    _add_project(verbs)
    return parser


def _add_encoder(verbs: Any) -> None:
    from train.encoder.options import EncoderOptions

    encoder = _verb(verbs, "encoder", "train what finds the latents of a picture, from a run's discriminator")
    encoder.add_argument("source", type=Path, help="a run's folder, or a checkpoint")
    encoder.add_argument("-o", "--output", type=Path, required=True, help="the encoder's .safetensors file")
    encoder.add_argument("--data", help="real pictures (default: what the generator learned from)")
    encoder.add_argument(
        "--channels",
        type=_reader((0,)),
        default=(),
        help="feature maps from the smallest up, where no discriminator says them",
    )
    _add_force(encoder)
    _add_fields(encoder, EncoderOptions)


def _add_project(verbs: Any) -> None:
    project = _verb(verbs, "project", "find the w of a picture by descent, for a generator with a w space")
    project.add_argument("checkpoint", type=Path, help="a checkpoint of any such architecture that ganexport reads")
    project.add_argument("picture", type=Path, help="a picture; its middle square is resized to what is drawn")
    project.add_argument("-o", "--output", type=Path, required=True, help="the latents' .safetensors file")
    project.add_argument("--steps", type=int, default=1000, help="steps of Adam (default: 1000)")
    project.add_argument("--lr", type=float, default=0.1, help="its learning rate (default: 0.1)")
    project.add_argument("--each-layer", action="store_true", help="a w for each layer: comes nearer, edits worse")
    project.add_argument("--seed", type=int, default=0, help="of the noise on w at first (default: 0)")
    _add_force(project)


def _add_force(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--force", action="store_true", help="replace the output if it exists")


def _add_fields(parser: argparse.ArgumentParser, kind: Any) -> None:
    """A flag for each field of a dataclass, explained as its docstring does."""
    meanings = _meanings(kind)
    for field in dataclasses.fields(kind):
        flag, text = f"--{field.name.replace('_', '-')}", f"{meanings[field.name]} (default: {field.default})"
        if isinstance(field.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, help=text, default=None)
        else:
            parser.add_argument(flag, type=_reader(field.default), help=text, metavar="VALUE")


def _verb(verbs: Any, name: str, text: str) -> argparse.ArgumentParser:
    """A verb with the examples and the options that all have."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=text, description=text, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def _reader(default: Any) -> Any:
    if isinstance(default, tuple):
        kind: type = int if default else str

        def values(text: str) -> tuple[Any, ...]:
            return tuple(kind(part) for part in text.split(",") if part)

        return values
    return type(default)


def _meanings(kind: Any) -> dict[str, str]:
    """What the docstring of a dataclass says of each field."""
    text = (kind.__doc__ or "").split("Attributes:")[1]
    pairs = [line.strip().split(": ", 1) for line in text.splitlines() if ": " in line]
    return {name: meaning.rstrip(".") for name, meaning in pairs}


if __name__ == "__main__":
    sys.exit(main())
