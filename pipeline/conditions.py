# SPDX-License-Identifier: Apache-2.0
"""This is where a person sets or lifts a condition (永久保存情形) on a case or a recording, saying why."""

from datetime import datetime

from evidence.custody import Happening
from evidence.errors import Conflict, NotFound
from evidence.ids import stream_of
from evidence.written import reason
from pipeline.case_codes import codes_now
from pipeline.ports import Ports
from storage.register import casebook, keeping, search
from storage.register.search import Connection


def set_condition(noun: str, name: str, code: str, *, why: str, ports: Ports, now: datetime) -> None:
    """Set a condition on a `case` (by number) or `recording` (by id): it is kept longer from now on.

    Raises:
        NotFound: no such case or recording. Conflict: the condition stands already.
        BadInput: the catalog in force has no such condition, or no reason.
        WrongState: the recording was disposed of.
    """
    told = {"why": reason(why)}
    with ports.register.begin() as facts:
        codes_now(facts.connection, ports=ports, now=now).check("conditions", code)
        subject = _subject(facts.connection, noun, name)
        if noun == "recording":
            keeping.check_there(facts.connection, subject)
        if _stands(facts.connection, noun, subject, code):
            raise Conflict(f"{code} stands on {noun} {name!r} already")
        happening = Happening("condition-set", stream_of(noun, subject), facts={"code": code}, detail=told)
        facts.record(happening, actor=ports.actor, at=now)


def lift_condition(noun: str, name: str, code: str, *, why: str, ports: Ports, now: datetime) -> None:
    """Lift a condition: from now on it keeps nothing longer. Also one that the catalog no longer has.

    Raises:
        NotFound: no such case or recording, or the condition does not stand on it. BadInput: no reason.
    """
    told = {"why": reason(why)}
    with ports.register.begin() as facts:
        subject = _subject(facts.connection, noun, name)
        if not _stands(facts.connection, noun, subject, code):
            raise NotFound(f"{code[:80]!r} does not stand on {noun} {name!r}")
        happening = Happening("condition-lifted", stream_of(noun, subject), facts={"code": code}, detail=told)
        facts.record(happening, actor=ports.actor, at=now)


def _subject(connection: Connection, noun: str, name: str) -> str:
    row = search.case(connection, name) if noun == "case" else search.recording(connection, name)
    return str(row["id"])


def _stands(connection: Connection, noun: str, subject: str, code: str) -> bool:
    return any(row["code"] == code for row in casebook.conditions_of(connection, noun, subject))
