# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that a catalog is read as it stands, or refused with file, line, reason and advice."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from evidence.catalog import Effect, Starts
from evidence.errors import BadInput
from evidence.term import Term
from pipeline.catalogs.load import DEFAULT, for_agency, load_catalog, parse_catalog
from pipeline.catalogs.structure import SCHEMA, structure_faults
from pipeline.catalogs.text import read_text
from tests.support.catalog_text import NAME, edited, line_of, refusal_of

DOCS = Path(__file__).parents[2] / "docs"


def refused_at(data: bytes, words: str, *told: str) -> None:
    """The catalog is refused in the line that holds `words`, and the message says all of `told`."""
    message = refusal_of(data).message
    assert f"{NAME}: line {line_of(data, words)}" in message
    assert all(one in message for one in told), message


# --- the default ------------------------------------------------------------------------------


def test_the_default_catalog_loads_with_its_62_items() -> None:
    catalog = load_catalog()

    assert len(catalog.items) + len(catalog.disabled) == 62
    assert list(catalog.disabled) == ["QZ-09"]
    assert catalog.id.startswith("avcat-cn-default@0.1-draft#")
    assert set(catalog.types) == {"XK", "CF", "QZ", "ZS", "SF", "JC"}


def test_the_default_catalog_passes_the_schema_that_loading_it_leaves_out() -> None:
    assert structure_faults(read_text(DEFAULT.read_bytes(), name="default")) == []


def test_the_published_schema_is_the_one_that_is_used() -> None:
    assert (DOCS / "catalog.schema.json").read_bytes() == SCHEMA.read_bytes()
    assert json.loads(SCHEMA.read_text("utf-8"))["$schema"].endswith("2020-12/schema")


def test_codes_are_resolved_to_what_they_stand_for() -> None:
    catalog = load_catalog()
    item = catalog.items["JC-01"]

    assert item.kinds == {"video"}
    assert item.is_full_process
    assert item.deadline.within == timedelta(hours=24)
    assert item.deadline.longer == timedelta(hours=24)
    assert item.retention.term == Term(months=24)
    assert item.retention.starts is Starts.RECORDING_END
    assert item.floor == Term(months=6)
    assert catalog.items["JC-04"].kinds == {"photo", "video"}
    assert catalog.deadlines["UD-RT"].within == timedelta(minutes=60)
    assert catalog.deadlines["UD-RT"].longer == timedelta(hours=24)
    assert catalog.deadlines["UD-2WD"].working_days == 2
    assert catalog.retention["RT-CASE"].term is None
    assert catalog.retention["RT-CASE"].fallback == Term(months=120)
    assert catalog.retention["RT-PERM"].starts is Starts.NEVER
    assert catalog.stage_of["service"] == "SD"
    assert catalog.proxy_term is None


def test_the_profile_decides_what_evidence_does() -> None:
    assert load_catalog().profile == "base"
    assert load_catalog().conditions["PC-EVID"].effect is Effect.CASE_FILE
    assert load_catalog(profile="strict").conditions["PC-EVID"].effect is Effect.PERMANENT
    assert load_catalog(profile="strict").conditions["PC-MAJOR"].floor == "RT-30Y"


def test_a_profile_that_there_is_not_is_refused() -> None:
    with pytest.raises(BadInput, match="no profile 'lenient'; known: base, strict"):
        load_catalog(profile="lenient")


def test_a_preset_keeps_the_types_that_an_agency_exercises_and_counts_the_rest_as_disabled() -> None:
    whole = load_catalog()
    housing = for_agency(whole, "housing")

    assert list(housing.types) == ["XK", "QZ", "ZS"]
    assert {item.type for item in housing.items.values()} == {"XK", "QZ", "ZS"}
    assert len(housing.items) + len(housing.disabled) == 62
    assert housing.id == whole.id


def test_a_preset_that_there_is_not_is_refused() -> None:
    with pytest.raises(BadInput, match="no preset 'police'; known: urban_mgmt"):
        for_agency(load_catalog(), "police")


def test_a_term_for_proxies_may_be_given() -> None:
    data = edited(("matrix_exceptions:", "derivatives: {proxy: P1Y}\nmatrix_exceptions:"))

    assert parse_catalog(data, name=NAME).proxy_term == Term(months=12)


