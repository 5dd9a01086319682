# SPDX-License-Identifier: Apache-2.0
"""This is where it is decided what a pack will hold: which recordings of the case, whole or in which spans."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from evidence.errors import BadInput
from evidence.lifecycle import State
from evidence.media_time import Span
from pipeline.reach import check_readable
from storage.register import search
from storage.register.search import Connection, Row

_GONE = (State.DISPOSING, State.DISPOSED)


class What(StrEnum):
    """What is handed over of each recording: its whole originals, or clips of what the case links to."""

    ORIGINALS = "originals"
    CLIPS = "clips"


@dataclass(frozen=True, slots=True)
class Item:
    """One recording of the case. `spans`: what is cut of it; none: its originals go whole.

    `is_gone`: it was disposed of, or is being; only its records are left to hand over.
    """

    row: Row
    originals: tuple[Row, ...]
    segments: tuple[str, ...]
    spans: tuple[Span, ...]
    is_gone: bool

    @property
    def recording(self) -> str:
        """Its id."""
        return str(self.row["id"])

    @property
    def size_bytes(self) -> int:
        """The most that its bytes will take."""
        return 0 if self.is_gone else sum(row["size_bytes"] for row in self.originals)


def what_of(text: str) -> What:
    """What is asked for by a word.

    Raises:
        BadInput: it is no such word.
    """
    try:
        return What(text)
    except ValueError as error:
        raise BadInput(f"a pack holds originals or clips, not {text[:40]!r}", field="what") from error


def plan_of(connection: Connection, case: Row, what: What) -> tuple[Item, ...]:
    """The recordings of a case as they go into its pack, in the order they were filmed.

    Raises:
        WrongState: one of them rests in the archive alone; bring it back first.
    """
    linked: dict[str, list[Row]] = defaultdict(list)
    for link in search.links_of_case(connection, case["id"]):
        linked[link["recording"]].append(link)
    items = [_item(connection, recording, links, what) for recording, links in linked.items()]
    return tuple(sorted(items, key=lambda item: (item.row["start_at"] or "~", item.recording)))


def _item(connection: Connection, recording: str, links: list[Row], what: What) -> Item:
    row = search.recording(connection, recording)
    is_gone = row["state"] in _GONE
    if not is_gone:
        check_readable(connection, recording)
    originals = tuple(search.originals_of(connection, recording))
    segments = tuple(sorted(link["segment"] for link in links))
    can_be_cut = what is What.CLIPS and not is_gone and len(originals) == 1 and originals[0]["packet_root"] is not None
    return Item(row, originals, segments, joined(links) if can_be_cut else (), is_gone)


def joined(links: Iterable[Row]) -> tuple[Span, ...]:
    """The spans of segments, those that touch made one."""
    found: list[Span] = []
    for start, end in sorted((Fraction(link["start"]), Fraction(link["end"])) for link in links):
        if found and start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, end))
        else:
            found.append(Span(start, end))
    return tuple(found)
