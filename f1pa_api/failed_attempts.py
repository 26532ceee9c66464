"""How many wrong passwords a client may still try."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

MINUTE_NS = 60_000_000_000
# The client that failed longest ago is forgotten first.
MOST_CLIENTS = 4096


class FailedAttempts:
    """Each client has `per_minute` of them, and gets a used one back every 60 / `per_minute` s."""

    def __init__(self, per_minute: int, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._interval_ns = MINUTE_NS // per_minute
        self._clock_ns = clock_ns
        self._lock = threading.Lock()
        # When the client will have all of them back.
        self._whole_at: OrderedDict[str | int, int] = OrderedDict()

    def wait_seconds(self, address: str) -> float:
        """How long until there is one; 0 when there is."""
        missing_ns = self._whole_at.get(_client(address), 0) - self._clock_ns()
        return max(0, missing_ns + self._interval_ns - MINUTE_NS) / 1e9

    def add(self, address: str) -> None:
        client = _client(address)
        with self._lock:
            whole_at = max(self._whole_at.pop(client, 0), self._clock_ns())
            self._whole_at[client] = whole_at + self._interval_ns
            if len(self._whole_at) > MOST_CLIENTS:
                self._whole_at.popitem(last=False)


def _client(address: str) -> str | int:
    """An IPv6 network of 64 bits is one client: who has one address of it has them all."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address  # a Unix socket's clients have none
    if not isinstance(parsed, IPv6Address):
        return address
    # How a socket for both kinds shows IPv4.
    mapped = parsed.ipv4_mapped
    return int(parsed) >> 64 if mapped is None else str(mapped)
