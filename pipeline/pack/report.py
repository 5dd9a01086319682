# SPDX-License-Identifier: Apache-2.0
"""This is where the readable report of a pack is made: one page of HTML, Chinese and English, without a script.

It is for reading. What it says is proven by the files beside it, never by the page itself. Every word from outside is
written as text: no name of a case or a file becomes part of the page's own form.
"""

import html
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

_WORDS = Path(__file__).parents[1] / "data" / "pack-words.json"
LANGUAGES = ("zh-CN", "en")

Body = Mapping[str, Any]
_STYLE = (
    "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:70em;padding:0 1em}"
    "table{border-collapse:collapse;width:100%;margin:.5em 0 1.5em}"
    "th,td{border:1px solid #bbb;padding:.25em .5em;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "th{background:#eee}code{font-size:90%}"
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@cache
def words(language: str) -> Mapping[str, str]:
    """The words of the report in a language, by code."""
    found: Mapping[str, str] = json.loads(_WORDS.read_text("utf-8"))[language]
    return found


def report_page(index: Body, case: Body, coverage: Body, events: Sequence[Body]) -> bytes:
    """The page, for the index of a pack, the facts of its case, its coverage, and the events of its records."""
    parts = [_in_language(language, index, case, coverage, events) for language in LANGUAGES]
    return (
        '<!DOCTYPE html>\n<html lang="zh-CN">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{text(case['number'])}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"{''.join(parts)}</body>\n</html>\n"
    ).encode()


def text(value: object) -> str:
    """What a page shows of a value from outside; letters that are not printed, or turn the line, are shown as such."""
    told = "" if value is None else str(value)
    return html.escape("".join(letter if letter.isprintable() else "�" for letter in told))


def _in_language(language: str, index: Body, case: Body, coverage: Body, events: Sequence[Body]) -> str:
    say = words(language)
    heads = [_table((), _case_lines(say, index, case))]
    heads.append(_section(say["recordings"], _table(_heads(say, "recording state start original clips"), _rows(index))))
    heads.append(_section(say["links"], _table(_heads(say, "segment from to reason by"), _links(case))))
    told = f"<p>{text(say['covered'])}: {coverage['present']}/{coverage['demanded']} ({text(coverage['catalog'])})</p>"
    cells = _table(_heads(say, "item matter status recordings"), _cells(say, coverage))
    heads.append(_section(say["coverage"], told + cells))
    heads.append(_section(say["custody"], _table(_heads(say, "stream seq event at by entry"), _events(events))))
    heads.append(f"<p>{text(say['proof'])}</p>")
    return f'<section lang="{language}">\n<h1>{text(say["heading"])}</h1>\n{"".join(heads)}</section>\n'


def _section(title: str, body: str) -> str:
    return f"<h2>{text(title)}</h2>\n{body}"


def _heads(say: Mapping[str, str], codes: str) -> tuple[str, ...]:
    return tuple(say[code] for code in codes.split())


def _table(heads: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    head = f"<tr>{''.join(f'<th>{text(one)}</th>' for one in heads)}</tr>\n" if heads else ""
    lines = "".join(f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>\n" for row in rows)
    return f"<table>\n{head}{lines}</table>\n"


def _case_lines(say: Mapping[str, str], index: Body, case: Body) -> list[tuple[object, object]]:
    told = [(say[name], case[name]) for name in ("number", "title", "type", "item", "unit", "start_at", "end_at")]
    told.append((say["officers"], " ".join(case["officers"])))
    told += [(say["export"], index["export"]), (say["made"], index["made_at"]), (say["asked"], index["asked_by"])]
    told.append((say["log"], f"{index['log']}, {index['checkpoint']['size']}"))
    return [line for line in told if line[1]]


def _rows(index: Body) -> list[tuple[object, ...]]:
    return [
        (
            *(one["recording"], one["state"], one["start_at"]),
            " ".join(f"{original['file'] or ''} sha256:{original['sha256']}" for original in one["originals"]),
            " ".join(clip["file"] for clip in one["clips"]),
        )
        for one in index["recordings"]
    ]


def _links(case: Body) -> list[tuple[object, ...]]:
    return [
        (one["segment"], one["start"], one["end"], one["reason"].get("why") or one["reason"]["rule"], one["linked_by"])
        for one in case["links"]
    ]


def _cells(say: Mapping[str, str], coverage: Body) -> list[tuple[object, ...]]:
    return [
        (one["item"], one["name_zh"], say.get(f"status.{one['status']}", one["status"]), " ".join(one["recordings"]))
        for one in coverage["cells"]
    ]


def _events(events: Sequence[Body]) -> list[tuple[object, ...]]:
    return [(row["stream"], row["seq"], row["kind"], row["at"], row["actor"], row["leaf_index"]) for row in events]
