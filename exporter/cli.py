"""The command line of the exporter."""

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TextIO

from exporter.assembly import collection_of
from exporter.collection import scrape_budget_seconds
from exporter.metric_files import render
from exporter.server import ListenError, Server
from exporter.settings import Settings, SettingsError, load
from exporter.web_config import WebConfig, WebConfigError, WebConfigFile

logger = logging.getLogger(__name__)

FAILED, BAD_SETTINGS = 1, 2
STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}
# With the server's poll, well inside the second that a stop may take.
STOP_GRACE_SECONDS = 0.5
STOP_POLL_SECONDS = 0.05

_EPILOG = """\
settings (environment):
  F1PA_EXPORTER_HOST     address to listen on (127.0.0.1)
  F1PA_EXPORTER_PORT     port to listen on (9108); 0 takes a free one
  F1PA_EXPORTER_PROBE_TIMEOUT_SECONDS
                         how long a dependency may take to answer, 2 to 30 (2)
  F1PA_EXPORTER_COLLECTORS
                         which to run: workers,api,database,mlflow,drift,process (all)
  F1PA_EXPORTER_WEB_CONFIG_FILE
                         TLS and users, in the format of Prometheus' exporters (neither)
  F1PA_METRICS_DIR       folder of the API workers' metric files (required)
  F1PA_DATABASE_URL      postgresql:// URL to probe (required for database)
  F1PA_API_URL           base URL of the API (http://127.0.0.1:8000)
  F1PA_MLFLOW_URL        base URL of MLflow (http://127.0.0.1:5000)
  F1PA_MODEL_NAME        registered model to look up (f1pa-lap-time)
  F1PA_MODEL_ALIAS       its alias (champion)
  F1PA_DRIFT_REPORTS_DIR folder of the drift job's reports (reports)
  F1PA_REVISION          commit to name in f1pa_exporter_build_info (none)

exit codes: 0 stopped or done, 1 the address can't be listened on, 2 wrong usage or setting
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the exporter and returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        settings = load()
        web_config = _web_config(settings)
    except SettingsError as error:
        _say(sys.stderr, f"exporter: {error}")
        return BAD_SETTINGS
    if options.check_config:
        _say(sys.stdout, "the settings are valid")
        return 0
    if options.once:
        exposition, _ = render(collection_of(settings).collect(scrape_budget_seconds(None)))
        sys.stdout.buffer.write(exposition)
        sys.stdout.buffer.flush()
        return 0
    return _serve(settings, web_config)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m exporter",
        description="Serves the metrics of F1PA's API workers and of its dependencies.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--once", action="store_true", help="print one exposition and exit")
    mode.add_argument("--check-config", action="store_true", help="check the settings and exit")
    return parser


def _web_config(settings: Settings) -> Callable[[], WebConfig]:
    if settings.exporter_web_config_file is None:
        return WebConfig
    try:
        return WebConfigFile(settings.exporter_web_config_file).current
    except WebConfigError as error:
        raise SettingsError(f"F1PA_EXPORTER_WEB_CONFIG_FILE: {error}") from None


def _serve(settings: Settings, web_config: Callable[[], WebConfig]) -> int:
    # Blocked before any thread starts, so that only sigwait below ever receives them.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        server = Server(
            settings.exporter_host,
            settings.exporter_port,
            collection_of(settings),
            settings.metrics_dir,
            web_config,
        )
    except ListenError as error:
        _say(sys.stderr, f"exporter: {error}")
        return FAILED
    threading.Thread(
        target=server.serve_forever, args=(STOP_POLL_SECONDS,), name="serve", daemon=True
    ).start()
    logger.info("listening on %s", server.url)
    received = signal.sigwait(STOP_SIGNALS)
    logger.info("stopping on %s", signal.Signals(received).name)
    server.stop(STOP_GRACE_SECONDS)
    return 0


def _say(stream: TextIO, line: str) -> None:
    stream.write(line + "\n")
