"""How the weights of an artefact are stored, and what that does to its pictures."""

from ganexport.precision.pictures import PictureErrors, picture_errors
from ganexport.precision.rounding import stored_weights
from ganexport.precision.storage import Plan, plan_for, read_back, weight_bytes

__all__ = ["PictureErrors", "Plan", "picture_errors", "plan_for", "read_back", "stored_weights", "weight_bytes"]
