"""The self-contained model artefact: what the pipeline writes and a worker reads.

An artefact is a folder with `artefact.json` (this schema), the models that it names (LightGBM's
text format) and `reference.csv.gz` (the sample that drift is measured against). Nothing in it
is pickled.
"""

import math
import re
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from f1pa_api.features.encoders import CircuitEncoding, Encoders, Form
from f1pa_api.features.intervals import ANY_GROUP, LEVELS, quantile_levels
from f1pa_api.features.rows import CONTEXTS, FEATURE_NAMES, Context

ARTEFACT_FILE = "artefact.json"
REFERENCE_FILE = "reference.csv.gz"

PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class CircuitEntry(BaseModel):
    model_config = ConfigDict(frozen=True)

    circuit_key: int
    references: Annotated[dict[int, Annotated[float, Field(gt=0)]], Field(min_length=1)]
    race_laps: Annotated[float, Field(gt=0)]
    st_speed: float | None
    i1_speed: float | None
    i2_speed: float | None
    seen: bool


class DriverEntry(BaseModel):
    model_config = ConfigDict(frozen=True)

    year: int
    driver_number: int
    driver_form: float
    team_form: float


class EncoderTables(BaseModel):
    """JSON has neither NaN nor tuple keys, so the encoders are written as tables."""

    model_config = ConfigDict(frozen=True)

    circuits: list[CircuitEntry]
    average_circuit: CircuitEntry
    drivers: list[DriverEntry]
    latest_year: int

    @classmethod
    def from_encoders(cls, encoders: Encoders) -> "EncoderTables":
        return cls(
            circuits=[_circuit_entry(key, value) for key, value in encoders.circuits.items()],
            average_circuit=_circuit_entry(0, encoders.average_circuit),
            drivers=[
                DriverEntry(
                    year=year, driver_number=number, driver_form=form.driver, team_form=form.team
                )
                for (year, number), form in encoders.forms.items()
            ],
            latest_year=encoders.latest_year,
        )

    def to_encoders(self) -> Encoders:
        return Encoders(
            circuits={entry.circuit_key: _circuit_encoding(entry) for entry in self.circuits},
            average_circuit=_circuit_encoding(self.average_circuit),
            forms={
                (row.year, row.driver_number): Form(row.driver_form, row.team_form)
                for row in self.drivers
            },
            latest_year=self.latest_year,
        )


class ContextEntry(BaseModel):
    """The models of one context. They give ratios to a row's scale.

    `quantiles` maps a quantile to its model's file, `margins` each level of `intervals.LEVELS`
    to the margin of each group, as a ratio too. `error` is the model of the absolute error
    that needs no actual lap; None where there is none.
    """

    model_config = ConfigDict(frozen=True)

    feature_names: tuple[str, ...]
    point: str
    quantiles: dict[float, str]
    margins: dict[float, dict[str, float]]
    error: str | None

    def files(self) -> list[str]:
        return [self.point, *self.quantiles.values(), *([self.error] if self.error else [])]

    def mismatch(self, context: Context) -> str | None:
        if self.feature_names != FEATURE_NAMES[context]:
            return f"its {context} features are {self.feature_names}, this build has others"
        for level in LEVELS:
            if ANY_GROUP not in self.margins.get(level, {}):
                return f"its {context} model has no margin for the level {level}"
            if not set(quantile_levels(level)) <= set(self.quantiles):
                return f"its {context} model has no quantiles for the level {level}"
        return None


class Metrics(BaseModel):
    """Errors in seconds on laps of whole races that training never saw, each lap in the context
    that it allows (warm from a driver's second lap on).

    `test_*` are those of the latest races, by a model trained on the races before them by the
    same recipe; `cold_test_mae` is what the cold model makes of the same laps, `test_coverage`
    the share of them inside the 80 % interval. `cv_*` come from cross-validation by race.
    `overfitting_ratio` is the cross-validated MAE over the training MAE.
    """

    model_config = ConfigDict(frozen=True)

    test_mae: float
    test_rmse: float
    test_r2: float
    cold_test_mae: float
    test_coverage: float
    cv_mae: float
    cv_r2: float
    overfitting_ratio: float


class Artefact(BaseModel):
    """`artefact.json`. `sha256` holds the digest of each other file of the folder; `race_maes`
    the MAE of each test race by session_key, for the comparison with a later candidate, and
    `trained_sessions` every race that the models have seen. `trained_at` is None where the
    version was trained by a release that did not write it."""

    model_config = ConfigDict(frozen=True)

    format: Literal[2] = 2
    model_family: Literal["lightgbm"] = "lightgbm"
    strategy: str
    run_name: str
    run_id: str
    trained_at: AwareDatetime | None = None
    contexts: dict[Context, ContextEntry]
    encoders: EncoderTables
    metrics: Metrics
    race_maes: dict[int, float]
    trained_sessions: list[int]
    data_fingerprint: str
    sha256: dict[str, str]

    def mismatch(self) -> str | None:
        """Why this build cannot serve the artefact, or None when it can."""
        for context in CONTEXTS:
            entry = self.contexts.get(context)
            if entry is None:
                return f"it has no {context} model"
            problem = entry.mismatch(context)
            if problem is not None:
                return problem
            unnamed = [name for name in entry.files() if name not in self.sha256]
            if unnamed:
                return f"it names no digest of {unnamed}"
        odd = [name for name in self.sha256 if not PLAIN_NAME.fullmatch(name)]
        return f"it names files outside its folder: {odd}" if odd else None

    def model_files(self) -> list[str]:
        """The files that serving needs beside `artefact.json`."""
        return [name for entry in self.contexts.values() for name in entry.files()]


def _circuit_entry(key: int, circuit: CircuitEncoding) -> CircuitEntry:
    return CircuitEntry(
        circuit_key=key,
        references=dict(circuit.references),
        race_laps=circuit.race_laps,
        st_speed=_null_from_nan(circuit.st_speed),
        i1_speed=_null_from_nan(circuit.i1_speed),
        i2_speed=_null_from_nan(circuit.i2_speed),
        seen=circuit.seen,
    )


def _circuit_encoding(entry: CircuitEntry) -> CircuitEncoding:
    return CircuitEncoding(
        references=entry.references,
        race_laps=entry.race_laps,
        st_speed=_nan_from_null(entry.st_speed),
        i1_speed=_nan_from_null(entry.i1_speed),
        i2_speed=_nan_from_null(entry.i2_speed),
        seen=entry.seen,
    )


def _null_from_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


def _nan_from_null(value: float | None) -> float:
    return math.nan if value is None else value
