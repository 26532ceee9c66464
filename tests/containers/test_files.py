"""compose.yaml, the Dockerfile and the locks, as they are written."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.embedded.settings import CHECKOUT

DOCKER = CHECKOUT / "deploy" / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
LOCKS = sorted((DOCKER / "locks").glob("*.lock"))
ONE_SHOT = {"bootstrap"}
# Of the image; what has no port and no question that it answers has none.
WITHOUT_CHECK = {"drift"}


def pinned(lock: Path) -> dict[str, set[str]]:
    """Hashes by `name==version`, without the extras that a package was asked with."""
    entries = re.split(r"\n(?=\S)", lock.read_text())
    return {
        re.sub(r"\[.*?\]", "", entry.split()[0]): set(re.findall(r"--hash=(\S+)", entry))
        for entry in entries
        if "==" in entry
    }


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_an_image_has_the_versions_that_are_tested(lock: Path) -> None:
    tested = pinned(CHECKOUT / "requirements.lock")
    assert pinned(lock)
    for package, hashes in pinned(lock).items():
        assert hashes == tested[package], package


def instructions() -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE))
    return [
        (word, rest)
        for word, _, rest in (line.partition(" ") for line in joined.split("\n"))
        if word
    ]


def test_every_base_image_is_chosen_by_the_argument_or_made_here() -> None:
    made = {re.split(r" AS ", rest)[1] for word, rest in instructions() if word == "FROM"}
    for word, rest in instructions():
        if word == "FROM":
            assert rest.split(" AS ")[0] in {"${PYTHON_IMAGE}", *made}


def test_packages_are_installed_by_their_hashes_and_leave_no_lists() -> None:
    for word, rest in instructions():
        if word == "RUN" and "pip install" in rest:
            for command in rest.split("&&"):
                if "-r /build" in command:
                    assert "--require-hashes" in command
        if word == "RUN" and "apt-get install" in rest:
            assert "--no-install-recommends" in rest
            assert "rm -rf /var/lib/apt/lists" in rest or "gcc" in rest


def test_no_instruction_is_one_that_reviewers_ask_to_replace() -> None:
    words = [word for word, _ in instructions()]
    assert "ADD" not in words
    assert "MAINTAINER" not in words
    assert not DOCKERFILE.startswith("# syntax")
    for word, rest in instructions():
        assert "sudo" not in rest.split()
        assert ":latest" not in rest
        if word in {"CMD", "ENTRYPOINT"}:
            assert rest.startswith("["), rest
        if word == "WORKDIR":
            assert rest.startswith("/"), rest


def test_the_last_user_of_each_image_is_not_root() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    finals = {stage.split(" AS ")[1].split("\n")[0]: stage for stage in stages if " AS " in stage}
    for name in ("api", "exporter", "jobs", "mlflow"):
        assert re.findall(r"^USER (.*)$", finals[name], re.MULTILINE) == ["10001:10001"], name


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_limited_and_starts_again(name: str) -> None:
    service = SERVICES[name]
    assert service["container_name"] == f"f1pa_{name}"
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_a_check(name: str) -> None:
    if name in ONE_SHOT | WITHOUT_CHECK:
        return
    image = SERVICES[name]["image"]
    assert "healthcheck" in SERVICES[name] or image.startswith("f1pa-")


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_names_its_version(name: str) -> None:
    image = SERVICES[name]["image"]
    default = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", image)
    assert re.fullmatch(r"[\w./-]+:v?\d[\w.]*", default), image


def test_ports_are_open_on_this_machine_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert all(port.startswith("${F1PA_BIND:-127.0.0.1}:") for port in ports)
    assert {int(port.rpartition(":")[2]) for port in ports} == {8000, 9090, 3000, 5000, 9093}


def test_no_secret_is_written_into_the_stack() -> None:
    for file in (CHECKOUT / "compose.yaml", *DOCKER.rglob("*")):
        if file.is_file() and "demo-secrets" not in file.parts and "__pycache__" not in file.parts:
            text = file.read_text()
            assert not re.search(r"://\w+:[^@\s$]+@", text), file
            for line in text.splitlines():
                value = re.search(r"(?:PASSWORD|TOKEN)(?!__?FILE)\s*[:=](?!')\s*(.+)", line)
                assert not value or re.match("[$]", value[1]), f"{file}: {line}"


def test_the_demo_has_every_secret_and_own_ones_are_made_once(tmp_path: Path) -> None:
    files = {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    assert {path.name for path in (DOCKER / "demo-secrets").iterdir()} == files
    folder = tmp_path / "secrets"
    for _ in range(2):
        done = subprocess.run(
            [str(DOCKER / "make-secrets.sh"), str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        made = {path.name: path.read_text() for path in folder.iterdir()}
        assert made.keys() == files
    assert len(set(made.values())) == len(files)
    assert min(map(len, made.values())) >= 32
    assert folder.stat().st_mode & 0o077 == 0
    again = {path.name: path.read_text() for path in folder.iterdir()}
    assert again == made
