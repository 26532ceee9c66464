"""Whatever JSON comes, it is predicted or refused."""

import json
import math
from typing import Any

from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.artefacts import ESTIMATED_CIRCUIT, KNOWN_CIRCUIT, KNOWN_DRIVER, UNKNOWN_CIRCUIT
from tests.api.conftest import credentials
from tests.api.test_schemas import BOUNDS, BOUNDS_OF_PREVIOUS

# One application answers all the examples of a test; it keeps nothing of them.
many = settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

WHOLE = {
    *("driver_number", "circuit_key", "lap_number", "year", "session_key"),
    *("tyre_age", "stint_lap", "total_laps"),
}
LATEST_LAP = 60


def number(name: str, bounds: tuple[int, int]) -> st.SearchStrategy[float]:
    return st.integers(*bounds) if name in WHOLE else st.floats(*bounds)


words = st.sampled_from(["SOFT", "wet", "hyper"]) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20
)
codes = st.text("124567", min_size=1, max_size=12)
previous_lap_values: dict[str, st.SearchStrategy[Any]] = {
    **{name: number(name, bounds) for name, bounds in BOUNDS_OF_PREVIOUS.items()},
    "is_pit_in_lap": st.booleans(),
    "is_pit_out_lap": st.booleans(),
    "track_status": codes,
    "compound": words,
}
lap_values: dict[str, st.SearchStrategy[Any]] = {
    **{name: number(name, bounds) for name, bounds in BOUNDS.items()},
    "driver_number": st.just(KNOWN_DRIVER) | st.integers(1, 99),
    "circuit_key": st.sampled_from([KNOWN_CIRCUIT, ESTIMATED_CIRCUIT, UNKNOWN_CIRCUIT]),
    "total_laps": st.integers(LATEST_LAP + 1, 200),
    "rainfall": st.booleans(),
    "pit_in_planned": st.booleans(),
    "track_status": codes,
    "compound": words,
}


@st.composite
def good_laps(draw: st.DrawFn) -> dict[str, Any]:
    """Within the bounds; the laps before lead up to it."""
    numbers = sorted(draw(st.sets(st.integers(1, LATEST_LAP), min_size=1, max_size=12)))
    lap = draw(_objects(lap_values, {"driver_number", "circuit_key", "temp", "rhum", "pres"}))
    optional = _objects(previous_lap_values, set())
    previous = [{**draw(optional), "lap_number": before} for before in numbers[:-1]]
    return {**lap, "lap_number": numbers[-1], "previous_laps": previous}


def _objects(
    values: dict[str, st.SearchStrategy[Any]], required: set[str]
) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {name: values[name] for name in required},
        optional={name: values[name] | st.none() for name in values if name not in required},
    )


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def odd_laps(draw: st.DrawFn) -> dict[str, Any]:
    """Good ones of which a value or two, also of the laps before, became anything."""
    lap = draw(good_laps())
    for _ in range(draw(st.integers(1, 2))):
        spoilt = draw(st.sampled_from([lap, *lap["previous_laps"]]))
        names = previous_lap_values if "temp" not in spoilt else lap_values
        name = draw(st.sampled_from([*names, "previous_laps", "more"]))
        if spoilt is not lap or name != "previous_laps":
            spoilt[name] = draw(any_json)
    if draw(st.booleans()):
        lap["previous_laps"] = draw(
            st.permutations(lap["previous_laps"]) | st.just(lap["previous_laps"] * 2) | any_json
        )
    return lap


levels = st.sampled_from([0.5, 0.8, 0.95])


@many
@given(st.lists(good_laps(), min_size=1, max_size=3), levels)
def test_a_lap_within_the_bounds_is_predicted(
    client: FlaskClient, laps: list[dict[str, Any]], level: float
) -> None:
    body = {"features": laps, "level": level}
    answer = client.post("/predict/batch", json=body, headers=credentials())
    assert answer.status_code == 200, answer.text
    content = answer.get_json()
    for seconds, interval, error, context in zip(
        content["predictions"],
        content["intervals"],
        content["expected_errors_seconds"],
        content["contexts"],
        strict=True,
    ):
        assert interval["level"] == level
        assert 0 < interval["lower"] <= seconds <= interval["upper"] < math.inf
        assert (error is None) == (context == "cold")
        assert error is None or 0 <= error < math.inf


@many
@given(
    st.sampled_from(["/predict/lap", "/predict/batch"]),
    any_json
    | st.fixed_dictionaries(
        {"features": odd_laps() | st.lists(odd_laps(), max_size=3)},
        optional={"level": levels | any_json},
    ),
)
def test_any_json_is_predicted_or_refused(client: FlaskClient, path: str, body: Any) -> None:
    headers = {**credentials(), "Content-Type": "application/json"}
    answer = client.post(path, data=json.dumps(body), headers=headers)
    assert answer.status_code in {200, 422}, answer.text