def test_the_id_changes_with_any_byte_of_the_text() -> None:
    assert parse_catalog(edited(("# What this is", "# what this is")), name=NAME).id != load_catalog().id


def test_a_byte_order_mark_and_windows_line_ends_are_taken() -> None:
    data = b"\xef\xbb\xbf" + DEFAULT.read_bytes().replace(b"\n", b"\r\n")

    assert parse_catalog(data, name=NAME).items == load_catalog().items


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no\.yaml cannot be read: No such file"):
        load_catalog(tmp_path / "no.yaml")


# --- structure ----------------------------------------------------------------------------------


def test_a_key_that_is_misspelt_is_named_with_the_one_that_was_meant() -> None:
    data = edited(("permanent_if: [", "permanant_if: ["))
    refused_at(data, "permanant_if", "no key “permanant_if”; did you mean permanent_if?")


def test_an_item_without_a_type_is_refused_where_it_begins() -> None:
    data = edited(("    type: JC\n", ""))
    refused_at(data, "- id: JC-01", "items[0] has no type; write type: …")


def test_a_list_that_is_written_as_a_word_is_refused() -> None:
    data = edited(("mode: [photo, video]", "mode: photo"))
    refused_at(data, "mode: photo", "is text; write a list of codes")


def test_a_term_that_is_no_term_is_refused_with_examples() -> None:
    data = edited(("period: P2Y", "period: 2Y"))
    refused_at(data, "period: 2Y", "cannot be “2Y”; write P30D, P6M, P2Y, permanent or case_file")


def test_a_negative_term_is_refused() -> None:
    refused_at(edited(("period: P2Y", "period: P-2Y")), "period: P-2Y", "retention_classes.RT-2Y.period")


def test_hours_that_are_text_are_refused() -> None:
    data = edited(("    hours: 24\n", '    hours: "24"\n'))
    refused_at(data, 'hours: "24"', "is text; write a whole number from 1")


def test_an_id_in_small_letters_is_refused() -> None:
    refused_at(edited(("id: JC-02", "id: jc-02")), "id: jc-02", "capital letters")


def test_a_version_that_ends_in_a_line_end_is_refused() -> None:
    refused_at(edited(('"0.1-draft"', '"0.1-draft\\n"')), "0.1-draft", "catalog.version")


def test_an_unknown_obligation_is_refused() -> None:
    refused_at(edited(("obligation: must", "obligation: shall")), "obligation: shall", "must, should or may")


def test_an_unknown_kind_of_media_is_refused() -> None:
    refused_at(edited(("media: [image]", "media: [hologram]")), "hologram", "image, audio or video")


# --- codes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    type: JC\n", "    type: JB\n", "enforcement_types has no “JB”"),
        ("    link: random_check\n", "    link: random_chek\n", "did you mean random_check?"),
        ("mode: [full_process_video, photo]", "mode: [full_process_video, foto]", "recording_modes has no “foto”"),
        ("    retention: RT-2Y\n", "    retention: RT-2J\n", "did you mean RT-2Y?"),
        ("permanent_if: [PC-EVID,", "permanent_if: [PC-EVIL,", "did you mean PC-EVID?"),
        ("    upload_deadline: UD-RT\n", "    upload_deadline: UD-RX\n", "upload_deadlines has no “UD-RX”"),
        ("checks: [CK-2OFF,", "checks: [CK-3OFF,", "consistency_checks has no “CK-3OFF”"),
        ("    legal_review: LR-NO\n", "    legal_review: effect_zh\n", "legal_review_rules has no “effect_zh”"),
        ("    disclosure: DC-RESULT\n", "    disclosure: DC-ALL\n", "disclosure_rules has no “DC-ALL”"),
        ("    record_class: talk\n", "    record_class: chat\n", "record_classes has no “chat”"),
        ("[XK, ZS, QZ]", "[XK, ZS, YY]", "enforcement_types has no “YY”"),
        ("stage: QD", "stage: QQ", "stages has no “QQ”"),
        ("floor: RT-30Y", "floor: RT-31Y", "did you mean RT-30Y?"),
        ("fallback: UD-24H", "fallback: UD-25H", "did you mean UD-24H?"),
        ("{type: QZ, link: site_survey, ", "{type: QZ, link: survey, ", "links has no “survey”"),
    ],
)
def test_a_code_that_nothing_defines_is_refused(old: str, new: str, told: str) -> None:
    refused_at(edited((old, new)), new.strip("\n"), told)


