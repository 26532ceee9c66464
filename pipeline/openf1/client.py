"""HTTP client of the OpenF1 API: rate limited, retried, resumable."""

import logging
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from pipeline.openf1.cache import NotAListError, Params, ResponseCache, parse_list
from pipeline.openf1.errors import OpenF1Error
from pipeline.openf1.rate import RateLimit

logger = logging.getLogger(__name__)

PUBLIC_API = "https://api.openf1.org/v1"
EMPTY_ANSWER = "No results found."


class _TransientError(Exception):
    """A failure that another attempt may not meet. `pause_seconds` is what the server asked."""

    def __init__(self, reason: str, pause_seconds: float | None = None) -> None:
        self.pause_seconds = pause_seconds
        super().__init__(reason)


@dataclass
class OpenF1Client:
    """Lists of rows from OpenF1's end points, each asked for once and then kept on disk.

    `cache_dir` None keeps nothing. `timeout_seconds` is (connect, read), the latter between
    two pieces of a body. A server that asks (Retry-After) for a pause longer than
    `longest_pause_seconds` ends the request. The default rates are the free API's limits.
    Every method that asks raises OpenF1Error when no attempt got a usable answer.
    Not safe to share among threads.
    """

    base_url: str = PUBLIC_API
    cache_dir: Path | None = None
    _: KW_ONLY
    requests_per_second: int = 3
    requests_per_minute: int = 30
    attempts: int = 6
    timeout_seconds: tuple[float, float] = (5.0, 60.0)
    longest_pause_seconds: float = 300.0
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _http: requests.Session = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._http = requests.Session()
        self._http.headers.update({"Accept": "application/json", "User-Agent": "f1pa"})
        self._cache = ResponseCache(self.cache_dir) if self.cache_dir is not None else None
        self._backoff = wait_exponential_jitter(initial=1, max=60, jitter=1)
        self._rate = RateLimit(
            ((self.requests_per_second, 1.0), (self.requests_per_minute, 60.0)),
            self.monotonic,
            self.sleep,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the kept-alive connections; a later request opens new ones."""
        self._http.close()

    def sessions(
        self, year: int, session_name: str = "Race", refresh: bool | None = None
    ) -> list[Any]:
        """A season's sessions of one name, those still to come included.

        `refresh` True asks anew; None asks anew while the season can still have changed
        since the kept answer was written.
        """
        return self._listing("sessions", {"year": year, "session_name": session_name}, refresh)

    def meetings(self, year: int, refresh: bool | None = None) -> list[Any]:
        """A season's race weekends, which is where their names are. `refresh` as in sessions."""
        return self._listing("meetings", {"year": year}, refresh)

    def drivers(self, session_key: int) -> list[Any]:
        """The drivers of one session, with the team they then drove for."""
        return self.get("drivers", {"session_key": session_key})

    def laps(self, session_key: int) -> list[Any]:
        """Every driver's laps of one session."""
        return self.get("laps", {"session_key": session_key})

    def stints(self, session_key: int) -> list[Any]:
        """The tyre stints of one session, each a range of one driver's laps."""
        return self.get("stints", {"session_key": session_key})

    def weather(self, session_key: int) -> list[Any]:
        """The trackside weather messages of one session, about one a minute."""
        return self.get("weather", {"session_key": session_key})

    def get(self, end_point: str, params: Params, refresh: bool = False) -> list[Any]:
        """The rows of one end point that match `params`, from disk where they are kept.

        An empty answer is returned but not kept: data may be published later.
        """
        if self._cache is not None and not refresh:
            kept = self._cache.read(end_point, params)
            if kept is not None:
                return kept
        url = self._url(end_point, params)
        rows, body = self._download(url)
        if self._cache is not None and rows:
            try:
                self._cache.write(end_point, params, body)
            except OSError as error:
                path = self._cache.path(end_point, params)
                raise OpenF1Error(url, f"the answer cannot be kept as {path}: {error}") from error
        return rows

    def _listing(self, end_point: str, params: Params, refresh: bool | None) -> list[Any]:
        if refresh is None:
            kept_at = self._cache.kept_at(end_point, params) if self._cache is not None else None
            refresh = kept_at is None or kept_at.year <= int(params["year"])
        return self.get(end_point, params, refresh)

    def _url(self, end_point: str, params: Params) -> str:
        address = f"{self.base_url.rstrip('/')}/{end_point}"
        try:
            return requests.Request("GET", address, params=dict(params)).prepare().url or address
        except requests.RequestException as error:
            raise OpenF1Error(address, f"is no usable address ({error})") from error

    def _download(self, url: str) -> tuple[list[Any], bytes]:
        retrying = Retrying(
            retry=retry_if_exception_type(_TransientError),
            stop=stop_after_attempt(self.attempts),
            wait=self._pause,
            sleep=self.sleep,
            before_sleep=lambda state: self._log_retry(url, state),
            reraise=True,
        )
        try:
            return retrying(self._attempt, url)
        except _TransientError as error:
            raise OpenF1Error(url, f"{error}, after {self.attempts} attempts") from error

    def _attempt(self, url: str) -> tuple[list[Any], bytes]:
        self._rate.wait()
        try:
            answer = self._http.get(url, timeout=self.timeout_seconds)
        except requests.ConnectTimeout as error:
            raise _TransientError(f"no connection within {self.timeout_seconds[0]:g} s") from error
        except requests.Timeout as error:
            raise _TransientError(f"no answer within {self.timeout_seconds[1]:g} s") from error
        except (
            requests.ConnectionError,
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        ) as error:
            raise _TransientError(f"the connection failed or was cut ({error})") from error
        except requests.RequestException as error:
            raise OpenF1Error(url, str(error)) from error
        return self._rows(answer, url)

    def _rows(self, answer: requests.Response, url: str) -> tuple[list[Any], bytes]:
        status = answer.status_code
        detail = _detail(answer)
        if status == 200:
            try:
                return parse_list(answer.content), answer.content
            except NotAListError as error:
                raise _TransientError(str(error)) from error
        if status == 404 and detail == EMPTY_ANSWER:
            return [], b"[]"
        reason = f"HTTP {status}" + (f" ({detail[:200]})" if detail else "")
        if status != 429 and status < 500:
            raise OpenF1Error(url, reason)
        pause_seconds = _retry_after(answer)
        if pause_seconds is not None and pause_seconds > self.longest_pause_seconds:
            raise OpenF1Error(
                url,
                f"{reason}, and asks for a pause of {pause_seconds:.0f} s"
                f" (at most {self.longest_pause_seconds:g} s is waited)",
            )
        raise _TransientError(reason, pause_seconds)

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.pause_seconds if isinstance(error, _TransientError) else None
        return self._backoff(state) if asked is None else asked

    def _log_retry(self, url: str, state: RetryCallState) -> None:
        logger.info(
            "an OpenF1 request is tried again",
            extra={
                "url": url,
                "attempt": state.attempt_number,
                "pause_seconds": state.upcoming_sleep,
                "reason": str(state.outcome.exception()) if state.outcome is not None else "",
            },
        )


def _detail(answer: requests.Response) -> str:
    """The reason that the API gives in the body of a refusal; empty where there is none."""
    if answer.status_code == 200:
        return ""
    try:
        body = answer.json()
    except (ValueError, RecursionError):
        return ""
    detail = body.get("detail") if isinstance(body, dict) else None
    return detail if isinstance(detail, str) else ""


def _retry_after(answer: requests.Response) -> float | None:
    """Seconds to wait, from either form of the header (RFC 9110, 10.2.3); None where it is
    absent or unreadable."""
    value = answer.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
