"""A copy of the monitoring configuration whose alerts take seconds instead of minutes."""

import re
import shutil
from pathlib import Path
from typing import Any

import yaml

from deploy.embedded.settings import CHECKOUT

SHORT_FOR = "15s"
# Six scrapes: a rate needs some of them.
SHORT_WINDOW = "[1m]"


def shortened(folder: Path, true_to_duration: set[str]) -> Path:
    """Write the copy into `folder`. The alerts of `true_to_duration` are left as they are; no
    threshold is touched."""
    shutil.copytree(CHECKOUT / "prometheus", folder)
    for file in folder.glob("*.yml"):
        content: dict[str, Any] = yaml.safe_load(file.read_text())
        if "groups" not in content:
            continue
        for rule in (rule for group in content["groups"] for rule in group["rules"]):
            # What is recorded has its window in its name.
            if "alert" in rule and rule["alert"] not in true_to_duration:
                _shorten(rule)
        file.write_text(yaml.safe_dump(content, sort_keys=False, width=1000))
    return folder


def _shorten(rule: dict[str, Any]) -> None:
    rule["expr"] = re.sub(r"\[(5|10|15)m\]", SHORT_WINDOW, str(rule["expr"]))
    if "for" in rule:
        rule["for"] = SHORT_FOR
    rule.pop("keep_firing_for", None)
