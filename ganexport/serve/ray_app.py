"""The same application on Ray Serve (extra `ray`): replicas on many machines, more of them the longer the queues are.

::

    serve run ganexport.serve.ray_app:build bundles=digits,/models/faces most_replicas=8
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganexport.errors import MissingExtraError, OptionError

__all__ = ["build"]

NUMBERS = {"replicas": 1, "most_replicas": 4, "processors": 1, "queue": 256, "target": 8}
USUAL = {"bundles": "", "token": "", "provider": "cpu", "graphics_cards": "0"}


def build(args: dict[str, str]) -> Any:
    """A Ray Serve application; `serve run` and its configuration files give the arguments.

    Args:
        args: `bundles` (folders that every machine has, with commas between); further, each with its usual value,
            `replicas` (1, at least), `most_replicas` (4), `target` (8: requests that one replica has at a time before
            another is started), `queue` (256: pictures that may wait in one), `processors` (1) and `graphics_cards` (0)
            of each, `provider` (cpu), `token` (none).

    Returns:
        What `ray.serve.run` takes.

    Raises:
        OptionError: An argument is unknown or no number, or there are no bundles.
        MissingExtraError: The extra `ray` is not installed.
    """
    given = _checked(args)
    try:
        from ray import serve
    except ImportError as error:
        raise MissingExtraError(f'Ray Serve needs {error.name}: pip install "ganexport[ray,serve]"') from None
    paths = [str(Path(path).resolve()) for path in given["bundles"].split(",") if path]
    providers = tuple(given["provider"].split(","))
    queue, token = given["queue"], given["token"] or None

    def application() -> Any:
        """Called in each replica."""
        from ganexport.bundle import open_bundle
        from ganexport.serve import create_app
        from ganexport.serve.settings import Settings

        bundles = [open_bundle(path, providers=providers) for path in paths]
        return create_app(bundles, Settings(queue=queue, most_pictures=min(64, queue), token=token))

    configured = serve.deployment(
        name="ganexport",
        max_ongoing_requests=2 * queue,  # the engine joins them, and says 429 by itself
        autoscaling_config={
            "min_replicas": given["replicas"],
            "max_replicas": given["most_replicas"],
            "target_ongoing_requests": given["target"],
        },
        ray_actor_options={"num_cpus": given["processors"], "num_gpus": given["graphics_cards"]},
    )
    return configured(serve.ingress(application)()).bind()


def _checked(args: dict[str, str]) -> dict[str, Any]:
    """The arguments with their usual values, numbers as numbers."""
    known = {**NUMBERS, **USUAL}
    if unknown := sorted(args.keys() - known.keys()):
        raise OptionError(f"unknown argument {unknown[0]!r}; there are: {', '.join(known)}")
    given: dict[str, Any] = {**known, **args}
    try:
        for name in NUMBERS:
            given[name] = int(given[name])
        given["graphics_cards"] = float(given["graphics_cards"])
    except ValueError as error:
        raise OptionError(f"replicas, target, queue, processors and graphics_cards are numbers: {error}") from None
    if not given["bundles"]:
        raise OptionError("say which bundles: bundles=FOLDER,FOLDER")
    return given
