# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that a catalog comes back whole from a table, and that published lists are read."""

from copy import deepcopy
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence.errors import BadInput
from evidence.term import Term
from pipeline.catalogs.columns import PUBLISHED, retention_codes, term_in
from pipeline.catalogs.csv_table import read_csv, write_csv
from pipeline.catalogs.exchange import checked_file, exported, to_yaml, with_head
from pipeline.catalogs.grid import LONGEST_CELL, Merge, Sheet, letter
from pipeline.catalogs.head_sheet import HeadReader, head_sheet
from pipeline.catalogs.load import DEFAULT, load_catalog, parse_catalog
from pipeline.catalogs.rows_in import Imported, imported
from pipeline.catalogs.rows_out import CODES_SHEET, PUBLISHED_SHEET, sheets_of, table_of
from pipeline.catalogs.text import read_text
from pipeline.catalogs.xlsx import read_xlsx, write_xlsx

NINE = tuple(PUBLISHED)
JIAOZUO = ("序号", "类别", "事项", "环节", "方式", "记录开始时间", "记录内容", "记录结束时间", "存储期限", "备注")
ROW = ("行政处罚", "无证养犬", "现场勘验", "录像、照片", "抵达现场", "违法事实；现场环境", "离开现场", "2年", "")


@cache
def _default() -> dict[str, Any]:
    return read_text(DEFAULT.read_bytes(), name="default").body


@pytest.fixture
def body() -> dict[str, Any]:
    """The default catalog's body, to change at will."""
    return deepcopy(_default())


def a_list(*rows: tuple[str, ...], header: tuple[str, ...] = NINE, above: tuple[str, ...] = (), **more: Any) -> Sheet:
    """A list as an agency publishes it."""
    width = len(header)
    every = [above, header, *rows] if above else [header, *rows]
    return Sheet("清单", tuple((*row, *[""] * (width - len(row))) for row in every), **more)


def read(*sheets: Sheet) -> Imported:
    return imported(sheets, name="list.xlsx", base=_default())


def refusal(*sheets: Sheet) -> str:
    with pytest.raises(BadInput) as refused:
        read(*sheets)
    return refused.value.message


def changed(sheet: Sheet, row: int, column: str, text: str) -> Sheet:
    """A sheet of ours with one cell written anew; `row` as a spreadsheet counts."""
    header = next(one for one in sheet.rows if column in one)
    rows = [list(one) for one in sheet.rows]
    rows[row - 1][header.index(column)] = text
    return Sheet(sheet.name, tuple(map(tuple, rows)), sheet.merges)


# --- round trips --------------------------------------------------------------------------------


def test_the_default_catalog_comes_back_from_xlsx_the_same_as_text_and_as_values(body: dict[str, Any]) -> None:
    back = checked_file(exported(body, name="c.xlsx"), name="c.xlsx", base=body)

    assert back.document.body == body
    assert back.notes == ()
    again = parse_catalog(to_yaml(back.document.body).encode(), name="c.yaml")
    whole = load_catalog()
    assert (again.items, again.disabled, again.conditions) == (whole.items, whole.disabled, whole.conditions)
    assert (again.retention, again.deadlines, again.links) == (whole.retention, whole.deadlines, whole.links)
    assert (again.types, again.presets, again.filing) == (whole.types, whole.presets, whole.filing)


def test_the_default_catalog_comes_back_from_xlsx_whatever_it_is_read_against(body: dict[str, Any]) -> None:
    data = exported(body, name="c.xlsx")
    other = {**body, "items": body["items"][:1], "catalog": {**body["catalog"], "version": "other"}}

    assert checked_file(data, name="c.xlsx", base=other).document.body == body


def test_the_default_catalog_comes_back_from_csv_when_read_against_itself(body: dict[str, Any]) -> None:
    assert checked_file(exported(body, name="c.csv"), name="c.csv", base=body).document.body == body


def test_the_default_catalog_comes_back_from_yaml_without_its_comments(body: dict[str, Any]) -> None:
    assert checked_file(exported(body, name="c.yaml"), name="c.yaml", base=body).document.body == body


def test_what_two_items_share_is_written_out_twice(body: dict[str, Any]) -> None:
    body["items"][1]["checks"] = body["items"][0]["checks"]

    assert read_text(to_yaml(body).encode(), name="c").body == body


def test_items_without_optional_keys_come_back_without_them(body: dict[str, Any]) -> None:
    for key in ("enabled", "devices", "capture_en", "basis"):
        del body["items"][0][key]
    del body["items"][0]["name"]["en"]
    body["items"][1]["permanent_if"] = []

    assert checked_file(exported(body, name="c.xlsx"), name="c.xlsx", base=_default()).document.body == body


