"""The results in Markdown: the targets first, then the figures behind them."""

import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.serving import wrk
from benchmarks.serving.batches import Batch
from benchmarks.serving.errors import BenchmarkError
from benchmarks.serving.questions import LAPS
from benchmarks.serving.results import (
    OURS,
    Results,
    compared,
    grouped,
    loaded,
    ratio,
    targets,
    throughput,
)
from benchmarks.serving.rounds import MANY, ONE, Turn
from benchmarks.serving.starts import Restart

BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"

Row = Sequence[str]


def write(results: Results, file: Path) -> None:
    """Put the figures between the marks of `file`, or make it. Raises BenchmarkError."""
    figures = f"{BEGIN}\n{markdown(results)}\n\n{END}"
    if file.exists():
        before, begin, rest = file.read_text().partition(BEGIN)
        _, end, after = rest.partition(END)
        if not (begin and end):
            raise BenchmarkError(f"{file} has no place for figures: {BEGIN.strip()}, {END.strip()}")
        figures = before + figures + after
    file.write_text(figures)


def markdown(results: Results) -> str:
    sections = [_conditions(results)]
    aims = [
        (aim.what, aim.bound, aim.reached, "yes" if aim.met else "**no**")
        for aim in targets(results)
    ]
    if aims:
        sections.append(table(("target", "bound", "measured", "met"), aims))
    if results.turns:
        sections += [_throughput(results.turns), _processes(results.turns)]
    if results.batches:
        sections.append(_batches(results.batches))
    if results.restarts:
        sections.append(_restarts(results.restarts))
    if results.layers:
        layers = [(layer.what, f"{layer.microseconds:.0f}") for layer in results.layers]
        sections.append(table(("a request inside the application, without server", "µs"), layers))
    return "\n\n".join(sections)


def _conditions(results: Results) -> str:
    plan, today = results.plan, datetime.now(UTC).date().isoformat()
    contenders = {turn.contender.name: turn.contender for turn in results.turns}
    versions = [
        f"- {contender.title}: "
        + ", ".join(f"{name} {version}" for name, version in contender.versions.items())
        for contender in contenders.values()
    ]
    how = (
        f"Workers: {plan.workers}. Client: {wrk.version()}, one thread. Medians over "
        f"{plan.rounds} rounds, {plan.seconds} s for each figure; ratios are medians of the "
        "rounds' ratios."
    )
    return "\n".join([f"{today}, {results.machine}.", how, "", *versions]).rstrip()


def _throughput(turns: Sequence[Turn]) -> str:
    ours = compared(turns).get(OURS)
    rows = [
        (
            group[0].contender.title,
            group[0].load.name,
            *_outcomes([turn.many for turn in group]),
            *_outcomes([turn.one for turn in group]),
            "" if ours is None else f"{ratio(ours, group, throughput):.2f}",
        )
        for group in grouped(turns)
    ]
    headings = [
        *("server", "asked"),
        *(f"requests/s, {MANY} connections", "p50 ms", "p99 ms"),
        *("requests/s, 1 connection", "p50 ms", "p99 ms"),
        f"F1PA's cold requests/s to these ({MANY})",
    ]
    return table(headings, rows)


def _outcomes(outcomes: Sequence[wrk.Outcome]) -> Row:
    per_second = statistics.median(outcome.per_second for outcome in outcomes)
    p50 = statistics.median(outcome.p50 for outcome in outcomes)
    p99 = statistics.median(outcome.p99 for outcome in outcomes)
    return f"{per_second:,.0f}", f"{p50 / 1000:.2f}", f"{p99 / 1000:.2f}"


def _processes(turns: Sequence[Turn]) -> str:
    rows = []
    for group in loaded(turns).values():
        last = group[-1].memory
        start = statistics.median(turn.start_seconds for turn in group)
        rows.append(
            (
                group[0].contender.title,
                ", ".join(f"{resident:.0f}" for resident in last.resident),
                f"{last.whole:.0f}",
                f"{start:.1f}",
            )
        )
    headings = (
        "server",
        "resident MiB of each process that worked",
        "all processes, MiB (PSS)",
        "start to first answer, s",
    )
    return table(headings, rows)


def _batches(batches: Sequence[Batch]) -> str:
    answered = statistics.median(batch.answered for batch in batches)
    rows = [(f"one worker, one client, {ONE} connection", f"{answered:,.0f}", "")]
    for what, speeds in (
        ("matrix call, booster of the lap time", [batch.one_booster for batch in batches]),
        ("matrix calls, all three boosters", [batch.all_boosters for batch in batches]),
    ):
        pairs = zip(batches, speeds, strict=True)
        share = statistics.median(batch.answered / speed for batch, speed in pairs)
        rows.append((what, f"{statistics.median(speeds):,.0f}", f"{share:.2f}"))
    return table((f"batches of {LAPS:,} cold laps", "rows/s", "the worker's, to these"), rows)


def _restarts(restarts: Sequence[Restart]) -> str:
    seconds = [restart.seconds for restart in restarts]
    resident = statistics.median(restart.resident for restart in restarts)
    row = (
        str(len(restarts)),
        f"{statistics.median(seconds):.2f}",
        f"{max(seconds):.2f}",
        f"{resident:.0f}",
    )
    return table(
        ("workers killed", "ready after s, median", "longest", "resident MiB when ready"), [row]
    )


def table(headings: Row, rows: Sequence[Row]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
