"""Training of generators: `python -m train`. Runs from a clone; not part of the wheel."""
