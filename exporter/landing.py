"""The page at /: where to go, and how each collector fared last."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from exporter.collection import Status

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>F1PA exporter</title>
<style>
body {{ font-family: sans-serif; margin: 2em; }}
table {{ border-collapse: collapse; }}
th, td {{ border: 1px solid #999; padding: 0.3em 0.8em; text-align: left; }}
</style>
</head>
<body>
<h1>F1PA exporter {version}</h1>
<ul>
<li><a href="/metrics">/metrics</a></li>
<li><a href="/-/healthy">/-/healthy</a>: the exporter runs</li>
<li><a href="/-/ready">/-/ready</a>: it can read the workers' metric files</li>
</ul>
<h2>Collectors, as the last scrape found them</h2>
<table>
<tr><th>collector</th><th>state</th><th>took</th><th>last success</th></tr>
{rows}
</table>
</body>
</html>
"""


def page(version: str, statuses: Sequence[Status]) -> str:
    rows = "\n".join(_row(status) for status in statuses)
    return _PAGE.format(version=escape(version), rows=rows)


def _row(status: Status) -> str:
    last_success = "never"
    if status.last_success_timestamp_seconds:
        moment = datetime.fromtimestamp(status.last_success_timestamp_seconds, UTC)
        last_success = moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    name = escape(status.collector)
    cells = (
        status.state,
        f"{status.duration_seconds * 1000:.0f} ms",
        last_success,
    )
    link = f'<a href="/metrics?collect[]={name}">{name}</a>'
    return f"<tr><td>{link}</td>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
