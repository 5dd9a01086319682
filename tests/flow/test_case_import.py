# SPDX-License-Identifier: Apache-2.0
"""Cases of other systems are taken in from sheets and from a case system: once, whatever happens on the way."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from evidence.agency import Unit
from evidence.errors import BadInput, Conflict, SourceUnavailable
from pipeline import case_papers, casework
from pipeline.case_codes import codes_of
from pipeline.case_import import Import, Imported
from pipeline.case_json import _readers
from pipeline.case_rows import CASES, DOCUMENTS, case_sheet, document_sheet
from pipeline.casefeed import Feed, Pace
from pipeline.casefeed_http import Address
from pipeline.catalogs.load import load_catalog
from pipeline.people_import import OFFICERS, UNITS, import_officers, import_units
from pipeline.sheets import Columns
from pipeline.units import register_unit
from storage.register import casebook, search
from tests.support.case_system import Asked, Says, case_system, page, told
from tests.support.command import evidock
from tests.support.home import NOON, Home, open_home

NOW = NOON + timedelta(days=30)
DOCS = Path(__file__).parents[2] / "docs"
HEADER = "案号,案件名称,执法类别,承办单位,执法人员,开始时间,结束时间,当事人,结案时间"
ROWS = (
    "长建罚1,占道经营,行政处罚,执法一大队,7、8,2026-06-19 10:00,2026-06-19 12:00,某甲、某乙,",
    "长建检2,消防检查,行政检查,0101,7,2026/6/20 9:00,2026/6/20 11:00,,2026-06-30 17:00",
)
PAPERS = (
    "案号,文书名称,文书编号,执法环节,开始时间,结束时间\n"
    "长建罚1,现场检查笔录,1,现场检查,2026-06-19 10:05,2026-06-19 10:40\n"
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as home:
        _units(home)
        yield home


@pytest.fixture
def either(tmp_path: Path, register_settings: dict[str, str]) -> Iterator[Home]:
    with open_home(tmp_path / "home", **register_settings) as home:
        _units(home)
        yield home


def _units(home: Home) -> None:
    for unit in (Unit("01", "市住建局"), Unit("0101", "执法一大队", "01")):
        register_unit(unit, ports=home.ports, now=NOON)


def sheet(folder: Path, *rows: str, header: str = HEADER, encoding: str = "utf-8-sig", name: str = "cases.csv") -> Path:
    path = folder / name
    path.write_bytes("\r\n".join((header, *rows)).encode(encoding))
    return path


def take(home: Home, path: Path, papers: Path | None = None, **how: Any) -> Imported:
    told: dict[str, Any] = {"codes": codes_of(home.ports.catalog), "zone": home.ports.zone}
    cases, faults = case_sheet(path, **told)
    documents, more = ([], []) if papers is None else document_sheet(papers, **told)
    return Import("csv", home.ports, NOW, **how).run(cases, documents, [*faults, *more])


def counts(done: Imported) -> dict[str, int]:
    return {did.value: number for did, number in done.counts.items() if number}


def events(home: Home) -> int:
    with home.ports.register.view() as connection:
        return len(search.every(connection, "custody_events"))


def case(home: Home, number: str) -> dict[str, Any]:
    with home.ports.register.view() as connection:
        return dict(search.case(connection, number))


# --- sheets ---------------------------------------------------------------------------------------


def test_a_sheet_is_taken_in_once_and_again_writes_nothing(either: Home, tmp_path: Path) -> None:
    path, papers = sheet(tmp_path, *ROWS), tmp_path / "papers.csv"
    papers.write_text(PAPERS)
    assert counts(take(either, path, papers)) == {"opened": 2, "closed": 1, "filed": 1}
    before = events(either)
    assert counts(take(either, path, papers)) == {"same": 3}
    assert events(either) == before
    first = case(either, "长建罚1")
    assert (first["type"], first["unit"], first["start_at"]) == ("CF", "0101", "2026-06-19T02:00:00.000000Z")
    assert [one["name"] for one in json.loads(first["told"])["parties"]] == ["某甲", "某乙"]
    assert case(either, "长建检2")["closed_at"] == "2026-06-30T09:00:00.000000Z"


def test_two_who_take_in_the_same_sheet_at_once_open_each_case_once(either: Home, tmp_path: Path) -> None:
    rows = [f"A{n},x,,,7,2026-06-19 10:00,2026-06-19 12:00,,2026-06-20 10:00" for n in range(30)]
    path = sheet(tmp_path, *rows)
    with ThreadPoolExecutor(2) as pool:
        both = [counts(done) for done in pool.map(lambda _: take(either, path), range(2))]
    assert sum(one.get("opened", 0) for one in both) == sum(one.get("same", 0) for one in both) == 30
    assert sum(one.get("closed", 0) for one in both) == 30


def test_a_changed_row_revises_its_case_and_leaves_what_it_does_not_tell(home: Home, tmp_path: Path) -> None:
    take(home, sheet(tmp_path, *ROWS))
    casework.revise_case("长建罚1", {"links": ("site_inspection",)}, ports=home.ports, now=NOW)
    changed = ROWS[0].replace("占道经营", "占道经营（复查）")
    assert counts(take(home, sheet(tmp_path, changed, ROWS[1]))) == {"revised": 1, "same": 1}
    assert case(home, "长建罚1")["title"] == "占道经营（复查）"
    assert json.loads(case(home, "长建罚1")["told"])["links"] == ["site_inspection"]


def test_a_case_whose_number_changed_there_is_still_the_same_here(home: Home, tmp_path: Path) -> None:
    header = f"{HEADER},系统编号"
    take(home, sheet(tmp_path, f"{ROWS[0]},K1", header=header))
    renamed = ROWS[0].replace("长建罚1", "长建罚1-2")
    assert counts(take(home, sheet(tmp_path, f"{renamed},K1", header=header))) == {"revised": 1}
    assert case(home, "长建罚1-2")["source_key"] == "K1"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_sheet_is_read_as_offices_save_it(home: Home, tmp_path: Path, encoding: str, delimiter: str) -> None:
    rows = [row.replace(",", delimiter) for row in ROWS]
    path = sheet(tmp_path, *rows, header=HEADER.replace(",", delimiter), encoding=encoding)
    assert counts(take(home, path, is_dry_run=True)) == {"opened": 2, "closed": 1}


def test_columns_may_come_in_another_order_and_in_english(home: Home, tmp_path: Path) -> None:
    path = sheet(tmp_path, "2026-06-19 12:00,2026-06-19 10:00,7,A1", header="End,START,Officers,Case_Number")
    assert counts(take(home, path)) == {"opened": 1}
    assert case(home, "A1")["end_at"] == "2026-06-19T04:00:00.000000Z"


def test_wrong_rows_are_told_with_line_and_column_and_the_others_are_taken(home: Home, tmp_path: Path) -> None:
    wrong = [
        ROWS[0],
        "",
        "A2,x,没有的类别,,7,2026-06-19 10:00,2026-06-19 12:00,,",
        "A3,x,,没有的单位,7,2026-06-19 10:00,2026-06-19 12:00,,",
        "A4,x,,,7,morgen,2026-06-19 12:00,,",
        "A5,x,,,7,2026-06-19 12:00,2026-06-19 10:00,,",
        "A6,x,,,7,2026-06-19 10:00,2026-06-19 12:00,,2026-06-19 09:00",
        "A7,x,,,7,2026-06-19 10:00,2026-06-19 12:00,,2027-01-01 09:00",
        "A8,x,,,7,2026-06-19 10:00",
        ",x,,,7,2026-06-19 10:00,2026-06-19 12:00,,",
        "长建罚1,x,,,7,2026-06-19 10:00,2026-06-19 12:00,,",
        "A9,x,,,7,0001-01-01T00:00:00+08:00,2026-06-19 12:00,,",
        ROWS[1],
    ]
    done = take(home, sheet(tmp_path, *wrong))
    assert counts(done) == {"opened": 2, "closed": 1}
    assert sorted((fault.line, fault.column) for fault in done.faults) == [
        (4, "执法类别"),
        (5, "承办单位"),
        (6, "开始时间"),
        (7, "结束时间"),
        (8, "结案时间"),
        (9, "结案时间"),
        (10, ""),
        (11, "案号"),
        (12, "案号"),
        (13, "开始时间"),
    ]
    assert all(fault.file == "cases.csv" and fault.reason for fault in done.faults)


def test_a_strict_import_with_one_wrong_row_writes_nothing(home: Home, tmp_path: Path) -> None:
    before = events(home)
    done = take(home, sheet(tmp_path, *ROWS, "A4,x,,,7,morgen,2026-06-19 12:00,,"), is_strict=True)
    assert (counts(done), len(done.faults), events(home)) == ({}, 1, before)
    assert counts(take(home, sheet(tmp_path, *ROWS), is_strict=True)) == {"opened": 2, "closed": 1}


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(home: Home, tmp_path: Path) -> None:
    before, papers = events(home), tmp_path / "papers.csv"
    papers.write_text(PAPERS)
    details = len(list(home.ports.store.keys("details/")))
    assert counts(take(home, sheet(tmp_path, *ROWS), papers, is_dry_run=True)) == {"opened": 2, "closed": 1, "filed": 1}
    assert (events(home), len(list(home.ports.store.keys("details/")))) == (before, details)


def test_a_case_that_was_opened_by_hand_is_not_taken_over_unasked(home: Home, tmp_path: Path) -> None:
    home.open_case("长建罚1", "7", start=NOON, end=NOON + timedelta(hours=1))
    (fault,) = take(home, sheet(tmp_path, *ROWS)).faults
    assert (fault.line, fault.column) == (2, "案号")
    casework.revise_case("长建罚1", {"source": "csv", "source_key": "长建罚1"}, ports=home.ports, now=NOW)
    assert counts(take(home, sheet(tmp_path, *ROWS))) == {"revised": 1, "same": 1}


def test_an_import_reopens_no_case_and_brings_back_no_withdrawn_paper(home: Home, tmp_path: Path) -> None:
    path, papers = sheet(tmp_path, *ROWS), tmp_path / "papers.csv"
    papers.write_text(PAPERS)
    take(home, path, papers)
    casework.close_case("长建罚1", ports=home.ports, now=NOW)
    case_papers.withdraw_document("长建罚1", "1", why="wrong", ports=home.ports, now=NOW)
    assert counts(take(home, path, papers)) == {"same": 2, "withdrawn": 1}
    assert case(home, "长建罚1")["closed_at"] is not None
    later = sheet(tmp_path, ROWS[1].replace("06-30 17:00", "06-29 17:00"))
    (fault,) = take(home, later).faults
    assert "was closed at" in fault.reason


def test_papers_that_are_wrong_are_told_and_the_others_filed(home: Home, tmp_path: Path) -> None:
    papers = tmp_path / "papers.csv"
    papers.write_text(
        PAPERS
        + "没有的案,笔录,2,,,\n"
        + "长建罚1,笔录,1,,,\n"
        + "长建罚1,笔录,3,没有的环节,,\n"
        + "长建罚1,笔录,4,,2026-06-19 10:40,2026-06-19 10:05\n"
    )
    done = take(home, sheet(tmp_path, *ROWS), papers)
    assert counts(done) == {"opened": 2, "closed": 1, "filed": 1}
    assert sorted((fault.line, fault.column) for fault in done.faults) == [
        (3, "案号"),
        (4, "文书名称"),
        (5, "执法环节"),
        (6, "结束时间"),
    ]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        pytest.param(b"", "no header", id="an-empty-file"),
        pytest.param(HEADER.encode(), "no rows", id="a-header-alone"),
        pytest.param("案号,开始时间\n1,2\n".encode(), "no column 结束时间", id="a-column-is-missing"),
        pytest.param(
            "案号,开始时间,结束时间,价格\n1,2,3,4\n".encode(), "column 4 '价格' is not known", id="an-unknown-column"
        ),
        pytest.param("案号,案件编号,开始时间,结束时间\n".encode(), "there twice", id="a-column-twice"),
        pytest.param(HEADER.encode("utf-16"), "UTF-16", id="utf-16"),
        pytest.param(HEADER.encode() + b"\n1,\xff\xff\n", "csv:2: neither UTF-8 nor GB18030", id="no-text"),
        pytest.param(HEADER.encode() + b'\n"1,2', "csv:2: not CSV", id="a-quote-that-never-ends"),
        pytest.param(HEADER.encode() + b"\n" + b"x" * 200_000, "csv:2: not CSV", id="an-endless-cell"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(tmp_path: Path, home: Home, data: bytes, word: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    with pytest.raises(BadInput, match=word):
        take(home, path)


def test_a_strict_import_that_meets_a_changed_register_takes_back_all_of_it(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between deciding and writing another person opens a case of the same number."""
    decide = Import._decided

    def and_then(self: Import, *told: Any) -> Imported:
        found = decide(self, *told)
        home.open_case("长建检2", "7", start=NOON, end=NOON + timedelta(hours=1))
        return found

    monkeypatch.setattr(Import, "_decided", and_then)
    with pytest.raises(Conflict, match="changed meanwhile"):
        take(home, sheet(tmp_path, *ROWS), is_strict=True)
    with home.ports.register.view() as connection:
        assert casebook.case_numbered(connection, "长建罚1") is None


