# SPDX-License-Identifier: Apache-2.0
"""This is where an agreement becomes a grant: leave for one user, on one noun, for one thing, until a time."""

from evidence import ids, instant
from evidence.custody import Happening
from evidence.errors import WrongState
from evidence.ids import stream_of
from pipeline.approval_acts.act import Agreed
from pipeline.approval_acts.asked_for import user
from storage.register.facts import Facts


def grant(writing: Facts, agreed: Agreed, *, what: str, until: str) -> str:
    """Record a grant from the moment of the decision until `until`; its id.

    Raises:
        NotAllowed: the user has been disabled since. WrongState: the time that was agreed on has passed.
    """
    from_at = instant.to_text(agreed.now)
    if until <= from_at:
        raise WrongState(f"what was asked for ended at {until}: ask again", until=until)
    for_whom = user(writing.connection, agreed.params["user"], asker=agreed.decider)
    identifier = ids.opaque("gra", agreed.chance(10))
    facts = {
        "approval": agreed.approval,
        "from_at": from_at,
        "noun": agreed.noun,
        "subject": agreed.subject,
        "until_at": until,
        "user": for_whom["id"],
        "watermark": bool(agreed.params.get("watermark", False)),
        "what": what,
    }
    granted = Happening("granted", stream_of("grant", identifier), facts=facts, detail={"why": agreed.why})
    writing.record(granted, actor=agreed.decider, at=agreed.now)
    return identifier


def of_user(agreed: Agreed) -> tuple[str, ...]:
    """The user whom a grant is for."""
    return (agreed.params["user"],)
