# SPDX-License-Identifier: Apache-2.0
"""This is where a catalog's text or table tries to grow, to hide, to run or to be read as two things."""

import csv
import io
import re
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from evidence.errors import BadInput
from pipeline.catalogs.csv_table import read_csv, write_csv
from pipeline.catalogs.exchange import checked_file, exported
from pipeline.catalogs.grid import Sheet
from pipeline.catalogs.load import DEFAULT, load_catalog
from pipeline.catalogs.text import LARGEST, read_text
from pipeline.catalogs.xlsx import read_xlsx, write_xlsx
from tests.support.catalog_text import NAME, edited, refusal_of
from tests.support.chaos import times

SHEET = Sheet("清单", (("a", "b"), ("1", "2"), ("3", "4")))
SHEET_PART = "xl/worksheets/sheet1.xml"
A2 = b'<c r="A2" s="2" t="inlineStr"><is><t>1</t></is></c>'


def said_of(data: bytes) -> str:
    """What a YAML text is refused with."""
    with pytest.raises(BadInput) as refused:
        read_text(data, name=NAME)
    return refused.value.message


# --- YAML ---------------------------------------------------------------------------------------


def test_a_bomb_of_aliases_is_refused_before_it_grows() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 40)]

    assert "is an anchor; write it out where it is needed" in said_of("\n".join(lines).encode())


def test_one_alias_is_refused() -> None:
    assert "line 2, column 4: *x is an alias" in said_of(b"a: &x [1]\nb: *x\n")


def test_an_alias_of_itself_is_refused() -> None:
    assert "alias" in said_of(b"a: &a [*a]\n")


def test_a_merge_key_is_refused() -> None:
    assert "as a merge; write out" in said_of(b"a: {b: 1}\n<<: {c: 2}\n")


def test_a_tag_that_would_make_an_object_is_refused() -> None:
    assert "is a tag" in said_of(b"a: !!python/object/apply:os.system [id]\n")


def test_a_thousand_nested_lists_are_refused() -> None:
    assert "nested too deeply" in said_of(b"a: " + b"[" * 100_000)


def test_more_than_four_mebibytes_are_refused(tmp_path: Path) -> None:
    whole = tmp_path / "large.yaml"
    whole.write_bytes(b"a: b\n" + b"#" * LARGEST)

    with pytest.raises(BadInput, match="larger than 4 MiB"):
        load_catalog(whole)


def test_a_file_without_end_is_refused_and_not_read_to_it() -> None:
    with pytest.raises(BadInput, match="larger than 4 MiB"):
        load_catalog(Path("/dev/zero"))


