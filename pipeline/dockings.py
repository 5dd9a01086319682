# SPDX-License-Identifier: Apache-2.0
"""This is where a dock tells of a device that was plugged in, and is told whether its files are taken.

A docking is named by the dock, so that a repeat meets its earlier self and changes nothing. What is not known,
not allowed, or not as it was bound is refused, and each refusal is an event.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence.custody import Happening, parse_event
from evidence.errors import BadInput, Conflict, DeviceRefused, NotFound, NotSignedIn, Refused, UnknownDevice
from evidence.ids import stream_of
from evidence.note import split_note
from pipeline.decided import take_down
from pipeline.docking_told import Docking, check_numbers, written
from pipeline.ports import Ports
from storage.register import dock_rows, search
from storage.register.search import Connection, Row

# A list of a gibibyte, cleared in parts of ten thousand, has fewer; dockings of two devices at once share a stream
# only when nobody knows them, and then nothing is cleared.
_MOST_LEAVES = 2000
OUTCOMES = ("finished", "interrupted", "refused", "failed")

# A device of these states does not film: that it is at a dock is somebody's mistake, or worse.
_OUT_OF_USE: Mapping[str, str] = {"lost": "is told to be lost", "scrapped": "was scrapped", "stopped": "was stopped"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is taken from a device: a code that does not change, and words for the person at the dock."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the dock is told. `erases` is the agency's switch now; nothing asks for priority yet."""

    refusal: Refusal | None
    erases: bool
    is_priority: bool = False

    @property
    def is_taken(self) -> bool:
        """True when the device's files may be sent."""
        return self.refusal is None


def begin(docking: Docking, *, dock: str, ports: Ports, now: datetime) -> Answer:
    """Take down that a device was plugged in, and say whether it is taken. A repeat gets the same answer.

    Raises:
        NotSignedIn: the dock was shut out meanwhile. Refused: it is no dock station.
        Conflict: another docking has this id.
    """

    def decide(connection: Connection) -> tuple[Answer, Sequence[Happening]]:
        row = station(connection, dock)
        serial = docking.told()["device"]
        device = None if serial is None else search.device(connection, serial)
        known = dock_rows.docking(connection, docking.id)
        if known is not None:
            _check_same(known, docking, dock=dock)
            return _answer(known["refusal"], serial, device, row), ()
        code = _refusal(docking, device)
        # What is not registered has no stream of its own: a public log takes no names from strangers.
        stream = stream_of("dock", dock) if device is None else stream_of("device", device["serial"])
        happenings = [_docked(docking, stream, dock=dock, refusal=code)]
        happenings += [_alarm(stream, one, dock=dock) for one in _alarms(docking, device)]
        return _answer(code, serial, device, row), happenings

    return take_down(decide, actor=f"dock:{dock}", ports=ports, now=now)


def end(
    identifier: str, *, outcome: str, received: int, erased: int, why: str, dock: str, ports: Ports, now: datetime
) -> None:
    """Take down what became of a docking; the first word counts, a repeat changes nothing.

    Files that were erased without our leave are an alarm.

    Raises:
        NotFound: this dock told of no such docking. BadInput: no such outcome, or a number below nothing.
        Conflict: it ended before, and otherwise.
    """
    check_numbers(counted=(received, erased))
    if outcome not in OUTCOMES:
        raise BadInput(f"a docking ends {', '.join(OUTCOMES)}, not {outcome[:40]!r}")
    told = {"outcome": outcome, "received": received, "erased": erased}

    def decide(connection: Connection) -> tuple[None, Sequence[Happening]]:
        row = docking_of(connection, identifier, dock=dock)
        if row["ended_at"] is not None:
            if any(row[name] != value for name, value in told.items()):
                raise Conflict(f"docking {identifier} ended before, {row['outcome']}")
            return None, ()
        stream = stream_of_docking(row)
        facts = told | {"docking": identifier}
        happenings = [Happening("undocked", stream, facts=facts, detail={"why": written(why)})]
        allowed = sum(int(one["count"]) for one in leaves(connection, row))
        if erased > allowed:
            text = f"{erased} files were erased at docking {identifier} without our leave"
            text += f", which was for {allowed}" if allowed else ""
            happenings.append(_alarm(stream, Refusal("erased-without-leave", text), dock=dock))
        return None, happenings

    take_down(decide, actor=f"dock:{dock}", ports=ports, now=now)


# --- what the steps of a docking share ----------------------------------------------------------


