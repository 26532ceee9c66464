"""Fitting the encoders: what training laps say of circuits, drivers and teams.

Everything is learned from one summary per session, so that leaving a session out costs
nothing: a training lap's features are built with encoders that know nothing of its own race,
as those of a race to come will be.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from f1pa_api.features.encoders import AVERAGE_FORM, CircuitEncoding, Encoders, Form
from f1pa_api.features.laps import COMPOUND_CODES, FIRST_WET_CODE
from pipeline import reference
from pipeline.study import Entries

# Of a session that many seasons away; from a comparison on recorded seasons.
WEIGHT_PER_SEASON = 0.5
WET_SHARE, WET_WEIGHT = 0.25, 0.1
# A driver or team with few races is pulled towards the average: so many races of average form
# are added (from a comparison of shrinkages on recorded seasons).
FORM_SHRINKAGE_RACES = 3.0
# Of one kind, dry or wet, to tell a session's pace by it.
FEWEST_PACE_LAPS = 50
# The log of wet over dry pace where no session had both: the median of five that had.
USUAL_WET_LOSS = 0.11
SEASON_ROUNDS = 20
SPEEDS = ("st_speed", "i1_speed", "i2_speed")
WET_COMPOUNDS = [name for name, code in COMPOUND_CODES.items() if code >= FIRST_WET_CODE]


@dataclass(frozen=True)
class Summaries:
    """One row per session in `sessions` (indexed by session_key: year, circuit_key, race_laps,
    wet_share, speeds, log_pace of its clean laps, log_dry and log_wet of those on either kind
    of tyre, NaN where there are few), and the median log(lap / session pace) of each driver
    and team in each session."""

    sessions: pd.DataFrame
    drivers: pd.DataFrame
    teams: pd.DataFrame

    def without(self, session_key: int) -> "Summaries":
        return Summaries(
            self.sessions.drop(index=session_key, errors="ignore"),
            self.drivers[self.drivers["session_key"] != session_key],
            self.teams[self.teams["session_key"] != session_key],
        )

    def log_dry_pace(self) -> pd.Series:
        """The pace of each session as if it had been dry: where all of it was wet, the wet pace
        without what rain usually costs."""
        losses = (self.sessions["log_wet"] - self.sessions["log_dry"]).dropna()
        loss = USUAL_WET_LOSS if losses.empty else losses.median()
        return (
            self.sessions["log_dry"]
            .fillna(self.sessions["log_wet"] - loss)
            .fillna(self.sessions["log_pace"])
        )


def summarise(laps: pd.DataFrame) -> Summaries:
    """Of laps as study.Study has them; sessions without a clean lap are left out."""
    clean = laps[laps["clean"]]
    wet = clean["compound"].isin(WET_COMPOUNDS).fillna(False).astype(bool)
    by_session = laps.groupby("session_key")
    log_dry, log_wet = _log_pace(clean[~wet]), _log_pace(clean[wet])
    sessions = pd.DataFrame(
        {
            "year": by_session["year"].first().astype("int64"),
            "circuit_key": by_session["circuit_key"].first().astype("int64"),
            "race_laps": by_session["lap_number"].max().astype("float64"),
            "wet_share": wet.groupby(clean["session_key"]).mean(),
            **{name: by_session[name].median() for name in SPEEDS},
            "log_pace": np.log(clean.groupby("session_key")["lap_duration"].median()),
            "log_dry": log_dry,
            "log_wet": log_wet,
        }
    ).dropna(subset=["log_pace"])
    paced = laps[laps["c2"] & laps["session_key"].isin(sessions.index)]
    log_ratio = np.log(paced["lap_duration"]) - paced["session_key"].map(sessions["log_pace"])
    return Summaries(
        sessions,
        _medians(paced.assign(form=log_ratio), "driver", sessions),
        _medians(paced.assign(form=log_ratio).dropna(subset=["team_name"]), "team_name", sessions),
    )


def _log_pace(laps: pd.DataFrame) -> pd.Series:
    """By session, of those with enough laps."""
    seconds = laps.groupby("session_key")["lap_duration"]
    medians: pd.Series = np.log(seconds.median()[seconds.count() >= FEWEST_PACE_LAPS])
    return medians


def _medians(laps: pd.DataFrame, who: str, sessions: pd.DataFrame) -> pd.DataFrame:
    medians = laps.groupby([who, "session_key"])["form"].median().reset_index(name="form")
    return medians.assign(year=medians["session_key"].map(sessions["year"]).astype("int64"))


def fit(summaries: Summaries, entries: Entries) -> Encoders:
    """Encoders of the sessions summed up. Circuits without any get theirs from their length."""
    sessions = summaries.sessions
    years = np.unique(sessions["year"].to_numpy())
    races = sessions[["race_laps", *SPEEDS]].groupby(sessions["circuit_key"]).median()
    # A trap that only ever gave 0 gave nothing; features divide by these.
    races[list(SPEEDS)] = races[list(SPEEDS)].where(races[list(SPEEDS)] > 0)
    log_references = _log_references(sessions.assign(log_dry_pace=summaries.log_dry_pace()), years)
    circuits = {
        int(key): _circuit(np.exp(log_references[key]), years, races.loc[key])
        for key in races.index
    }
    mean_log = np.mean(list(log_references.values()), axis=0)
    average = _circuit(np.exp(mean_log), years, races.mean())
    circuits.update(_circuits_without_laps(log_references, years, average))
    return Encoders(
        circuits=circuits,
        average_circuit=average,
        forms=_forms(summaries, entries),
        latest_year=int(years.max()),
    )


def _circuit(references: np.ndarray, years: np.ndarray, medians: pd.Series) -> CircuitEncoding:
    return CircuitEncoding(
        references=dict(zip(years.tolist(), references.tolist(), strict=True)),
        race_laps=float(medians["race_laps"]),
        st_speed=float(medians["st_speed"]),
        i1_speed=float(medians["i1_speed"]),
        i2_speed=float(medians["i2_speed"]),
    )


def _log_references(sessions: pd.DataFrame, years: np.ndarray) -> dict[int, np.ndarray]:
    """For each circuit, the log of its typical lap in each of `years`.

    A session is its circuit times its season: the season factors are fitted with the circuits
    (least squares by turns), then a circuit is the mean of its sessions without their factors,
    near seasons first, times the factor of the season asked for.
    """
    pace = sessions["log_dry_pace"].to_numpy()
    weight = np.where(sessions["wet_share"] > WET_SHARE, WET_WEIGHT, 1.0)
    keys, circuit = np.unique(sessions["circuit_key"].to_numpy(), return_inverse=True)
    season = np.searchsorted(years, sessions["year"].to_numpy())
    factors = np.zeros(len(years))
    for _ in range(SEASON_ROUNDS):
        bases = _weighted_means(pace - factors[season], weight, circuit, len(keys))
        factors = _weighted_means(pace - bases[circuit], weight, season, len(years))
    seasonless = pace - factors[season]
    references = np.empty((len(keys), len(years)))
    for place, year in enumerate(years):
        near = weight * WEIGHT_PER_SEASON ** np.abs(years[season] - year)
        references[:, place] = (
            _weighted_means(seasonless, near, circuit, len(keys)) + factors[place]
        )
    return dict(zip(keys.tolist(), references, strict=True))


def _weighted_means(
    values: np.ndarray, weights: np.ndarray, groups: np.ndarray, count: int
) -> np.ndarray:
    sums: np.ndarray = np.bincount(groups, weights * values, count)
    means: np.ndarray = sums / np.bincount(groups, weights, count)
    return means


def _circuits_without_laps(
    log_references: Mapping[int, np.ndarray], years: np.ndarray, average: CircuitEncoding
) -> dict[int, CircuitEncoding]:
    """Circuits no lap was driven at: the lap grows with the length as a power that is fitted
    over the circuits with laps."""
    facts = reference.circuits().set_index("circuit_key")
    common = [key for key in log_references if key in facts.index]
    if len(common) < 3:
        return {}
    log_length = np.log(facts["lap_length_m"].astype("float64"))
    known = np.array([log_references[key] for key in common])
    power, scale = np.polyfit(log_length[common], known, 1)
    return {
        int(key): CircuitEncoding(
            references=dict(
                zip(years.tolist(), np.exp(scale + power * log_length[key]).tolist(), strict=True)
            ),
            race_laps=float(facts["race_laps"][key]),
            st_speed=average.st_speed,
            i1_speed=average.i1_speed,
            i2_speed=average.i2_speed,
            seen=False,
        )
        for key in facts.index.difference(list(log_references))
    }


def _forms(summaries: Summaries, entries: Entries) -> dict[tuple[int, int], Form]:
    """Of every entry whose driver or team has driven; a driver who has not has the team's."""
    years = np.unique([year for year, _ in entries])
    drivers = _mean_forms(summaries.drivers, "driver", years)
    teams = _mean_forms(summaries.teams, "team_name", years)
    place_of = {int(year): place for place, year in enumerate(years)}
    forms = {}
    for (year, number), entry in entries.items():
        driver = drivers.get(entry.driver)
        team = teams.get(entry.team or "")
        if driver is None and team is None:
            continue
        of_team = AVERAGE_FORM.team if team is None else float(team[place_of[year]])
        forms[year, number] = Form(
            of_team if driver is None else float(driver[place_of[year]]), of_team
        )
    return forms


def _mean_forms(medians: pd.DataFrame, who: str, years: np.ndarray) -> dict[str, np.ndarray]:
    """By name, seen from each of `years`: sessions of other seasons count less."""
    codes, names = pd.factorize(medians[who])
    form, of_year = medians["form"].to_numpy(), medians["year"].to_numpy()
    seen_from = []
    for year in years:
        weight = WEIGHT_PER_SEASON ** np.abs(of_year - year)
        total = np.bincount(codes, weight * form, len(names))
        seen_from.append(total / (np.bincount(codes, weight, len(names)) + FORM_SHRINKAGE_RACES))
    return dict(zip(names.tolist(), np.transpose(seen_from), strict=True))
