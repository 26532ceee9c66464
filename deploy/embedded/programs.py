"""The programs of the stack: their commands, environments, addresses and order."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deploy.embedded import monitoring_config, postgres, settings
from deploy.embedded.binaries import Binaries
from deploy.embedded.errors import StackError
from deploy.embedded.settings import CHECKOUT, StackSettings
from deploy.embedded.state import StateFolder, write_private

HOST = "127.0.0.1"
NO_TELEMETRY = {"DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
# The bootstrap fills the database and the registry between these two lots.
STORES = ("postgres", "mlflow")
SERVICES = ("api", "exporter", "drift", "prometheus", "alertmanager", "alerts")
NAMES = (*STORES, *SERVICES)
# It works by itself, and nobody asks it.
WITHOUT_PORT = ("drift",)


@dataclass(frozen=True)
class Program:
    """One program under the supervisor. `health_path` None: its health is a database query, or,
    where there is no port either, that it runs."""

    name: str
    command: list[str]
    port: int | None = None
    port_variable: str = ""
    health_path: str | None = None
    # Whether all is well around it, too; `status` asks, and nothing waits for it.
    concern_path: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    directory: str = str(CHECKOUT)
    stop_signal: str = "TERM"
    stop_timeout_seconds: int = 15
    stop_group: bool = False
    # Of what the program reads at start beside its command; a change of it means a restart.
    inputs_digest: str = ""

    @property
    def address(self) -> str:
        if self.port is None:
            return ""
        scheme = "http" if self.health_path else "postgresql"
        return f"{scheme}://{HOST}:{self.port}"

    @property
    def digest(self) -> str:
        return _digest(json.dumps(asdict(self), sort_keys=True))


def definition_file(state: StateFolder, name: str) -> Path:
    return state.run_dir / f"{name}.json"


def record_file(state: StateFolder, name: str) -> Path:
    """Which process the program was when it last started; written by `launch`."""
    return state.run_dir / f"{name}.process"


def write(state: StateFolder, program: Program) -> None:
    write_private(definition_file(state, program.name), json.dumps(asdict(program), indent=1))


def stored(state: StateFolder) -> list[Program]:
    """The programs as the last `up` defined them, in order; empty before the first."""
    files = [definition_file(state, name) for name in NAMES]
    try:
        return [Program(**json.loads(file.read_text())) for file in files if file.is_file()]
    except (TypeError, ValueError) as error:
        raise StackError(f"a program definition in {state.run_dir} is damaged: {error}") from error


def define(
    options: StackSettings, state: StateFolder, binaries: Binaries, extra: Mapping[str, str]
) -> list[Program]:
    """All programs in their order of start. Writes the monitoring configuration they read.

    `extra` are further F1PA_ variables, for the programs of ours.
    """
    return [
        _postgres(options, state),
        _mlflow(options, state),
        _api(options, state, extra),
        _exporter(options, state, extra),
        _drift(options, state, extra),
        _prometheus(options, state, binaries),
        _alertmanager(options, state, binaries),
        _alerts(options, state, extra),
    ]


def pipeline_environment(
    options: StackSettings, state: StateFolder, extra: Mapping[str, str]
) -> dict[str, str]:
    """What `python -m pipeline` needs to work on this stack."""
    password = state.credentials().owner
    return {
        **extra,
        **NO_TELEMETRY,
        **_registry(options),
        "F1PA_DATABASE_URL": postgres.database_url(postgres.OWNER, password, options.postgres_port),
        "F1PA_API_URL": f"http://{HOST}:{options.api_port}",
        **_basic_auth(options),
    }


def drift_environment(
    options: StackSettings, state: StateFolder, extra: Mapping[str, str]
) -> dict[str, str]:
    """What `python -m drift` needs to work on this stack."""
    password = state.credentials().drift
    return {
        **extra,
        **NO_TELEMETRY,
        **_registry(options),
        "F1PA_DATABASE_URL": postgres.database_url(postgres.DRIFT, password, options.postgres_port),
        "F1PA_DRIFT_REPORTS_DIR": str(state.drift_reports_dir),
    }


def _registry(options: StackSettings) -> dict[str, str]:
    return {
        "F1PA_MLFLOW_URL": f"http://{HOST}:{options.mlflow_port}",
        "F1PA_MODEL_NAME": options.model_name,
        "F1PA_MODEL_ALIAS": options.model_alias,
    }


def _basic_auth(options: StackSettings) -> dict[str, str]:
    return {
        "F1PA_BASIC_AUTH_USER": options.basic_auth_user,
        "F1PA_BASIC_AUTH_PASSWORD": options.basic_auth_password.get_secret_value(),
    }


def _users(options: StackSettings) -> dict[str, str]:
    if options.basic_auth_file is None:
        return _basic_auth(options)
    return {"F1PA_BASIC_AUTH_FILE": str(options.basic_auth_file)}


def _postgres(options: StackSettings, state: StateFolder) -> Program:
    return Program(
        name="postgres",
        command=postgres.server_command(state.postgres_dir, options.postgres_port),
        port=options.postgres_port,
        port_variable=settings.variable("postgres_port"),
        health_path=None,
        directory="/",
        stop_signal="INT",
        stop_timeout_seconds=30,
    )


def _mlflow(options: StackSettings, state: StateFolder) -> Program:
    command = [sys.executable, "-m", "mlflow", "server"]
    command += ["--backend-store-uri", f"sqlite:///{state.mlflow_dir / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(state.mlflow_dir / "artifacts")]
    command += ["--host", HOST, "--port", str(options.mlflow_port), "--workers", "1"]
    return Program(
        name="mlflow",
        command=command,
        port=options.mlflow_port,
        port_variable=settings.variable("mlflow_port"),
        health_path="/health",
        environment={**NO_TELEMETRY, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
        directory=str(state.mlflow_dir),
        stop_group=True,  # the server runs its web workers as processes of their own
    )


def _api(options: StackSettings, state: StateFolder, extra: Mapping[str, str]) -> Program:
    password = state.credentials().api
    # gunicorn is found on PATH, beside this Python.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"
    return Program(
        name="api",
        command=[str(CHECKOUT / "deploy" / "start-api.sh")],
        port=options.api_port,
        port_variable=settings.variable("api_port"),
        health_path="/health/ready",
        environment={
            **({"F1PA_DEMO_CREDENTIALS": "true"} if options.is_demo else {}),
            "F1PA_PROMETHEUS_URL": f"http://{HOST}:{options.prometheus_port}",
            "F1PA_MONITORING_LINKS": _links(options),
            **extra,
            **NO_TELEMETRY,
            **_registry(options),
            **_users(options),
            "PATH": path,
            "F1PA_DATABASE_URL": postgres.database_url(
                postgres.API, password, options.postgres_port
            ),
            "F1PA_MODEL_CACHE_DIR": str(state.model_cache_dir),
            "F1PA_DRIFT_REPORTS_DIR": str(state.drift_reports_dir),
            "F1PA_PREDICTION_LOG_DIR": str(state.prediction_log_dir),
            "F1PA_API_HOST": HOST,
            "F1PA_API_PORT": str(options.api_port),
            "F1PA_API_WORKERS": str(options.api_workers),
            "F1PA_API_THREADS": str(options.api_threads),
            "F1PA_METRICS_DIR": str(state.metrics_dir),
        },
        stop_timeout_seconds=35,
    )


def _links(options: StackSettings) -> str:
    ports = {
        "Prometheus": options.prometheus_port,
        "Alertmanager": options.alertmanager_port,
        "MLflow": options.mlflow_port,
    }
    return ",".join(f"{name}=http://localhost:{port}" for name, port in ports.items())


def _exporter(options: StackSettings, state: StateFolder, extra: Mapping[str, str]) -> Program:
    password = state.credentials().exporter
    return Program(
        name="exporter",
        command=[sys.executable, "-m", "exporter"],
        port=options.exporter_port,
        port_variable=settings.variable("exporter_port"),
        health_path="/-/ready",
        environment={
            **extra,
            **NO_TELEMETRY,
            **_registry(options),
            "F1PA_EXPORTER_HOST": HOST,
            "F1PA_EXPORTER_PORT": str(options.exporter_port),
            "F1PA_METRICS_DIR": str(state.metrics_dir),
            "F1PA_API_URL": f"http://{HOST}:{options.api_port}",
            "F1PA_DATABASE_URL": postgres.database_url(
                postgres.EXPORTER, password, options.postgres_port
            ),
            "F1PA_DRIFT_REPORTS_DIR": str(state.drift_reports_dir),
        },
    )


def _drift(options: StackSettings, state: StateFolder, extra: Mapping[str, str]) -> Program:
    return Program(
        name="drift",
        command=[sys.executable, "-m", "drift", "watch", "--every", options.drift_every],
        environment=drift_environment(options, state, extra),
    )


def _prometheus(options: StackSettings, state: StateFolder, binaries: Binaries) -> Program:
    config = monitoring_config.prometheus(options, state.prometheus_dir)
    command = [str(binaries.prometheus), f"--config.file={config.file}"]
    command += [f"--storage.tsdb.path={state.prometheus_dir / 'data'}"]
    command += ["--storage.tsdb.retention.time=30d", "--storage.tsdb.retention.size=1GB"]
    command += [f"--web.listen-address={HOST}:{options.prometheus_port}"]
    return Program(
        name="prometheus",
        command=command + binaries.prometheus_options,
        port=options.prometheus_port,
        port_variable=settings.variable("prometheus_port"),
        health_path="/-/ready",
        directory=str(state.prometheus_dir),
        inputs_digest=_digest(config.content),
    )


def _alertmanager(options: StackSettings, state: StateFolder, binaries: Binaries) -> Program:
    config = monitoring_config.alertmanager(options, state.alertmanager_dir)
    command = [str(binaries.alertmanager), f"--config.file={config.file}"]
    command += [f"--storage.path={state.alertmanager_dir / 'data'}"]
    # An empty cluster address: a single Alertmanager that opens no further port.
    command += [f"--web.listen-address={HOST}:{options.alertmanager_port}"]
    command += ["--cluster.listen-address="]
    return Program(
        name="alertmanager",
        command=command + binaries.alertmanager_options,
        port=options.alertmanager_port,
        port_variable=settings.variable("alertmanager_port"),
        health_path="/-/ready",
        directory=str(binaries.alertmanager_directory or state.alertmanager_dir),
        inputs_digest=_digest(config.content),
    )


def _alerts(options: StackSettings, state: StateFolder, extra: Mapping[str, str]) -> Program:
    return Program(
        name="alerts",
        command=[sys.executable, "-m", "alerts"],
        port=options.alerts_port,
        port_variable=settings.variable("alerts_port"),
        health_path="/-/ready",
        concern_path="/-/watchdog",
        environment={
            **extra,
            "F1PA_ALERTS_HOST": HOST,
            "F1PA_ALERTS_PORT": str(options.alerts_port),
            "F1PA_ALERTS_FILE": str(state.alerts_file),
        },
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
