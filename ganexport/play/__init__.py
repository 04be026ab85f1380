"""Playing with a bundle: sweeps, walks, mixing and arithmetic, each from points in its latent space to more of them.

Points come from seeds, out of files, or from pictures by the bundle's encoder.

::

    studio = Studio(open_bundle("digits"))
    sheet = class_sweep(studio, studio.seeds(range(100)), 3, 8)
    pictures = studio.draw(sheet.points)  # uint8 [100·9, H, W, C]
"""

from ganexport.play.encode import Found, draw_classes, encode_files
from ganexport.play.points import Points, Sheet
from ganexport.play.sheets import class_sweep, coordinate_sweep, direction_sweep, every_class, mix
from ganexport.play.studio import Studio
from ganexport.play.sums import signed_sum
from ganexport.play.walks import walk

__all__ = [
    "Found",
    "Points",
    "Sheet",
    "Studio",
    "class_sweep",
    "coordinate_sweep",
    "direction_sweep",
    "draw_classes",
    "encode_files",
    "every_class",
    "mix",
    "signed_sum",
    "walk",
]
