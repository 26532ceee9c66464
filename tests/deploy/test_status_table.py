"""What `make status` says of the service's figures and alerts."""

import pytest

from deploy.embedded.status_table import summary
from f1pa_api.figures import FeatureDrift, Figures
from f1pa_api.prometheus import Alert

ALERT = Alert("ApiDown", "critical", "The API doesn't answer", "", "2026-05-01T12:00:00Z")


def test_figures_and_alerts_are_lines() -> None:
    figures = Figures(
        alerts=(ALERT,),
        now={"predictions_per_second": 1234.5, "error_ratio": 0.051, "p95_seconds": 0.00475},
        drift=(
            FeatureDrift("temp", "psi", 0.4, 0.1),
            FeatureDrift("temp", "wasserstein", 0.2, 0.1),
            FeatureDrift("pres", "psi", 0.05, 0.1),
        ),
    )
    first, second = summary(figures)
    assert first.startswith("predictions 1.23 k/s; errors 5.1 %; 95 % within 4.75 ms;")
    assert first.endswith("live error not known; drifted: temp")
    assert second == "critical: ApiDown: The API doesn't answer"


@pytest.mark.parametrize(
    ("drift", "said"), [((), "not known"), ((FeatureDrift("pres", "psi", 0.05, 0.1),), "none")]
)
def test_no_drift_is_not_the_same_as_not_knowing(
    drift: tuple[FeatureDrift, ...], said: str
) -> None:
    first, second = summary(Figures(drift=drift))
    assert first.endswith(f"drifted: {said}")
    assert second == "no alert fires"


def test_what_is_not_known_is_said() -> None:
    [line] = summary(Figures(problem="no answer from Prometheus at http://127.0.0.1:9090"))
    assert line.endswith("not known: no answer from Prometheus at http://127.0.0.1:9090")
