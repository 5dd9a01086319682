# SPDX-License-Identifier: Apache-2.0
"""This is where moments are written down: RFC 3339, UTC, microseconds, so that text order is time order."""

from datetime import UTC, datetime

from evidence.errors import BadInput


def to_text(moment: datetime) -> str:
    """`moment` in UTC with six decimals and `Z`; sorts as text.

    Raises:
        BadInput: `moment` has no zone; a time without a zone is a claim, not an instant.

    """
    if moment.tzinfo is None:
        raise BadInput(f"a time without a zone is not an instant: {moment.isoformat()}")
    # Not strftime: it writes a year below 1000 with fewer than four digits, and the text would sort wrongly.
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """The instant that an RFC 3339 text names.

    Raises:
        BadInput: not RFC 3339, or without a zone.

    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"not an RFC 3339 time: {text!r} (write 2026-06-19T10:03:24+08:00)") from error
    if moment.tzinfo is None:
        raise BadInput(f"{text!r} has no zone (write 2026-06-19T10:03:24+08:00)")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise BadInput(f"{text!r} is in no year of the calendar (1 to 9999)") from error
