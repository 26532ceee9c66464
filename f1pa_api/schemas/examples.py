"""Requests and an answer that the API's document shows. Tests send them."""

from typing import Any

_LAP = {
    "driver_number": 1,
    "circuit_key": 7,
    "temp": 25.0,
    "rhum": 45.0,
    "pres": 1013.0,
    "lap_number": 15,
}
_SPEEDS = {"st_speed": 310.5, "i1_speed": 295.2, "i2_speed": 288.1}
_PREVIOUS_LAPS = [
    {"lap_number": 12, "lap_duration": 108.9},
    {"lap_number": 13, "lap_duration": 108.7},
    {"lap_number": 14, "lap_duration": 108.8, "compound": "MEDIUM", "tyre_age": 13},
]
_WARM_LAP = {**_LAP, "total_laps": 44, "previous_laps": _PREVIOUS_LAPS}

PREDICTION_ID = "01a20bd8-ed1c-71f3-a386-71e6105db9dd"

ACTUAL: dict[str, Any] = {
    "a lap": {
        "summary": "The lap took 1:49.512",
        "value": {"lap_duration_seconds": 109.512},
    },
}

ACTUALS: dict[str, Any] = {
    "one of many": {
        "summary": "The lap of one prediction took 1:49.512",
        "value": {
            "actuals": [{"prediction_id": PREDICTION_ID, "lap_duration_seconds": 109.512}],
        },
    },
}

LAP: dict[str, Any] = {
    "cold": {
        "summary": "A lap of which nothing of the session is known",
        "value": {"features": {**_LAP, **_SPEEDS}},
    },
    "warm": {
        "summary": "A lap with the driver's laps before it",
        "value": {"features": _WARM_LAP, "level": 0.8},
    },
    "session": {
        "summary": "A lap of a recorded session, whose laps before it the service reads",
        "value": {"features": {**_LAP, "session_key": 9574}, "level": 0.95},
    },
}
BATCH: dict[str, Any] = {
    "batch": {
        "summary": "Two laps, one cold and one warm",
        "value": {"features": [{**_LAP, **_SPEEDS}, _WARM_LAP], "level": 0.5},
    }
}
LAP_ANSWER: dict[str, Any] = {
    "lap_duration_seconds": 109.905,
    "lap_duration_formatted": "1:49.905",
    "context": "cold",
    "interval": {"level": 0.8, "lower": 108.201, "upper": 113.923},
    "expected_error_seconds": None,
    "model_info": {
        "model_family": "lightgbm",
        "strategy": "cold-warm-l1",
        "run_name": "cold-warm-l1-86cbd0ef",
        "run_id": "b6a173b80f0f4e65ac2df3d23f19016a",
        "model_version": "1",
        "test_mae": 1.213,
        "test_r2": 0.909,
        "test_rmse": 4.219,
        "cold_test_mae": 1.641,
        "test_coverage": 0.81,
        "cv_mae": 1.284,
        "cv_r2": 0.891,
        "overfitting_ratio": 1.134,
        "source": "mlflow",
    },
    "prediction_id": PREDICTION_ID,
    "warnings": [],
}