def test_four_mebibytes_of_faults_are_refused_within_seconds() -> None:
    data = b"a:\n" + b"- no\n" * (LARGEST // 5 - 1)
    began = time.monotonic()

    assert said_of(data).count("\n") == 20
    assert time.monotonic() - began < 5


def test_a_key_that_stands_twice_is_refused_with_both_lines() -> None:
    data = edited(("  RT-30Y:", "  RT-20Y:"))
    assert re.search(r"line 105, .*“RT-20Y” stands here twice, first in line 104", refusal_of(data).message)


@pytest.mark.parametrize("word", ["no", "NO", "off", "Yes", "on"])
def test_the_country_of_norway_is_not_false(word: str) -> None:
    assert f'put it in quotes if it is a word: "{word}"' in said_of(f"a: {word}\n".encode())


@pytest.mark.parametrize("word", ["0.1", "1e3", "+7", "0o17", "017", "0x1F", "1_000", "12:30:45", ".inf", "9" * 5000])
def test_a_number_that_readers_disagree_about_must_be_in_quotes(word: str) -> None:
    assert "put it in quotes" in said_of(f"a: {word}\n".encode())


def test_a_key_that_is_no_text_is_refused() -> None:
    assert "a key must be text" in said_of(b"1: a\n")


def test_a_key_that_is_a_list_is_refused() -> None:
    assert "a key must be text" in said_of(b"? [a, b]\n: 1\n")


def test_a_second_document_is_refused() -> None:
    assert "line 3, column 1: a second document begins here" in said_of(b"a: 1\n---\nb: 2\n")


def test_a_list_where_a_mapping_should_be_is_refused() -> None:
    assert "begin with catalog:" in said_of(b"- 1\n")


def test_an_empty_file_is_refused() -> None:
    assert "begin with catalog:" in said_of(b"")


def test_broken_yaml_is_refused_with_its_line() -> None:
    assert "c.yaml: line 2, column 1: not YAML" in said_of(b"a: [1\n")


def test_bytes_that_are_not_utf_8_are_refused_with_their_line() -> None:
    assert "line 2: byte 0xd6 is not UTF-8; save the file as UTF-8" in said_of("a: 1\nb: 中文\n".encode("gb18030"))


def test_utf_16_is_refused() -> None:
    assert "is not UTF-8" in said_of("a: 1\n".encode("utf-16"))


def test_a_nul_byte_is_refused_with_its_place() -> None:
    assert "line 2, column 4: the character U+0000 does not show" in said_of(b"a: 1\nb: \0\n")


def test_a_control_character_that_is_written_as_an_escape_is_refused() -> None:
    assert "U+0007 does not show" in said_of(b'a: "x\\a"\n')


def test_a_carriage_return_that_is_written_as_an_escape_is_refused() -> None:
    assert "U+000D does not show" in said_of(b'a: "x\\r"\n')


def test_half_a_character_that_is_written_as_an_escape_is_refused() -> None:
    assert "line 1" in said_of(b'a: "\\ud800"\n')


def test_text_that_turns_its_direction_is_refused() -> None:
    assert "U+202E does not show" in said_of("a: x\u202ey\n".encode())


def test_a_long_run_of_spaces_does_not_make_a_pattern_slow() -> None:
    data = edited(('zh: "现场检查"', f'zh: "a{" " * 1_000_000}"'))
    began = time.monotonic()

    assert "items[0].name.zh" in refusal_of(data).message
    assert time.monotonic() - began < 5


# --- CSV ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "＝1", "'=1", "''=cmd|' /C calc'!A0", '=HYPERLINK("x")']
)
def test_no_cell_of_ours_begins_like_a_formula_and_each_comes_back(cell: str) -> None:
    sheet = Sheet("", (("a", cell), ("b", "plain")))
    data = write_csv(sheet)
    first = next(csv.reader(io.StringIO(data.decode("utf-8-sig"))))

    assert first[1].startswith("'")
    assert read_csv(data, name="c.csv") == sheet


def test_a_nul_in_csv_is_refused() -> None:
    with pytest.raises(BadInput, match="neither UTF-8 nor GB 18030"):
        read_csv(b"a,b\0\n", name="c.csv")


def test_csv_that_is_no_text_is_refused() -> None:
    with pytest.raises(BadInput, match="neither UTF-8 nor GB 18030"):
        read_csv(b"\xff\xfe\xff\xff\x80", name="c.csv")


def test_a_quote_that_does_not_end_is_refused() -> None:
    with pytest.raises(BadInput, match="not CSV"):
        read_csv(b'a,"b\n', name="c.csv")


def test_csv_with_a_row_too_many_is_refused() -> None:
    with pytest.raises(BadInput, match="more than 5000 rows"):
        read_csv(b"a\n" * 5001, name="c.csv")


def test_csv_with_a_thousand_columns_is_refused() -> None:
    with pytest.raises(BadInput, match="or 64 columns"):
        read_csv(b"," * 1000, name="c.csv")


# --- .xlsx --------------------------------------------------------------------------------------


def rewritten(*, add: dict[str, bytes] | None = None, change: Callable[[str, bytes], bytes] | None = None) -> bytes:
    """A good workbook with parts added, or changed."""
    source = zipfile.ZipFile(io.BytesIO(write_xlsx([SHEET])))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.infolist():
            data = source.read(part)
            target.writestr(part.filename, change(part.filename, data) if change else data)
        for name, data in (add or {}).items():
            target.writestr(name, data)
    return made.getvalue()


