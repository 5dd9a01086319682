# SPDX-License-Identifier: Apache-2.0
"""This is where what a dock thinks a person must hear of becomes an event."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from evidence import instant
from evidence.custody import Happening, open_detail, parse_event
from evidence.errors import NotFound
from evidence.ids import stream_of
from evidence.note import split_note
from evidence.written import moment
from pipeline.decided import take_down
from pipeline.dock_figures import dock_figures
from pipeline.docking_told import check_code, written
from pipeline.dockings import enrolled
from pipeline.ports import Ports
from storage import layout
from storage.register import search
from storage.register.search import Connection

_LARGEST_DETAIL = 1 << 20


def alarm(
    code: str,
    text: str,
    *,
    device: str | None,
    dock: str,
    ports: Ports,
    now: datetime,
    noticed_at: datetime | None = None,
) -> None:
    """Take an alarm down, of a device or (`device` None, or not registered) of the dock itself.

    The newest alarm of the same device or dock told again is a repeat, and changes nothing: with `noticed_at`,
    the dock's time, always; without it, within ten minutes.

    Raises:
        BadInput: the code is none. NotSignedIn: the dock was shut out meanwhile.
    """
    check_code(code)
    facts: dict[str, Any] = {"code": code, "dock": dock}
    if noticed_at is not None:
        facts["noticed_at"] = instant.to_text(moment(noticed_at, "the time of an alarm"))
    told = written(text)

    def decide(connection: Connection) -> tuple[None, Sequence[Happening]]:
        enrolled(connection, dock)
        row = None if device is None else search.device(connection, device)
        stream = stream_of("dock", dock) if row is None else stream_of("device", row["serial"])
        # A device that is not registered is named in the words alone.
        words = told if row is not None or device is None else written(f"device {device}: {text}")
        happening = Happening("device-alarm", stream, facts=facts, detail={"text": words})
        return None, () if _is_repeat(connection, happening, ports=ports, now=now) else (happening,)

    take_down(decide, actor=f"dock:{dock}", ports=ports, now=now)


def _is_repeat(connection: Connection, happening: Happening, *, ports: Ports, now: datetime) -> bool:
    try:
        newest = search.event_of_kind(connection, happening.stream, happening.kind)
    except NotFound:
        return False
    if parse_event(split_note(newest["note"])[0]).facts != happening.facts:
        return False
    data = ports.store.read(layout.detail_key(newest["detail_sha256"]), limit=_LARGEST_DETAIL)
    if open_detail(data, sha256=newest["detail_sha256"]) != happening.detail:
        return False
    return "noticed_at" in happening.facts or now - instant.from_text(newest["at"]) < dock_figures().dockings.same_alarm
