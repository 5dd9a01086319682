# SPDX-License-Identifier: Apache-2.0
"""F6: a worker frozen in the middle of a step, or of a transaction: it comes back too late, and changes nothing."""

import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.cameras import CAMERA, tiny
from tests.support.freezing import freeze, is_unlocked, thaw
from tests.support.home import Home
from tests.support.oracle import assert_whole
from tests.support.servers import Installation, Process, installation, until, workers
from tests.support.stock import assert_stock_finished_once, stock
from tests.support.worst_worker import BUSY

GATED, WORST = "tests.support.gated_worker", "tests.support.worst_worker"
_BUSY_S = 1


def freeze_outside(worker: Process, made: Installation) -> None:
    """Freeze it at the gate, between two beats of its heart."""
    until(lambda: frozen_unlocked(worker, made), "it is frozen with no lock")


def frozen_unlocked(worker: Process, made: Installation) -> bool:
    freeze(worker)
    if not is_unlocked(made):
        thaw(worker)
        return False
    return True


@pytest.mark.parametrize("step", ["seal", "transcode"])
def test_a_worker_frozen_in_a_step_past_its_lease_publishes_nothing(
    step: str, register_settings: dict[str, str], tmp_path: Path
) -> None:
    gate, card = tmp_path / "gate", tmp_path / "card"
    gate.mkdir()
    card.mkdir()
    shutil.copy2(tiny("silent").path, card)
    with installation(tmp_path / "home", lease_s="2", **register_settings) as made:
        home = Home(made.settings, made.ports)
        home.add_device(CAMERA.serial)
        made.take_in(card)
        with workers(made, 1, module=GATED, words=[step, str(gate), "wait"]) as [frozen]:
            until(lambda: list(gate.iterdir()), "the step has done its work")
            until(lambda: made.open_jobs() == 1, "nothing else is under way")
            freeze_outside(frozen, made)
            with workers(made, 1):
                until(lambda: not made.open_jobs(), "another worker does it")
                before, rests = home.facts(), set(made.ports.store.keys())
                (gate / "open").touch()
                thaw(frozen)
                time.sleep(1.0)
                frozen.send(signal.SIGTERM)
                assert frozen.wait(10) == 0
        assert home.facts() == before, "what the thawed one made is refused"
        assert rests <= set(made.ports.store.keys())
        assert_whole(home, list(card.iterdir()))


@pytest.mark.parametrize("then", ["thawed", "killed"])
def test_a_worker_frozen_inside_the_embedded_register_holds_up_the_others_and_loses_nothing(
    then: str, tmp_path: Path
) -> None:
    # SQLite has one writer: nobody can take the lock from a frozen process. Who manages the processes must thaw or
    # kill it; until then the others wait, say that the register is unavailable, and wait on.
    folder = tmp_path / "gate"
    folder.mkdir()
    with installation(tmp_path / "home", lease_s="2") as made:
        recordings = stock(made, 12)
        with workers(made, 1, module=WORST, words=["index", str(folder), "keep", recordings[0]]) as [holder]:
            until((folder / "inside").exists, "it is in its transaction")
            freeze(holder)
            waiting = replace(made, environment=made.environment | {BUSY: str(_BUSY_S)})
            with workers(waiting, 1, module=WORST, words=["index", str(folder), "keep", "none"]) as [other]:
                done = made.jobs_by_state().get("done", 0)
                until(lambda: "register-unavailable" in other.log.read_text(), "the others say so")
                assert made.jobs_by_state().get("done", 0) == done, "nothing is written meanwhile"
                began = time.monotonic()
                (folder / "open").touch()
                (thaw if then == "thawed" else Process.end)(holder)
                until(lambda: not made.open_jobs(), "all jobs finish")
                assert other.status is None
                print(f"{then}: all done {time.monotonic() - began:.1f} s later")
        assert_stock_finished_once(made, recordings)
