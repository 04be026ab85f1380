"""Watching a run: what each step says of itself, a log that survives kills, and warnings when a run goes wrong."""
