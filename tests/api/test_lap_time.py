"""A lap time as the sport writes it."""

import pytest

from f1pa_api.lap_time import format_lap


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (92.456, "1:32.456"),
        (59.9996, "1:00.000"),
        (59.9994, "0:59.999"),
        (60.0, "1:00.000"),
        (65.04, "1:05.040"),
        (119.9999, "2:00.000"),
        (605.5, "10:05.500"),
    ],
)
def test_a_lap_is_written_as_in_the_sport(seconds: float, written: str) -> None:
    assert format_lap(seconds) == written
