# SPDX-License-Identifier: Apache-2.0
"""This is where systemd's own tools read the units, and make the account and folders that they need."""

import configparser
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.deploy.tools import DEPLOY, run, tool
from tests.support.footage import missing
from tests.support.servers import until

SYSTEMD = DEPLOY / "systemd"
DOCK = DEPLOY / "dock"
UNITS = sorted(
    [*SYSTEMD.glob("*.service"), *SYSTEMD.glob("*.timer"), *SYSTEMD.glob("*.target"), *DOCK.glob("*.service")]
)
REMEDY = "apt-get install systemd"
# As `systemd-analyze security` counts: 0 is shut, 10 is open. A worker makes namespaces for its media programs.
EXPOSED = {
    "evidock-worker@.service": 3.2,
    "evidock-watch@.service": 1.8,
    "evidock-serve.service": 1.8,
    "evidock-agent.service": 1.8,
    "evidock-port@.service": 1.9,
    # Only root remounts; it runs one program for a moment.
    "evidock-writable@.service": 3.4,
    "evidock-verify.service": 1.8,
    "evidock-backup.service": 1.8,
    "evidock-drill.service": 1.8,
}


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units, with a program in them that is here."""
    for path in UNITS:
        text = path.read_text("utf-8").replace("/opt/evidock/bin/evidock", "/bin/true")
        (tmp_path / path.name).write_text(text, "utf-8")
    return tmp_path


def instance(path: Path) -> str:
    """The name a unit is started by."""
    return path.name.replace("@.", "@sdb1.")


def unit_file(name: str) -> Path:
    """Where a unit is."""
    return next(path for path in UNITS if path.name == name)


def unit(name: str) -> dict[str, str]:
    """Settings of a unit, the last of each name."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(unit_file(name), encoding="utf-8")
    return {key: value for section in parser.sections() for key, value in parser[section].items()}


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_takes_the_unit_without_a_word(path: Path, units: Path) -> None:
    analyze = tool("systemd-analyze", remedy=REMEDY)
    done = run(analyze, "verify", "--man=no", instance(path), env={"SYSTEMD_UNIT_PATH": f"{units}:"})
    assert done.returncode == 0, done.stderr
    assert not [line for line in done.stderr.splitlines() if "evidock" in line]


@pytest.mark.parametrize("name", EXPOSED)
def test_a_unit_is_no_more_exposed_than_it_was(name: str) -> None:
    analyze = tool("systemd-analyze", remedy=REMEDY)
    limit = str(round(EXPOSED[name] * 10))
    done = run(analyze, "security", "--offline=yes", f"--threshold={limit}", "--no-pager", unit_file(name))
    assert done.returncode == 0, done.stdout[-200:]


def test_every_service_is_judged() -> None:
    assert {path.name for path in UNITS if path.suffix == ".service"} == set(EXPOSED)


