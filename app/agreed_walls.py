# SPDX-License-Identifier: Apache-2.0
"""This is where EVIDOCK_SANDBOX=off is believed, or not: two people must have agreed on it, and their leave must stand.

Read when an installation is opened; that it ends is noticed while a process runs, by the clock that no one sets.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from app import clocks
from app.settings import Settings
from evidence.errors import IntegrityError
from pipeline.media.sandbox.probe import decided
from pipeline.ports import Ports
from pipeline.steady import look

HOW = "`evidock approval request sandbox-off --why …`, then another person: `evidock approval decide … --approve`"
WHY_NOT = f" (it is `off`, but no agreement stands: {HOW})"


def seconds_left(ports: Ports) -> float:
    """For how long an agreement to decode without walls stands from now on; 0: none does, or none that is proven."""
    # Who keeps the walls pays for no more than is needed.
    from pipeline.approvals import sandbox_may_be_off

    now = look(ports.register, clocks.reading(ports.place)).steady.now
    try:
        with ports.register.view() as connection:
            ends = sandbox_may_be_off(connection, ports.place, verifiers=ports.verifiers, now=now)
    except IntegrityError:
        return 0.0  # an audit names what is wrong with the records; here they agree on nothing
    return 0.0 if ends is None else (ends - now).total_seconds()


@contextmanager
def walls_as_agreed(settings: Settings, ports: Ports) -> Iterator[None]:
    """Let the setting be this process's policy while the block runs; `off` only as long as an agreement stands."""
    if settings.sandbox != "off":
        with decided(settings.sandbox):
            yield
        return
    began = clocks.reading(ports.place).uptime_s
    ends = began + seconds_left(ports)
    with decided("off", stands=lambda: clocks.reading(ports.place).uptime_s < ends, why_not=WHY_NOT):
        yield
