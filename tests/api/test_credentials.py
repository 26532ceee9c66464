"""The users of a file: which lines are taken, and what a change of the file does."""

import logging
from pathlib import Path

import pytest

from f1pa_api.credentials import UserFile, UserFileError, read

# Of "pit wall", "undercut" and "sector 3", as cheap as can be. 2y is what htpasswd writes.
PIT_WALL = "$2b$04$W0uATkcR26X9bsToS/7Cr.dh6O.xbatn48E5HVGZCpzekc3YFZoIm"
UNDERCUT = "$2y$04$SSK/DY.NuY8mEQpwRyOndeomdJFX5ng4jcwbqBU1Qd3tjYQw8bRN."
SECTOR_3 = (
    "$argon2id$v=19$m=8,t=1,p=1$KTeli6i0SEyVrgZMvhb6xw$0KMLBid7AlZlFwk+baDnyCne82cEiQTNhxT/mLhZ+Og"
)
SECTOR_1 = "$2b$04$roJHCoexEORgaSBjoe6AM.Oc9lU/AZFncpFhUgtcNBA71jNtOEGbe"
X_72_TIMES = "$2b$04$A1FxPni9iPvjtDfh6NWjR.IOtfufiRYRHXj3cXJliHlevvBrsp1N2"
ENGINEER = f"engineer:{PIT_WALL}\n"
STRATEGIST = f"strategist:{UNDERCUT}\n"
ANALYST = f"analyst:{SECTOR_3}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "users"
    file.write_text(f"# The race desk\n{ENGINEER}\n  {STRATEGIST}{ANALYST.strip()}\r\n")
    return file


@pytest.mark.parametrize(
    ("user", "password", "fits"),
    [
        ("engineer", "pit wall", True),
        ("strategist", "undercut", True),
        ("analyst", "sector 3", True),
        ("engineer", "undercut", False),
        ("analyst", "pit wall", False),
        ("analyst", "", False),
    ],
)
def test_each_user_has_a_password(file: Path, user: str, password: str, fits: bool) -> None:
    assert read(file)[user].fits(password.encode()) is fits


def test_bcrypt_looks_at_72_bytes_as_htpasswd_does(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text(f"engineer:{X_72_TIMES}\n")
    stored = read(file)["engineer"]
    assert stored.fits(b"x" * 8000)
    assert not stored.fits(b"x" * 71)


def test_a_damaged_argon2_hash_fits_nothing(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text(ANALYST[:-2])
    assert not read(file)["analyst"].fits(b"sector 3")


@pytest.mark.parametrize(
    "line",
    [
        "engineer:pit wall",
        "engineer:$apr1$zI2fG1Yo$PHGbYnWTIBZUYOVyMVUqr0",
        "engineer:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "engineer:$6$saltsalt$abcdefghijklmnop",
        "engineer:" + PIT_WALL.replace("2b", "2a"),
        "engineer:" + PIT_WALL.replace("2b", "2x"),
        "engineer:" + PIT_WALL.replace("$04$", "$15$"),
        "engineer:" + PIT_WALL[:-1],
        "engineer:" + PIT_WALL + ":the desk",
        "engineer:$2b$04$" + "a" * 53,
        "engineer:" + SECTOR_3.replace("argon2id", "argon2i"),
        "engineer:" + SECTOR_3.replace("m=8,", "m=99999999,"),
        "engineer:" + SECTOR_3[:-30],
        "engineer:",
        "engineer",
        ":" + PIT_WALL,
        STRATEGIST.strip(),
    ],
)
def test_another_line_is_refused_by_file_and_number_without_what_it_says(
    tmp_path: Path, line: str
) -> None:
    file = tmp_path / "users"
    file.write_text(f"{STRATEGIST}\n{line}\n")
    with pytest.raises(UserFileError) as raised:
        read(file)
    message = str(raised.value)
    assert message.startswith(f"{file}, line 3: ")
    secret = line.partition(":")[2] or line
    assert secret not in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "has no user"),
        (b"# nobody\n\n", "has no user"),
        (b"\xff\xfe", "is not text in UTF-8"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_without_a_user_is_refused(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "users"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserFileError) as raised:
        read(file)
    assert str(raised.value) == f"{file}: {reason}"


def test_a_changed_file_is_read_again_and_proofs_stay_with_unchanged_passwords(file: Path) -> None:
    users = UserFile(file, look_seconds=0)
    before = users.current()
    for user in ("engineer", "strategist", "analyst"):
        before.verify(user.encode(), user)
        before.admit(user.encode(), "127.0.0.1")
    file.write_text(f"{ENGINEER}analyst:{SECTOR_1}\nboss:{PIT_WALL}\n")
    now = users.current()
    assert set(now.passwords) == {"engineer", "analyst", "boss"}
    assert now.passwords["analyst"].fits(b"sector 1")
    assert now.verified == {b"engineer": "engineer"}
    assert list(now.admitted) == [(b"engineer", "127.0.0.1")]


def test_a_file_that_takes_its_place_is_read(file: Path, tmp_path: Path) -> None:
    users = UserFile(file, look_seconds=0)
    other = tmp_path / "other"
    other.write_text(STRATEGIST)
    other.replace(file)
    assert set(users.current().passwords) == {"strategist"}


def test_what_did_not_change_is_not_read_again(file: Path) -> None:
    users = UserFile(file, look_seconds=0)
    assert users.current() is users.current()


def test_a_look_at_the_file_is_enough_for_a_while(file: Path) -> None:
    users = UserFile(file, look_seconds=60)
    file.write_text(STRATEGIST)
    assert set(users.current().passwords) == {"engineer", "strategist", "analyst"}


def test_a_broken_file_leaves_the_users_and_one_line(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    users = UserFile(file, look_seconds=0)
    before = users.current()
    file.write_text(f"{ENGINEER}strategist:undercut\n")
    for _ in range(3):
        assert users.current() is before
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    reason = "the hash must be bcrypt ($2b$ or $2y$, cost 4 to 14) or argon2id"
    assert record.getMessage() == f"the users stay as they are: {file}, line 2: {reason}"
    file.unlink()
    for _ in range(3):
        assert users.current() is before
    assert len(caplog.records) == 2
    file.write_text(STRATEGIST)
    assert set(users.current().passwords) == {"strategist"}


def test_a_file_that_is_broken_from_the_start_lets_nobody_in_until_it_is_mended(
    tmp_path: Path,
) -> None:
    users = UserFile(tmp_path / "users", look_seconds=0)
    assert users.current().passwords == {}
    (tmp_path / "users").write_text(ENGINEER)
    assert set(users.current().passwords) == {"engineer"}
