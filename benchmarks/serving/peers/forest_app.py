"""The original's set-up: a forest of scikit-learn behind FastAPI, a data frame per request."""

import os

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
_forest = joblib.load(os.environ["F1PA_BENCHMARK_FOREST"])


class LapFeatures(BaseModel):
    year: int
    circuit_key: int
    driver_number: int
    lap_number: int
    st_speed: float
    i1_speed: float
    i2_speed: float
    air_temperature: float
    humidity: float
    pressure: float
    circuit_average: float
    average_speed: float
    progress: float
    driver_score: float


class LapRequest(BaseModel):
    features: LapFeatures


class LapAnswer(BaseModel):
    lap_duration_seconds: float


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "healthy"}


@app.post("/predict/lap")
async def predict_lap(request: LapRequest) -> LapAnswer:
    frame = pd.DataFrame([request.features.model_dump()])
    return LapAnswer(lap_duration_seconds=float(_forest.predict(frame)[0]))
