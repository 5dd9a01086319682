# SPDX-License-Identifier: Apache-2.0
"""This is where a person appraises what is due (到期鉴定): dispose of it, archive it, or keep it longer; and says why.

An appraisal removes nothing. It is what a disposal list may be made of, and what the archive takes.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from evidence import instant
from evidence.custody import Happening
from evidence.errors import BadInput, Conflict, WrongState
from evidence.retention import Outcome
from evidence.written import reason
from pipeline.disposal_list import DecisionOf
from pipeline.outcome import about
from pipeline.ports import Ports
from storage.register import ends, search
from storage.register.search import Connection


class Wish(StrEnum):
    """What is to become of a recording whose keeping has ended."""

    DISPOSE = "dispose"
    ARCHIVE = "archive"
    KEEP = "keep"


_MAY: Mapping[Wish, frozenset[Outcome]] = {
    Wish.DISPOSE: frozenset({Outcome.DUE}),
    # What is kept for long, or for good, may lie where keeping costs less; what may be asked for any day, not.
    Wish.ARCHIVE: frozenset({Outcome.DUE, Outcome.KEPT, Outcome.PERMANENT}),
    Wish.KEEP: frozenset(Outcome),
}


def appraise(
    recordings: Sequence[str],
    wish: Wish,
    *,
    why: str,
    judge: DecisionOf,
    ports: Ports,
    now: datetime,
    until: datetime | None = None,
) -> None:
    """Write down what a person decided on recordings that are due; all of them, or none when one is refused.

    `until`: of KEEP, until when it is not asked about again; of ARCHIVE the same, or for good. A later appraisal takes
    the place of an earlier one.

    Raises:
        BadInput: no reason, or a date that is missing, needless, or not to come.
        NotFound: no such recording.
        WrongState: one is not due now (ARCHIVE and KEEP may come early), or not in a state to be appraised.
        Conflict: one is on a disposal list that stands.
    """
    _check_until(wish, until, now)
    detail = {"why": reason(why)}
    facts = {"decision": wish.value, "until": None if until is None else instant.to_text(until)}
    wanted = sorted(set(recordings))
    # Looked at twice, so that details rest before the transaction, and none rests for what is refused.
    with ports.register.view() as connection:
        for recording in wanted:
            _check(connection, recording, wish, judge)
    appraised = [Happening("appraised", about(recording), facts=facts, detail=detail) for recording in wanted]
    rested = [ports.register.rest(happening) for happening in appraised]
    with ports.register.begin() as writing:
        for recording, one in zip(wanted, rested, strict=True):
            _check(writing.connection, recording, wish, judge)
            writing.record(one, actor=ports.actor, at=now)


def _check_until(wish: Wish, until: datetime | None, now: datetime) -> None:
    if (wish is Wish.KEEP) != (until is not None) and wish is not Wish.ARCHIVE:
        raise BadInput("what is kept longer needs a date (--until), and what is disposed of has none")
    if until is not None and until <= now:
        raise BadInput(f"{instant.to_text(until)} is not to come: give a later date")


def _check(connection: Connection, recording: str, wish: Wish, judge: DecisionOf) -> None:
    row = search.recording(connection, recording)
    if row["state"] not in ends.STANDING:
        raise WrongState(f"{recording} is {row['state']}: it cannot be appraised", state=row["state"])
    listed = ends.list_of(connection, recording)
    if listed is not None:
        raise Conflict(f"{recording} is on the disposal list {listed}: undo that first", disposal=listed)
    outcome = judge(connection, recording).outcome
    if outcome not in _MAY[wish]:
        why = f"`evidock retention explain {recording}` tells why"
        raise WrongState(
            f"{recording} cannot be appraised so: the answer is {outcome.value!r} ({why})", outcome=outcome
        )
