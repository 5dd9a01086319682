# SPDX-License-Identifier: Apache-2.0
"""Which numbers are missing among a camera's files, and which digits are no numbers at all."""

import pytest

from evidence.sequence import Numbered, SequenceGap, gaps, numbered

WIDEST = 100


def missing(*names: str) -> list[tuple[int, int]]:
    """First and last number of each gap among files written in this order."""
    files = [one for order, name in enumerate(names) if (one := numbered(name, order=order)) is not None]
    return [(gap.first, gap.last) for gap in gaps(files, widest=WIDEST)]


def test_a_number_that_no_file_has_is_a_gap_between_its_neighbours() -> None:
    files = [numbered(f"FILE{number:04d}.MP4", order=number) for number in (7, 8, 11)]
    (gap,) = gaps([one for one in files if one], widest=WIDEST)
    assert gap == SequenceGap(9, 10, "FILE0008.MP4", "FILE0011.MP4")
    assert gap.count == 2


def test_numbers_that_run_on_have_no_gap() -> None:
    assert missing("DSC_0001.JPG", "DSC_0002.JPG", "DSC_0003.JPG") == []


def test_a_count_that_begins_again_is_no_gap() -> None:
    assert missing("FILE9998.MP4", "FILE9999.MP4", "FILE0001.MP4", "FILE0002.MP4") == []


def test_a_great_jump_is_a_new_count_and_not_a_gap() -> None:
    assert missing("FILE0001.MP4", f"FILE{WIDEST + 3:04d}.MP4") == []
    assert missing("FILE0001.MP4", f"FILE{WIDEST + 2:04d}.MP4") == [(2, WIDEST + 1)]


def test_a_file_listed_twice_is_no_gap() -> None:
    assert missing("FILE0001.MP4", "FILE0001.MP4", "FILE0002.MP4") == []


def test_names_of_different_form_are_counted_apart() -> None:
    assert missing("VID_0001.MP4", "IMG_0005.JPG", "VID_0002.MP4", "IMG_0007.JPG") == [(6, 6)]


def test_numbers_behind_a_time_that_differs_each_time_are_one_series() -> None:
    first, third = "2023_0615_093012_001.MP4", "2023_0615_094012_003.MP4"
    assert missing(first, third) == [(2, 2)]


def test_a_makers_own_number_counts_more_than_the_name() -> None:
    told = [numbered("GX010123.MP4", order=0, number=123), numbered("GX020123.MP4", order=1, number=125)]
    assert [gap.first for gap in gaps([one for one in told if one], widest=WIDEST)] == [124]


@pytest.mark.parametrize(
    "name",
    [
        "DSJ_36NCC009910_000000_20260619_100324.mp4",
        "145036.mp4",
        "VID_20230615_093012.mp4",
        "2023_0615_093012.MP4",
        "shishi@2018-04-27_16-38-16.mp4",
        "20230615093012_000001_X_IMP.MP4",
        "20230615.mp4",
        "track.gpx",
        "a1.mp4",
        "",
    ],
)
def test_a_time_or_a_name_without_a_count_has_no_number(name: str) -> None:
    assert numbered(name, order=0) is None


def test_a_name_of_digits_alone_is_a_count() -> None:
    assert numbered("00042.MTS", order=9) == Numbered("5", 42, 9, "00042.MTS")