def in_sheet(old: bytes, new: bytes, part: str = SHEET_PART) -> bytes:
    """A good workbook with one text of a part replaced; it must be there."""

    def change(name: str, data: bytes) -> bytes:
        if name == part:
            assert old in data, data
            return data.replace(old, new, 1)
        return data

    return rewritten(change=change)


def refused_xlsx(data: bytes) -> str:
    with pytest.raises(BadInput) as refused:
        read_xlsx(data, name="x.xlsx")
    return refused.value.message


def test_the_workbook_that_these_attacks_begin_with_is_good() -> None:
    assert read_xlsx(rewritten(), name="x.xlsx") == [SHEET]


def test_what_is_no_zip_is_refused() -> None:
    assert "save it as .xlsx, without a password" in refused_xlsx(b"\xd0\xcf\x11\xe0 an old .xls")


def test_a_zip_of_something_else_is_refused() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert "cannot be read as .xlsx" in refused_xlsx(made.getvalue())


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    assert "unpacked it is larger than 16 MiB" in refused_xlsx(rewritten(add={"xl/media/a.png": b"\0" * (17 << 20)}))


def test_a_zip_whose_sizes_lie_is_refused() -> None:
    data = bytearray(rewritten(add={"xl/media/a.png": b"\0" * (1 << 20)}))
    at = data.rindex((1 << 20).to_bytes(4, "little"))
    data[at : at + 4] = (10).to_bytes(4, "little")
    assert "not an .xlsx" in refused_xlsx(bytes(data))


def test_a_zip_of_thousands_of_parts_is_refused() -> None:
    assert "too many parts" in refused_xlsx(rewritten(add={f"xl/media/{n}": b"" for n in range(300)}))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_parts_of_one_name_are_refused() -> None:
    assert "two of one name" in refused_xlsx(rewritten(add={SHEET_PART.upper(): b"<a/>"}))


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("xl/vbaProject.bin", "macros"),
        ("xl/externalLinks/externalLink1.xml", "links to other files"),
        ("xl/embeddings/oleObject1.bin", "embedded files"),
        ("xl/activeX/activeX1.xml", "active controls"),
        ("xl/macrosheets/sheet1.xml", "macros"),
        ("xl/connections.xml", "connections to other data"),
    ],
)
def test_what_a_list_does_not_need_is_refused(part: str, told: str) -> None:
    assert told in refused_xlsx(rewritten(add={part: b"<a/>"}))


def test_an_entity_bomb_is_refused() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb">]><sst>&b;</sst>'
    assert "is not plain XML" in refused_xlsx(rewritten(add={"xl/sharedStrings.xml": bomb}))


def test_an_entity_bomb_in_a_part_of_another_name_is_refused() -> None:
    assert "is not plain XML" in refused_xlsx(rewritten(add={"xl/strings.bin": b' <!DOCTYPE a [<!ENTITY b "c">]><a/>'}))


def test_an_entity_that_hides_in_another_encoding_is_refused() -> None:
    hidden = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE a [<!ENTITY b "c">]><a/>'.encode("utf-16")
    assert "is not plain XML" in refused_xlsx(rewritten(add={"xl/strings.bin": hidden}))


def test_an_entity_that_hides_in_wide_characters_without_a_mark_is_refused() -> None:
    hidden = '<!DOCTYPE a [<!ENTITY b "c">]><a/>'.encode("utf-16-be")
    assert "is not plain XML" in refused_xlsx(rewritten(add={"xl/strings.bin": hidden}))


def test_a_picture_is_no_markup_and_is_passed_over() -> None:
    assert read_xlsx(rewritten(add={"xl/media/a.png": b"\x89PNG\r\n\0<!DOCTYPE"}), name="x.xlsx") == [SHEET]


def test_an_encoding_of_bytes_that_hides_markup_is_refused() -> None:
    data = rewritten(add={"xl/a.xml": b'<?xml version="1.0" encoding="cp037"?><a/>'})
    assert "is not plain XML" in refused_xlsx(data)


def test_a_formula_is_refused_with_its_place() -> None:
    data = in_sheet(A2, b'<c r="A2"><f>1+1</f><v>2</v></c>')
    assert "sheet 清单, row 2, column A: “=1+1” is a formula" in refused_xlsx(data)


