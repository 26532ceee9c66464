"""Where Prometheus and Alertmanager come from, in order: PATH, the folder, Debian, the release."""

import gzip
import hashlib
import io
import platform
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.embedded import binaries, debian_packages, releases

NAMES = ("prometheus", "promtool", "alertmanager", "amtool")
WORKING = "#!/bin/sh\necho version 1.0\n"


def write_programs(folder: Path, names: tuple[str, ...] = NAMES, text: str = WORKING) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)


class TruncatingHandler(SimpleHTTPRequestHandler):
    """Announces whole archives and, where a file `<archive>.cut` lies, sends half of one."""

    def copyfile(self, source: io.BytesIO, outputfile: io.BytesIO) -> None:
        content = source.read()
        if Path(self.translate_path(self.path) + ".cut").exists():
            content = content[: len(content) // 2]
        outputfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@pytest.fixture
def release_server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address and folder of a site with both releases and their checksums."""
    site = tmp_path / "site"
    for release in releases.RELEASES:
        archive = release.archive(releases.ARCHITECTURES[platform.machine()])
        folder = site / release.project / "releases/download" / f"v{release.version}"
        folder.mkdir(parents=True)
        with tarfile.open(folder / archive, "w:gz") as tar:
            for program in (*release.programs, "LICENSE"):
                content = (WORKING + f"# {program}\n").encode()
                member = tarfile.TarInfo(f"{archive.removesuffix('.tar.gz')}/{program}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
        checksum = hashlib.sha256((folder / archive).read_bytes()).hexdigest()
        other = "0" * 64 + "  another-platform.tar.gz\n"
        (folder / "sha256sums.txt").write_text(f"{other}{checksum}  {archive}\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(TruncatingHandler, directory=site))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", site
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def bare_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of one empty folder: no Prometheus, and no apt either."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def ignore(line: str) -> None:
    del line


def test_programs_on_path_are_used_and_nothing_is_fetched(bare_path: Path, tmp_path: Path) -> None:
    write_programs(bare_path, ("prometheus", "promtool", "prometheus-alertmanager", "amtool"))
    found = binaries.provide(tmp_path / "tools", "http://127.0.0.1:1", ignore)
    assert found.prometheus == bare_path / "prometheus"
    assert found.alertmanager == bare_path / "prometheus-alertmanager"
    assert not (tmp_path / "tools" / "bin").exists()


def test_an_incomplete_path_is_not_mixed_with_other_sources(
    bare_path: Path, tmp_path: Path
) -> None:
    write_programs(bare_path, ("prometheus",))
    write_programs(tmp_path / "tools" / "bin")
    found = binaries.find(tmp_path / "tools")
    assert found is not None
    assert found.prometheus == tmp_path / "tools" / "bin" / "prometheus"


def test_what_was_fetched_before_is_used_again(bare_path: Path, tmp_path: Path) -> None:
    write_programs(tmp_path / "tools" / "bin")
    found = binaries.provide(tmp_path / "tools", "http://127.0.0.1:1", ignore)
    assert found.promtool == tmp_path / "tools" / "bin" / "promtool"


def test_fetched_programs_that_do_not_run_count_as_missing(bare_path: Path, tmp_path: Path) -> None:
    write_programs(tmp_path / "bin")
    (tmp_path / "bin" / "promtool").write_bytes(b"\x7fELF cut off")
    assert binaries.find(tmp_path) is None


def test_the_release_is_fetched_where_debian_has_nothing(
    bare_path: Path, tmp_path: Path, release_server: tuple[str, Path]
) -> None:
    url, _ = release_server
    found = binaries.provide(tmp_path / "tools", url + "/", ignore)
    for program in NAMES:
        assert (tmp_path / "tools/bin" / program).read_text() == WORKING + f"# {program}\n"
    assert found.alertmanager_directory is None
    assert found.prometheus_options == []


def edit_archive(site: Path, change: Callable[[Path], None]) -> None:
    [archive] = site.glob("prometheus/releases/download/*/*.tar.gz")
    change(archive)


def test_an_archive_with_another_checksum_is_refused(
    tmp_path: Path, release_server: tuple[str, Path]
) -> None:
    url, site = release_server
    # Still a good archive, so that only the checksum can tell.
    edit_archive(
        site, lambda file: file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()), 1))
    )
    with pytest.raises(
        releases.ReleaseError, match=r"has the checksum \w{64}, its publisher says \w{64}$"
    ):
        releases.fetch(tmp_path, url)
    assert not (tmp_path / "bin" / "prometheus").exists()


def test_a_download_that_breaks_off_is_refused_and_leaves_nothing(
    tmp_path: Path, release_server: tuple[str, Path]
) -> None:
    url, site = release_server
    edit_archive(site, lambda file: file.with_name(file.name + ".cut").touch())
    tools = tmp_path / "tools"
    tools.mkdir()
    with pytest.raises(releases.ReleaseError, match=r"prometheus-3\.2\.1.*tar\.gz"):
        releases.fetch(tools, url)
    assert list(tools.iterdir()) == []


def test_an_archive_that_the_publisher_does_not_vouch_for_is_refused(
    tmp_path: Path, release_server: tuple[str, Path]
) -> None:
    url, site = release_server
    edit_archive(site, lambda file: (file.parent / "sha256sums.txt").write_text(""))
    with pytest.raises(releases.ReleaseError, match=r"sha256sums\.txt doesn't name prometheus-"):
        releases.fetch(tmp_path, url)


def test_without_any_source_the_line_says_what_each_answered_and_what_to_do(
    bare_path: Path, tmp_path: Path, release_server: tuple[str, Path]
) -> None:
    url, site = release_server
    shutil.rmtree(site / "prometheus")
    with pytest.raises(binaries.BinariesError) as caught:
        binaries.provide(tmp_path / "tools", url, ignore)
    message = str(caught.value)
    assert "Debian's packages: this machine has no apt-get" in message
    assert "sha256sums.txt answered 404" in message
    assert message.endswith("install them or set F1PA_PROMETHEUS_RELEASES_URL")
    assert "\n" not in message


@pytest.fixture
def debian_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """apt's only source is a local folder with the two packages, laid out like Debian's."""
    if not all(map(shutil.which, ("apt-get", "dpkg-deb", "apt-config"))):
        pytest.skip("this machine has no apt")
    repository = tmp_path / "repository"
    server = f"#!/bin/sh\n# {debian_packages.COMPILED_IN.decode()}/default.tmpl\n"
    build_package(repository, "prometheus", {"prometheus": WORKING, "promtool": WORKING})
    build_package(
        repository,
        "prometheus-alertmanager",
        {"prometheus-alertmanager": server, "amtool": WORKING},
        page="usr/share/prometheus/alertmanager/no-ui/index.html",
    )
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "sources.list").write_text(f"deb [trusted=yes] file:{repository} ./\n")
    configuration = tmp_path / "apt.conf"
    configuration.write_text(
        f'Dir::Etc::sourcelist "{etc}/sources.list";\nDir::Etc::sourceparts "{etc}/none";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(configuration))


def build_package(
    repository: Path, name: str, programs: dict[str, str], page: str | None = None
) -> None:
    tree = repository / "build" / name
    (tree / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: 1.0\nArchitecture: all\n"
    control += "Maintainer: Nobody <nobody@example.org>\nDescription: a test\n"
    (tree / "DEBIAN" / "control").write_text(control)
    for program, text in programs.items():
        write_programs(tree / "usr/bin", (program,), text)
    if page:
        (tree / page).parent.mkdir(parents=True)
        (tree / page).write_text("<html>")
    package = repository / f"{name}_1.0_all.deb"
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", tree, package],
        check=True,
        capture_output=True,
    )
    entry = f"Filename: ./{package.name}\nSize: {package.stat().st_size}\n"
    entry += f"SHA256: {hashlib.sha256(package.read_bytes()).hexdigest()}\n"
    with (repository / "Packages").open("a") as index:
        index.write(control + entry + "\n")


@pytest.mark.usefixtures("debian_source")
def test_debian_packages_are_only_unpacked(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    debian_packages.fetch(tools)
    assert {program.name for program in (tools / "bin").iterdir()} == set(NAMES)
    # The folder that is compiled in is looked for in the working directory instead.
    [_, line] = (tools / "bin" / "alertmanager").read_text().splitlines()
    assert tools / line.removeprefix("# ") == tools / "share/prometheus/alertmanager/default.tmpl"
    # Nothing of apt's own stays behind.
    assert {entry.name for entry in tools.iterdir()} == {"bin", "share"}


@pytest.mark.usefixtures("debian_source")
def test_a_package_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "repository" / "prometheus_1.0_all.deb").open("ab") as package:
        package.write(b"more")
    with pytest.raises(debian_packages.PackagesError, match=r"^E: "):
        debian_packages.fetch(tmp_path)
    assert not (tmp_path / "bin").exists()
