"""What is in the images, and what isn't."""

import json
from typing import Any

import pytest

from tests.containers.conftest import ComposeStack

pytestmark = [
    pytest.mark.xdist_group("containers"),
    pytest.mark.timeout(1500),
    pytest.mark.slow,
    pytest.mark.container,
]

IMAGES = ("api", "exporter", "jobs", "mlflow")
MEGABYTE = 1_000_000
LARGEST = {"api": 250 * MEGABYTE, "exporter": 180 * MEGABYTE}
ABSENT = {
    "api": ["mlflow", "pandas", "numpy", "scipy", "evidently", "sklearn", "pip"],
    "exporter": ["mlflow", "pandas", "numpy", "flask", "gunicorn", "lightgbm", "pip"],
    "jobs": ["flask_swagger_ui", "pytest", "pip"],
    "mlflow": ["evidently", "lightgbm", "psycopg", "pytest", "pip"],
}


def image(built: ComposeStack, name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(built.docker("image", "inspect", f"f1pa-{name}:0.1.0"))
    return found[0]


def inside(built: ComposeStack, name: str, *command: str) -> str:
    return built.docker("run", "--rm", "--network", "none", f"f1pa-{name}:0.1.0", *command)


def test_compose_finds_nothing_to_say_about_the_file(built: ComposeStack) -> None:
    for profile in ("", "grafana"):
        done = built.run("docker", "compose", "--profile", profile, "config", "--quiet")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", LARGEST)
def test_what_answers_people_is_small(built: ComposeStack, name: str) -> None:
    size = image(built, name)["Size"]
    print(f"f1pa-{name}: {size / MEGABYTE:.0f} MB")  # noqa: T201 - a figure
    assert size < LARGEST[name]


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_tells_what_it_is_and_whose_processes_it_starts(
    built: ComposeStack, name: str
) -> None:
    config = image(built, name)["Config"]
    assert config["User"] == "10001:10001"
    assert config["Labels"]["org.opencontainers.image.title"] == "F1PA"
    assert config["Labels"]["org.opencontainers.image.version"] == "0.1.0"
    assert ("Healthcheck" in config) == (name != "jobs")


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_has_only_its_own_packages(built: ComposeStack, name: str) -> None:
    look = "import importlib.util as u, sys; print([n for n in sys.argv[1:] if u.find_spec(n)])"
    assert inside(built, name, "python", "-c", look, *ABSENT[name]).strip() == "[]"


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_has_no_compiler_and_no_cache(built: ComposeStack, name: str) -> None:
    look = "command -v gcc cc make; ls /root/.cache /var/lib/apt/lists /build 2>/dev/null; true"
    assert inside(built, name, "sh", "-c", look).strip() in {"", "/var/lib/apt/lists:"}


def test_a_secret_that_is_empty_is_named(built: ComposeStack) -> None:
    done = built.run(
        "docker", "run", "--rm", "--network", "none", "--tmpfs", "/run/secrets:mode=777",
        "--entrypoint", "sh", "f1pa-exporter:0.1.0", "-c",
        "touch /run/secrets/PGPASSWORD; with-secrets true",
    )  # fmt: skip
    assert done.returncode != 0
    assert done.stderr.strip() == "the secret /run/secrets/PGPASSWORD is empty"
