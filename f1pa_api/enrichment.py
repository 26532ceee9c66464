"""Laps to predict, completed by what the database has recorded of their session."""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from f1pa_api.inputs import MOST_PROBLEMS, InvalidInputError
from f1pa_api.schemas.errors import Problem
from f1pa_api.schemas.requests import EndpointType, LapFeatures
from f1pa_api.session_laps import (
    PATIENCE_SECONDS,
    Session,
    SessionLaps,
    SessionUnavailableError,
)

UNKNOWN_SESSION = "unknown_session"
SESSION_UNAVAILABLE = "session_unavailable"

SESSION_FALLBACKS: Mapping[str, str] = {
    UNKNOWN_SESSION: "the database knows no session {session_key}: its laps are not used",
    SESSION_UNAVAILABLE: "the laps of session {session_key} can't be read now: they are not used",
}

# Where the fields of a lap stand in a request.
_FIELDS: Mapping[EndpointType, str] = {
    "single": "features.{name}",
    "batch": "features.{place}.{name}",
    "simple": "{name}",
}


class EnrichedLap(NamedTuple):
    """`fallback` is one of SESSION_FALLBACKS where the lap's session told nothing."""

    features: LapFeatures
    fallback: str | None


def session_warning(fallback: str, lap: LapFeatures) -> str:
    """The sentence that tells a caller that a prediction did without the session."""
    return SESSION_FALLBACKS[fallback].format(session_key=lap.session_key)


def enrich(
    laps: Sequence[LapFeatures], sessions: SessionLaps, kind: EndpointType
) -> list[EnrichedLap]:
    """The laps, those with a `session_key` with what it tells and the caller did not. All
    together wait for the database no longer than one look-up may take.

    Raises InvalidInputError where a lap contradicts its session.
    """
    if all(lap.session_key is None for lap in laps):
        return [EnrichedLap(lap, None) for lap in laps]
    deadline = time.monotonic() + PATIENCE_SECONDS
    found: dict[int, Session | str] = {}
    enriched: list[EnrichedLap] = []
    problems: list[Problem] = []
    for place, lap in enumerate(laps):
        key = lap.session_key
        if key is None:
            enriched.append(EnrichedLap(lap, None))
            continue
        session = found.get(key)
        if session is None:
            session = found[key] = _find(sessions, key, deadline)
        if isinstance(session, str):
            enriched.append(EnrichedLap(lap, session))
            continue
        problems += [
            Problem(field=_FIELDS[kind].format(place=place, name=name), message=message)
            for name, message in _contradictions(lap, session)
        ]
        enriched.append(EnrichedLap(_completed(lap, session), None))
    if problems:
        raise InvalidInputError(problems[:MOST_PROBLEMS], len(problems))
    return enriched


def _find(sessions: SessionLaps, session_key: int, deadline: float) -> Session | str:
    """The session, or why there is none."""
    try:
        session = sessions.find(session_key, deadline)
    except SessionUnavailableError:
        return SESSION_UNAVAILABLE
    return UNKNOWN_SESSION if session is None else session


def _contradictions(lap: LapFeatures, session: Session) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if lap.circuit_key != session.circuit_key:
        found.append(
            ("circuit_key", f"Session {lap.session_key} was driven at {session.circuit_key}")
        )
    if lap.year not in (None, session.year):
        found.append(("year", f"Session {lap.session_key} was driven in {session.year}"))
    return found


def _completed(lap: LapFeatures, session: Session) -> LapFeatures:
    changes: dict[str, object] = {"year": session.year}
    if not lap.previous_laps:
        changes["previous_laps"] = session.previous_laps(lap.driver_number, lap.lap_number)
    if lap.field_recent_median is None:
        changes["field_recent_median"] = session.field_recent_median(
            lap.driver_number, lap.lap_number
        )
    return lap.model_copy(update=changes)
