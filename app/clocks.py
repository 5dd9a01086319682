# SPDX-License-Identifier: Apache-2.0
"""This is where the machine's clocks and its chance are read: the front doors' only source of *now*."""

import os
import secrets
import socket
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from evidence.steady_clock import Reading
from pipeline.leasing import Clock
from storage.register.jobs import Tick
from storage.register.lease_watch import LeaseWatch

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

chance = secrets.token_bytes


def now() -> datetime:
    """The wall clock, UTC."""
    return datetime.now(UTC)


@cache
def boot() -> str:
    """A name for this boot of this machine: leases of another boot have ended."""
    return _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else f"{socket.gethostname()}-{int(time.time())}"


def tick() -> Tick:
    """The monotonic clock, which no one sets."""
    return Tick(boot(), time.monotonic())


def reading(place: str) -> Reading:
    """What this machine's clocks say now; the uptime counts sleep too."""
    return Reading(place, boot(), time.clock_gettime(time.CLOCK_BOOTTIME), now())


def clock(lease_s: float, *, is_shared: bool = False) -> Clock:
    """The clocks that a running step keeps its lease by; `is_shared`: other machines hold leases too."""
    if not is_shared:
        return Clock(now, tick, lease_s)
    watch = LeaseWatch()
    return Clock(
        now,
        lambda: Tick(boot(), time.monotonic(), watch.ended()),
        lease_s,
        lambda connection: watch.look(connection, boot=boot(), seconds=time.monotonic()),
    )


def owner() -> str:
    """A name for this process among all that take leases."""
    return f"{socket.gethostname()}:{os.getpid()}"
