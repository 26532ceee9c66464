"""The columns that are watched, and what counts as drift in each.

Both methods are distances: 0 for equal distributions, growing with the difference, drift from
the threshold up, at any number of rows. They are named per column because Evidently's own
choice turns to p-values, where *low* means drift, once the reference has 1,000 rows or fewer.

The threshold stands above the noise of sampling. Between 500 rows and 5,000 or 50,000 others
drawn from the same simulated laps, the largest score of any column in 120 draws was 0.143;
between 500 and 500 it reached 0.28, so a small reference can raise a false alarm.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "key", "label"]
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


# "wasserstein" is in standard deviations of the reference, "jensenshannon" is the square root
# of the divergence in nats (0 to 0.833).
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
