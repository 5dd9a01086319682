# SPDX-License-Identifier: Apache-2.0
"""Real processes seen from outside: health, readiness and figures over HTTP, logs, and the order in which they end."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from evidence.errors import BadInput
from storage.register import search
from tests.support.postgres import private_postgres
from tests.support.servers import (
    Installation,
    Process,
    assert_all_finished_once,
    installation,
    run_fresh,
    separate_redis,
    until,
    workers,
    write_tracks,
)

GATED = "tests.support.gated_worker"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Installation]:
    with installation(tmp_path / "home", operate="127.0.0.1:0", quiet_s="0.2", lease_s="1") as fresh:
        yield fresh


def address(process: Process) -> str:
    """Where the process says that it answers."""
    until(lambda: "answers /healthz" in process.log.read_text(), "it says where it answers")
    line = next(line for line in process.log.read_text().splitlines() if "answers /healthz" in line)
    return line.partition(" answers ")[0].rpartition(" ")[2]


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def ready(where: str) -> tuple[int, dict[str, dict[str, Any]]]:
    status, body = get(f"{where}/readyz")
    return status, {one["check"]: one for one in json.loads(body)["checks"]}


def figure(where: str, line: str) -> float:
    """The value of one line of the figures; 0 when it is not there."""
    _, body = get(f"{where}/metrics")
    return next((float(one.rpartition(" ")[2]) for one in body.splitlines() if one.startswith(f"{line} ")), 0.0)


@contextmanager
def watching(made: Installation, dock: Path) -> Iterator[Process]:
    log = made.settings.home / "watcher.log"
    started = Process("tests.support.watcher_process", str(dock), environment=made.environment, log=log)
    try:
        yield started
    finally:
        started.end()


def recordings(made: Installation) -> list[str]:
    with made.ports.register.view() as connection:
        return [row["id"] for row in search.find_recordings(connection)]


# --- what is answered -------------------------------------------------------------------------


def test_a_worker_is_alive_ready_and_counts_what_it_does(made: Installation, tmp_path: Path) -> None:
    write_tracks(tmp_path / "card", 3)
    size = sum(path.stat().st_size for path in (tmp_path / "card").iterdir())
    with workers(made, 1) as [worker]:
        where = address(worker)
        taken = made.take_in(tmp_path / "card")
        until(lambda: not made.open_jobs(), "all is done")
        until(lambda: figure(where, "evidock_receipts_total") == 3, "three receipts are counted")
        assert get(f"{where}/healthz") == (200, '{"alive": true, "hanging": []}\n')
        until(lambda: ready(where)[0] == 200, "it is ready")
        checks = ready(where)[1]
        assert set(checks) == {"register", "store", "disk", "clock", "rounds", "broker", "sandbox"}
        assert figure(where, "evidock_bytes_taken_total") == size
        assert figure(where, 'evidock_steps_total{result="done",step="seal"}') == 3
        assert figure(where, 'evidock_step_seconds_count{step="stamp"}') == 3
        assert figure(where, 'evidock_recordings{state="indexed"}') == 3
        assert figure(where, "evidock_jobs_runnable_plus_leased") == 0
    assert_all_finished_once(made, taken)


def test_nothing_that_is_answered_names_a_folder_or_a_file(made: Installation, tmp_path: Path) -> None:
    write_tracks(tmp_path / "dock", 1)
    with workers(made, 1) as [worker], watching(made, tmp_path / "dock") as watcher:
        until(lambda: len(recordings(made)) == 1 and not made.open_jobs(), "it is taken")
        for process in (worker, watcher):
            told = "".join(get(f"{address(process)}/{page}")[1] for page in ("healthz", "readyz", "metrics", "nothing"))
            assert str(tmp_path) not in told
            assert "track-" not in told


def test_the_figure_to_scale_by_counts_jobs_that_wait_and_jobs_that_run(made: Installation, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    write_tracks(tmp_path / "card", 4)
    with workers(made, 1, module=GATED, words=["fixity", str(gate), "wait"]) as [worker]:
        where = address(worker)
        made.take_in(tmp_path / "card")
        until(lambda: len(list(gate.iterdir())) == 2, "two are under way")
        time.sleep(0.3)
        assert figure(where, 'evidock_jobs{state="leased",step="fixity"}') == 2
        assert figure(where, 'evidock_jobs{state="runnable",step="fixity"}') == 2
        assert figure(where, "evidock_jobs_runnable_plus_leased") == 4
        assert figure(where, "evidock_job_oldest_runnable_seconds") > 0.2
        (gate / "open").touch()


def test_only_get_is_answered_and_nothing_is_repeated_that_was_asked(made: Installation) -> None:
    with workers(made, 1) as [worker]:
        host = address(worker).removeprefix("http://")
        for method, path, status in (("POST", "/readyz", 405), ("DELETE", "/", 405), ("GET", "/<script>", 404)):
            connection = HTTPConnection(host, timeout=5)
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read().decode()
            connection.close()
            assert (answer.status, answer.getheader("Content-Type")) == (status, "application/json")
            assert "script" not in body
            assert "Python" not in str(answer.headers)
        assert get(f"http://{host}/healthz")[0] == 200


def test_a_place_where_nothing_can_listen_is_told_at_the_start(tmp_path: Path) -> None:
    import threading

    from app.worker import run_worker

    with (
        installation(tmp_path / "home", operate="203.0.113.1:9300") as made,
        pytest.raises(BadInput, match="EVIDOCK_OPERATE"),
    ):
        run_worker(made.settings, stop=threading.Event(), threads=1, on_notice=print)


# --- when the world is down -------------------------------------------------------------------


def test_a_broker_that_is_killed_is_told_and_ready_again_when_it_is_back(tmp_path: Path) -> None:
    with (
        separate_redis(tmp_path / "redis") as redis,
        installation(tmp_path / "home", operate="127.0.0.1:0", broker_url=redis.url) as made,
        workers(made, 1) as [worker],
    ):
        where = address(worker)
        until(lambda: ready(where)[0] == 200, "it is ready")
        redis.kill()
        until(lambda: ready(where)[0] == 503, "it is not ready", timeout_s=10)
        checks = ready(where)[1]
        assert checks["broker"]["words"] == "the broker does not answer"
        assert [name for name, one in checks.items() if not one["ok"]] == ["broker"]
        assert get(f"{where}/healthz")[0] == 200
        until(lambda: figure(where, 'evidock_outages_total{part="relay"}') >= 1, "the outage is counted")
        redis.start()
        until(lambda: ready(where)[0] == 200, "it is ready again", timeout_s=15)


def test_a_postgresql_register_that_is_killed_is_told_and_ready_again_when_it_is_back(tmp_path: Path) -> None:
    with private_postgres() as server:
        url = server.url(server.new_database())
        with (
            installation(tmp_path / "home", operate="127.0.0.1:0", register_url=url) as made,
            workers(made, 1) as [worker],
        ):
            where = address(worker)
            until(lambda: ready(where)[0] == 200, "it is ready")
            assert "evidock_clock_offset_seconds" in get(f"{where}/metrics")[1]
            assert abs(figure(where, "evidock_clock_offset_seconds")) < 1
            server.kill()
            until(lambda: ready(where)[0] == 503, "it is not ready", timeout_s=20)
            assert ready(where)[1]["register"]["words"] == "the register does not answer"
            assert figure(where, "evidock_register_answers") == 0
            assert server.password not in get(f"{where}/readyz")[1] + worker.log.read_text()
            server.start()
            until(lambda: ready(where)[0] == 200, "it is ready again", timeout_s=30)


def test_a_store_that_has_gone_is_told(made: Installation, tmp_path: Path) -> None:
    write_tracks(tmp_path / "card", 1)
    made.take_in(tmp_path / "card")
    with workers(made, 1) as [worker]:
        where = address(worker)
        until(lambda: not made.open_jobs(), "something rests")
        objects = made.settings.home / "objects"
        objects.rename(made.settings.home / "away")
        until(lambda: not ready(where)[1]["store"]["ok"], "it is told", timeout_s=10)
        (made.settings.home / "away").rename(objects)
        until(lambda: ready(where)[0] == 200, "it is ready again", timeout_s=10)


def test_a_backlog_keeps_the_watcher_from_taking_more_until_it_has_gone_down(tmp_path: Path) -> None:
    write_tracks(tmp_path / "dock", 12)
    given = {"operate": "127.0.0.1:0", "quiet_s": "0.2", "backlog": "5"}
    with (
        installation(tmp_path / "home", **given) as made,
        watching(made, tmp_path / "dock") as watcher,
    ):
        where = address(watcher)
        until(lambda: "(overloaded)" in watcher.log.read_text(), "it is told")
        time.sleep(0.5)
        assert made.open_jobs() == 6
        assert figure(where, 'evidock_intake_waits{reason="overloaded"}') == 1
        until(lambda: ready(where)[0] == 200, "it is ready all the same")
        with workers(made, 1):
            until(lambda: len(recordings(made)) == 12 and not made.open_jobs(), "all are taken in time", timeout_s=60)
        until(lambda: figure(where, 'evidock_intake_waits{reason="overloaded"}') == 0, "it waits no more")
        assert_all_finished_once(made, recordings(made))


# --- the end ----------------------------------------------------------------------------------


def test_a_worker_told_to_stop_is_not_ready_takes_nothing_new_and_lets_its_step_end(
    made: Installation, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    gate.mkdir()
    write_tracks(tmp_path / "card", 4)
    made.environment["GATED_GRACE_S"] = "30"
    with workers(made, 1, module=GATED, words=["fixity", str(gate), "wait"]) as [worker]:
        where = address(worker)
        made.take_in(tmp_path / "card")
        until(lambda: len(list(gate.iterdir())) == 2, "two are under way")
        until(lambda: ready(where)[0] == 200, "it is ready")
        worker.send(signal.SIGTERM)
        until(lambda: get(f"{where}/readyz")[0] == 503, "it is not ready")
        assert ready(where)[1]["stopping"]["words"] == "this process was told to stop"
        assert get(f"{where}/healthz")[0] == 200
        assert worker.status is None
        (gate / "open").touch()
        assert worker.wait(20) == 0
    assert len(list(gate.iterdir())) == 3  # the two, and the opened gate: nothing else began
    assert made.jobs_by_state()["runnable"] == 4  # two that waited, two that follow what ended
    assert made.jobs_by_state().get("leased") is None


def test_a_watcher_told_to_stop_ends_well_and_at_once(made: Installation, tmp_path: Path) -> None:
    write_tracks(tmp_path / "dock", 1)
    with watching(made, tmp_path / "dock") as watcher:
        until(lambda: recordings(made), "it has taken something")
        began = time.monotonic()
        watcher.send(signal.SIGTERM)
        assert watcher.wait(10) == 0
        assert time.monotonic() - began < 3


# What `evidock demo` does, without the filming: that takes longer than this whole file.
DEMONSTRATION = """
import sys, threading
from pathlib import Path
from app.cli.processes import ending
from app.processes import running

