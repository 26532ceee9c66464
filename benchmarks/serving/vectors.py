"""The cold model's own question, for servers of boosters: features in, a ratio out."""

import json
from collections.abc import Callable
from typing import Any

from benchmarks.serving.contenders import Load
from benchmarks.serving.questions import Questions
from f1pa_api.features.intervals import DEFAULT_LEVEL

VECTORS = 200


def load(
    questions: Questions,
    path: str,
    request: Callable[[list[float]], object],
    value: Callable[[Any], float],
) -> Load:
    """`request` is the JSON that carries a vector, `value` finds the ratio in an answer's."""
    rows = questions.rows(VECTORS)
    scores = questions.model.contexts["cold"].score(rows, DEFAULT_LEVEL)
    return Load(
        "a vector of features",
        path,
        [json.dumps(request([float(value) for value in row.values])).encode() for row in rows],
        lambda answer: float(value(json.loads(answer))),
        [ratios.point for ratios in scores],
    )