def test_two_items_with_one_id_are_refused_with_both_lines() -> None:
    data = edited(("id: JC-02", "id: JC-01"))
    first = line_of(data, "- id: JC-01")
    assert f"“JC-01” is the id of two of items, first in line {first}" in refusal_of(data).message


def test_two_types_of_one_name_are_refused() -> None:
    refused_at(edited(("CF: {zh: 行政处罚", "CF: {zh: 行政许可")), "CF: {zh: 行政许可", "XK and CF", "rename one")


def test_a_code_that_stands_twice_in_a_list_is_refused() -> None:
    refused_at(edited(("mode: [photo, video]", "mode: [photo, photo]")), "[photo, photo]", "holds photo twice")


def test_a_mode_whose_name_would_part_in_a_table_is_refused() -> None:
    refused_at(edited(("zh: 录音,", "zh: 录音、笔录,")), "录音、笔录", "write the name without it")


# --- sense --------------------------------------------------------------------------------------


def test_a_catalog_below_its_own_hard_floor_is_refused() -> None:
    data = edited(("period: P2Y", "period: P3M"))
    refused_at(data, "period: P3M", "RT-2Y: period P3M is shorter than its own hard floor P6M")


def test_a_fallback_of_the_case_file_below_the_floor_is_refused() -> None:
    data = edited(("fallback: P10Y", "fallback: P1Y"))
    refused_at(data, "fallback: P1Y", "RT-CASE: fallback P1Y is shorter than its own hard floor P2Y")


def test_what_is_not_permanent_above_a_permanent_floor_is_refused() -> None:
    data = edited(("period: permanent, starts: null", "period: P99Y, starts: case_closed"))
    refused_at(data, "period: P99Y", "shorter than its own hard floor permanent")


def test_a_case_file_class_without_a_fallback_is_refused() -> None:
    refused_at(edited(("fallback: P10Y, ", "")), "RT-CASE:", "has no fallback")


def test_a_fixed_term_with_a_fallback_is_refused() -> None:
    refused_at(edited(("period: P2Y,", "period: P2Y, fallback: P3Y,")), "fallback: P3Y", "a term and a fallback")


def test_a_term_of_more_than_a_thousand_years_is_refused() -> None:
    refused_at(edited(("period: P30Y", "period: P30000Y")), "period: P30000Y", "longer than 1000 years")


def test_what_is_permanent_and_yet_starts_is_refused() -> None:
    refused_at(edited(("starts: null", "starts: case_closed")), "RT-PERM:", "write starts: null")


def test_two_items_for_one_cell_are_refused() -> None:
    data = edited(
        ("link: random_check\n", "link: site_inspection\n"),
        ('name: {zh: "双随机抽查"', 'name: {zh: "现场检查"'),
        ("{type: QZ, link: random_check, ", "{type: JC, link: random_check, "),
    )
    assert "JC-01 and JC-02 are one matter: JC at site_inspection, “现场检查”" in refusal_of(data).message


def test_two_items_of_one_cell_may_stand_when_one_is_disabled() -> None:
    data = edited(
        ('name: {zh: "双随机抽查"', 'name: {zh: "现场检查"'),
        ("link: random_check\n", "link: site_inspection\n"),
        ("enabled: true", "enabled: false"),
        (
            "{type: QZ, link: random_check,",
            "{type: JC, link: random_check, reason_zh: x}\n  - {type: QZ, link: random_check,",
        ),
    )
    assert "JC-01" in parse_catalog(data, name=NAME).disabled


def test_a_cell_of_the_matrix_without_an_item_is_refused_by_name() -> None:
    data = edited(("link: random_check\n", "link: site_inspection\n"))
    refused_at(data, "JC: {zh: 行政检查", "no item for JC at random_check (行政检查 × 随机抽查)", "matrix_exceptions")


