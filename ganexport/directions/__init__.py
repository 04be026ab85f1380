"""Directions in a bundle's latent space: found in its weights, in sampled latents, or from attributes of pictures."""

from ganexport.directions.find import METHODS, DirectionOptions
from ganexport.directions.update import update_directions

__all__ = ["METHODS", "DirectionOptions", "update_directions"]
