"""Values as people read them."""

import pytest

from f1pa_api.quantities import amount, percent, seconds
from f1pa_api.sparkline import HEIGHT, WIDTH, points


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *((None, "not known"), (0.0, "0 B"), (0.000123, "0.0001 B"), (12.345, "12.3 B")),
        *((999.4, "999 B"), (1000.0, "1 kB"), (1.25e6, "1.25 MB"), (3e12, "3000 GB")),
    ],
)
def test_an_amount_has_three_digits_and_a_prefix(value: float | None, said: str) -> None:
    assert amount(value, "B") == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *((None, "not known"), (0.0, "0 ms"), (0.00475, "4.75 ms"), (1.0, "1 s")),
        *((90.0, "90 s"), (600.0, "10 min"), (7200.0, "2 h"), (200_000.0, "2 d")),
    ],
)
def test_a_time_has_a_unit_of_its_size(value: float | None, said: str) -> None:
    assert seconds(value) == said


def test_a_share_is_a_percentage() -> None:
    assert (percent(None), percent(0.051), percent(-1.5)) == ("not known", "5.1 %", "-150 %")


@pytest.mark.parametrize("values", [[], [1.0]])
def test_less_than_two_values_are_no_line(values: list[float]) -> None:
    assert points(values) == ""


@pytest.mark.parametrize("values", [[0.0, 0.0], [1.0, 1.0, 1.0], [-3.0, 5.0], [1e300, 1e-300]])
def test_a_line_stays_inside(values: list[float]) -> None:
    places = [tuple(map(float, point.split(","))) for point in points(values).split()]
    assert len(places) == len(values)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