# --- lists of people ------------------------------------------------------------------------------


def test_an_officers_list_is_taken_in_with_all_its_fields_and_once(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "officers.csv"
    path.write_text(
        "姓名,单位,职务,证件编号,执法类别,执法区域,有效期自,有效期至\n"
        "张三,执法一大队,队长,430407,行政检查、行政处罚,城东,2025-01-01,2027年12月31日\n"
        "李四,外单位,,430408,,,,\n"
        "王五,,,430409,城管,,,\n"
        "赵六,,,430407,,,,\n"
        "钱七,,,,,,,\n"
    )
    listed = import_officers(path, ports=home.ports, now=NOW)
    assert (listed.changed, listed.same) == (2, 0)
    assert [(fault["line"], fault["column"]) for fault in listed.to_json()["faults"]] == [
        (4, "执法类别"),
        (5, "证件编号"),
        (6, "证件编号"),
    ]
    with home.ports.register.view() as connection:
        row = dict(search.officer(connection, "430407") or {})
    assert (row["unit"], json.loads(row["types"]), row["valid_to"]) == ("0101", ["JC", "CF"], "2027-12-31")
    before = events(home)
    assert import_officers(path, ports=home.ports, now=NOW).same == 2
    assert events(home) == before


def test_units_are_taken_in_whatever_their_order_and_once(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "units.csv"
    path.write_text("单位编码,单位名称,上级编码\n010201,中队,0102\n0102,二大队,01\n01,市住建局,\n09,x,08\n")
    listed = import_units(path, ports=home.ports, now=NOW)
    assert (listed.changed, listed.same, [fault.line for fault in listed.faults]) == (2, 1, [5])
    assert import_units(path, ports=home.ports, now=NOW).same == 3


# --- the case system ------------------------------------------------------------------------------


def feed(home: Home, url: str, **pace: Any) -> Feed:
    paused: list[float] = []

    def pause(seconds: float) -> bool:
        paused.append(seconds)
        return False

    return Feed(Address(url, "secret", timeout_s=5), home.settings.home / "case-feed.json", pause, Pace(**pace))


def pull(home: Home, url: str, **pace: Any) -> Imported:
    return feed(home, url, **pace).pull(ports=home.ports, now=NOW)


def test_all_pages_are_pulled_and_the_next_pull_goes_on_from_there(either: Home) -> None:
    paper = {"name": "笔录", "number": "1", "link": "现场检查"}

    def say(asked: Asked) -> Says:
        if "since" in asked.query:
            return page(cursor="c2")
        if asked.query["page"] == "1":
            return page(told("1", unit="执法一大队", type="行政检查", documents=[paper]), next_page=2)
        return page(told("2", closed_at="2026-06-30T00:00:00Z", place={"name": "某路"}), cursor="c1")

    with case_system(say) as system:
        assert counts(pull(either, system.url)) == {"opened": 2, "filed": 1, "closed": 1}
        assert counts(pull(either, system.url)) == {}
    assert [(one.query.get("since"), one.query["page"]) for one in system.asked] == [
        (None, "1"),
        (None, "2"),
        ("c1", "1"),
    ]
    assert {one.headers["Authorization"] for one in system.asked} == {"Bearer secret"}
    assert case(either, "案1")["unit"] == "0101"


def test_pulling_the_same_again_writes_nothing(home: Home) -> None:
    with case_system(lambda _: page(told("1"), told("2", documents=[{"name": "笔录"}]))) as system:
        assert counts(pull(home, system.url)) == {"opened": 2, "filed": 1}
        before = events(home)
        assert counts(pull(home, system.url)) == {"same": 3}
        assert events(home) == before


def test_an_answer_that_has_not_changed_is_not_sent_again(home: Home) -> None:
    def say(asked: Asked) -> Says:
        return Says(status=304) if asked.headers.get("If-None-Match") == '"v1"' else page(told("1"), ETag='"v1"')

    with case_system(say) as system:
        assert counts(pull(home, system.url)) == {"opened": 1}
        assert counts(pull(home, system.url)) == {}
    assert [one.headers.get("If-None-Match") for one in system.asked] == [None, '"v1"']


def test_a_case_that_was_refused_is_asked_for_again_until_it_is_right(home: Home) -> None:
    wrong = told("2", type="没有的类别")
    with case_system(lambda _: page(told("1"), wrong, cursor="c1")) as system:
        done = pull(home, system.url)
        assert counts(done) == {"opened": 1}
        assert [(one.file, one.line, one.column) for one in done.faults] == [("page 1", 2, "type")]
        system.say = lambda _: page(told("1"), told("2"), cursor="c1")
        assert counts(pull(home, system.url)) == {"same": 1, "opened": 1}
    assert [one.query.get("since") for one in system.asked] == [None, None]


def test_what_came_before_an_outage_is_kept_and_the_rest_comes_later(home: Home) -> None:
    down = [True]

    def say(asked: Asked) -> Says:
        if asked.query["page"] == "1":
            return page(told("1"), next_page=2)
        return Says(status=503) if down else page(told("2"), cursor="c1")

    with case_system(say) as system:
        with pytest.raises(SourceUnavailable, match="503"):
            pull(home, system.url, tries=2)
        assert case(home, "案1")["closed_at"] is None
        down.clear()
        assert counts(pull(home, system.url)) == {"same": 1, "opened": 1}


def test_a_busy_system_is_waited_for_as_long_as_it_asks_within_bounds(home: Home) -> None:
    answers = [Says(status=429, headers={"Retry-After": "7"}), Says(status=502), page(told("1"))]
    with case_system(lambda _: answers.pop(0)) as system:
        waited: list[float] = []
        one = feed(home, system.url)
        patient = Feed(one.address, one.bookmark, lambda s: bool(waited.append(s)), one.pace)  # type: ignore[func-returns-value]
        assert counts(patient.pull(ports=home.ports, now=NOW)) == {"opened": 1}
    assert waited[0] == 7
    assert 1 <= waited[1] <= 2


def test_a_pull_that_is_no_longer_wanted_ends_and_goes_on_next_time(home: Home) -> None:
    with case_system(lambda _: Says(status=503)) as system:
        one = feed(home, system.url)
        assert counts(Feed(one.address, one.bookmark, lambda _: True).pull(ports=home.ports, now=NOW)) == {}
        assert len(system.asked) == 1


def test_the_example_of_the_page_is_of_the_published_form_and_is_taken_in(home: Home) -> None:
    example = (DOCS / "operate" / "cases.md").read_text("utf-8").partition("```json\n")[2].partition("```")[0]
    schema = json.loads((DOCS / "case-feed.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(example))
    with case_system(lambda asked: Says(example.encode()) if asked.query["page"] == "1" else page()) as system:
        done = pull(home, system.url)
    assert (done.faults, counts(done)) == ([], {"opened": 1, "filed": 1})


def test_the_published_form_and_ours_know_the_same_names() -> None:
    case_form = json.loads((DOCS / "case-feed.schema.json").read_text("utf-8"))["$defs"]["case"]["properties"]
    whole = told("1", closed_at=None, documents=[]) | dict.fromkeys(case_form, None)
    assert set(case_form) == set(whole) == {"key", "closed_at", "documents", *_readers(codes_of(load_catalog()))}


@pytest.mark.parametrize("columns", [CASES, DOCUMENTS, OFFICERS, UNITS])
def test_every_column_of_a_sheet_is_on_the_page(columns: Columns) -> None:
    text = (DOCS / "operate" / "cases.md").read_text("utf-8")
    assert [names[0] for names in columns.values() if names[0] not in text] == []


# --- the command line -----------------------------------------------------------------------------


def test_the_commands_take_in_units_officers_cases_and_a_case_system(tmp_path: Path) -> None:
    home, secret = tmp_path / "home", tmp_path / "token"
    units, officers, papers = (tmp_path / name for name in ("units.csv", "officers.csv", "papers.csv"))
    units.write_text("code,name,parent\n01,市住建局,\n0101,执法一大队,01\n")
    officers.write_text("证件编号,姓名\n7,张三\n")
    papers.write_text(PAPERS)
    path = sheet(tmp_path, *ROWS, "A4,x,,,7,morgen,2026-06-19 12:00,,")
    assert evidock("unit", "import", units, "--json", home=home).json["changed"] == 2
    assert evidock("officer", "import", officers, "--json", home=home).json["changed"] == 1
    words = ("case", "import", path, "--documents", papers)
    assert evidock(*words, "--dry-run", "--json", home=home).json["opened"] == 2
    assert evidock("case", "list", "--json", home=home).json["cases"] == []
    said = evidock(*words, "--json", home=home)
    assert (said.status, said.json["opened"], said.json["filed"], said.json["refused"]) == (3, 2, 1, 1)
    assert "cases.csv:4" in evidock(*words, home=home).out
    assert evidock("case", "pull", home=home).status == 3
    secret.write_text("secret\n")
    secret.chmod(0o600)
    with case_system(lambda _: page(told("1"))) as system:
        settings = {"EVIDOCK_CASE_FEED_URL": system.url, "EVIDOCK_CASE_FEED_TOKEN_FILE": str(secret)}
        assert evidock("case", "pull", "--json", home=home, **settings).json["opened"] == 1
    assert system.asked[0].headers["Authorization"] == "Bearer secret"