def test_every_kind_of_value_in_the_head_comes_back(body: dict[str, Any]) -> None:
    body["head"] = {"a": None, "b": {}, "c": [], "d": [{"x": 1}, [True, "否"]], "0": "0", "e": "是"}
    reader = HeadReader(head_sheet(body))

    assert reader.body() == {key: value for key, value in body.items() if key != "items"}
    assert reader.faults == []


_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)
_LINES = st.builds(
    lambda a, b: f"{a} {b}", _WORDS, st.one_of(_WORDS, st.sampled_from(["=1+1", "_x0041_", "、；", "'"]))
)
_TEXTS = st.one_of(
    _LINES,
    st.sampled_from(
        [
            "=1+1",
            "'=1",
            "@x",
            "—",
            "——",
            "_x000D_",
            "是",
            "#N/A",
            "1",
            "no",
            "0.1",
            "2026-07-01",
            "<<",
            "a, b",
            "1. x；y",
        ]
    ),
)
_CODES = ("mode", "checks", "permanent_if")


@st.composite
def _mutated(draw: st.DrawFn) -> dict[str, Any]:
    """The default catalog with some items' texts, codes and keys changed, and their order."""
    body = deepcopy(_default())
    items = body["items"][:10]
    for place in draw(st.lists(st.integers(0, len(items) - 1), min_size=1, max_size=4, unique=True)):
        item = items[place]
        for key in draw(
            st.lists(st.sampled_from(["start_zh", "end_zh", "note_zh", "basis", "capture_en"]), unique=True)
        ):
            item[key] = draw(_TEXTS)
        item["capture_zh"] = draw(st.lists(_TEXTS, min_size=0, max_size=3))
        item["name"] = {"zh": draw(_LINES), "en": draw(_TEXTS)}
        for key in _CODES:
            item[key] = draw(st.permutations(item[key]))
        item["devices"] = draw(st.lists(st.sampled_from(["bodycam", "handheld", "camera"]), unique=True))
        item["obligation"] = draw(st.sampled_from(["must", "should", "may"]))
    body["catalog"]["name_zh"] = draw(_LINES)
    body["capture_common_basis"] = draw(_TEXTS)
    body["items"] = draw(st.permutations(items))
    return body


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(_mutated())
def test_any_catalog_comes_back_from_xlsx_csv_and_yaml_the_same(body: dict[str, Any]) -> None:
    sheets = read_xlsx(exported(body, name="c.xlsx"), name="c.xlsx")
    table = read_csv(exported(body, name="c.csv"), name="c.csv")

    assert imported(sheets, name="c.xlsx", base=_default()).document.body == body
    assert imported([table], name="c.csv", base=body).document.body == body
    assert read_text(exported(body, name="c.yaml"), name="c.yaml").body == body


def test_a_text_longer_than_a_cell_is_refused_and_not_cut(body: dict[str, Any]) -> None:
    body["items"][0]["capture_zh"] = ["长" * 2000] * 17

    with pytest.raises(BadInput, match=f"JC-01, 内容: 34016 characters .* holds {LONGEST_CELL}"):
        sheets_of(body)


# --- our own table, edited ----------------------------------------------------------------------


def test_what_an_agency_writes_into_our_published_sheet_counts(body: dict[str, Any]) -> None:
    published, codes, head = sheets_of(body)
    edited = changed(changed(published, 3, "存储期限", "永久"), 3, "开始", "到达门口")
    items = read(edited, codes, head).document.body["items"]

    assert items[0] == {**body["items"][0], "retention": "RT-PERM", "start_zh": "到达门口"}
    assert items[1:] == body["items"][1:]


def test_what_an_agency_writes_into_our_sheet_of_codes_counts(body: dict[str, Any]) -> None:
    published, codes, head = sheets_of(body)
    items = read(published, changed(codes, 2, "要求程度", "may"), head).document.body["items"]

    assert items[0] == {**body["items"][0], "obligation": "may"}


def test_rows_of_ours_in_another_order_keep_their_codes(body: dict[str, Any]) -> None:
    published, codes, head = sheets_of(body)
    turned = Sheet(published.name, (*published.rows[:2], *reversed(published.rows[2:])))

    assert read(turned, codes, head).document.body["items"] == list(reversed(body["items"]))


def test_columns_in_another_order_are_read_by_their_names(body: dict[str, Any]) -> None:
    published, codes, head = sheets_of(body)
    turned = Sheet(published.name, tuple(tuple(reversed(row)) for row in published.rows))

    assert read(turned, codes, head).document.body == body