home = Path(sys.argv[1])
with ending(), running((["watch", str(home / "dock")], ["worker"]), home=home, log=home / "log"):
    threading.Event().wait()
"""


def test_a_demonstration_told_to_stop_takes_its_processes_with_it(tmp_path: Path) -> None:
    (tmp_path / "dock").mkdir()
    with run_demonstration(tmp_path) as demonstration:
        until(lambda: (tmp_path / "broker" / "server.sock").exists(), "its processes run")
        assert len(of_home(tmp_path)) >= 2
        demonstration.send_signal(signal.SIGTERM)
        assert demonstration.wait(20) == 0
        until(lambda: not of_home(tmp_path), "they are gone", timeout_s=10)


@contextmanager
def run_demonstration(home: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-c", DEMONSTRATION, str(home)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=Path(__file__).parents[2]) as demonstration:
        try:
            yield demonstration
        finally:
            demonstration.kill()
            for pid in of_home(home):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def of_home(home: Path) -> list[int]:
    """The watcher and worker of an installation, by their environment."""
    wanted, found = f"EVIDOCK_HOME={home}".encode(), []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if wanted in (process / "environ").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


# --- logs -------------------------------------------------------------------------------------


def test_a_commands_log_is_json_with_the_ids_of_every_step_and_no_file_name(tmp_path: Path) -> None:
    write_tracks(tmp_path / "card", 1)
    with installation(tmp_path / "home") as made:
        [recording] = made.take_in(tmp_path / "card")
        with run_fresh(made, "app", "worker") as worker:
            until(lambda: not made.open_jobs(), "all is done")
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(15) == 0
        said = (made.settings.home / "fresh.log").read_text()
    lines = [json.loads(line) for line in said.splitlines()]
    steps = [line for line in lines if line["event"].startswith("step-")]
    for line in steps:
        assert line["recording"] == recording
        assert line["job"] == f"{line['step']}:{recording}"
        assert line["attempt"] == 1
        assert line["owner"]
    done = [line["step"] for line in steps if line["event"] == "step-done"]
    assert sorted(done) == sorted(line["step"] for line in steps if line["event"] == "step-started")
    assert {"fixity", "seal", "stamp", "index"} <= set(done)
    assert all(line["seconds"] >= 0 for line in steps if line["event"] == "step-done")
    assert "track-" not in said
