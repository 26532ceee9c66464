"""The exporter describes itself under its own prefix."""

import os
import platform
from importlib import metadata

from exporter.collectors.process import OwnProcessCollector


def test_every_name_has_the_exporters_prefix() -> None:
    names = [family.name for family in OwnProcessCollector("0a1b2c").collect().families]
    assert "f1pa_exporter_process_resident_memory_bytes" in names
    assert [name for name in names if not name.startswith("f1pa_exporter_")] == []


def test_the_figures_are_of_this_process() -> None:
    families = {family.name: family for family in OwnProcessCollector("0a1b2c").collect().families}
    used = families["f1pa_exporter_process_cpu_seconds"].samples[0].value
    times = os.times()
    assert 0 < used <= times.user + times.system + 0.02


def test_the_build_is_named() -> None:
    [build] = OwnProcessCollector("0a1b2c").unknown(0.0)
    assert build.samples[0].labels == {
        "version": metadata.version("f1pa"),
        "revision": "0a1b2c",
        "python": platform.python_version(),
    }
    assert build.samples[0].value == 1
