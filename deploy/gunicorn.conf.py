# ruff: noqa: N999 - the name is Gunicorn's own
"""Gunicorn's settings for the API. Start it with deploy/start-api.sh.

This runs in the master before it forks: nothing here may open a metric file or a connection.
"""

from typing import Any

from exporter import worker_slots
from f1pa_api import credentials, worker_restarts
from f1pa_api.settings import SettingsError, load
from f1pa_api.vitals import Vitals

try:
    _settings = load()
    credentials.check(_settings)
except SettingsError as error:
    # Here, so that a wrong setting is one line and not a traceback from every worker.
    raise SystemExit(str(error)) from None

bind = f"{_settings.api_host}:{_settings.api_port}"
workers = _settings.api_workers

# Answers what waits for nothing in its event loop, the rest in threads: decision 7.
worker_class = "f1pa_api.gunicorn_worker.Worker"
threads = _settings.api_threads
# The parser in C takes a third of the time of the one in Python; without it nothing starts.
http_parser = "fast"
# Files would go past the socket of that worker, which holds an answer together.
sendfile = False
# Connections of one worker. Idle ones cost a few KB each; above this, new ones wait in the backlog.
worker_connections = 1000

# Each worker opens its own connections and threads, none of which survive a fork.
preload_app = False

# A worker that does not even report to the master for so long is replaced. Its threads may be
# busy all the while: reports come from the main thread.
timeout = 30
# What a stopping worker gives the requests under way: a query is given up after 4.5 s.
graceful_timeout = 6
# A client's next request within 5 s finds its connection open; more would hold idle ones.
keepalive = 5

# Workers don't grow: only where somebody wants it.
max_requests = _settings.api_max_requests
# Not all at once.
max_requests_jitter = max_requests // 5

# JSON lines on standard error. Requests are counted and timed as metrics; F1PA_REQUEST_LOG says
# which of them also get a line.
logger_class = "f1pa_api.logs.GunicornLogger"
errorlog = "-"

# Nobody uses it, and by default it lies in the home folder, the same for each instance.
control_socket_disable = True

proc_name = "f1pa_api"


def on_starting(server: Any) -> None:
    """Without its metric files the API serves all the same; with another service's it must not."""
    try:
        worker_slots.own(_settings.metrics_dir, f"the API at {bind}")
    except worker_slots.DirectoryInUseError as error:
        raise SystemExit(f"F1PA_METRICS_DIR: {error}") from None
    except OSError as error:
        server.log.error("F1PA_METRICS_DIR can't be made ready: %s", error)


def on_reload(server: Any) -> None:
    worker_restarts.reloaded(server)


def post_fork(server: Any, worker: Any) -> None:  # noqa: ARG001 - Gunicorn's hook
    slot = worker_slots.claim(_settings.metrics_dir)
    if _is_ours(worker):
        worker.vitals = Vitals(slot, worker.cfg.workers, worker.cfg.threads, worker.replaced)


def child_exit(server: Any, worker: Any) -> None:
    if _is_ours(worker):
        worker_restarts.ended(server, worker)


def _is_ours(worker: Any) -> bool:
    """Not one of Gunicorn's own classes, asked for on the command line."""
    return hasattr(worker, "last_word")