def test_a_row_that_an_agency_adds_gets_a_new_number_and_a_note(body: dict[str, Any]) -> None:
    published, codes, head = sheets_of(body)
    found = read(Sheet(published.name, (*published.rows, (*ROW, ""))), codes, head)
    new = found.document.body["items"][-1]

    assert new["id"] == "CF-16"
    assert new["upload_deadline"] == "UD-24H"
    assert found.notes == ("row 65: CF-16 is new; deadline, checks and conditions are those of CF-03",)


def test_a_code_of_ours_that_no_catalog_knows_is_refused_at_its_cell(body: dict[str, Any]) -> None:
    published, codes, head = sheets_of(body)
    data = write_xlsx([published, changed(codes, 4, "上传时限", "UD-99H"), head])

    with pytest.raises(
        BadInput, match=r"c\.xlsx: sheet 编码, row 4, column 上传时限: items\[2\]\.upload_deadline: .* “UD-99H”"
    ):
        checked_file(data, name="c.xlsx", base=body)


def test_a_floor_of_ours_above_its_term_is_refused_at_its_cell(body: dict[str, Any]) -> None:
    body["retention_classes"]["RT-2Y"]["period"] = "P3M"

    with pytest.raises(BadInput, match=r"sheet 清单要素, row [0-9]+, column 值: RT-2Y: period P3M is shorter"):
        checked_file(exported(body, name="c.xlsx"), name="c.xlsx", base=_default())


def test_a_matter_that_is_neither_enabled_nor_not_is_refused(body: dict[str, Any]) -> None:
    published, codes, head = sheets_of(body)
    assert "sheet 编码, row 2, column 启用: “也许” is neither 是 nor 否" in refusal(
        published, changed(codes, 2, "启用", "也许"), head
    )


def test_two_rows_of_codes_for_one_item_are_refused(body: dict[str, Any]) -> None:
    published, codes, head = sheets_of(body)
    assert "the code “JC-01” stands here twice" in refusal(published, changed(codes, 3, "事项编码", "JC-01"), head)


def test_a_list_of_the_head_with_a_gap_is_refused(body: dict[str, Any]) -> None:
    published, codes, head = sheets_of(body)
    rows = tuple(row for row in head.rows if row[0] != "catalog/scene_presets/land/[1]")
    assert "a list is numbered [0], [1], … without gaps" in refusal(published, codes, Sheet(head.name, rows))


def test_a_value_of_the_head_of_another_kind_is_refused(body: dict[str, Any]) -> None:
    published, codes, head = sheets_of(body)
    rows = tuple(("x", "数", "many") if n == 1 else row for n, row in enumerate(head.rows))
    assert "sheet 清单要素, row 2: “many” is no value of kind “数”" in refusal(published, codes, Sheet(head.name, rows))


def test_a_path_of_the_head_below_a_value_is_refused(body: dict[str, Any]) -> None:
    published, codes, head = sheets_of(body)
    rows = (*head.rows, ("catalog/id/deeper", "文字", "x"))
    assert "stands here twice, or under a value" in refusal(published, codes, Sheet(head.name, rows))


# --- published lists ----------------------------------------------------------------------------


def test_a_list_of_nine_columns_keeps_the_codes_of_matters_that_the_base_has(body: dict[str, Any]) -> None:
    published = sheets_of(body)[0]
    found = read(Sheet("Sheet1", tuple(row[:9] for row in published.rows)))
    disabled = next(item for item in body["items"] if not item["enabled"])

    for item, known in zip(found.document.body["items"], body["items"], strict=True):
        assert item == {key: value for key, value in known.items() if key != "enabled"}
    row = 3 + body["items"].index(disabled)
    assert found.notes == (f"row {row}: QZ-09 is disabled in the base; the list has it, so it counts",)


def test_a_list_with_other_names_for_its_columns_and_a_title_is_read(body: dict[str, Any]) -> None:
    row = (
        "1",
        "处罚",
        "无证养犬",
        "现场勘验",
        "录像、照片",
        "抵达现场",
        "1.违法事实；2.现场环境",
        "离开现场",
        "2年",
        "注",
    )
    found = read(a_list(row, header=JIAOZUO, above=("某市城管局音像记录事项清单",)))
    (item,) = found.document.body["items"]

    assert item == {
        "id": "CF-16",
        "name": {"zh": "无证养犬"},
        "type": "CF",
        "link": "site_survey",
        "mode": ["video", "photo"],
        "start_zh": "抵达现场",
        "end_zh": "离开现场",
        "capture_zh": ["违法事实", "现场环境"],
        "retention": "RT-2Y",
        "note_zh": "注",
        **{key: body["items"][11][key] for key in ("obligation", "record_class", "devices", "upload_deadline")},
        **{key: body["items"][11][key] for key in ("permanent_if", "legal_review", "disclosure", "checks")},
    }
    assert body["items"][11]["id"] == "CF-03"


