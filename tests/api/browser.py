"""A real browser that reaches nothing but this machine."""

import os
import shutil

import pytest

BROWSER = "chromium"
ALONE = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    # What the browser wants for itself is not even looked up.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def needed() -> None:
    """Skips without the browser; fails in CI, which has one."""
    if shutil.which(BROWSER) is None:
        absent = f"there is no {BROWSER} here (Debian's package has that name)"
        if os.environ.get("CI"):
            pytest.fail(absent)
        pytest.skip(absent)
