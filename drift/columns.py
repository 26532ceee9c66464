"""The columns that are watched, and what counts as drift in each."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "key", "label"]
# Evidently's: "wasserstein" is in standard deviations of the reference, "jensenshannon" is the
# square root of the divergence in nats (0 to 0.833).
Method = Literal["wasserstein", "jensenshannon"]

THRESHOLD = 0.15


@dataclass(frozen=True)
class Column:
    """`key` columns are whole numbers that name something, so their order means nothing.

    An optional column is compared when either frame has it.
    """

    name: str
    kind: Kind
    method: Method
    threshold: float = THRESHOLD
    optional: bool = False


# Two frames as they are. Both methods are distances: 0 for equal distributions, growing with the
# difference, drift from the threshold up, at any number of rows. They are named per column because
# Evidently's own choice turns to p-values, where *low* means drift, once the reference has 1,000
# rows or fewer.
#
# The threshold stands above the noise of sampling. Between 500 rows and 5,000 or 50,000 others
# drawn from the same simulated laps, the largest score of any column in 120 draws was 0.143;
# between 500 and 500 it reached 0.28, so a small reference can raise a false alarm.
COLUMNS: tuple[Column, ...] = (
    Column("driver_number", "key", "jensenshannon"),
    Column("circuit_key", "key", "jensenshannon"),
    Column("year", "key", "jensenshannon"),
    Column("st_speed", "number", "wasserstein"),
    Column("i1_speed", "number", "wasserstein"),
    Column("i2_speed", "number", "wasserstein"),
    Column("temp", "number", "wasserstein"),
    Column("rhum", "number", "wasserstein"),
    Column("pres", "number", "wasserstein"),
    Column("lap_number", "number", "wasserstein"),
    Column("compound", "label", "jensenshannon", optional=True),
)

# What laps of the same circuits are compared by:
# - shift: how far the values would have to be moved, on average, to lie as the reference's do
#   (Wasserstein distance), in the column's own unit;
# - relative_shift: the same in percent of what is usual at the circuit;
# - unseen: the share of rows with a value that the reference has not;
# - constant: the share of rows that hold their circuit's most frequent value.
CircuitMethod = Literal["shift", "relative_shift", "unseen", "constant"]


@dataclass(frozen=True)
class Rule:
    """`threshold` is for a weekend that the reference has not, whose weather and wings nobody
    could know; `known_threshold` for one that it has. Distances beyond `reach` count as `reach`:
    a lap behind the safety car is slow, however slow it is. An optional column may be without
    values.
    """

    name: str
    kind: Kind
    method: CircuitMethod
    threshold: float
    known_threshold: float
    reach: float = float("inf")
    optional: bool = False


def _unseen(name: str, kind: Kind, threshold: float, *, optional: bool = False) -> Rule:
    return Rule(name, kind, "unseen", threshold, threshold, optional=optional)


def _constant(name: str) -> Rule:
    return Rule(name, "number", "constant", 0.98, 0.98)


# docs/drift.md has the evidence.
SAME_CIRCUITS: tuple[Rule, ...] = (
    _unseen("driver_number", "key", 0.10),
    _unseen("circuit_key", "key", 0.05),
    _unseen("year", "key", 0.05),
    Rule("st_speed", "number", "relative_shift", 6.2, 1.75, reach=10),
    Rule("i1_speed", "number", "relative_shift", 6.7, 1.75, reach=10),
    Rule("i2_speed", "number", "relative_shift", 6.2, 1.75, reach=10),
    Rule("temp", "number", "shift", 15, 5),
    Rule("rhum", "number", "shift", 50, 20),
    Rule("pres", "number", "shift", 40, 10),
    Rule("lap_number", "number", "shift", 30, 30),
    _constant("st_speed"),
    _constant("i1_speed"),
    _constant("i2_speed"),
    _constant("temp"),
    _constant("rhum"),
    _constant("pres"),
    _unseen("compound", "label", 0.05, optional=True),
    Rule("prediction", "number", "relative_shift", 10, 5, reach=20, optional=True),
)
