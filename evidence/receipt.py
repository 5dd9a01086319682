# SPDX-License-Identifier: Apache-2.0
"""This is where a receipt is defined: our signed word that an original rests, and leave to erase it.

A receipt is a C2SP signed note whose line 2 is canonical JSON. It rests beside the original and
holds every fact the register needs about it, so that the register can be remade without the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence import canonical_json, instant
from evidence.errors import RecordMalformed

FORM = "evidock/receipt/v1"


@dataclass(frozen=True, slots=True)
class Receipt:
    """An original of `recording` rests under its digest since `at`; `facts` is all we measured of it."""

    recording: str
    sha256: str
    size_bytes: int
    at: datetime
    facts: Mapping[str, Any]

    def to_text(self) -> str:
        """The note text that is signed."""
        body = {
            "at": instant.to_text(self.at),
            "facts": dict(self.facts),
            "recording": self.recording,
            "sha256": self.sha256,
            "size_bytes": self.size_bytes,
        }
        return f"{FORM}\n{canonical_json.dumps(body).decode()}\n"


def parse_receipt(text: str) -> Receipt:
    """The receipt whose `to_text` is exactly `text`.

    Raises:
        RecordMalformed: another form or other fields.

    """
    form, _, rest = text.partition("\n")
    if form != FORM or not rest.endswith("\n"):
        raise RecordMalformed(f"not a receipt of form {FORM}")
    body: Any = canonical_json.loads(rest[:-1].encode())
    try:
        receipt = Receipt(
            recording=body["recording"],
            sha256=body["sha256"],
            size_bytes=body["size_bytes"],
            at=instant.from_text(body["at"]),
            facts=body["facts"],
        )
    except (KeyError, TypeError) as error:
        raise RecordMalformed(f"receipt with missing or wrong fields: {error}") from error
    if receipt.to_text() != text:
        raise RecordMalformed("receipt with fields that its form does not know")
    return receipt