def test_cells_that_a_list_leaves_out_are_excepted_with_a_note_and_the_result_is_a_catalog() -> None:
    data = write_csv(Sheet("", (NINE, ROW)))
    found = checked_file(data, name="list.csv", base=_default())

    assert len(found.document.body["matrix_exceptions"]) == 47
    assert "43 cells without an item were written to matrix_exceptions: review them" in found.notes
    named = with_head(found.document, version="2026.1", id="avcat-example")
    assert parse_catalog(to_yaml(named.body).encode(), name="x").id.startswith("avcat-example@2026.1#")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_csv_of_chinese_spreadsheets_is_read(encoding: str) -> None:
    text = "\r\n".join([",".join(NINE), ",".join(ROW)])

    assert checked_file(text.encode(encoding), name="l.csv", base=_default()).document.body["items"][0]["id"] == "CF-16"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *(
            ("二年", "RT-2Y"),
            ("2年", "RT-2Y"),
            ("两年", "RT-2Y"),
            ("２年", "RT-2Y"),
            ("24个月", "RT-2Y"),
            ("三个月", "RT-90D"),
        ),
        *(("3个月", "RT-90D"), ("90日", "RT-90D"), ("90天", "RT-90D"), ("20年", "RT-20Y"), ("三十年", "RT-30Y")),
        *(("永久", "RT-PERM"), ("永久保存", "RT-PERM"), ("同案卷", "RT-CASE"), ("同案卷保留期限", "RT-CASE")),
    ],
)
def test_a_term_in_chinese_words_is_the_class_that_it_means(text: str, code: str) -> None:
    assert retention_codes(text, _default()) == [code]


@pytest.mark.parametrize("text", ["长期", "不少于2年", "年", "0年", "两个案件", "2.5年", "", "十十年"])
def test_a_term_that_says_no_length_is_none(text: str) -> None:
    assert term_in(text) is None


def test_half_a_year_and_twelve_years_are_read() -> None:
    assert term_in("半年") == term_in("6个月") == Term(months=6)
    assert term_in("十二年") == Term(months=144)


@pytest.mark.parametrize(
    ("column", "text", "told"),
    [
        ("存储期限", "长期", "retention_classes has no “长期”; known: 三个月, 二年"),
        ("执法类别", "行政确认", "enforcement_types has no “行政确认”; known: 行政许可"),
        ("记录环节", "结案", "links has no “结案”; known: 现场检查"),
        ("记录方式", "录像、航拍", "recording_modes has no “航拍”"),
        ("开始", "", "nothing stands under 开始"),
        ("执法事项", "养\u202e犬", "the character U+202E does not show"),
    ],
)
def test_a_cell_that_cannot_be_mapped_is_refused_with_row_and_column(column: str, text: str, told: str) -> None:
    message = refusal(changed(a_list(ROW), 2, column, text))
    assert "list.xlsx: sheet 清单, row 2" in message
    assert told in message


def test_several_cells_are_refused_together() -> None:
    rows = changed(changed(a_list(ROW, ROW), 2, "存储期限", "长期"), 3, "执法类别", "别的")
    first, second = refusal(rows).splitlines()

    assert "row 2, column 存储期限" in first
    assert "row 3, column 执法类别" in second


def test_a_column_that_no_catalog_has_is_refused_by_name() -> None:
    sheet = a_list((*ROW, "本地专用设备"), header=(*NINE, "存储位置"))
    assert "row 1, column J: a catalog has no place for the column “存储位置”" in refusal(sheet)


def test_a_column_that_is_missing_is_refused_by_name() -> None:
    sheet = Sheet("s", tuple(tuple(cell for place, cell in enumerate(row) if place != 3) for row in (NINE, ROW)))
    assert "there is no column 记录方式" in refusal(sheet)


def test_two_columns_of_one_meaning_are_refused() -> None:
    assert "“保管期限” is a second column for 存储期限" in refusal(a_list((*ROW, "2年"), header=(*NINE, "保管期限")))


def test_a_table_without_a_header_is_refused() -> None:
    assert "no row among the first 20 names the columns of a list" in refusal(Sheet("s", (ROW, ROW)))


