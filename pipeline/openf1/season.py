"""Which races of a season there are to download."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pipeline.laps import RowProblem
from pipeline.openf1.client import OpenF1Client
from pipeline.openf1.errors import OpenF1Error
from pipeline.openf1.records import Meeting, Session, read_records

# `date_end` is the scheduled end. A race may run until three hours after its start however
# long it is stopped (FIA sporting regulations), and its last laps are published after that.
# An answer fetched earlier would be kept with laps missing.
SETTLING = timedelta(hours=3)


@dataclass(frozen=True)
class Race:
    """A race or sprint with its place in the season. `round` None: a sprint whose weekend
    lists no race."""

    session: Session
    round: int | None
    meeting_name: str | None


def finished_races(
    client: OpenF1Client, year: int, now: datetime, sprints: bool = False
) -> tuple[list[Race], list[RowProblem]]:
    """The season's races that are over and not cancelled, in order of date.

    Rounds count all races of the season by date, those still to come included.
    """
    races, problems = _listed(client, year, "Race")
    rounds = {race.meeting_key: number for number, race in enumerate(races, start=1)}
    wanted = list(races)
    if sprints:
        found, bad = _listed(client, year, "Sprint")
        wanted += found
        problems += bad
    over = [session for session in wanted if session.date_end + SETTLING <= now]
    if not over:
        return [], problems
    names, bad = _meeting_names(client, year)
    over.sort(key=lambda session: (session.date_start, session.session_key))
    return [
        Race(session, rounds.get(session.meeting_key), names.get(session.meeting_key))
        for session in over
    ], problems + bad


def _listed(
    client: OpenF1Client, year: int, session_name: str
) -> tuple[list[Session], list[RowProblem]]:
    source = f"openf1 sessions year={year} session_name={session_name}"
    records, problems = read_records(client.sessions(year, session_name), Session, source)
    sessions: dict[int, Session] = {}
    for line, session in records.items():
        if session.session_name != session_name or session.is_cancelled:
            continue
        if session.year != year:
            problems.append(
                RowProblem(source, line, "year", str(session.year), "is another season")
            )
        elif session.session_key in sessions:
            key = str(session.session_key)
            problems.append(
                RowProblem(source, line, "session_key", key, "the same session stands above")
            )
        else:
            sessions[session.session_key] = session
    ordered = sorted(sessions.values(), key=lambda race: (race.date_start, race.session_key))
    return ordered, problems


def _meeting_names(
    client: OpenF1Client, year: int
) -> tuple[dict[int, str | None], list[RowProblem]]:
    """A lap is as good without its weekend's name, so a failure here ends no download."""
    source = f"openf1 meetings year={year}"
    try:
        rows = client.meetings(year)
    except OpenF1Error as error:
        return {}, [RowProblem(source, None, "meeting_name", "", error.reason)]
    records, problems = read_records(rows, Meeting, source)
    return {record.meeting_key: record.meeting_name for record in records.values()}, problems
