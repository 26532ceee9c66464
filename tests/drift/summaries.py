"""A summary with something of everything."""

from drift.summary import ColumnDrift, DriftSummary, Quality, RunSummary

RUN = RunSummary(
    state="drift",
    reason="drifted: temp; st_speed: 0 values in current_data, 500 needed",
    report="drift-20260304-120000",
    model_version="3",
    window_start="2026-03-03T12:00:00+00:00",
    window_end="2026-03-04T12:00:00+00:00",
    drift=DriftSummary(
        columns=(
            ColumnDrift("temp", "shift", 25.5, 5.0, drifted=True),
            ColumnDrift("temp", "constant", 0.25, 0.98, drifted=False),
            ColumnDrift("lap_number", "shift", 2.0, 30.0, drifted=False),
        ),
        reference_rows=2000,
        current_rows=10_000_000,
        not_compared={"st_speed": "0 values in current_data, 500 needed"},
    ),
    quality=(
        Quality("3", "1h", answered=7, joined=0),
        Quality("3", "24h", 700, 500, 0.4, 0.9, -0.1, 0.5, {"0.8": 0.79}),
    ),
)
