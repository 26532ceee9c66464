"""Circuits, sessions and drivers of the laps being loaded: checked, then stored.

The functions that store expect the accepted rows in the temporary table `staged`.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import psycopg

from pipeline import reference
from pipeline.csv_source import LINE
from pipeline.laps import RowProblem

Connection = psycopg.Connection[tuple[object, ...]]

# What a session_key stands for; one session can't be in two years, meetings or circuits.
IDENTITY = ("year", "meeting_key", "circuit_key")
CIRCUIT_FACTS = ("circuit_short_name", "location", "country_code", "country_name", "altitude_m")


def accept(
    connection: Connection, frame: pd.DataFrame, name: str
) -> tuple[pd.DataFrame, list[RowProblem]]:
    """The rows that fit the stored circuits and sessions, and a problem for each other row.

    `name` is the input's, for the problems. A circuit fits when it is stored, in the reference
    facts, or named in the frame. Where a new session has rows of several years, meetings or
    circuits, the most frequent combination stands.
    """
    reasons: dict[int, tuple[str, str]] = {}
    unknown = ~frame["circuit_key"].isin(_known_circuits(connection, frame))
    for row in unknown.to_numpy().nonzero()[0]:
        reasons[int(row)] = "circuit_key", "unknown circuit_key: neither stored nor named"
    expected = _identities(connection, frame[~unknown])
    for column in IDENTITY:
        wanted = frame["session_key"].map(expected[column])
        wrong = (frame[column] != wanted).fillna(False).to_numpy(dtype=bool)
        for row in wrong.nonzero()[0]:
            key, value = frame["session_key"].iloc[row], wanted.iloc[row]
            reasons.setdefault(int(row), (column, f"session {key} has {column} {int(value)}"))
    problems = [
        RowProblem(name, _line(frame, row), column, str(frame[column].iloc[row]), reason)
        for row, (column, reason) in sorted(reasons.items())
    ]
    accepted = np.ones(len(frame), dtype=bool)
    accepted[list(reasons)] = False
    return frame[accepted], problems


def store_circuits(connection: Connection, frame: pd.DataFrame) -> None:
    """Add the frame's circuits and what it and the reference facts say about them."""
    named = [fact for fact in CIRCUIT_FACTS if fact in frame]
    recorded = frame.groupby("circuit_key")[named].first()
    facts = reference.circuits().set_index("circuit_key")[list(CIRCUIT_FACTS)]
    circuits = recorded.combine_first(facts[facts.index.isin(recorded.index)])
    # One that is stored already may come without a name; nothing is known about it then.
    circuits = circuits.dropna(subset=["circuit_short_name"]).reset_index()
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO circuits AS stored
                (circuit_key, circuit_short_name, location, country_code, country_name, altitude_m)
            VALUES (%(circuit_key)s, %(circuit_short_name)s, %(location)s, %(country_code)s,
                %(country_name)s, %(altitude_m)s)
            ON CONFLICT (circuit_key) DO UPDATE SET
                circuit_short_name = EXCLUDED.circuit_short_name,
                location = coalesce(EXCLUDED.location, stored.location),
                country_code = coalesce(EXCLUDED.country_code, stored.country_code),
                country_name = coalesce(EXCLUDED.country_name, stored.country_name),
                altitude_m = coalesce(EXCLUDED.altitude_m, stored.altitude_m)
            """,
            _records(circuits),
        )


def store_sessions(connection: Connection, source: str) -> None:
    """Add the staged sessions; of a stored one, complete and correct what is known."""
    connection.execute(
        """
        INSERT INTO sessions AS stored (session_key, meeting_key, year, round, meeting_name,
            session_name, session_type, circuit_key, date_start, source)
        SELECT session_key, min(meeting_key), min(year), min(round), min(meeting_name),
            min(session_name),
            CASE
                WHEN min(session_name) IN ('Race', 'Sprint') THEN 'Race'
                WHEN min(session_name) LIKE '%%Qualifying' THEN 'Qualifying'
                WHEN min(session_name) = 'Sprint Shootout' THEN 'Qualifying'
                WHEN min(session_name) LIKE 'Practice%%' THEN 'Practice'
            END,
            min(circuit_key), min(date_start), %s
        FROM staged GROUP BY session_key
        ON CONFLICT (session_key) DO UPDATE SET
            meeting_key = EXCLUDED.meeting_key,
            round = coalesce(EXCLUDED.round, stored.round),
            meeting_name = coalesce(EXCLUDED.meeting_name, stored.meeting_name),
            session_name = coalesce(EXCLUDED.session_name, stored.session_name),
            session_type = coalesce(EXCLUDED.session_type, stored.session_type),
            date_start = least(EXCLUDED.date_start, stored.date_start),
            source = EXCLUDED.source
        """,
        [source],
    )


def add_drivers(connection: Connection) -> None:
    """Add the staged drivers by number only, as laps refer to them."""
    connection.execute(
        "INSERT INTO drivers (year, driver_number) SELECT DISTINCT year, driver_number FROM staged"
        " ON CONFLICT DO NOTHING"
    )


def complete_drivers(connection: Connection) -> None:
    """Name the staged drivers after their last stored lap of the season, and add the reference
    facts of whoever that is."""
    connection.execute(
        """
        UPDATE drivers SET name_acronym = last.name_acronym, team_name = last.team_name
        FROM (
            SELECT DISTINCT ON (year, driver_number)
                year, driver_number, laps.name_acronym, laps.team_name
            FROM laps JOIN sessions USING (session_key, year)
            WHERE laps.name_acronym IS NOT NULL
                AND (year, driver_number) IN (SELECT year, driver_number FROM staged)
            ORDER BY year, driver_number, sessions.round DESC NULLS LAST,
                sessions.date_start DESC NULLS LAST, session_key DESC, lap_number DESC
        ) AS last
        WHERE drivers.year = last.year AND drivers.driver_number = last.driver_number
            AND (drivers.name_acronym, drivers.team_name)
                IS DISTINCT FROM (last.name_acronym, last.team_name)
        """
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            UPDATE drivers SET
                name_acronym = %(name_acronym)s,
                team_name = coalesce(team_name, %(team_name)s),
                full_name = %(full_name)s,
                team_colour = coalesce(%(team_colour)s, team_colour),
                country_code = coalesce(%(country_code)s, country_code)
            WHERE year = %(year)s AND driver_number = %(driver_number)s
                AND coalesce(name_acronym, %(name_acronym)s) = %(name_acronym)s
            """,
            _records(reference.drivers()),
        )


