"""How the weights of an artefact are stored, and what that does to its pictures."""

from ganexport.precision.pictures import PictureErrors, picture_errors
from ganexport.precision.plot import Point, plot
from ganexport.precision.rounding import Rounding, stored_weights
from ganexport.precision.search import search
from ganexport.precision.storage import Plan, plan_for, read_back, weight_bytes

__all__ = [
    "PictureErrors",
    "Plan",
    "Point",
    "Rounding",
    "picture_errors",
    "plan_for",
    "plot",
    "read_back",
    "search",
    "stored_weights",
    "weight_bytes",
]
