# SPDX-License-Identifier: Apache-2.0
"""This is where a docked device gets its name: what it says itself, else its files, else their names.

Order of belief: the device through its maker's program, the binding file, other settings files at the root,
then the serial that most of the first names bear. Nobody's word is nobody's: the serial is None.
"""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from devices.agent.binding import Binding, problem_of, read_binding
from devices.agent.control import Control
from devices.makers.registry import read_claims
from devices.makers.sidecar import claims_of, read_side
from devices.safe_open import open_root
from devices.walk import walk
from evidence.claims import Claim, Source
from evidence.errors import SourceUnavailable

# A card holds thousands of names; a few hundred tell whose they are.
_NAMES_ASKED = 500
# A serial becomes a part of the path that the server is told: no slash, no dot before it.
SERIAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a device says it is; `problem` is `binding-altered` or None. `side`: its settings files, path to content."""

    serial: str | None
    problem: str | None
    claims: tuple[Claim, ...]
    side: dict[str, bytes]


def identify(root: Path, control: Control) -> Identity:
    """Who the device at `root` is.

    Raises:
        SourceUnavailable: it was taken out.
    """
    told = _told(control)
    binding = read_binding(root)
    side = read_side(root, "DCIM/.")
    serial = told.get("serial") or _bound(binding) or _in_side(side)
    problem = problem_of(binding, serial)
    serial = serial or _in_names(root)
    claims = [*_claims("device", told.get("serial")), *_claims("officer", told.get("officer"))]
    return Identity(serial, problem, tuple(claims), side)


def _told(control: Control) -> dict[str, str]:
    if not control.is_there:
        return {}
    try:
        told = control.identify()
    except SourceUnavailable:  # a program that does not answer: the device is what its files say
        return {}
    if not SERIAL.fullmatch(told.get("serial", "")):
        told.pop("serial", None)
    return told


def _bound(binding: Binding | None) -> str | None:
    return binding.device if binding is not None and SERIAL.fullmatch(binding.device) else None


def _in_side(side: dict[str, bytes]) -> str | None:
    found = (claim.value for claim in claims_of(side) if claim.field == "device")
    return next((serial for serial in found if SERIAL.fullmatch(serial)), None)


def _in_names(root: Path) -> str | None:
    """The serial that more than half of the first names agree on, of those that name one."""
    found: Counter[str] = Counter()
    with open_root(root) as at:
        for entry in islice(walk(at, in_order=True), _NAMES_ASKED):
            if entry.seen is not None and entry.ignored is None:
                device = read_claims(entry.path, mtime_ns=0).value("device")
                found.update(() if device is None else (device,))
    most = found.most_common(1)
    if not most or most[0][1] * 2 <= found.total() or not SERIAL.fullmatch(most[0][0]):
        return None
    return most[0][0]


def _claims(field: str, value: str | None) -> tuple[Claim, ...]:
    return (Claim(field, value, Source.DEVICE_INFO),) if value and len(value) <= 64 and value.isprintable() else ()
