"""What a training may vary."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """The seed of all chance, and how many trees a model grows."""

    seed: int = 1
    trees: int = 400
