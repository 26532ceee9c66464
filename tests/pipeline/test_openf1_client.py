"""The OpenF1 client recovers from what passes, ends clearly on what does not, asks no faster
than it may, and asks for nothing twice."""

import gzip
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from pipeline.openf1 import OpenF1Client, OpenF1Error
from tests.pipeline.openf1_replay import Answer, Clock, Hang, Replay, Script, Truth

ROWS = {
    "sessions": [
        {"session_key": 11, "year": 2024, "session_name": "Race"},
        {"session_key": 12, "year": 2024, "session_name": "Sprint"},
    ],
    "laps": [{"session_key": 11, "lap_number": number} for number in (1, 2, 3)],
}

PASSING_FAULTS = {
    "429": Answer(429, b'{"detail": "Rate limit exceeded"}'),
    "429 with Retry-After": Answer(429, headers={"Retry-After": "7"}),
    "500": Answer(500, b"Internal Server Error", content_type="text/plain"),
    "503 with Retry-After": Answer(503, headers={"Retry-After": "7"}),
    "cut in the body": Truth(cut=True),
    "half a list": Answer(body=b'[{"lap_number": 1}, {"lap_'),
    "HTML": Answer(body=b"<html>Bad gateway</html>", content_type="text/html"),
    "an empty body": Answer(body=b""),
    "an object": Answer(body=b'{"detail": "busy"}'),
    "NaN": Answer(body=b'[{"lap_duration": NaN}]'),
    "no UTF-8": Answer(body=b'["\xff\xfe\xfa"]'),
    "endless nesting": Answer(body=b"[" * 100_000),
    "a number of 5000 digits": Answer(body=b"[" + b"9" * 5000 + b"]"),
    "no answer": Hang(),
}


@pytest.fixture
def replay() -> Iterator[Replay]:
    with Replay(ROWS) as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


def client_of(replay: Replay, clock: Clock, cache_dir: Path | None, **options: Any) -> OpenF1Client:
    return OpenF1Client(
        replay.url,
        cache_dir,
        monotonic=clock.monotonic,
        sleep=clock.sleep,
        timeout_seconds=(0.2, 0.2),
        **options,
    )


@pytest.mark.parametrize("fault", PASSING_FAULTS.values(), ids=PASSING_FAULTS.keys())
def test_a_fault_that_passes_leaves_no_trace_in_the_answer(
    replay: Replay, clock: Clock, tmp_path: Path, fault: Script
) -> None:
    replay.script.extend([fault, fault])
    with client_of(replay, clock, tmp_path) as client:
        assert client.laps(11) == ROWS["laps"]
        assert client.laps(11) == ROWS["laps"]
    assert replay.requests == ["laps?session_key=11"] * 3


@pytest.mark.parametrize("fault", PASSING_FAULTS.values(), ids=PASSING_FAULTS.keys())
def test_a_fault_that_stays_ends_in_one_line_naming_url_and_reason(
    replay: Replay, clock: Clock, tmp_path: Path, fault: Script
) -> None:
    replay.otherwise = fault
    with (
        client_of(replay, clock, tmp_path, attempts=3) as client,
        pytest.raises(OpenF1Error) as caught,
    ):
        client.laps(11)
    text = str(caught.value)
    assert text.startswith(f"{replay.url}/laps?session_key=11: ")
    assert text.endswith(", after 3 attempts")
    assert "\n" not in text
    assert len(replay.requests) == 3
    assert list(tmp_path.iterdir()) == [], "nothing of a failed request is kept"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(400, b"[]"), "HTTP 400"),
        (Answer(401, b'{"detail": "Live session in progress"}'), "HTTP 401 (Live session in pro"),
        (Answer(404, b"<html>nothing here</html>"), "HTTP 404"),
        (Answer(422, b'{"detail": [{"loc": ["query"]}]}'), "HTTP 422"),
    ],
    ids=["400", "401", "404 of another kind", "422"],
)
def test_a_refusal_is_not_asked_again(
    replay: Replay, clock: Clock, answer: Answer, reason: str
) -> None:
    replay.otherwise = answer
    with client_of(replay, clock, None) as client, pytest.raises(OpenF1Error) as caught:
        client.laps(11)
    assert caught.value.url == f"{replay.url}/laps?session_key=11"
    assert caught.value.reason.startswith(reason)
    assert len(replay.requests) == 1


def test_no_results_found_is_an_empty_list_that_is_asked_for_again(
    replay: Replay, clock: Clock, tmp_path: Path
) -> None:
    with client_of(replay, clock, tmp_path) as client:
        assert client.laps(99) == []
        assert client.laps(99) == []
    assert len(replay.requests) == 2


def test_a_server_that_is_not_there_is_named(clock: Clock) -> None:
    with Replay(ROWS) as gone:
        pass
    with (
        client_of(gone, clock, None, attempts=2) as client,
        pytest.raises(OpenF1Error, match=r"/v1/laps\?session_key=11: the connection failed"),
    ):
        client.laps(11)


@pytest.mark.parametrize("base_url", ["", "api.openf1.org/v1", "ftp://127.0.0.1/v1", "http://"])
def test_a_base_url_that_is_none_is_named_without_a_retry(clock: Clock, base_url: str) -> None:
    with (
        OpenF1Client(base_url, sleep=clock.sleep) as client,
        pytest.raises(OpenF1Error, match="laps"),
    ):
        client.laps(11)
    assert clock.sleeps == []


