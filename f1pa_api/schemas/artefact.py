"""The self-contained model artefact: what the pipeline writes and a worker reads.

An artefact is a folder with `model.lgb` (LightGBM's text format), `artefact.json` (this
schema) and `reference.csv.gz` (the sample that drift is measured against). Nothing in it
is pickled.
"""

import math
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from f1pa_api.features import FEATURE_NAMES, CircuitEncoding, Encoders

MODEL_FILE = "model.lgb"
ARTEFACT_FILE = "artefact.json"
REFERENCE_FILE = "reference.csv.gz"


class CircuitEntry(BaseModel):
    model_config = ConfigDict(frozen=True)

    circuit_key: int
    reference_seconds: Annotated[float, Field(gt=0)]
    race_laps: Annotated[float, Field(gt=0)]
    st_speed: float | None
    i1_speed: float | None
    i2_speed: float | None
    seen: bool


class DriverEntry(BaseModel):
    model_config = ConfigDict(frozen=True)

    year: int
    driver_number: int
    form: float


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
                DriverEntry(year=year, driver_number=number, form=form)
                for (year, number), form in encoders.forms.items()
            ],
            latest_year=encoders.latest_year,
        )

    def to_encoders(self) -> Encoders:
        return Encoders(
            circuits={entry.circuit_key: _circuit_encoding(entry) for entry in self.circuits},
            average_circuit=_circuit_encoding(self.average_circuit),
            forms={(row.year, row.driver_number): row.form for row in self.drivers},
            latest_year=self.latest_year,
        )


class Metrics(BaseModel):
    """Errors on whole races that training never saw (`test_*`) and the mean over the folds
    of cross-validation by race (`cv_*`), in seconds. `overfitting_ratio` is the test MAE
    over the training MAE."""

    model_config = ConfigDict(frozen=True)

    test_mae: float
    test_rmse: float
    test_r2: float
    cv_mae: float
    cv_r2: float
    overfitting_ratio: float


class Artefact(BaseModel):
    """`artefact.json`. `sha256` holds the digest of each other file of the folder."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    model_family: Literal["lightgbm"] = "lightgbm"
    strategy: str
    run_name: str
    run_id: str
    feature_names: tuple[str, ...]
    encoders: EncoderTables
    metrics: Metrics
    data_fingerprint: str
    sha256: dict[str, str]

    def mismatch(self) -> str | None:
        """Why this build cannot serve the artefact, or None when it can."""
        if self.feature_names != FEATURE_NAMES:
            return f"its features are {self.feature_names}, this build has {FEATURE_NAMES}"
        if MODEL_FILE not in self.sha256:
            return f"it names no digest of {MODEL_FILE}"
        odd = [name for name in self.sha256 if PurePosixPath(name).name != name]
        return f"it names files outside its folder: {odd}" if odd else None


def _circuit_entry(key: int, circuit: CircuitEncoding) -> CircuitEntry:
    return CircuitEntry(
        circuit_key=key,
        reference_seconds=circuit.reference_seconds,
        race_laps=circuit.race_laps,
        st_speed=_null_from_nan(circuit.st_speed),
        i1_speed=_null_from_nan(circuit.i1_speed),
        i2_speed=_null_from_nan(circuit.i2_speed),
        seen=circuit.seen,
    )


def _circuit_encoding(entry: CircuitEntry) -> CircuitEncoding:
    return CircuitEncoding(
        reference_seconds=entry.reference_seconds,
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
