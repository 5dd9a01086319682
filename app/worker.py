# SPDX-License-Identifier: Apache-2.0
"""This is where a worker process is made out of settings: engines, a broker, and threads that run steps."""

import sys
import threading

from app import clocks, walls
from app.case_pull import pulling
from app.keeping_rounds import keeping
from app.operate.lines import Notes, Spoken
from app.operate.needs import needs_of_worker
from app.operate.operation import operating
from app.settings import Settings
from app.wiring import check_packages, wired
from pipeline.reconcile import clear_leftovers
from workers.link import open_link
from workers.rounds import Tell
from workers.serve import serve

# With what ends beside the steps, less than the ten seconds that process managers give.
GRACE_S = 8.0


def to_stderr(sentence: str) -> None:
    """Tell the person at this process's terminal, or the journal that keeps its words."""
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()


def run_worker(
    settings: Settings,
    *,
    stop: threading.Event,
    threads: int,
    on_notice: Tell = to_stderr,
    notes: Notes | None = None,
    grace_s: float = GRACE_S,
) -> int:
    """Run the steps of recordings that wait, `threads` at once, until `stop` is set; returns the exit status.

    Steps under way when `stop` is set have `grace_s` seconds to end. A broker that is
    down, now or later, is waited for or started anew. What there is to say goes to `notes`; without them
    its sentences go to `on_notice`.

    Raises:
        BadInput: a setting cannot be used. Refused: our packages are shadowed by others.
        ToolMissing: no broker is configured, and there is no program for the embedded one.
        StoreUnavailable, RegisterUnavailable: an engine is down at the start; later, outages are waited out.
    """
    check_packages()
    notes = notes or Spoken(on_notice)
    owner = f"{clocks.owner()}:{clocks.chance(4).hex()}"
    with (
        wired(settings, actor=f"worker:{clocks.owner()}") as ports,
        open_link(settings.broker_url, home=settings.home, namespace=ports.log.origin, place=ports.place) as link,
        operating(settings, ports, notes=notes, stop=stop, needs_too=needs_of_worker(link.hints.waiting)) as seen,
        pulling(ports, settings, stop=stop, tell=notes.tell),
        keeping(ports, stop=stop, tell=notes.tell),
    ):
        link.require_program()
        if told := walls.notice(settings):
            notes.tell(told)
        clock = clocks.clock(settings.lease_s, is_shared=ports.register.is_shared)
        clear_leftovers(ports=ports)
        serve(
            ports,
            link,
            clock=clock,
            owner=owner,
            threads=threads,
            stop=stop,
            grace_s=grace_s,
            tell=notes.tell,
            observer=seen.steps,
            attendant=seen.pulse,
        )
    return 0
