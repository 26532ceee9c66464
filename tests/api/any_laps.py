"""Strategies for laps as the API's schemas let them through."""

from hypothesis import strategies as st

from tests.api.artefacts import (
    ESTIMATED_CIRCUIT,
    KNOWN_CIRCUIT,
    KNOWN_DRIVER,
    UNKNOWN_CIRCUIT,
    UNKNOWN_DRIVER,
)
from tests.api.laps import DrivenLap, LapAhead

LAST_LAP = 200
FLAGS = st.none() | st.booleans()
STATUSES = st.none() | st.text("124567", min_size=1, max_size=12)
SECONDS = st.floats(30, 14_400)
COMPOUNDS = st.none() | st.sampled_from(
    ["SOFT", "MEDIUM", "HARD", "INTERMEDIATE", "WET", "HYPERSOFT"]
)
MEASURED_KMH = st.none() | st.floats(0, 450)
EXPECTED_KMH = st.none() | st.floats(0, 400)


@st.composite
def previous_laps(draw: st.DrawFn, before: int) -> tuple[DrivenLap, ...]:
    """Any laps before the lap `before`, oldest first."""
    if before == 1:
        return ()
    numbers = draw(st.sets(st.integers(1, before - 1), max_size=100))
    return tuple(draw(_driven(number)) for number in sorted(numbers))


@st.composite
def laps(draw: st.DrawFn) -> LapAhead:
    number = draw(st.integers(1, LAST_LAP))
    return LapAhead(
        driver_number=draw(st.sampled_from([KNOWN_DRIVER, UNKNOWN_DRIVER])),
        circuit_key=draw(st.sampled_from([KNOWN_CIRCUIT, ESTIMATED_CIRCUIT, UNKNOWN_CIRCUIT])),
        lap_number=number,
        year=draw(st.none() | st.integers(1950, 2100)),
        st_speed=draw(EXPECTED_KMH),
        i1_speed=draw(EXPECTED_KMH),
        i2_speed=draw(EXPECTED_KMH),
        compound=draw(COMPOUNDS),
        tyre_age=draw(st.none() | st.integers(0, 300)),
        stint_lap=draw(st.none() | st.integers(1, 200)),
        rainfall=draw(FLAGS),
        track_status=draw(STATUSES),
        pit_in_planned=draw(FLAGS),
        total_laps=draw(st.none() | st.integers(number, LAST_LAP)),
        field_recent_median=draw(st.none() | SECONDS),
        circuit_avg_laptime=draw(st.none() | st.floats(60, 150)),
        driver_perf_score=draw(st.none() | st.floats(-30, 30)),
        previous_laps=draw(previous_laps(number)),
    )


def _driven(lap_number: int) -> st.SearchStrategy[DrivenLap]:
    return st.builds(
        DrivenLap,
        lap_number=st.just(lap_number),
        lap_duration=st.none() | SECONDS,
        is_pit_in_lap=FLAGS,
        is_pit_out_lap=FLAGS,
        track_status=STATUSES,
        compound=COMPOUNDS,
        tyre_age=st.none() | st.integers(-1, 500),
        st_speed=MEASURED_KMH,
        i1_speed=MEASURED_KMH,
        i2_speed=MEASURED_KMH,
    )
