"""Prometheus' and Alertmanager's programs for the tests, found the way the stack finds them."""

import logging
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from deploy.embedded import binaries
from deploy.embedded.settings import CHECKOUT
from tests.fix_postgres import free_port

CONFIGURATION = """
global: {evaluation_interval: 1s}
rule_files: [rules.yml]
"""


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


@contextmanager
def prometheus_with(
    tools: binaries.Binaries, folder: Path, samples: str, rules: str = "groups: []"
) -> Iterator[str]:
    """The URL of a Prometheus that scrapes nothing and knows `samples`, which are OpenMetrics with
    times."""
    (folder / "samples").write_text(samples)
    (folder / "prometheus.yml").write_text(CONFIGURATION)
    (folder / "rules.yml").write_text(rules)
    blocks = ["tsdb", "create-blocks-from", "openmetrics", folder / "samples", folder / "data"]
    subprocess.run([tools.promtool, *blocks], check=True, capture_output=True)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [tools.prometheus, f"--config.file={folder}/prometheus.yml",
             f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}",
             "--storage.tsdb.retention.time=1y", *tools.prometheus_options],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while not _ready(url):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, "Prometheus is not ready"
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=30)


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=2).status_code == 200
    except requests.RequestException:
        return False
