"""Prometheus' and Alertmanager's programs for the tests, found the way the stack finds them."""

import logging
import os

import pytest

from deploy.embedded import binaries
from deploy.embedded.settings import CHECKOUT


@pytest.fixture(scope="session")
def prometheus_tools(request: pytest.FixtureRequest) -> binaries.Binaries:
    """From PATH, from what `make up` fetched, or fetched once into pytest's cache."""
    found = binaries.find(CHECKOUT / ".f1pa" / "tools")
    if found is not None:
        return found
    assert request.config.cache is not None
    folder = request.config.cache.mkdir("f1pa-prometheus")
    try:
        return binaries.provide(
            folder, "https://github.com/prometheus", logging.getLogger(__name__).info
        )
    except binaries.BinariesError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
