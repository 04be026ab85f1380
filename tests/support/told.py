"""A listener that remembers what it was told."""


class Told:
    """Stages in their order, and of each that has steps how many were done and how many there are."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.steps: dict[str, tuple[int, int]] = {}

    def stage(self, text: str, steps: int | None = None) -> None:
        self.stages.append(text)
        if steps is not None:
            self.steps[text] = (0, steps)

    def step(self, count: int = 1) -> None:
        done, steps = self.steps[self.stages[-1]]
        self.steps[self.stages[-1]] = (done + count, steps)
