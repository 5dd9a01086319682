# SPDX-License-Identifier: Apache-2.0
"""This is where a long process is made visible: what follows its rounds and steps, and the pages that tell of them."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from app.admission import Admission, places
from app.operate.endpoint import HEALTH, Answer, Kept, Page, answering, json_answer
from app.operate.figures import Figures
from app.operate.lines import Notes
from app.operate.needs import needs
from app.operate.pulse import Pulse
from app.operate.readiness import Check, Readiness
from app.operate.scrape import Scrape
from app.operate.steps import StepFollower
from app.settings import Settings
from pipeline.ports import Ports

_FRESH_S = 0.5


@dataclass(frozen=True, slots=True)
class Operation:
    """What a running process hands to its parts, so that they can be followed."""

    notes: Notes
    figures: Figures
    pulse: Pulse
    steps: StepFollower
    admission: Admission


@contextmanager
def operating(
    settings: Settings, ports: Ports, *, notes: Notes, stop: threading.Event, needs_too: Sequence[Check] = ()
) -> Iterator[Operation]:
    """Be visible while the block runs: at EVIDOCK_OPERATE, when it is set. `stop` ends readiness at once.

    `needs_too` are checks besides those of every process; a process with some decodes media.

    Raises:
        BadInput: nothing can listen at EVIDOCK_OPERATE.
    """
    figures = Figures()
    pulse = Pulse(on_outage=figures.outage)
    admission = Admission(settings, ports)
    with ExitStack() as stack:
        if settings.operate is not None:
            scrape = Scrape(ports, places=places(settings), reserve=settings.spool_free, decodes=bool(needs_too))
            figures.registry.register(scrape)
            checks = [*needs(ports, admission=admission, pulse=pulse), *needs_too]
            readiness = Readiness(checks, stop=stop)
            pages: dict[str, Page] = {
                HEALTH: lambda: _health(pulse),
                "/readyz": lambda: _ready(readiness),
                "/metrics": Kept(
                    lambda: Answer(200, CONTENT_TYPE_LATEST, generate_latest(figures.registry)), fresh_s=_FRESH_S
                ),
            }
            where = stack.enter_context(answering(settings.operate, pages))
            notes.tell(f"{where} answers /healthz, /readyz and /metrics")
        yield Operation(notes, figures, pulse, StepFollower(notes, figures), admission)


def _health(pulse: Pulse) -> Answer:
    hanging = list(pulse.hanging())
    return json_answer({"alive": not hanging, "hanging": hanging}, status=503 if hanging else 200)


def _ready(readiness: Readiness) -> Answer:
    is_ready, told = readiness.answer()
    return json_answer(told, status=200 if is_ready else 503)