def _known_circuits(connection: Connection, frame: pd.DataFrame) -> set[int]:
    stored = connection.execute("SELECT circuit_key FROM circuits").fetchall()
    named = frame.loc[frame["circuit_short_name"].notna(), "circuit_key"]
    known = {key for (key,) in stored if isinstance(key, int)}
    return known | {
        int(key) for keys in (named, reference.circuits()["circuit_key"]) for key in keys.unique()
    }


def _identities(connection: Connection, frame: pd.DataFrame) -> pd.DataFrame:
    """IDENTITY by session_key: as stored, else the frame's most frequent."""
    rows = connection.execute(
        "SELECT session_key, year, meeting_key, circuit_key FROM sessions"
        " WHERE source <> 'simulator'"
    ).fetchall()
    columns = ["session_key", *IDENTITY]
    stored = pd.DataFrame(rows, columns=columns, dtype="Int64")
    counted = frame.groupby(columns).size().rename("laps").reset_index()
    frequent = counted.sort_values("laps", ascending=False, kind="stable")[columns]
    both = pd.concat([stored, frequent]).drop_duplicates("session_key", keep="first")
    return both.set_index("session_key")


def _line(frame: pd.DataFrame, row: int) -> int | None:
    return int(frame.index[row]) if frame.index.name == LINE else None


def _records(frame: pd.DataFrame) -> list[Mapping[str, object]]:
    """Rows for psycopg, which knows None but no pandas.NA."""
    plain = frame.astype(object)
    return plain.where(plain.notna(), None).to_dict("records")  # type: ignore[return-value]
