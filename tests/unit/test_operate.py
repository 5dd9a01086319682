# SPDX-License-Identifier: Apache-2.0
"""Pulse, readiness and figures, each alone; and the page of the documentation that names every figure."""

import re
import threading
import time
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from app.operate.figures import Figures
from app.operate.pulse import Pulse
from app.operate.readiness import Check, Readiness
from app.operate.scrape import Scrape
from app.reserve import Reserve
from evidence.errors import LogInconsistent, RegisterUnavailable, Unavailable
from tests.support.servers import installation

PAGE = Path(__file__).parents[2] / "docs" / "operate" / "monitoring.md"


# --- pulse ------------------------------------------------------------------------------------


def test_a_process_whose_rounds_turn_is_alive_and_one_whose_round_hangs_is_not() -> None:
    now = [0.0]
    pulse = Pulse(on_outage=print, clock=lambda: now[0])
    assert pulse.hanging() == []
    pulse.turned("relay", 1.0)
    pulse.turned("custody log", 60.0)
    now[0] = 140.0
    assert pulse.hanging() == []
    now[0] = 152.0
    assert pulse.hanging() == ["relay"]
    pulse.turned("relay", 1.0)
    assert pulse.hanging() == []


def test_rounds_that_were_given_up_leave_the_process_alive_and_not_ready() -> None:
    now = [0.0]
    pulse = Pulse(on_outage=print, clock=lambda: now[0])
    pulse.turned("custody log", 60.0)
    pulse.given_up("custody log", LogInconsistent("two roots"))
    now[0] = 1e6
    assert (pulse.hanging(), pulse.stopped()) == ([], ["custody log"])


# --- readiness --------------------------------------------------------------------------------


def well() -> None:
    pass


def down() -> None:
    raise RegisterUnavailable("cannot open /srv/secret/register.db")


def defect() -> None:
    raise KeyError("/srv/secret")


@pytest.mark.parametrize(("look", "code"), [(down, "register-unavailable"), (defect, "defect")])
def test_one_need_that_is_not_met_is_told_in_our_words_and_not_in_the_errors(look: object, code: str) -> None:
    assert callable(look)
    checks = [Check("disk", well, "-"), Check("register", look, "the register does not answer")]
    is_ready, told = Readiness(checks, stop=threading.Event()).answer()
    assert not is_ready
    assert told["checks"][1] == {
        "check": "register",
        "ok": False,
        "words": "the register does not answer",
        "code": code,
    }
    assert told["checks"][0]["ok"]
    assert "secret" not in str(told)


def test_a_process_that_was_told_to_stop_is_not_ready_whatever_its_needs_are() -> None:
    stop = threading.Event()
    readiness = Readiness([Check("disk", well, "-")], stop=stop)
    assert readiness.answer()[0]
    stop.set()
    is_ready, told = readiness.answer()
    assert not is_ready
    assert told["checks"][0]["check"] == "stopping"


def test_a_check_that_hangs_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.operate.readiness._PATIENCE_S", 0.1)
    goes_on = threading.Event()
    readiness = Readiness([Check("register", lambda: void(goes_on.wait(5)), "-")], stop=threading.Event())
    is_ready, told = readiness.answer()
    assert not is_ready
    assert "hangs" in told["checks"][0]["words"]
    goes_on.set()
    deadline = time.monotonic() + 5
    while not readiness.answer()[0]:
        assert time.monotonic() < deadline


def void(_: object) -> None:
    pass


def test_many_who_ask_at_once_cost_the_engines_one_look() -> None:
    looks: list[int] = []

    def slow() -> None:
        looks.append(1)
        time.sleep(0.2)

    readiness = Readiness([Check("register", slow, "-")], stop=threading.Event())
    askers = [threading.Thread(target=readiness.answer) for _ in range(8)]
    for one in askers:
        one.start()
    for one in askers:
        one.join()
    assert len(looks) == 1


# --- figures ----------------------------------------------------------------------------------


def test_a_register_that_is_away_leaves_the_other_figures_standing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with installation(tmp_path / "home") as made:
        figures = Figures()
        scrape = Scrape(made.ports, places={"spool": tmp_path}, reserve=Reserve(), decodes=False)
        figures.registry.register(scrape)

        def away() -> None:
            raise Unavailable("down")

        monkeypatch.setattr(type(made.ports.register), "view", lambda _: away())
        told = generate_latest(figures.registry).decode()
    assert "evidock_register_answers 0.0" in told
    assert "evidock_jobs{" not in told
    assert 'evidock_disk_free_bytes{place="spool"}' in told


def test_every_figure_is_explained_and_no_other(tmp_path: Path) -> None:
    with installation(tmp_path / "home") as made:
        figures = Figures()
        scrape = Scrape(made.ports, places={}, reserve=Reserve(), decodes=False)
        known = {one.name for one in [*figures.registry.collect(), *scrape.describe()]}
        kinds = {one.name: one.type for one in [*figures.registry.collect(), *scrape.describe()]}
    suffixes = {"counter": "_total", "info": "_info"}
    shown = {name + suffixes.get(kinds[name], "") for name in known}
    rows = re.findall(r"^\| `(evidock_\w+)`", PAGE.read_text("utf-8"), re.MULTILINE)
    assert set(rows) == shown
    assert len(rows) == len(set(rows))
