"""Model artefacts for the tests: real LightGBM models, small, of invented laps."""

import hashlib
import random
from functools import cache

import lightgbm
import numpy as np

from f1pa_api.features import FEATURE_NAMES, CircuitEncoding, Encoders, build
from f1pa_api.schemas.artefact import ARTEFACT_FILE, MODEL_FILE, Artefact, EncoderTables, Metrics
from f1pa_api.schemas.requests import LapFeatures

KNOWN_CIRCUIT, ESTIMATED_CIRCUIT, UNKNOWN_CIRCUIT = 9, 10, 999
KNOWN_DRIVER, UNKNOWN_DRIVER = 16, 98
REFERENCE_SECONDS = 90.0
METRICS = Metrics(
    test_mae=0.9, test_rmse=1.5, test_r2=0.8, cv_mae=1.0, cv_r2=0.75, overfitting_ratio=1.25
)
ENCODERS = Encoders(
    circuits={
        KNOWN_CIRCUIT: CircuitEncoding(REFERENCE_SECONDS, 57.0, 310.0, 280.0, 260.0),
        # A street circuit without speed traps, where no lap of the training was driven.
        ESTIMATED_CIRCUIT: CircuitEncoding(
            104.5, 61.0, float("nan"), float("nan"), float("nan"), seen=False
        ),
    },
    average_circuit=CircuitEncoding(95.0, 60.0, 305.0, 275.0, 255.0),
    forms={(2024, KNOWN_DRIVER): -0.004, (2025, KNOWN_DRIVER): -0.006},
    latest_year=2025,
)

LAP: dict[str, int | float] = {
    "driver_number": KNOWN_DRIVER,
    "circuit_key": KNOWN_CIRCUIT,
    "st_speed": 312.0,
    "i1_speed": 281.5,
    "i2_speed": 259.0,
    "temp": 24.5,
    "rhum": 48.0,
    "pres": 1009.0,
    "lap_number": 12,
}


def random_laps(count: int, seed: int) -> list[LapFeatures]:
    chance = random.Random(seed)
    return [
        LapFeatures(
            driver_number=chance.choice([KNOWN_DRIVER, UNKNOWN_DRIVER]),
            circuit_key=chance.choice([KNOWN_CIRCUIT, ESTIMATED_CIRCUIT, UNKNOWN_CIRCUIT]),
            st_speed=chance.uniform(0, 400),
            i1_speed=chance.uniform(0, 400),
            i2_speed=chance.uniform(0, 400),
            temp=chance.uniform(-20, 60),
            rhum=chance.uniform(0, 100),
            pres=chance.uniform(600, 1100),
            lap_number=chance.randint(1, 78),
        )
        for _ in range(count)
    ]


@cache
def booster(seed: int, feature_names: tuple[str, ...] = FEATURE_NAMES) -> lightgbm.Booster:
    """A model of lap time over reference; another seed gives other predictions."""
    rows = np.array([build(lap, ENCODERS).values for lap in random_laps(1500, seed)])
    rows = rows[:, : len(feature_names)]
    ratios = 1.0 + np.random.default_rng(seed).normal(scale=0.02, size=len(rows)) + seed / 100
    parameters = {"objective": "l1", "num_leaves": 15, "num_threads": 1, "verbosity": -1}
    data = lightgbm.Dataset(rows, ratios, feature_name=list(feature_names), free_raw_data=False)
    return lightgbm.train(parameters, data, num_boost_round=40)


def artefact_files(seed: int = 1, **changes: object) -> dict[str, bytes]:
    """The files of a good artefact; `changes` replace fields of artefact.json."""
    model_text = booster(seed).model_to_string().encode()
    artefact = Artefact(
        strategy="test",
        run_name=f"seed-{seed}",
        run_id=f"run{seed}",
        feature_names=FEATURE_NAMES,
        encoders=EncoderTables.from_encoders(ENCODERS),
        metrics=METRICS,
        data_fingerprint="0" * 64,
        sha256={MODEL_FILE: hashlib.sha256(model_text).hexdigest()},
    ).model_copy(update=changes)
    return {ARTEFACT_FILE: artefact.model_dump_json().encode(), MODEL_FILE: model_text}