def enrolled(connection: Connection, dock: str) -> Row:
    """The row of a dock that is enrolled now.

    Raises:
        NotSignedIn: it was shut out meanwhile.
    """
    row = dock_rows.dock(connection, dock)
    if row["state"] != "enrolled":
        raise NotSignedIn(f"{dock} is {row['state']}: it does not speak for a dock")
    return row


def station(connection: Connection, dock: str) -> Row:
    """The row of an enrolled dock station.

    Raises:
        NotSignedIn: it was shut out meanwhile. Refused: a terminal, or a dock of another maker's system.
    """
    row = enrolled(connection, dock)
    if row["kind"] != "dock":
        raise Refused(f"{dock} is a {row['kind']}: nothing is plugged into it")
    return row


def docking_of(connection: Connection, identifier: str, *, dock: str) -> Row:
    """The docking of this id, of this dock.

    Raises:
        NotFound: this dock told of none. NotSignedIn, Refused: as `station`.
    """
    station(connection, dock)
    row = dock_rows.docking(connection, identifier)
    if row is None or row["dock"] != dock:
        raise NotFound(f"no docking {identifier[:40]!r} of this dock")
    return row


def stream_of_docking(row: Row) -> str:
    """The stream that a docking's events are in: its device's; its dock's, when the device was not known."""
    if row["device"] is None or row["refusal"] == UnknownDevice.code:
        return stream_of("dock", row["dock"])
    return stream_of("device", row["device"])


def leaves(connection: Connection, row: Row) -> list[Mapping[str, Any]]:
    """The leave that a docking was given so far, part by part: the facts of each event.

    Raises:
        RecordMalformed: one of them cannot be read.
    """
    if row["erasing_at"] is None:
        return []
    told = dock_rows.newest_leaves(connection, stream_of_docking(row), _MOST_LEAVES)
    facts = [parse_event(split_note(one["note"])[0]).facts for one in told]
    return [one for one in facts if one["docking"] == row["id"]]


# --- deciding -----------------------------------------------------------------------------------


def _refusal(docking: Docking, device: Row | None) -> str | None:
    if device is None:
        return UnknownDevice.code
    if docking.problem is not None:
        return docking.problem
    if not device["is_allowed"] or device["status"] in _OUT_OF_USE:
        return DeviceRefused.code
    return None


def _answer(code: str | None, serial: str | None, device: Row | None, dock: Row) -> Answer:
    if code is None:
        return Answer(None, erases=bool(dock["erases"]))
    return Answer(Refusal(code, _words(code, serial, device)), erases=False)


def _words(code: str, serial: str | None, device: Row | None) -> str:
    if serial is None:
        return "the device tells no serial: nothing is taken from a device that is not known"
    if code == UnknownDevice.code:
        return f"device {serial} is not in the register; if it is ours, run `evidock device add {serial}`"
    if code == DeviceRefused.code:
        status = "" if device is None else device["status"]
        return f"device {serial} {_OUT_OF_USE.get(status, 'is not on the white list')}: nothing is taken from it"
    return f"device {serial} is not as it was bound ({code}): a person must look at it"


def _alarms(docking: Docking, device: Row | None) -> list[Refusal]:
    found = []
    if docking.problem is not None:
        name = docking.told()["device"] or "a device without a serial"
        found.append(Refusal(docking.problem, f"{name} at port {docking.told()['port']}: {docking.problem}"))
    if device is not None and device["status"] == "lost":
        text = f"device {device['serial']}, told to be lost, is at port {docking.told()['port']}"
        found.append(Refusal("lost-device", text))
    return found


def _docked(docking: Docking, stream: str, *, dock: str, refusal: str | None) -> Happening:
    told = docking.told()
    facts = {
        **{name: value for name, value in told.items() if name != "device"},
        "clock": None if docking.clock is None else docking.clock.to_facts(),
        "dock": dock,
        "docking": docking.id,
        "refusal": refusal,
    }
    return Happening("docked", stream, facts=facts, detail={"device": told["device"]})


def _alarm(stream: str, told: Refusal, *, dock: str) -> Happening:
    return Happening("device-alarm", stream, facts={"code": told.code, "dock": dock}, detail={"text": told.text})


def _check_same(known: Row, docking: Docking, *, dock: str) -> None:
    wanted = docking.told() | {"dock": dock}
    if any(known[name] != value for name, value in wanted.items()):
        raise Conflict(f"another docking is called {docking.id}: nothing of this one is taken")
