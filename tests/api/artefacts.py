"""Model artefacts for the tests: real LightGBM models, small, of invented laps."""

import hashlib
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import lightgbm
import numpy as np

from f1pa_api.features.encoders import CircuitEncoding, Encoders, Form
from f1pa_api.features.intervals import ANY_GROUP, LEVELS, quantile_levels
from f1pa_api.features.laps import Lap
from f1pa_api.features.rows import CONTEXTS, FEATURE_NAMES, Context, FeatureRow, build
from f1pa_api.schemas.artefact import (
    ARTEFACT_FILE,
    REFERENCE_FILE,
    Artefact,
    ContextEntry,
    EncoderTables,
    Metrics,
)
from tests.api.laps import DrivenLap, LapAhead

Value = TypeVar("Value")

KNOWN_CIRCUIT, ESTIMATED_CIRCUIT, UNKNOWN_CIRCUIT = 9, 10, 999
KNOWN_DRIVER, UNKNOWN_DRIVER = 16, 98
REFERENCE_SECONDS = 90.0
GOLDEN_ROWS = 1000
TRAINED_AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
METRICS = Metrics(
    test_mae=0.9,
    test_rmse=1.5,
    test_r2=0.8,
    cold_test_mae=2.5,
    test_coverage=0.81,
    cv_mae=1.0,
    cv_r2=0.75,
    overfitting_ratio=1.25,
)
ENCODERS = Encoders(
    circuits={
        KNOWN_CIRCUIT: CircuitEncoding(
            {2024: 90.5, 2025: REFERENCE_SECONDS}, 57.0, 310.0, 280.0, 260.0
        ),
        # A street circuit without speed traps, where no lap of the training was driven.
        ESTIMATED_CIRCUIT: CircuitEncoding(
            {2025: 104.5}, 61.0, float("nan"), float("nan"), float("nan"), seen=False
        ),
    },
    average_circuit=CircuitEncoding({2024: 96.0, 2025: 95.0}, 60.0, 305.0, 275.0, 255.0),
    forms={
        (2024, KNOWN_DRIVER): Form(-0.004, -0.002),
        (2025, KNOWN_DRIVER): Form(-0.006, -0.003),
    },
    latest_year=2025,
)

# The one group whose intervals have a margin of their own in these artefacts.
NAMED_GROUP = "wet"
QUANTILES = sorted({quantile for level in LEVELS for quantile in quantile_levels(level)})
ENTRIES: Mapping[Context, ContextEntry] = {
    context: ContextEntry(
        feature_names=FEATURE_NAMES[context],
        point=f"{context}.lgb",
        quantiles={quantile: f"{context}-q{quantile}.lgb" for quantile in QUANTILES},
        margins={level: {ANY_GROUP: level / 200, NAMED_GROUP: level / 20} for level in LEVELS},
        error="warm-error.lgb" if context == "warm" else None,
    )
    for context in CONTEXTS
}
MODEL_FILES = [name for entry in ENTRIES.values() for name in entry.files()]

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
PREVIOUS_LAPS: list[dict[str, Any]] = [
    {
        "lap_number": number,
        "lap_duration": 91.0 + number / 8,
        "is_pit_in_lap": False,
        "is_pit_out_lap": False,
        "track_status": "1",
        "compound": "MEDIUM",
        "tyre_age": number - 1,
        "st_speed": 309.0,
        "i1_speed": 279.0,
        "i2_speed": 258.0,
    }
    for number in range(6, 12)
]
WARM_LAP: dict[str, Any] = {**LAP, "previous_laps": PREVIOUS_LAPS}


def random_laps(count: int, seed: int) -> list[LapAhead]:
    """Half of them with laps before."""
    chance = random.Random(seed)
    return [_random_lap(chance, warm=place % 2 == 1) for place in range(count)]


@cache
def rows(context: Context, count: int, seed: int) -> list[FeatureRow]:
    """Of random laps; some values are missing."""
    built = (build(lap, ENCODERS) for lap in random_laps(3 * count, seed))
    return [row for row in built if row.context == context][:count]


@cache
def booster(seed: int, file: str = "cold.lgb") -> lightgbm.Booster:
    """The model in `file`, of a ratio to the scale; another seed gives other predictions."""
    context: Context = "warm" if file.startswith("warm") else "cold"
    inputs = np.array([row.values for row in rows(context, 600, seed)])
    noise = np.random.default_rng(seed).normal(scale=0.02, size=len(inputs))
    ratios = 1.0 + seed / 100 + noise
    entry = ENTRIES[context]
    quantile = {name: value for value, name in entry.quantiles.items()}.get(file)
    parameters: dict[str, object] = {"num_leaves": 7, "num_threads": 1, "verbosity": -1}
    if quantile is not None:
        parameters |= {"objective": "quantile", "alpha": quantile}
    else:
        parameters |= {"objective": "l1"}
    targets = np.abs(noise) if file == entry.error else ratios
    data = lightgbm.Dataset(inputs, targets, feature_name=list(entry.feature_names))
    return lightgbm.train(parameters, data, num_boost_round=20)