def test_a_cell_that_looks_like_a_formula_is_text_when_we_write_it() -> None:
    sheet = Sheet("s", (("=1+1", "@a"), ("#N/A", "_x0041_")))
    data = write_xlsx([sheet])

    assert b"<f>" not in zipfile.ZipFile(io.BytesIO(data)).read(SHEET_PART)
    assert read_xlsx(data, name="x.xlsx") == [sheet]


def test_a_number_with_a_fraction_is_refused() -> None:
    data = in_sheet(A2, b'<c r="A2"><v>2026.1</v></c>')
    assert "“2026.1” is a number with a fraction" in refused_xlsx(data)


def test_an_error_in_a_cell_is_refused() -> None:
    data = in_sheet(A2, b'<c r="A2" t="e"><v>#REF!</v></c>')
    assert "“#REF!” is an error" in refused_xlsx(data)


def test_a_row_beyond_all_lists_is_refused() -> None:
    cell = b'<c r="A1048576" t="inlineStr"><is><t>x</t></is></c>'
    data = in_sheet(b"</sheetData>", b'<row r="1048576">' + cell + b"</row></sheetData>")
    assert "row 1048576, column 1 is beyond 5000 rows, 64 columns" in refused_xlsx(data)


def test_a_column_beyond_all_lists_is_refused() -> None:
    data = in_sheet(b"</row></sheetData>", b'<c r="XFD3" t="inlineStr"><is><t>x</t></is></c></row></sheetData>')
    assert "row 3, column 16384 is beyond 5000 rows, 64 columns" in refused_xlsx(data)


def test_cells_that_only_have_a_format_may_stand_at_the_end_of_the_sheet() -> None:
    wide = b'<c r="XFD3" s="1"/></row><row r="1048576" ht="12.8"><c r="A1048576" s="1"/></row></sheetData>'
    began = time.monotonic()

    assert read_xlsx(in_sheet(b"</row></sheetData>", wide), name="x.xlsx") == [SHEET]
    assert time.monotonic() - began < 5


def test_a_row_number_of_a_thousand_digits_is_refused() -> None:
    assert "is beyond 1048576" in refused_xlsx(in_sheet(b"</sheetData>", b'<row r="%b"/></sheetData>' % (b"9" * 1000)))


def test_rows_that_go_back_are_refused() -> None:
    data = in_sheet(b"</sheetData>", b'<row r="2"><c r="A2"/></row></sheetData>')
    assert "two readers would see two tables" in refused_xlsx(data)


def test_a_cell_that_stands_twice_is_refused() -> None:
    data = in_sheet(b"</row></sheetData>", b'<c r="B3"/></row></sheetData>')
    assert "two readers would see two tables" in refused_xlsx(data)


def test_a_cell_in_another_row_than_it_says_is_refused() -> None:
    data = in_sheet(b"</row></sheetData>", b'<c r="C9"/></row></sheetData>')
    assert "a cell in row 3 says it is C9" in refused_xlsx(data)


def test_merged_cells_by_the_billion_are_only_named() -> None:
    data = in_sheet(b"</sheetData>", b'</sheetData><mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>')
    began = time.monotonic()
    (sheet,) = read_xlsx(data, name="x.xlsx")

    assert str(sheet.merges[0]) == "A1:XFD1048576"
    assert time.monotonic() - began < 2


def test_merged_cells_by_the_thousand_are_refused() -> None:
    merges = b"".join(b'<mergeCell ref="A%d:B%d"/>' % (n, n) for n in range(1, 3000))
    data = in_sheet(b"</sheetData>", b"</sheetData><mergeCells>" + merges + b"</mergeCells>")
    assert "more than 2000 merged cells" in refused_xlsx(data)


def test_merged_cells_that_no_sheet_has_are_refused() -> None:
    data = in_sheet(b"</sheetData>", b'</sheetData><mergeCells><mergeCell ref="B2:A1"/></mergeCells>')
    assert "beyond a sheet" in refused_xlsx(data)