def test_a_cell_whose_only_item_is_disabled_is_a_hole() -> None:
    data = edited(
        (
            'obligation: must\n    record_class: scene\n    enabled: true\n    start_zh: "抽取',
            'obligation: must\n    record_class: scene\n    enabled: false\n    start_zh: "抽取',
        )
    )
    assert "no item for JC at random_check" in refusal_of(data).message


def test_a_cell_may_be_excepted_with_a_reason() -> None:
    data = edited(
        ("link: random_check\n", "link: site_inspection\n"),
        ("matrix_exceptions:\n", "matrix_exceptions:\n  - {type: JC, link: random_check, reason_zh: 不开展}\n"),
    )
    assert parse_catalog(data, name=NAME).items["JC-02"].link == "site_inspection"


def test_the_links_of_the_matrix_may_be_named() -> None:
    data = edited(("matrix_exceptions:\n", "matrix_links: [site_inspection, execution]\nmatrix_exceptions:\n"))
    message = refusal_of(data).message
    assert "no item for XK at execution" in message
    assert "site_inspection" not in message


def test_a_deadline_in_hours_and_working_days_is_refused() -> None:
    data = edited(("    hours: 24\n", "    hours: 24\n    working_days: 2\n"))
    refused_at(data, "  UD-24H:", "UD-24H says hours and working_days; write exactly one")


def test_a_deadline_that_says_nothing_is_refused() -> None:
    assert "UD-2WD says no span" in refusal_of(edited(("    working_days: 2\n", ""))).message


def test_a_deadline_that_falls_back_to_itself_is_refused() -> None:
    refused_at(edited(("fallback: UD-24H", "fallback: UD-RT")), "fallback: UD-RT", "not in hours")


def test_a_profile_that_says_otherwise_than_its_condition_is_refused() -> None:
    data = edited(("evid_effect: case_file", "evid_effect: permanent"))
    refused_at(data, "PC-EVID:", "effect_base is case_file, but profile base says evid_effect: permanent")


def test_a_condition_without_an_effect_in_some_profile_is_refused() -> None:
    refused_at(edited((", effect_strict: permanent", "")), "PC-EVID:", "PC-EVID has no effect in strict")


def test_an_effect_for_a_profile_that_there_is_not_is_refused() -> None:
    data = edited(("effect_strict: permanent", "effect_strict: permanent, effect_mild: hold"))
    refused_at(data, "effect_mild", "profile “mild”, which there is not")


def test_a_floor_without_a_class_is_refused() -> None:
    refused_at(edited(("effect: floor, floor: RT-30Y", "effect: floor")), "PC-MAJOR:", "with a retention class")


def test_a_time_zone_that_there_is_not_is_refused() -> None:
    refused_at(edited(("Asia/Shanghai", "Asia/Atlantis")), "timezone:", "no time zone “Asia/Atlantis”")


def test_a_day_that_there_is_not_is_refused() -> None:
    refused_at(
        edited(("effective_from: null", "effective_from: 2026-02-30")), "effective_from", "no day of the calendar"
    )


def test_a_catalog_with_nothing_enabled_is_refused() -> None:
    data = DEFAULT.read_text("utf-8").replace("enabled: true", "enabled: false").encode()
    assert "no item is enabled" in refusal_of(data).message


# --- several at once ----------------------------------------------------------------------------


def test_several_faults_are_told_together_in_the_order_of_the_file() -> None:
    data = edited(
        ("period: P2Y", "period: P3M"), ("fallback: P10Y", "fallback: P1Y"), ("starts: null", "starts: case_closed")
    )
    faults = refusal_of(data).values["faults"]

    assert isinstance(faults, list)
    lines = [fault["line"] for fault in faults]
    assert len(lines) == 3
    assert lines == sorted(lines)


def test_no_more_than_twenty_faults_are_told_and_the_rest_counted() -> None:
    data = DEFAULT.read_text("utf-8").replace("retention: RT-2Y", "retention: RT-9Y").replace("UD-24H\n", "UD-X\n")
    told = refusal_of(data.encode()).message.splitlines()

    assert len(told) == 21
    assert told[-1].endswith(" more")
