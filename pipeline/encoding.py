"""Fitting the encoders: what training rows say of circuits and drivers.

Fitted on training rows only. For the rows a model trains on they are fitted out of fold,
with folds made the way the test rows were set apart, so that a training row knows as much
of its own race as a test row will.
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from f1pa_api.features import (
    FEATURE_NAMES,
    CircuitEncoding,
    Encoders,
    build,
)
from pipeline import reference

# A driver with few races is pulled towards the average: this many races of average form
# are added (figure from a comparison of shrinkages on recorded seasons).
FORM_SHRINKAGE_RACES = 3

LAP_COLUMNS = (
    "driver_number",
    "circuit_key",
    "lap_number",
    "st_speed",
    "i1_speed",
    "i2_speed",
    "temp",
    "rhum",
    "pres",
    "year",
)

Entries = Mapping[tuple[int, int], str]


def entries(rows: pd.DataFrame) -> Entries:
    """Who drives under (year, number): the published entry lists, then the rows themselves."""
    known = reference.drivers()
    listed = zip(known["year"], known["driver_number"], known["name_acronym"], strict=True)
    table = {(int(year), int(number)): str(driver) for year, number, driver in listed}
    driven = rows.drop_duplicates(["year", "driver_number"], keep="last")
    for year, number, driver in zip(
        driven["year"], driven["driver_number"], driven["driver"], strict=True
    ):
        table[(int(year), int(number))] = str(driver)
    return table


def fit(rows: pd.DataFrame, entry_list: Entries) -> Encoders:
    """Encoders of these rows (see cleaning.model_rows for their columns)."""
    race_medians = rows.groupby(["circuit_key", "session_key"])["lap_duration"].median()
    references = np.exp(np.log(race_medians).groupby("circuit_key").median())
    race_laps = rows.groupby(["circuit_key", "session_key"])["lap_number"].max()
    lengths = race_laps.astype("float64").groupby("circuit_key").median()
    speeds = rows.groupby("circuit_key")[["st_speed", "i1_speed", "i2_speed"]].median()
    # A trap that only ever gave 0 gave nothing; features divide by these.
    speeds = speeds.where(speeds > 0)

    circuits = {
        int(key): CircuitEncoding(
            reference_seconds=float(references[key]),
            race_laps=float(lengths[key]),
            st_speed=float(speeds["st_speed"][key]),
            i1_speed=float(speeds["i1_speed"][key]),
            i2_speed=float(speeds["i2_speed"][key]),
        )
        for key in references.index
    }
    average = CircuitEncoding(
        reference_seconds=float(np.exp(np.log(references).mean())),
        race_laps=float(lengths.mean()),
        st_speed=float(speeds["st_speed"].mean()),
        i1_speed=float(speeds["i1_speed"].mean()),
        i2_speed=float(speeds["i2_speed"].mean()),
    )
    circuits.update(_circuits_without_laps(references, average))
    return Encoders(
        circuits=circuits,
        average_circuit=average,
        forms=_forms(rows, entry_list),
        latest_year=int(rows["year"].max()),
    )


def feature_matrix(rows: pd.DataFrame, encoders: Encoders) -> tuple[np.ndarray, np.ndarray]:
    """(rows × FEATURE_NAMES, reference seconds), by the function that serving calls."""
    matrix = np.empty((len(rows), len(FEATURE_NAMES)))
    references = np.empty(len(rows))
    laps = pd.DataFrame({name: rows[name].to_numpy() for name in LAP_COLUMNS}).assign(
        circuit_avg_laptime=None, driver_perf_score=None
    )
    for position, lap in enumerate(laps.itertuples(index=False, name="Lap")):
        features = build(lap, encoders)  # type: ignore[arg-type]  # a named tuple made at run time
        matrix[position] = features.values
        references[position] = features.reference_seconds
    return matrix, references


def out_of_fold_matrix(
    rows: pd.DataFrame, folds: np.ndarray, entry_list: Entries
) -> tuple[np.ndarray, np.ndarray]:
    """As feature_matrix, each fold with encoders fitted on the other folds."""
    matrix = np.empty((len(rows), len(FEATURE_NAMES)))
    references = np.empty(len(rows))
    for fold in np.unique(folds):
        inside = folds == fold
        encoders = fit(rows[~inside], entry_list)
        matrix[inside], references[inside] = feature_matrix(rows[inside], encoders)
    return matrix, references


def _forms(rows: pd.DataFrame, entry_list: Entries) -> dict[tuple[int, int], float]:
    race_median = rows.groupby("session_key")["lap_duration"].transform("median")
    log_ratio = (rows["lap_duration"] / race_median).map(math.log)
    per_race = log_ratio.groupby([rows["driver"], rows["session_key"]]).median()
    races = per_race.groupby("driver").agg(["sum", "count"])
    forms = (races["sum"] / (races["count"] + FORM_SHRINKAGE_RACES)).to_dict()
    return {key: float(forms[driver]) for key, driver in entry_list.items() if driver in forms}


def _circuits_without_laps(
    references: pd.Series, average: CircuitEncoding
) -> dict[int, CircuitEncoding]:
    """Circuits no row was driven at: the lap grows with the length as a power that is fitted
    over the circuits with rows."""
    facts = reference.circuits().set_index("circuit_key")
    common = facts.index.intersection(references.index)
    if len(common) < 3:
        return {}
    log_length = np.log(facts["lap_length_m"].astype("float64"))
    power, scale = np.polyfit(log_length[common], np.log(references[common]), 1)
    return {
        int(key): CircuitEncoding(
            reference_seconds=float(np.exp(scale + power * log_length[key])),
            race_laps=float(facts["race_laps"][key]),
            st_speed=average.st_speed,
            i1_speed=average.i1_speed,
            i2_speed=average.i2_speed,
            seen=False,
        )
        for key in facts.index.difference(references.index)
    }