def test_the_account_and_the_folders_are_made(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for program, words in (("systemd-sysusers", []), ("systemd-tmpfiles", ["--create"])):
        conf = SYSTEMD / f"evidock.{program.removeprefix('systemd-')}"
        path = tool(program, remedy=REMEDY)
        done = run(path, *words, f"--root={tmp_path}", conf)
        if "Operation not permitted" in done.stderr or "Permission denied" in done.stderr:
            missing("root", remedy="folders of another account are made by root alone")
        assert done.returncode == 0, done.stderr
    account = next(line for line in (tmp_path / "etc/passwd").read_text("utf-8").splitlines() if "evidock" in line)
    docks = tmp_path / "run" / "evidock" / "ports"
    assert account.split(":")[5:] == ["/var/lib/evidock", "/usr/sbin/nologin"]
    assert docks.stat().st_gid == int(account.split(":")[3])
    assert docks.stat().st_mode & 0o777 == 0o750


def typed(name: str, folder: Path) -> list[str]:
    """The words that a unit's shell would start our program with, as that shell makes them."""
    text = (SYSTEMD / name).read_text("utf-8")
    script = re.search(r"^ExecStart=/bin/sh -euc '(.*)'$", text, re.MULTILINE)
    assert script
    shell = script[1].replace("$$", "$").replace("%%", "%").replace("exec /opt/evidock/bin/evidock", "printf '%s\\n'")
    done = run("sh", "-euc", shell, env={"KEPT": str(folder)})
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_each_backup_has_a_name_of_its_own_and_the_newest_is_tried(tmp_path: Path) -> None:
    *words, made = typed("evidock-backup.service", tmp_path)
    assert words == ["backup", "--without-keys", "--output"]
    for name in ("2026-01-31T013000Z", "2026-02-01T013000Z", Path(made).name):
        (tmp_path / name).mkdir()
    assert typed("evidock-drill.service", tmp_path) == ["restore", "--drill", made]


def test_a_drill_without_a_backup_fails(tmp_path: Path) -> None:
    assert typed("evidock-drill.service", tmp_path) == ["restore", "--drill", f"{tmp_path}/*Z"]  # which is not there


@pytest.mark.parametrize(
    "name", ["evidock-worker@.service", "evidock-watch@.service", "evidock-serve.service", "evidock-agent.service"]
)
def test_a_process_is_given_the_time_that_it_takes_to_stop(name: str) -> None:
    found = unit(name)
    assert int(found["TimeoutStopSec"]) > 20
    assert found["KillMode"] == "mixed"
    assert found["Type"] == "exec"


def test_a_media_program_that_eats_all_memory_does_not_take_its_worker_along() -> None:
    found = unit("evidock-worker@.service")
    assert found["MemoryMax"]
    assert found["OOMPolicy"] == "continue"


def test_the_workers_filter_lets_the_sandbox_be_made() -> None:
    listed = run(tool("systemd-analyze", remedy=REMEDY), "syscall-filter").stdout
    groups = {
        name: {word for line in body.splitlines() if not line.strip().startswith("#") for word in line.split()}
        for name, body in re.findall(r"^(@[\w-]+)\n(.*?)(?=^\S|\Z)", listed, re.MULTILINE | re.DOTALL)
    }

    def calls(word: str) -> set[str]:
        return set().union(*map(calls, groups[word])) if word.startswith("@") else {word}

    allowed = set().union(*map(calls, shlex.split(unit("evidock-worker@.service")["SystemCallFilter"])))
    landlock = {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"}
    bubblewrap = {"clone", "clone3", "unshare", "setns", "mount", "umount2", "pivot_root", "capset", "seccomp"}
    assert not (landlock | bubblewrap | {"prctl", "prlimit64", "memfd_create"}) - allowed
    assert "bpf" not in allowed
    assert "ptrace" not in allowed


def test_a_card_is_mounted_so_that_nothing_on_it_runs_and_nothing_is_written_to_it() -> None:
    mount = shlex.split(unit("evidock-port@.service")["ExecStart"])
    assert mount[0].endswith("/systemd-mount")
    assert "--options=ro,nosuid,nodev,noexec,noatime" in mount
    assert "--fsck=no" in mount


AGENT = """
set -eu
mkdir -p "$1/port" && mount -t tmpfs -o ro,nosuid,nodev,noexec none "$1/port"
mount --make-rslave /
echo $$ > "$1/pid"
exec sleep 60
"""


def remounted(name: str, pid: int, port: Path) -> None:
    """Do what the unit does at its start or stop, for an agent that is this process."""
    words = shlex.split(unit("evidock-writable@.service")[name].replace("$$", "$"))
    script = words[2].replace('"$(systemctl show --property=MainPID --value evidock-agent.service)"', str(pid))
    assert "systemctl" not in script
    done = run(words[0], words[1], script, "sh", port)
    if "Operation not permitted" in done.stderr or "Permission denied" in done.stderr:
        missing("root", remedy="mounts are made by root alone")
    assert done.returncode == 0, done.stderr


def test_a_card_is_writable_for_the_agent_alone_while_it_clears(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        missing("root", remedy="mounts are made by root alone")
    with subprocess.Popen(["unshare", "--mount", "sh", "-c", AGENT, "sh", str(tmp_path)]) as agent:  # noqa: S607
        try:
            until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text("utf-8"), "the agent runs")
            seen = Path(f"/proc/{agent.pid}/root{tmp_path}/port")
            with pytest.raises(OSError, match="Read-only"):
                (seen / "one").touch()
            remounted("ExecStart", agent.pid, tmp_path / "port")
            (seen / "one").touch()
            assert not list((tmp_path / "port").iterdir())  # nobody else has it mounted
            remounted("ExecStop", agent.pid, tmp_path / "port")
            with pytest.raises(OSError, match="Read-only"):
                (seen / "two").touch()
        finally:
            agent.kill()


def test_nothing_on_a_writable_card_runs_and_nothing_makes_one_at_boot() -> None:
    found = unit("evidock-writable@.service")
    assert "remount,rw,nosuid,nodev,noexec,noatime" in found["ExecStart"]
    assert "remount,ro,nosuid,nodev,noexec,noatime" in found["ExecStop"]
    assert "[Install]" not in unit_file("evidock-writable@.service").read_text("utf-8")


@pytest.mark.parametrize("port", ["", "../1", "1;reboot", "1 2", "a-b", "é"])
def test_the_asking_program_lets_no_other_unit_be_named(port: str) -> None:
    done = run(DOCK / "writable", "open", port)
    assert done.returncode == 64
    assert done.stdout == ""


ASKED = """
const polkit = {Result: {YES: "yes", NO: "no", NOT_HANDLED: "pass"}, addRule: (rule) => { polkit.rule = rule; }};
eval(require("fs").readFileSync(process.argv[1], "utf8"));
const [action, user, unit, verb] = process.argv.slice(2);
const told = {unit, verb};
console.log(polkit.rule({id: action, lookup: (name) => told[name]}, {user}));
"""
MANAGE = "org.freedesktop.systemd1.manage-units"


@pytest.mark.parametrize(
    ("action", "user", "started", "verb", "answer"),
    [
        (MANAGE, "evidock", "evidock-writable@3.service", "start", "yes"),
        (MANAGE, "evidock", "evidock-writable@sdb1.service", "stop", "yes"),
        (MANAGE, "evidock", "evidock-writable@3.service", "restart", "no"),
        (MANAGE, "evidock", "evidock-writable@..service", "start", "no"),
        (MANAGE, "evidock", "evidock-writable@3.service\nssh.service", "start", "no"),
        (MANAGE, "evidock", "ssh.service", "stop", "no"),
        (MANAGE, "other", "evidock-writable@3.service", "start", "pass"),
        ("org.freedesktop.login1.reboot", "evidock", "evidock-writable@3.service", "start", "pass"),
    ],
)
def test_the_account_may_start_that_one_unit_and_no_other(
    action: str, user: str, started: str, verb: str, answer: str
) -> None:
    node = tool("node", remedy="apt-get install nodejs")
    done = run(node, "-e", ASKED, "--", DOCK / "61-evidock.polkit.rules", action, user, started, verb)
    assert done.stdout.strip() == answer, done.stderr


def test_the_example_settings_are_read_by_systemd_as_meant() -> None:
    lines = (SYSTEMD / "evidock.conf").read_text("utf-8").splitlines()
    told = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Z_]+=\S+", line) for line in told)
