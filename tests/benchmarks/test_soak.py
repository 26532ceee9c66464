"""From samples to a table and a picture."""

from dataclasses import replace
from pathlib import Path

from benchmarks.soak import plot, stages
from benchmarks.soak.service import Sample

FIRST = Sample(0, 0, 0, 0, 50, 60, 2, 12, 0.01, 0)


def samples(growing: float) -> list[Sample]:
    """A hundred, of which the exporter's memory grows by so many MiB."""
    return [
        replace(
            FIRST,
            at=float(second),
            requests=1000.0 * second,
            exporter_mib=50 + growing * second / 100,
            exporter_cpu_seconds=0.02 * second,
        )
        for second in range(100)
    ]


def test_the_end_is_compared_with_the_beginning() -> None:
    _, rows = stages.rows(samples(growing=50))
    assert rows[0] == ("resident memory of the exporter, MiB", "59.8", "94.8", "1.59")
    assert [row[3] for row in rows[1:]] == ["1.00"] * 5
    assert rows[5][1] == "20.0"


def test_a_picture_of_each_run_is_the_same(tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        plot.write(samples(growing=0), tmp_path / name)
    one, two = ((tmp_path / name).read_bytes() for name in ("one.svg", "two.svg"))
    assert one == two
    assert b"a scrape, ms" in one
    assert one.rstrip().endswith(b"</svg>")