def test_the_pause_that_the_server_asks_for_is_kept(replay: Replay, clock: Clock) -> None:
    replay.script.extend([PASSING_FAULTS["429 with Retry-After"]])
    with client_of(replay, clock, None) as client:
        client.laps(11)
    assert clock.sleeps == [7.0]


def test_retry_after_may_be_a_date(replay: Replay, clock: Clock) -> None:
    replay.script.append(Answer(429, headers={"Retry-After": formatdate(time.time() + 250)}))
    with client_of(replay, clock, None) as client:
        client.laps(11)
    assert 200 < clock.sleeps[0] <= 250


@pytest.mark.parametrize("value", ["soon", "-5", "nan", "1.5", "\u00b2", ""])
def test_an_unreadable_retry_after_is_as_good_as_none(
    replay: Replay, clock: Clock, value: str
) -> None:
    replay.script.append(Answer(429, headers={"Retry-After": value}))
    with client_of(replay, clock, None) as client:
        client.laps(11)
    assert 1 <= clock.sleeps[0] <= 2


def test_a_pause_of_an_hour_is_refused_and_named(replay: Replay, clock: Clock) -> None:
    replay.otherwise = Answer(429, headers={"Retry-After": "3600"})
    with (
        client_of(replay, clock, None) as client,
        pytest.raises(OpenF1Error, match="HTTP 429, and asks for a pause of 3600 s"),
    ):
        client.laps(11)
    assert clock.sleeps == []
    assert len(replay.requests) == 1


def test_pauses_double_with_each_attempt_and_carry_jitter(replay: Replay, clock: Clock) -> None:
    replay.otherwise = Answer(500)
    with client_of(replay, clock, None, attempts=5) as client, pytest.raises(OpenF1Error):
        client.laps(11)
    assert len(clock.sleeps) == 4
    for exponent, pause in enumerate(clock.sleeps):
        assert 2**exponent <= pause <= 2**exponent + 1
    assert any(pause % 1 for pause in clock.sleeps)


def test_no_window_ever_holds_more_requests_than_allowed(replay: Replay, clock: Clock) -> None:
    """Retries count too: every third request is refused and asked again at once."""
    replay.monotonic = clock.monotonic
    refused = Answer(429, headers={"Retry-After": "0"})
    with client_of(replay, clock, None, requests_per_second=2, requests_per_minute=10) as client:
        for number in range(24):
            if number % 3 == 0:
                replay.script.append(refused)
            client.laps(11)
    starts = replay.times
    assert len(starts) == 24 + 8
    assert all(later - first >= 1 for first, later in zip(starts, starts[2:], strict=False))
    assert all(later - first >= 60 for first, later in zip(starts, starts[10:], strict=False))
    assert starts[-1] - starts[0] == 180, "and no slower than allowed"


def test_the_default_rates_let_three_go_at_once_and_thirty_a_minute(
    replay: Replay, clock: Clock
) -> None:
    starts = []
    with client_of(replay, clock, None) as client:
        for _ in range(33):
            client.laps(11)
            starts.append(clock.now - 1000)
    assert starts[:7] == [0, 0, 0, 1, 1, 1, 2]
    assert starts[29] == 9
    assert starts[30:] == [60, 60, 60]


def test_a_kept_answer_is_named_after_what_was_asked(
    replay: Replay, clock: Clock, tmp_path: Path
) -> None:
    with client_of(replay, clock, tmp_path / "new" / "folder") as client:
        client.sessions(2024)
        client.laps(11)
    names = sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    assert names == [
        "laps,session_key=11.json.gz",
        "sessions,session_name=Race,year=2024.json.gz",
    ]


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"no gzip",
        gzip.compress(b'[{"lap_number": 1}]')[:-9],
        gzip.compress(b'[{"lap_number": 1}, {'),
        gzip.compress(b'{"detail": "No results found."}'),
    ],
    ids=["empty", "no gzip", "cut gzip", "cut JSON", "no list"],
)
def test_a_damaged_kept_answer_is_downloaded_again(
    replay: Replay, clock: Clock, tmp_path: Path, damage: bytes
) -> None:
    with client_of(replay, clock, tmp_path) as client:
        client.laps(11)
        (kept,) = tmp_path.iterdir()
        kept.write_bytes(damage)
        assert client.laps(11) == ROWS["laps"]
        assert client.laps(11) == ROWS["laps"]
    assert len(replay.requests) == 2
    assert list(tmp_path.iterdir()) == [kept]


def test_a_folder_that_cannot_be_written_is_named(
    replay: Replay, clock: Clock, tmp_path: Path
) -> None:
    occupied = tmp_path / "cache"
    occupied.write_text("a file where the folder should be")
    with (
        client_of(replay, clock, occupied) as client,
        pytest.raises(OpenF1Error, match=f"cannot be kept as {occupied}"),
    ):
        client.laps(11)


def test_a_season_is_listed_anew_until_a_copy_was_made_after_its_end(
    replay: Replay, clock: Clock, tmp_path: Path
) -> None:
    with client_of(replay, clock, tmp_path) as client:
        races = client.sessions(2024)
        assert races == ROWS["sessions"][:1]
        (kept,) = tmp_path.iterdir()

        during = datetime(2024, 12, 31, 23, tzinfo=UTC).timestamp()
        os.utime(kept, (during, during))
        assert client.sessions(2024) == races
        assert len(replay.requests) == 2

        after = datetime(2025, 1, 1, 1, tzinfo=UTC).timestamp()
        os.utime(kept, (after, after))
        assert client.sessions(2024) == races
        assert len(replay.requests) == 2, "the copy of January 2025 is final"

        assert client.sessions(2024, refresh=True) == races
        assert len(replay.requests) == 3
