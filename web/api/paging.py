# SPDX-License-Identifier: Apache-2.0
"""This is where a long list is given out page by page: how much a client asks for, and where the next page begins.

A cursor is opaque: what stands in it is ours to change. Nothing is lost or given twice while rows are added, because
it names the last row that was given, not a number of rows.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict

from evidence.errors import BadInput
from storage.register.answers import Page, Place
from web.api.figures import shipped_figures

_FIGURES = shipped_figures()
_CURSOR_MOST = 600

Item = TypeVar("Item")


class Listed(BaseModel, Generic[Item]):
    """One page of a list. `next`: what to send as `after` for the page behind it; null on the last."""

    model_config = ConfigDict(frozen=True)

    items: Sequence[Item]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Paging:
    """What part of a list is asked for: at most `limit` rows behind `after` (as its list wrote it; None: the first)."""

    limit: int
    after: str | None = None

    def place(self) -> Place | None:
        """`after` as a place in a list by time.

        Raises:
            BadInput: it is of another kind of list.
        """
        return None if self.after is None else Place.from_text(self.after)

    def number(self) -> int | None:
        """`after` as the number of a row.

        Raises:
            BadInput: it is of another kind of list.
        """
        if self.after is None:
            return None
        if not (self.after.isascii() and self.after.isdecimal()) or len(self.after) > len("9999999999999999"):
            raise BadInput("this cursor is not of this list")
        return int(self.after)


def cursor(after: Place | str | int | None) -> str | None:
    """The cursor for a place in a list, for `Listed.next`; None for none."""
    if after is None:
        return None
    told = after.to_text() if isinstance(after, Place) else str(after)
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def listed(items: Sequence[Item], after: Page | Place | str | int | None) -> Listed[Item]:
    """One page of a list: its items, and the place behind which the next one begins (or the page it came from)."""
    return Listed(items=items, next=cursor(after.after if isinstance(after, Page) else after))


def _paging(
    limit: Annotated[int, Query(ge=1, le=_FIGURES.page_most, description="How many at most.")] = _FIGURES.page_default,
    after: Annotated[str | None, Query(max_length=_CURSOR_MOST, description="The `next` of the page before.")] = None,
) -> Paging:
    return Paging(limit, None if after is None else _opened(after))


def _opened(told: str) -> str:
    try:
        return base64.b64decode(told + "=" * (-len(told) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise BadInput("this is no cursor: send the `next` of the page before") from error


Paged = Annotated[Paging, Depends(_paging)]
"""A parameter of a route that lists: `?limit=` and `?after=`."""