def test_a_list_without_rows_is_refused() -> None:
    assert "the list has no rows" in refusal(a_list())


def test_a_workbook_with_two_lists_is_refused() -> None:
    one = a_list(ROW)
    assert "2 sheets hold a list: 清单, 二" in refusal(one, Sheet("二", one.rows))


def test_a_sheet_beside_the_list_is_not_read_and_that_is_said() -> None:
    assert "sheet 说明 was not read" in read(a_list(ROW), Sheet("说明", (("hello",),))).notes


def test_a_type_that_is_merged_downwards_holds_for_its_rows() -> None:
    second = ("", "占道经营", *ROW[2:])
    found = read(a_list(ROW, second, above=("标题",), merges=(Merge(1, 1, 1, 9), Merge(3, 4, 1, 1))))

    assert [item["type"] for item in found.document.body["items"]] == ["CF", "CF"]


@pytest.mark.parametrize(
    ("merge", "told"),
    [
        (Merge(2, 3, 3, 3), "row 2, column 记录环节: the cells C2:C3 are merged"),
        (Merge(2, 2, 1, 2), "the cells A2:B2 are merged"),
        (Merge(1, 2, 1, 1), "the cells A1:A2 are merged"),
        (Merge(1, 1, 4, 6), "the cells D1:F1 are merged"),
        (Merge(3, 9, 9, 9), "the cells I3:I9 are merged"),
    ],
)
def test_any_other_merge_is_refused_in_words(merge: Merge, told: str) -> None:
    message = refusal(a_list(ROW, ROW, merges=(merge,)))
    assert told in message
    assert "unmerge them: only 执法类别 and 执法事项 may span rows, downwards" in message


def test_text_beneath_a_merged_cell_is_refused() -> None:
    assert "“行政处罚” lies beneath a merged cell" in refusal(a_list(ROW, ROW, merges=(Merge(2, 3, 1, 1),)))


def test_text_under_no_header_is_refused() -> None:
    assert "row 2, column J: “x” stands under no header" in refusal(a_list((*ROW, "x"), header=(*NINE, "")))


def test_remarks_below_a_list_are_refused() -> None:
    assert "row 3: nothing stands under 执法事项" in refusal(a_list(ROW, ("注：本清单自发布之日起施行",)))


def test_a_term_that_two_classes_have_is_refused_with_both(body: dict[str, Any]) -> None:
    body["retention_classes"]["RT-2C"] = {**body["retention_classes"]["RT-2Y"], "zh": "二年（结案起）"}
    with pytest.raises(BadInput, match="“2年” may be RT-2Y or RT-2C; write the name of one of them"):
        imported([a_list(ROW)], name="l", base=body)


def test_a_link_at_which_the_base_has_no_matter_is_refused(body: dict[str, Any]) -> None:
    body["items"] = [item for item in body["items"] if item["link"] != "site_survey"]
    with pytest.raises(BadInput, match="the base has no matter at site_survey"):
        imported([a_list(ROW)], name="l", base=body)


def test_two_rows_of_one_matter_are_refused() -> None:
    with pytest.raises(BadInput, match="CF-16 and CF-17 are one matter"):
        checked_file(write_csv(Sheet("", (NINE, ROW, ROW))), name="l.csv", base=_default())


def test_a_catalog_in_an_unknown_form_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"\.yaml, \.yml, \.xlsx, \.csv; an old \.xls must be saved"):
        exported(body, name="c.xls")


def test_columns_are_lettered_as_spreadsheets_do() -> None:
    assert [letter(n) for n in (1, 26, 27, 52, 703, 16384)] == ["A", "Z", "AA", "AZ", "AAA", "XFD"]


def test_the_workbook_begins_with_the_published_list(body: dict[str, Any]) -> None:
    sheets = read_xlsx(write_xlsx(sheets_of(body)), name="c.xlsx")

    assert [sheet.name for sheet in sheets] == [PUBLISHED_SHEET, CODES_SHEET, "清单要素"]
    assert sheets[0].rows[1][:9] == NINE
    assert sheets[0].rows[2][:5] == ("行政检查", "现场检查", "现场检查", "全过程音像记录", "执法人员抵达检查场所")


def test_csv_begins_with_the_nine_columns_and_the_mark_of_utf_8(body: dict[str, Any]) -> None:
    data = write_csv(table_of(body))

    assert data.startswith(
        b"\xef\xbb\xbf" + "执法类别,执法事项,记录环节,记录方式,开始,内容,结束,存储期限,备注,".encode()
    )
    assert read_csv(data, name="c").rows[0][:9] == NINE
