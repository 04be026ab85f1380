"""Datasets of generated pictures, of any size: the same bytes wherever and however often they are made.

A job says what to draw; its pictures are cut into shards, each of which follows from its number alone. `make` draws
those that are missing, on this machine or on many, and writes what came out into a manifest.
"""

from __future__ import annotations

from ganexport.bulk.make import Made, make
from ganexport.bulk.plan import FORMATS, Job, plan

__all__ = ["FORMATS", "Job", "Made", "make", "plan"]
