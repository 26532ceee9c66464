"""Laps as predictions of the log, and a champion that they can be compared with."""

import gzip
import hashlib
import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import psycopg
from psycopg.types.json import Jsonb

from f1pa_api.schemas.artefact import ARTEFACT_FILE, REFERENCE_FILE

FEATURES = (
    *("driver_number", "circuit_key", "year", "st_speed", "i1_speed", "i2_speed"),
    *("temp", "rhum", "pres", "lap_number", "compound"),
)
INSERT = """
INSERT INTO predictions (prediction_id, predicted_at, outcome, endpoint_type, duration_seconds,
    model_version, context, session_key, driver_number, circuit_key, year, st_speed, i1_speed,
    i2_speed, temp, rhum, pres, lap_number, compound, features, fallbacks, predicted_seconds,
    interval_level, interval_lower, interval_upper, expected_error_seconds)
SELECT id, uuid_extract_timestamp(id), 'ok', 'batch', 0.25, %(version)s, 'warm', session_key,
    driver_number, circuit_key, year, st_speed, i1_speed, i2_speed, temp, rhum, pres, lap_number,
    compound, '{1,NaN}', '{unknown_driver}', prediction, 0.8, prediction - 1,
    prediction + 1, 0.5
FROM (
    SELECT *, (left(uuid7_floor(at)::text, 19) || right(gen_random_uuid()::text, 17))::uuid AS id
    FROM jsonb_populate_recordset(NULL::asked, %(laps)s::jsonb)
)
"""
ASKED = """
CREATE TEMP TABLE IF NOT EXISTS asked (at timestamptz, session_key int, driver_number int,
    circuit_key int, year int, st_speed float8, i1_speed float8, i2_speed float8, temp float8,
    rhum float8, pres float8, lap_number int, compound text, prediction float8)
"""


def log_laps(
    owner_url: str, laps: pd.DataFrame, end: datetime, length: timedelta, version: str = "1"
) -> None:
    """One prediction per lap, evenly over the time before `end`."""
    asked = laps.reindex(columns=[*FEATURES, "session_key", "prediction"]).reset_index(drop=True)
    steps = np.arange(len(asked), 0, -1) / (len(asked) + 1)
    times = [(end - length * float(step)).isoformat() for step in steps]
    records = json.loads(asked.assign(at=times).to_json(orient="records"))
    days = sorted({datetime.fromisoformat(at).astimezone(UTC).date() for at in times})
    with psycopg.connect(owner_url) as connection:
        connection.execute("SELECT add_prediction_partitions(%s)", [days])
        connection.execute(ASKED)
        connection.execute(INSERT, {"version": version, "laps": Jsonb(records)})


def tell_lap_times(owner_url: str, seconds_later: float) -> None:
    """Every logged lap was driven, so much slower than predicted."""
    with psycopg.connect(owner_url) as connection:
        connection.execute(
            "INSERT INTO actuals (prediction_id, predicted_at, actual_seconds, source)"
            " SELECT prediction_id, predicted_at, predicted_seconds + %s, 'reported'"
            " FROM predictions WHERE outcome = 'ok'",
            [seconds_later],
        )


def champion_files(reference: pd.DataFrame) -> dict[str, bytes]:
    """What the drift job reads of an artefact."""
    sample = gzip.compress(reference.to_csv(index=False).encode(), mtime=0)
    digests = {REFERENCE_FILE: hashlib.sha256(sample).hexdigest()}
    artefact = {"run_id": "1" * 32, "sha256": digests}
    return {ARTEFACT_FILE: json.dumps(artefact).encode(), REFERENCE_FILE: sample}
