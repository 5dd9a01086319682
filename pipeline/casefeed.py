# SPDX-License-Identifier: Apache-2.0
"""This is where the agency's case system (办案系统) is asked what is new, page by page, and that is taken in.

Where to go on is remembered only after everything up to there was taken: what was refused, or cut off by an outage,
is asked for again. Asking twice costs time and writes nothing.
"""

import hashlib
import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from evidence.errors import NotFound, SourceUnavailable
from pipeline.case_codes import codes_now
from pipeline.case_import import Import, Imported
from pipeline.case_json import FeedPage, read_page
from pipeline.casefeed_http import Address, Answer, ask
from pipeline.ports import Ports, Progress, unheard
from storage.durable import store_errors

SOURCE = "case-system"
"""The source of cases that were pulled: a sheet of the same system names it too (`--source case-system`)."""
_LARGEST_STATE = 65_536

Pause = Callable[[float], bool]
"""Wait so many seconds; True when nothing more is wanted."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a pull is: pages of one pull, tries of one page, and pauses between them in seconds."""

    most_pages: int = 2000
    tries: int = 5
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Where the next pull goes on: the cursor that the system gave, and the tag of an answer that was one page."""

    cursor: str | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """A case system: its address, the file of its bookmark, how patient to be, and how to wait."""

    address: Address
    bookmark: Path
    pause: Pause
    pace: Pace = Pace()

    def pull(self, *, ports: Ports, now: datetime, progress: Progress = unheard) -> Imported:
        """Take in all that is new; what it did. Ends early, without a new bookmark, when nothing more is wanted.

        Repeat: nothing is written for what was taken in before.

        Raises:
            SourceUnavailable: no good answer within all tries; pages before it are taken in.
            BadInput: a page is not of the agreed form; pages before it are taken in.
            RegisterUnavailable, StoreUnavailable: try again.
        """
        last = read_bookmark(self.bookmark, self.address)
        done, cursor, etag = Imported(), last.cursor, None
        for number in range(1, self.pace.most_pages + 1):
            answer = self._ask(number, last)
            if answer is None:
                return done
            if answer.status == _NOT_MODIFIED:
                return done
            page = self._take(answer, number, done, ports=ports, now=now)
            cursor, etag = page.cursor or cursor, answer.etag if number == 1 else None
            progress(1 - 1 / (number + 1))
            if page.next_page is None:
                # The tag is of what was asked: with another cursor, something else is asked next time.
                tag = etag if cursor == last.cursor else None
                if not done.faults:
                    write_bookmark(self.bookmark, self.address, Bookmark(cursor, tag))
                return done
        raise SourceUnavailable(f"the case system has more than {self.pace.most_pages} pages for one pull")

    def _take(self, answer: Answer, number: int, done: Imported, *, ports: Ports, now: datetime) -> FeedPage:
        with ports.register.view() as connection:
            codes = codes_now(connection, ports=ports, now=now)
        page = read_page(answer.body, number=number, codes=codes)
        done.add(Import(SOURCE, ports, now).run(page.rows, faults=page.faults))
        return page

    def _ask(self, number: int, last: Bookmark) -> Answer | None:
        """A page, asked for until it comes; None when nothing more is wanted."""
        query = {"page": str(number)} | ({} if last.cursor is None else {"since": last.cursor})
        told = SourceUnavailable("the case system was not asked")
        wait_s = self.pace.first_pause_s
        for _ in range(self.pace.tries):
            asked_s: float | None = None
            try:
                answer = ask(self.address, query, etag=last.etag if number == 1 else None)
                if answer.status in (_OK, _NOT_MODIFIED):
                    return answer
                told = SourceUnavailable(f"the case system answers HTTP {answer.status}", status=answer.status)
                asked_s = answer.wait_s
            except SourceUnavailable as error:
                if "status" in error.values:
                    raise  # it has answered, and would again
                told = error
            if self.pause(self._pause_s(wait_s, asked_s)):
                return None
            wait_s = min(wait_s * 2, self.pace.longest_pause_s)
        raise told

    def _pause_s(self, wait_s: float, asked_s: float | None) -> float:
        """With chance in it, so that many who were turned away do not come back at once; at least what was asked."""
        jitter = wait_s / 2 + wait_s * secrets.randbelow(1000) / 2000
        return min(max(jitter, asked_s or 0.0), self.pace.longest_pause_s)


_OK, _NOT_MODIFIED = 200, 304


def read_bookmark(path: Path, address: Address) -> Bookmark:
    """Where the last pull from this address ended; the beginning, when that is not known: asking anew does no harm.

    Raises:
        StoreUnavailable: the file cannot be read now.
    """
    with store_errors(f"cannot read {path}"), suppress(FileNotFoundError, ValueError, NotFound):
        with path.open("rb") as file:
            told = json.loads(file.read(_LARGEST_STATE))
        if isinstance(told, dict) and told.get("address") == _name_of(address):
            return Bookmark(_text(told.get("cursor")), _text(told.get("etag")))
    return Bookmark()


def write_bookmark(path: Path, address: Address, mark: Bookmark) -> None:
    """Remember where to go on: a file that stands at once and whole, or not at all.

    Raises:
        StoreUnavailable: it cannot be written now.
    """
    body = {"address": _name_of(address), "cursor": mark.cursor, "etag": mark.etag}
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    with store_errors(f"cannot write {path}"):
        try:
            draft.write_text(json.dumps(body))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def _name_of(address: Address) -> str:
    return hashlib.sha256(address.url.encode()).hexdigest()


def _text(told: object) -> str | None:
    return told if isinstance(told, str) and told.isascii() and told.isprintable() else None