def golden_rows(context: Context) -> list[tuple[float, ...]]:
    return [row.values for row in rows(context, GOLDEN_ROWS, seed=7)]


@cache
def golden(context: Context, seed: int) -> list[tuple[float, ...]]:
    """What LightGBM's own package makes of the golden rows, with each model of the context."""
    names, inputs = ENTRIES[context].files(), golden_rows(context)
    columns = [booster(seed, name).predict(inputs).tolist() for name in names]
    return list(zip(*columns, strict=True))


def seconds(lap: Lap, seed: int = 1) -> float:
    """What LightGBM itself makes of a lap with the models of `seed`."""
    row = build(lap, ENCODERS)
    ratio = booster(seed, ENTRIES[row.context].point).predict([row.values])[0]
    return float(ratio) * row.scale_seconds


def artefact_files(seed: int = 1, **changes: object) -> dict[str, bytes]:
    """The files of a good artefact; `changes` replace fields of artefact.json."""
    models = {name: booster(seed, name).model_to_string().encode() for name in MODEL_FILES}
    digests = {name: hashlib.sha256(text).hexdigest() for name, text in models.items()}
    artefact = Artefact(
        strategy="test",
        run_name=f"seed-{seed}",
        run_id=f"run{seed}",
        trained_at=TRAINED_AT,
        contexts=dict(ENTRIES),
        encoders=EncoderTables.from_encoders(ENCODERS),
        metrics=METRICS,
        race_maes={9001: 0.8, 9002: 1.0},
        trained_sessions=[9000, 9001, 9002],
        data_fingerprint="0" * 64,
        # Training writes the drift's reference too, which no worker asks for.
        sha256={**digests, REFERENCE_FILE: "0" * 64},
    ).model_copy(update=changes)
    return {ARTEFACT_FILE: artefact.model_dump_json().encode(), **models}


def _random_lap(chance: random.Random, *, warm: bool) -> LapAhead:
    number = chance.randint(2 if warm else 1, 78)
    return LapAhead(
        driver_number=chance.choice([KNOWN_DRIVER, UNKNOWN_DRIVER]),
        circuit_key=chance.choice([KNOWN_CIRCUIT, ESTIMATED_CIRCUIT, UNKNOWN_CIRCUIT]),
        lap_number=number,
        year=chance.choice([None, 2024, 2025]),
        st_speed=_perhaps(chance, chance.uniform(0, 400)),
        i1_speed=_perhaps(chance, chance.uniform(0, 400)),
        i2_speed=_perhaps(chance, chance.uniform(0, 400)),
        compound=chance.choice([None, "SOFT", "MEDIUM", "HARD", "INTERMEDIATE", "WET"]),
        tyre_age=_perhaps(chance, chance.randint(0, 40)),
        stint_lap=_perhaps(chance, chance.randint(1, 40)),
        rainfall=chance.choice([None, False, True]),
        track_status=chance.choice([None, "1", "2", "4", "67"]),
        pit_in_planned=chance.choice([None, False, True]),
        field_recent_median=_perhaps(chance, chance.uniform(80, 120)),
        previous_laps=_random_previous(chance, number) if warm else (),
    )


def _random_previous(chance: random.Random, before: int) -> tuple[DrivenLap, ...]:
    first = max(1, before - chance.randint(1, 12))
    return tuple(
        DrivenLap(
            lap_number=number,
            lap_duration=_perhaps(chance, chance.uniform(80, 130)),
            is_pit_in_lap=chance.random() < 0.1,
            is_pit_out_lap=chance.random() < 0.1,
            track_status=chance.choice([None, "1", "1", "12", "4"]),
            compound=chance.choice([None, "SOFT", "MEDIUM", "HARD", "INTERMEDIATE"]),
            tyre_age=_perhaps(chance, chance.randint(0, 40)),
            st_speed=_perhaps(chance, chance.uniform(1, 400)),
            i1_speed=_perhaps(chance, chance.uniform(1, 400)),
            i2_speed=_perhaps(chance, chance.uniform(1, 400)),
        )
        for number in range(first, before)
    )


def _perhaps(chance: random.Random, value: Value) -> Value | None:
    return value if chance.random() < 0.8 else None
