"""The booster behind BentoML."""

import os

import bentoml
import lightgbm
import numpy as np


@bentoml.service(workers=int(os.environ["F1PA_BENCHMARK_WORKERS"]))
class Lap:
    def __init__(self) -> None:
        self._booster = lightgbm.Booster(model_file=os.environ["F1PA_BENCHMARK_MODEL"])

    @bentoml.api  # type: ignore[untyped-decorator]  # not installed beside F1PA
    def predict(self, features: np.ndarray) -> np.ndarray:
        return np.asarray(self._booster.predict(features))
