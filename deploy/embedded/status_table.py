"""The stack on a terminal: a table of its services, and a first request to try."""

import json
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence

import click
from rich.table import Table

from deploy.embedded.settings import StackSettings
from deploy.embedded.stack import ServiceStatus
from f1pa_api.figures import Figures, read
from f1pa_api.prometheus import Prometheus
from f1pa_api.quantities import UNKNOWN, amount, percent, seconds

HEALTHY = "[green]healthy[/green]"
# A lap of Spa-Francorchamps in good weather.
EXAMPLE = {
    "driver_number": 1,
    "circuit_key": 7,
    "st_speed": 305,
    "i1_speed": 320,
    "i2_speed": 195,
    "temp": 22,
    "rhum": 55,
    "pres": 970,
    "lap_number": 12,
}


def table(rows: Iterable[Sequence[str]]) -> Table:
    """Of service, address, state, pid, uptime, and what is to complain of: "" if it is healthy."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("service", "address", "state", "pid", "uptime", "health"):
        shown.add_column(column, overflow="fold")
    for *columns, complaint in rows:
        shown.add_row(*columns, f"[red]{complaint}[/red]" if complaint else HEALTHY)
    return shown


def status_table(services: Sequence[ServiceStatus], grafana_port: int) -> Table:
    shown = table(map(_row, services))
    shown.add_row("grafana", f"http://127.0.0.1:{grafana_port}", _grafana(), "", "", "")
    return shown


def _row(service: ServiceStatus) -> tuple[str, ...]:
    running = service.status.pid != 0
    return (
        service.program.name,
        service.program.address,
        service.status.state.lower(),
        str(service.status.pid) if running else "",
        duration(service.status.uptime_seconds) if running else "",
        "" if service.healthy else str(service.complaint),
    )


def _grafana() -> str:
    if shutil.which("grafana") is None and shutil.which("grafana-server") is None:
        return "not on PATH: get it from https://grafana.com/grafana/download"
    return "not run by this version"


def summary(figures: Figures) -> Iterator[str]:
    """What Prometheus knows, in lines: figures, and each alert that fires."""
    if figures.problem:
        yield f"figures and alerts are not known: {figures.problem}"
        return
    now = figures.now
    drifted = {each.feature for each in figures.drift if each.drifted}
    yield "; ".join(
        (
            f"predictions {amount(now.get('predictions_per_second'), '/s')}",
            f"errors {percent(now.get('error_ratio'))}",
            f"95 % within {seconds(now.get('p95_seconds'))}",
            f"live error {seconds(now.get('error_seconds'))}",
            f"drifted: {', '.join(sorted(drifted)) or ('none' if figures.drift else UNKNOWN)}",
        )
    )
    if not figures.alerts:
        yield "no alert fires"
    for alert in figures.alerts:
        yield f"{alert.severity}: {alert.name}: {alert.summary}"


def echo_figures(prometheus_port: int) -> None:
    """Print them; a Prometheus that doesn't answer is waited for no longer than two seconds."""
    figures = read(Prometheus(f"http://127.0.0.1:{prometheus_port}"), time.time())
    click.echo("\n" + "\n".join(summary(figures)))


def duration(elapsed_seconds: int) -> str:
    """Two units at most: 45 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    for size, unit, smaller_size, smaller in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if elapsed_seconds >= size:
            rest = elapsed_seconds % size // smaller_size
            return f"{elapsed_seconds // size} {unit} {rest} {smaller}"
    return f"{elapsed_seconds} s"


def example_request(options: StackSettings) -> str:
    """A prediction to paste into a shell. A password of one's own is not shown."""
    credentials = '"$F1PA_BASIC_AUTH_USER:$F1PA_BASIC_AUTH_PASSWORD"'
    if options.is_demo and options.basic_auth_user == "f1pa":
        credentials = "f1pa:f1pa"
    return (
        f"curl -s -u {credentials} -H 'Content-Type: application/json' "
        f"-d '{json.dumps({'features': EXAMPLE}, separators=(',', ':'))}' "
        f"http://127.0.0.1:{options.api_port}/predict/lap"
    )
