# SPDX-License-Identifier: Apache-2.0
"""This is where every file of `deploy/` is held to the settings and commands that exist."""

import re
import sys
from pathlib import Path

import yaml

from app.cli.register import OWNER
from app.settings import SETTINGS
from tests.deploy.tools import DEPLOY, must_be_quiet, own_tool
from tests.unit.test_docs import every_command

NOT_OURS = {"bootstrap", "__pycache__", "secrets", "docks"}
YAML = [
    DEPLOY / "compose" / "compose.yaml",
    DEPLOY / "prometheus",
    *sorted((DEPLOY / "helm" / "evidock").glob("*.yaml")),
]


def files() -> list[Path]:
    """What is there to deploy, and its page."""
    every = [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()]
    return [path for path in every if not NOT_OURS & set(path.relative_to(DEPLOY).parts)]


def commands() -> set[str]:
    """Every command, as it is typed."""
    return {name for name, _ in every_command()}


def test_yamllint_has_nothing_to_say() -> None:
    must_be_quiet(sys.executable, "-m", "yamllint", "--strict", "-c", DEPLOY / "lint" / "yamllint.yaml", *YAML)


def test_every_setting_that_is_set_is_one() -> None:
    known = {setting.variable for setting in SETTINGS.values()} | {"EVIDOCK_CONFIG", "EVIDOCK_LANG", OWNER}
    told = {word: path.name for path in files() for word in re.findall(r"EVIDOCK_[A-Z_]+", path.read_text("utf-8"))}
    assert not {word: name for word, name in told.items() if word not in known and not word.endswith("_")}


def test_every_command_that_a_unit_starts_exists() -> None:
    units = [*(DEPLOY / "systemd").glob("*.service"), *(DEPLOY / "dock").glob("*.service")]
    text = "\n".join(path.read_text("utf-8") for path in units)
    started = re.findall(r"/opt/evidock/bin/evidock (\w+)", text)
    assert sorted(started) == ["backup", "dock", "restore", "serve", "verify", "watch", "worker"]
    assert set(started) <= {name.split()[0] for name in commands()}


def test_every_command_that_a_container_starts_exists() -> None:
    services = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text("utf-8"))["services"]
    typed = [services[name]["command"] for name in ("worker", "watcher", "serve")]
    typed.append(services["tables"]["entrypoint"][-1].partition("exec evidock ")[2].split())
    chart = "\n".join(path.read_text("utf-8") for path in (DEPLOY / "helm" / "evidock" / "templates").glob("*.yaml"))
    typed += [line.split(", ") for line in re.findall(r"args: \[(\w.*?)\]$", chart, re.MULTILINE)]
    assert len(typed) == 11
    assert not [words for words in typed if words[0] not in commands() and " ".join(words[:2]) not in commands()]


def test_every_file_says_what_it_is_where() -> None:
    plain = {".gitignore", "tools.in", "tools.txt", "values.schema.json"}
    told = [path for path in files() if path.suffix != ".md" and path.name not in plain]
    assert not [path.name for path in told if "This is where" not in path.read_text("utf-8")[:400]]


def test_the_python_of_the_linters_is_not_ours() -> None:
    assert not own_tool("python").startswith(sys.prefix)