def test_a_link_over_all_cells_does_not_cost_time() -> None:
    data = in_sheet(b"</sheetData>", b'</sheetData><hyperlinks><hyperlink ref="A1:XFD1048576"/></hyperlinks>')
    began = time.monotonic()
    assert read_xlsx(data, name="x.xlsx") == [SHEET]
    assert time.monotonic() - began < 2


def test_a_sheet_that_understates_its_size_is_read_whole() -> None:
    part = zipfile.ZipFile(io.BytesIO(write_xlsx([SHEET]))).read(SHEET_PART)
    stated = re.search(rb'<dimension ref="[^"]*" ?/>', part)
    assert stated is not None
    assert read_xlsx(in_sheet(stated[0], b'<dimension ref="A1:A1"/>'), name="x.xlsx") == [SHEET]


def test_a_sheet_in_an_odd_place_is_refused() -> None:
    def change(name: str, data: bytes) -> bytes:
        return (
            data.replace(b"worksheets/sheet1.xml", b"elsewhere/sheet1.xml")
            if name.endswith((".rels", ".xml"))
            else data
        )

    part = zipfile.ZipFile(io.BytesIO(write_xlsx([SHEET]))).read(SHEET_PART)
    assert "is in an odd place" in refused_xlsx(rewritten(change=change, add={"xl/elsewhere/sheet1.xml": part}))


def test_a_hidden_sheet_is_refused() -> None:
    data = in_sheet(b'state="visible"', b'state="veryHidden"', part="xl/workbook.xml")
    assert "the sheet is hidden" in refused_xlsx(data)


def test_a_hidden_row_is_refused() -> None:
    assert "row 2 is hidden" in refused_xlsx(in_sheet(b'<row r="2"', b'<row r="2" hidden="1"'))


def test_a_hidden_column_is_refused() -> None:
    assert "column 1 is hidden" in refused_xlsx(in_sheet(b"<col ", b'<col hidden="1" '))


def test_broken_xml_is_refused() -> None:
    assert "its XML cannot be read" in refused_xlsx(in_sheet(b"</sheetData>", b"</sheet"))


def test_a_text_that_is_not_there_is_refused() -> None:
    assert "cannot be read as .xlsx" in refused_xlsx(in_sheet(A2, b'<c r="A2" t="s"><v>9999</v></c>'))


def test_more_than_four_mebibytes_of_workbook_are_refused() -> None:
    assert "larger than 4 MiB" in refused_xlsx(b"PK" + b"\0" * (4 << 20))


# --- anything -----------------------------------------------------------------------------------

_PIECES = (
    b"[",
    b"]",
    b"{",
    b": ",
    b"- ",
    b'"',
    b"&a ",
    b"*a",
    b"\n",
    b"  ",
    b"null",
    b"no",
    b"0",
    b"<",
    b">",
    b"\0",
    b"=",
    b",",
)


def shaken(data: bytes, luck: Random) -> bytes:
    """The same bytes with a few flipped, put in, left out or written twice."""
    made = bytearray(data)
    for _ in range(luck.randint(1, 4)):
        place = luck.randrange(len(made))
        match luck.randrange(4):
            case 0:
                made[place] = luck.randrange(256)
            case 1:
                made[place:place] = luck.choice(_PIECES)
            case 2:
                del made[place : place + luck.randint(1, 30)]
            case _:
                made[place:place] = made[place // 2 : place // 2 + luck.randint(1, 60)]
    return bytes(made)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_done_to_a_text_or_table_it_is_read_or_refused_and_never_anything_else(seed: int) -> None:
    luck = Random(seed)
    body = read_text(DEFAULT.read_bytes(), name=NAME).body
    few = {**body, "items": body["items"][:2]}
    whole = {name: exported(few, name=name) for name in ("c.yaml", "c.csv", "c.xlsx")}
    refused = 0
    for turn in range(times(60, 2000)):
        name = list(whole)[turn % 3]
        try:
            checked_file(shaken(whole[name], luck), name=name, base=body)
        except BadInput:
            refused += 1
    assert refused
