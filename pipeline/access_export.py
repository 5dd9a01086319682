# SPDX-License-Identifier: Apache-2.0
"""This is where accesses are handed out as one signed text that an outsider checks with openssl alone.

Line 1 names the form, line 2 is canonical JSON of what was asked and how much follows, then one line of canonical JSON
an access; all of it is the text of a signed note, by the key that signs events.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from evidence import canonical_json, instant
from evidence.note import MAX_NOTE_BYTES, sign_note
from pipeline.ports import Ports
from storage.register.answers import Page, Place, Row

FORM = "evidock/accesses/v1"
_FIELDS = ("stream", "seq", "at", "act", "noun", "subject", "outcome", "code")
_MOST_BYTES = MAX_NOTE_BYTES - (1 << 17)
"""The rest is for the head, and for signatures."""


def that_fit(page: Page) -> Page:
    """The first rows of a page that one note can carry, and where the next one goes on; at least one."""
    size = 0
    for number, row in enumerate(page.rows):
        size += len(_line(row).encode()) + 1
        if size > _MOST_BYTES and number:
            last = page.rows[number - 1]
            return Page(page.rows[:number], Place(last["at"], last["name"]))
    return page


def signed_accesses(page: Page, *, asked: Mapping[str, Any], after: str | None, ports: Ports, now: datetime) -> str:
    """The note over a page of accesses that fits. `asked` is told in its head; `after`: where the next one goes on.

    Repeat: the same rows give the same lines; the head tells when they were read, and by whom.
    """
    head = {
        "after": after,
        "asked": dict(asked),
        "at": instant.to_text(now),
        "by": ports.actor,
        "lines": len(page.rows),
        "log": ports.log.origin,
    }
    lines = [FORM, canonical_json.dumps(head).decode(), *map(_line, page.rows)]
    return sign_note("\n".join(lines) + "\n", [ports.signer])


def _line(row: Row) -> str:
    return canonical_json.dumps(access_of(row)).decode()


def access_of(row: Row) -> dict[str, Any]:
    """An access as people and programs are told it: its event's place, and what the event tells."""
    return {name: row[name] for name in _FIELDS} | {"told": json.loads(row["told"])}
