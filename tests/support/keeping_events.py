# SPDX-License-Identifier: Apache-2.0
"""This is where one event of every kind about cases and keeping is written, in its documented form."""

from datetime import UTC, datetime
from typing import Any

from evidence.custody import Happening
from storage.register.facts import Facts

AT = datetime(2026, 6, 19, 12, tzinfo=UTC)
START, END = "2026-06-19T01:00:00.000000Z", "2026-06-19T02:00:00.000000Z"


def everything_of_keeping(facts: Facts, *, case: str, video: str, photo: str) -> None:
    """One event of each kind; `photo` ends disposed, `video` indexed, the case open and revised."""

    def record(kind: str, stream: str, detail: dict[str, Any] | None = None, *, by: str = "a", **told: Any) -> None:
        facts.record(Happening(kind, stream, facts=told, detail=detail), actor=f"cli:{by}", at=AT)

    _of_cases(record, case)
    _of_catalogs(record)
    _of_holds(record, video)
    _of_archive(record, video)
    _of_disposal(record, video, photo)


def _of_cases(record: Any, case: str) -> None:
    record("unit-registered", "unit/uni-a", {"code": "01", "name": "一大队", "parent": None})
    told = {"unit": "02", "above": "01", "start_at": START, "end_at": END, "body": {"cases": []}}
    for report in ("rep-a", "rep-b"):
        record("unit-report-submitted", f"unit-report/{report}", told, digest="0" * 64, count=0)
    record("unit-report-accepted", "unit-report/rep-a", None, by="b", digest="0" * 64)
    record("unit-report-returned", "unit-report/rep-b", {"why": "a case is missing"}, by="b", digest="0" * 64)
    revised = {"number": "2026-2", "title": "t", "item": None, "start_at": START, "end_at": END, "officers": ["7"]}
    more = {"kind": "task", "type": "JC", "unit": "01", "file_term": "P10Y", "source": "csv", "source_key": "9"}
    record("case-revised", f"case/{case}", {**revised, **more, "told": {"parties": [{"name": "某", "role": "当事人"}]}})
    paper = {"name": "现场检查笔录", "number": "1", "link": "site_inspection", "item": None, "officers": ["7"]}
    for document in ("doc-a", "doc-b"):
        record("document-filed", f"case/{case}", {**paper, "start_at": START, "end_at": END}, document=document)
    record("document-withdrawn", f"case/{case}", {"why": "twice"}, document="doc-b")
    record("gap-explained", f"case/{case}", {"start_at": START, "end_at": END, "how": "spoken", "why": "battery"})
    record("case-closed", f"case/{case}", closed_at=END)
    record("case-reopened", f"case/{case}", {"why": "appeal"})
    for code in ("PC-DISPUTE", "PC-EVID"):
        record("condition-set", f"case/{case}", {"why": "court"}, code=code)
    record("condition-lifted", f"case/{case}", {"why": "settled"}, code="PC-DISPUTE")


def _of_catalogs(record: Any) -> None:
    for name in ("a", "b"):
        stream, catalog = f"catalog/{name * 12}", f"av@1#{name * 12}"
        record(
            "catalog-proposed",
            stream,
            {"body": "items: []", "why": "first", "effects": {"longer": 0}},
            catalog=catalog,
            sha256=name * 64,
            profile="base",
            preset=None,
            effective_from=START,
            shortens=["JC-01"],
        )
    record("catalog-approved", "catalog/aaaaaaaaaaaa", None, by="b", catalog="av@1#aaaaaaaaaaaa")
    filed = {"status": "已备案", "filed_on": "2026-06-20", "body": "司法局"}
    record("catalog-filed", "catalog/aaaaaaaaaaaa", filed, catalog="av@1#aaaaaaaaaaaa")
    record("catalog-withdrawn", "catalog/bbbbbbbbbbbb", {"why": "typo"}, catalog="av@1#bbbbbbbbbbbb")


def _of_holds(record: Any, video: str) -> None:
    for hold in ("hol-a", "hol-b"):
        record("hold-placed", f"hold/{hold}", {"why": "复议", "authority": None}, noun="recording", subject=video)
    record("hold-lifted", "hold/hol-a", {"why": "over"}, by="b")
    record("clock-confirmed", "clock/here", {"why": "the radio says so"}, at=END, was=START)
    record("reviewed", f"recording/{video}", {"why": "a test press"})
    record("lock-extended", f"recording/{video}", None, mode="compliance", until=END)


def _of_archive(record: Any, video: str) -> None:
    record("appraised", f"recording/{video}", {"why": "seldom seen"}, decision="archive", until=None)
    record("archived", f"recording/{video}", None, place="file:///cold", storage_class=None, sha256="0" * 64)
    record("hot-removed", f"recording/{video}", {"removed": []})
    record("restored", f"recording/{video}", {"why": "court"}, sha256="0" * 64)
    record("derivative-removed", f"recording/{video}", {"removed": []}, derivative="proxy", sha256="0" * 64)


def _of_disposal(record: Any, video: str, photo: str) -> None:
    entries = [
        {"recording": one, "until": END, "reasons": [{"code": "term"}], "sha256": "0" * 64, "size_bytes": 1}
        for one in (photo, video)
    ]
    record(
        "disposal-proposed", "disposal/dis-a", {"why": "due", "entries": entries}, digest="0" * 64, count=2, grace_s=60
    )
    record("disposal-approved", "disposal/dis-a", None, by="b", digest="0" * 64, grace_until=END)
    record("disposal-withdrawn", "disposal/dis-a", {"why": "needed", "recordings": [video]})
    record("disposing", f"recording/{photo}", None, disposal="dis-a")
    record("disposed", f"recording/{photo}", {"tombstone": {"removed": []}}, disposal="dis-a")
    record("disposal-finished", "disposal/dis-a", {"register": []}, digest="0" * 64)
