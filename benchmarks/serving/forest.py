"""The original's set-up: a forest of scikit-learn, 150 trees of depth 20, behind FastAPI.

It gets what the original looked up in its database with the request, which spares it the queries.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.serving import environments
from benchmarks.serving.api import seconds
from benchmarks.serving.contenders import Command, Contender, Load, Start
from benchmarks.serving.questions import fingerprint
from pipeline import original
from pipeline.cleaning import prepared
from pipeline.simulator import simulate

FEATURES = (*original.TAKEN, "circuit_average", "average_speed", "progress", "driver_score")
WHOLE_NUMBERS = ("year", "circuit_key", "driver_number", "lap_number")
TARGET = "lap_duration"
LAPS = 200


def contender(folder: Path) -> Contender:
    python = environments.python(folder, "fastapi")
    fitted = _fitted(folder, python)

    def command(start: Start) -> Command:
        arguments = [
            *(str(python), "-m", "uvicorn", "forest_app:app"),
            *("--app-dir", str(environments.PEERS), "--workers", str(start.workers)),
            *("--host", "127.0.0.1", "--port", str(start.port)),
        ]
        return Command(arguments, {"F1PA_BENCHMARK_FOREST": str(fitted / "forest.joblib")})

    asked = pd.read_csv(fitted / "asked.csv").astype(dict.fromkeys(WHOLE_NUMBERS, "int64"))
    bodies = [json.dumps({"features": features}).encode() for features in asked.to_dict("records")]
    expected = json.loads((fitted / "answers.json").read_text())
    return Contender(
        "forest",
        "scikit-learn forest behind FastAPI",
        command,
        "/health",
        [Load("a lap's 14 features", "/predict/lap", bodies, seconds, expected)],
        environments.versions(python, ["scikit-learn", "fastapi", "uvicorn", "pandas"]),
    )


def _fitted(folder: Path, python: Path) -> Path:
    """The folder of the forest, what it is asked, and its answers. Takes a minute, once."""
    made = folder / f"forest-{fingerprint()}"
    if not made.exists():
        for old in folder.glob("forest-*"):
            shutil.rmtree(old)
        partial = folder / "partial-forest"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        laps = _laps()
        laps.to_csv(partial / "laps.csv", index=False)
        laps.sample(LAPS, random_state=1)[list(FEATURES)].to_csv(partial / "asked.csv", index=False)
        names = ("laps.csv", "asked.csv", "forest.joblib", "answers.json")
        files = [str(partial / name) for name in names]
        environments.run(python, str(environments.PEERS / "fit_forest.py"), *files)
        partial.rename(made)
    return made


def _laps() -> pd.DataFrame:
    """Three simulated seasons as the original saw them: laps with all its features."""
    laps = prepared(simulate())
    values = pd.DataFrame(original.features(laps, laps), columns=list(FEATURES))
    values[TARGET] = laps[TARGET].to_numpy(dtype="float64", na_value=np.nan)
    return values.dropna()
