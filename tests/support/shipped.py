"""The bundles that come with the repository."""

from pathlib import Path

CONVERTED_MODELS = Path(__file__).parents[2] / "converted_models"
DIGITS = CONVERTED_MODELS / "digits"
EMOJI_PEOPLE = CONVERTED_MODELS / "emoji-people"
