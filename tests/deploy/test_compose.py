# SPDX-License-Identifier: Apache-2.0
"""This is where the compose file is read by Compose, and its secrets are made and read as a process would."""

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import load_settings
from tests.deploy.tools import DEPLOY, must_be_quiet, own_tool, run, tool

COMPOSE = DEPLOY / "compose"
OURS = ("bucket", "tables", "worker", "watcher", "serve")


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A folder that `secrets.sh` has filled."""
    folder = tmp_path / "secrets"
    done = run(COMPOSE / "secrets.sh", folder)
    assert done.returncode == 0, done.stderr
    return folder


def services() -> dict[str, Any]:
    """The services as the file has them, its anchors followed."""
    found: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text("utf-8"))["services"]
    return found


def test_compose_reads_the_file() -> None:
    compose = tool("docker-compose", remedy="apt-get install --no-install-recommends docker-compose")
    told = run(compose, "-f", COMPOSE / "compose.yaml", "config", "--quiet", env={"EVIDOCK_AGENCY": "log.example.org"})
    assert told.returncode == 0, told.stderr


def test_compose_does_not_start_a_log_without_a_name() -> None:
    compose = tool("docker-compose", remedy="apt-get install --no-install-recommends docker-compose")
    told = run(compose, "-f", COMPOSE / "compose.yaml", "config", "--quiet", env={"EVIDOCK_AGENCY": ""})
    assert told.returncode != 0
    assert "cannot be changed later" in told.stderr


def test_shellcheck_has_nothing_to_say() -> None:
    must_be_quiet(own_tool("shellcheck"), *sorted(COMPOSE.glob("*.sh")))


def test_the_secrets_are_settings_that_the_program_reads(secrets: Path, tmp_path: Path) -> None:
    settings = load_settings({"EVIDOCK_CONFIG": str(secrets / "evidock.toml")}, home=tmp_path)
    assert settings.register_url.startswith("postgresql://evidock_service:")
    assert settings.register_url.endswith("@register:5432/evidock")
    assert settings.broker_url.startswith("redis://:")


def test_the_engines_are_given_the_same_passwords(secrets: Path) -> None:
    ours = (secrets / "evidock.toml").read_text("utf-8")
    assert (secrets / "register-service").read_text("utf-8") in ours
    assert (secrets / "broker").read_text("utf-8") in ours
    owner = (secrets / "register-owner").read_text("utf-8")
    assert owner not in ours
    assert (secrets / "register-owner-url").read_text("utf-8") == (
        f"postgresql://evidock_owner:{owner}@register:5432/evidock"
    )
    assert (secrets / "store-password").read_text("utf-8") in (secrets / "s3-credentials").read_text("utf-8")


def test_every_secret_of_the_file_is_made_and_nobody_else_gets_into_their_folder(secrets: Path) -> None:
    wanted = yaml.safe_load((COMPOSE / "compose.yaml").read_text("utf-8"))["secrets"]
    assert {path.name for path in secrets.iterdir()} == set(wanted)
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700


def test_secrets_that_are_in_use_are_never_made_anew(secrets: Path) -> None:
    before = {path: path.read_bytes() for path in secrets.iterdir()}
    assert run(COMPOSE / "secrets.sh", secrets).returncode == 1
    assert {path: path.read_bytes() for path in secrets.iterdir()} == before


def test_no_password_stands_in_the_file_or_in_an_environment() -> None:
    for name, service in services().items():
        environment = service.get("environment", {})
        held = [key for key in environment if "PASSWORD" in key or "SECRET" in key or "OWNER" in key]
        assert all(key.endswith("_FILE") for key in held), name
        assert not {"EVIDOCK_REGISTER_URL", "EVIDOCK_BROKER_URL"} & environment.keys(), name


@pytest.mark.parametrize("name", OURS)
def test_our_processes_are_shut_in(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    # One door, and one process behind it.
    assert ("ports" in service) == (name == "serve")
    assert "privileged" not in service


def test_nobody_outside_reaches_an_engine() -> None:
    engines = {name: service for name, service in services().items() if name not in OURS}
    assert set(engines) == {"register", "broker", "store"}
    assert all(service["networks"] == ["engines"] and "ports" not in service for service in engines.values())


def test_what_our_processes_write_to_is_theirs_in_the_image() -> None:
    image = (DEPLOY / "container" / "Containerfile").read_text("utf-8")
    written = {volume.split(":")[1] for volume in services()["worker"]["volumes"] if not volume.endswith(":ro")}
    assert written == {"/var/lib/evidock", "/var/lib/evidock-keys"}
    # An empty volume takes the owner of the folder that it covers; without one it is root's.
    assert "--home-dir /var/lib/evidock --create-home" in image
    assert "--owner=evidock --group=evidock --mode=0700 /var/lib/evidock-keys" in image


def test_footage_at_a_dock_can_only_be_read() -> None:
    for name in ("worker", "watcher", "serve"):
        docks = [volume for volume in services()[name]["volumes"] if "/srv/docks" in volume]
        assert [volume.rsplit(":", 1)[1] for volume in docks] == ["ro"]


def test_the_register_keeps_what_it_confirmed_and_the_broker_throws_nothing_away() -> None:
    assert "synchronous_commit=on" in services()["register"]["command"]
    told = services()["broker"]["command"][-1]
    assert "--appendonly yes" in told
    assert "--maxmemory-policy noeviction" in told
    assert "requirepass" in told
    assert "--requirepass" not in told


def test_limits_are_said_in_the_one_way_that_old_and_new_compose_take() -> None:
    for name in ("worker", "watcher", "serve"):
        service = services()[name]
        assert service["mem_limit"]
        assert service["pids_limit"]
        assert "resources" not in service.get("deploy", {})


def test_no_image_is_a_moving_tag() -> None:
    images = {service["image"] for service in services().values()}
    assert not [image for image in images if image.endswith(":latest") or ":" not in image]
