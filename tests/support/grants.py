# SPDX-License-Identifier: Apache-2.0
"""This is where tests give people grants, as two others agreed on them."""

from datetime import datetime, timedelta

from app import clocks
from evidence import instant
from evidence.custody import Happening
from tests.support.people import Hall

HOUR = timedelta(hours=1)


def give(
    hall: Hall, user: str, noun: str, subject: str, what: str, *, start: datetime | None = None, hours: float = 1.0
) -> str:
    """A grant as two people agreed on it; its id."""
    begins = start or clocks.now()
    number = f"{user}-{what}-{noun}-{subject[4:10]}"
    approval, grant = f"apv-{number}", f"gra-{number}"
    ends = instant.to_text(begins + HOUR * hours)
    asked = {"act": "access", "noun": noun, "subject": subject, "digest": "0" * 64, "expires_at": ends, "unit": None}
    times = {"from_at": instant.to_text(begins), "until_at": ends}
    told = {"user": f"usr-{user}", "noun": noun, "subject": subject, "what": what, "watermark": False, **times}
    requested = Happening("approval-requested", f"approval/{approval}", asked, {"params": {}, "why": "w"})
    decided = Happening("approval-decided", f"approval/{approval}", {"decision": "approved"}, {"why": ""})
    granted = Happening("granted", f"grant/{grant}", {**told, "approval": approval}, {"why": "w"})
    happenings = ((requested, f"user:usr-{user}"), (decided, "user:usr-boss"), (granted, "user:usr-boss"))
    with hall.home.ports.register.begin() as facts:
        for happening, actor in happenings:
            facts.record(happening, actor=actor, at=begins)
    return grant
