"""What a training may vary."""

from dataclasses import dataclass

# The models of an interval's ends and of the error have a coarser task than the lap time's.
TREES_PER_SMALL_TREE = 4


@dataclass(frozen=True)
class Recipe:
    """The seed of all chance, and how many trees a lap time model grows."""

    seed: int = 1
    trees: int = 150

    @property
    def small_trees(self) -> int:
        """How many the models of quantiles and of the error grow."""
        return max(1, self.trees // TREES_PER_SMALL_TREE)
