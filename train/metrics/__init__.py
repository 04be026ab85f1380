"""How good a generator is: measured in the feature space of a small classifier of the real pictures."""
