# SPDX-License-Identifier: Apache-2.0
"""This is where moments come in and go out: RFC 3339 with a zone in, UTC with six decimals out."""

from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import AwareDatetime, WithJsonSchema

from evidence import instant

Instant = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""A moment in an answer: UTC, six decimals, `Z`."""
Seconds = Annotated[
    str, WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(/[0-9]+)?$", "examples": ["31", "1001/30"]})
]
"""Media time in an answer: seconds, exact, a whole number or a fraction."""
Moment = AwareDatetime
"""A moment in a request."""
From = Annotated[AwareDatetime | None, Query(alias="from", description="What has any part at or after this moment.")]
To = Annotated[AwareDatetime | None, Query(alias="to", description="What has any part before this moment.")]


def utc(moment: datetime) -> datetime:
    """A moment of a request in UTC.

    Raises:
        BadInput: it is in no year of the calendar.
    """
    return instant.from_text(moment.isoformat())


def text_of(moment: datetime | None) -> str | None:
    """A moment of a request as the register writes it.

    Raises:
        BadInput: it is in no year of the calendar.
    """
    return None if moment is None else instant.to_text(utc(moment))
