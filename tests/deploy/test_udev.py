# SPDX-License-Identifier: Apache-2.0
"""This is where udev itself reads our rules and is shown devices, in a mount namespace where no other rules are.

`udevadm test` changes nothing of a device; what it notes down lands in a folder that goes with the namespace.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.deploy.tools import DEPLOY, run, tool
from tests.support.footage import missing

RULES = DEPLOY / "dock" / "61-evidock.rules"
CAMERA = {
    "ID_BUS": "usb",
    "ID_FS_USAGE": "filesystem",
    "ID_FS_TYPE": "vfat",
    "ID_VENDOR_ID": "4255",
    "ID_MODEL_ID": "1000",
}
ALONE = """
set -eu
mount --make-rprivate /
mkdir -p /run/udev /etc/udev/rules.d
mount -t tmpfs none /run/udev
for folder in /usr/lib/udev/rules.d /lib/udev/rules.d /etc/udev/rules.d; do
    if [ -d "$folder" ]; then mount -t tmpfs none "$folder"; fi
done
mount --bind /dev /dev
mount -o remount,ro,bind /dev
mkdir -p /run/udev/rules.d
cp "$1"/* /run/udev/rules.d/
exec "$2" test --action="$3" "$4"
"""


@pytest.fixture
def device() -> Path:
    """Any block device: what it is told to be is what counts."""
    found = sorted(Path("/sys/class/block").glob("*"))
    if os.geteuid() != 0 or not found:
        missing("root and a block device", remedy="run as root on a machine with a disk")
    return found[0]


def shown(device: Path, told: Mapping[str, str], folder: Path, *, action: str = "add") -> dict[str, str]:
    """The properties that udev gives a device that is told to be so."""
    rules = folder / "rules"
    rules.mkdir(exist_ok=True)
    lines = "".join(f'ENV{{{name}}}="{value}"\n' for name, value in told.items())
    # As if by 60-persistent-storage.rules, which blkid and the bus would have told the same.
    (rules / "60-persistent-storage.rules").write_text(lines, "utf-8")
    (rules / RULES.name).write_text(RULES.read_text("utf-8"), "utf-8")
    udevadm = tool("udevadm", remedy="run: .venv/bin/python -m deploy.lint")
    done = run("unshare", "--mount", "sh", "-c", ALONE, "sh", rules, udevadm, action, device)
    assert done.returncode == 0, done.stderr
    # udev names file and line of what it cannot read, and of a link that it makes.
    refused = [line for line in done.stderr.splitlines() if f"rules.d/{RULES.name}:" in line and " LINK " not in line]
    assert not refused
    assert f"rules.d/{RULES.name}" in done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def test_a_body_cameras_card_wants_its_mount(device: Path, tmp_path: Path) -> None:
    found = shown(device, CAMERA, tmp_path)
    assert found["SYSTEMD_WANTS"] == f"evidock-port@{device.name}.service"
    assert found["DOCK_PORT"] == device.name
    assert f"/dev/evidock/{device.name}" in found["DEVLINKS"].split()
    assert ":systemd:" in found["TAGS"]
    assert found["UDISKS_IGNORE"] == "1"


def test_a_socket_that_has_a_number_gives_it_to_its_port(device: Path, tmp_path: Path) -> None:
    found = shown(device, CAMERA | {"DOCK_PORT": "7"}, tmp_path)
    assert found["SYSTEMD_WANTS"] == "evidock-port@7.service"
    assert "/dev/evidock/7" in found["DEVLINKS"].split()


@pytest.mark.parametrize(
    "other",
    [
        {"ID_BUS": "ata"},
        {"ID_BUS": "scsi"},
        {"ID_FS_TYPE": "ext4"},
        {"ID_FS_TYPE": "ntfs"},
        {"ID_FS_TYPE": "iso9660"},
        {"ID_FS_USAGE": "crypto"},
        {"ID_FS_USAGE": ""},
        {"ID_VENDOR_ID": "0781"},
        {"ID_MODEL_ID": "5567"},
    ],
    ids=lambda other: "-".join(*other.items()),
)
def test_whatever_else_is_plugged_in_is_left_alone(other: dict[str, str], device: Path, tmp_path: Path) -> None:
    found = shown(device, CAMERA | other, tmp_path)
    assert "SYSTEMD_WANTS" not in found
    assert "UDISKS_IGNORE" not in found


def test_a_card_that_is_pulled_out_wants_nothing(device: Path, tmp_path: Path) -> None:
    assert "SYSTEMD_WANTS" not in shown(device, CAMERA, tmp_path, action="remove")


def test_a_card_that_is_put_into_its_reader_is_seen(device: Path, tmp_path: Path) -> None:
    assert "SYSTEMD_WANTS" in shown(device, CAMERA, tmp_path, action="change")


def test_the_rules_come_after_those_that_tell_what_a_device_is() -> None:
    assert "60-persistent-storage.rules" < RULES.name < "80-udisks2.rules" < "99-systemd.rules"


def test_udev_runs_no_program_of_ours() -> None:
    words = [line for line in RULES.read_text("utf-8").splitlines() if not line.startswith("#")]
    assert not [line for line in words if "RUN" in line or "PROGRAM" in line or "IMPORT" in line]
