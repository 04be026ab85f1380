"""Figures for Prometheus: requests, runs of the graphs, the queue."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

__all__ = ["CONTENT_TYPE", "Metrics", "ModelMetrics"]

CONTENT_TYPE = CONTENT_TYPE_LATEST
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Names, in the environment, the folder where the workers of one server put their figures together."""
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
PICTURES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The figures of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._together = FOLDER in os.environ
        if self._together:
            _forget_dead_workers(Path(os.environ[FOLDER]))
        else:
            ProcessCollector(registry=self._registry)
        more: dict[str, Any] = {"registry": self._registry, "namespace": "ganexport"}
        self.requests = Counter("requests", "Answered requests.", ("route", "method", "status"), **more)
        self.seconds = Histogram(
            "request_seconds", "Time to the end of an answer.", ("route",), buckets=SECONDS, **more
        )
        self._pictures = Counter("pictures", "Pictures drawn.", ("model",), **more)
        self._run = Histogram("run_seconds", "Time of a run of the graphs.", ("model",), buckets=SECONDS, **more)
        self._batch = Histogram("run_pictures", "Pictures of a run.", ("model",), buckets=PICTURES, **more)
        self._joined = Counter("run_requests", "Requests that had a share in a run.", ("model",), **more)
        self._queue = Gauge("queue_pictures", "Pictures that wait.", ("model",), multiprocess_mode="livesum", **more)

    def text(self) -> bytes:
        """All figures in Prometheus's format; with several workers, of all of them."""
        if not self._together:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def of_model(self, name: str) -> ModelMetrics:
        """Where a model's engine puts its figures."""
        return ModelMetrics(
            self._pictures.labels(name),
            self._run.labels(name),
            self._batch.labels(name),
            self._joined.labels(name),
            self._queue.labels(name),
        )


class ModelMetrics:
    """The figures of one model."""

    def __init__(self, pictures: Counter, run: Histogram, batch: Histogram, joined: Counter, queue: Gauge) -> None:
        self._pictures, self._run, self._batch, self._joined, self._queue = pictures, run, batch, joined, queue

    def ran(self, pictures: int, requests: int, seconds: float) -> None:
        """A run of the graphs is over."""
        self._pictures.inc(pictures)
        self._run.observe(seconds)
        self._batch.observe(pictures)
        self._joined.inc(requests)

    def waits(self, pictures: int) -> None:
        """So many pictures wait now."""
        self._queue.set(pictures)


def _forget_dead_workers(folder: Path) -> None:
    """Take away what workers that were killed said of the present."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = file.stem.rpartition("_")[2]
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            mark_process_dead(int(pid), str(folder))  # type: ignore[no-untyped-call]
        except (ValueError, PermissionError):
            pass
