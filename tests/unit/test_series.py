# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried which files are one capture: what ties two, what does not, whatever their names say."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from evidence.series import FAT_BYTES, Piece, chains, missing, tie
from evidence.timecode import seconds_of

NOON = datetime(2026, 6, 19, 4, tzinfo=UTC)
FIVE = Fraction(300)


def piece(number: int, **told: object) -> Piece:
    """The n-th file of five minutes of one camera that names files by the clock."""
    start = NOON + timedelta(seconds=300 * number)
    made = Piece(f"rec-{number}", ("A1", "dock", "dsj"), start, "file-name", FIVE, 1_000_000)
    return replace(made, **told)  # type: ignore[arg-type]


def ids(found: list[list[tuple[Piece, object]]]) -> list[list[str]]:
    return [[link[0].id for link in chain] for chain in found]


def test_files_that_begin_where_the_one_before_ends_are_one_capture_in_order() -> None:
    pieces = [piece(number) for number in range(5)]
    random.Random(1).shuffle(pieces)

    assert ids(chains(pieces)) == [["rec-0", "rec-1", "rec-2", "rec-3", "rec-4"]]  # type: ignore[arg-type]


def test_a_file_that_is_missing_in_the_middle_parts_the_capture() -> None:
    assert ids(chains([piece(0), piece(1), piece(3)])) == [["rec-0", "rec-1"], ["rec-3"]]  # type: ignore[arg-type]


@pytest.mark.parametrize("change", ["device", "dock", "maker"])
def test_files_of_another_device_dock_or_maker_are_never_one_capture(change: str) -> None:
    other = {"device": ("A2", "dock", "dsj"), "dock": ("A1", "attic", "dsj"), "maker": ("A1", "dock", "dcam")}[change]

    assert tie(piece(0), piece(1, place=other)) is None


@pytest.mark.parametrize("late_s", [3, 60, -6, -200])
def test_names_that_count_on_tie_nothing_when_the_time_does_not_fit(late_s: int) -> None:
    first = piece(0, part=1, sequence=7)
    second = piece(1, part=2, sequence=7)

    assert tie(first, second) is not None
    assert tie(first, replace(second, start=second.start + timedelta(seconds=late_s))) is None


def test_a_part_number_that_does_not_follow_ties_nothing_even_when_the_time_fits() -> None:
    assert tie(piece(0, part=1), piece(1, part=3)) is None
    assert tie(piece(0, part=1, sequence=7), piece(1, part=2, sequence=8)) is None
    assert tie(piece(0, part=2), piece(1, part=1)) is None
    assert tie(piece(0, part=1), piece(1)) is None


def test_the_first_file_of_a_capture_may_bear_no_number() -> None:
    assert tie(piece(0), piece(1, part=2)) is not None


def test_a_running_number_may_skip_and_begin_anew() -> None:
    assert tie(piece(0, sequence=7), piece(1, sequence=9)) is not None
    assert tie(piece(0, sequence=999), piece(1, sequence=1)) is not None


def test_two_files_that_begin_at_once_are_not_one_behind_the_other() -> None:
    assert tie(piece(0), piece(1, start=NOON)) is None


def test_the_time_of_last_writing_ties_only_what_numbers_or_the_size_bear_out() -> None:
    first, second = piece(0, clock="mtime"), piece(1, clock="mtime")

    assert tie(first, second) is None
    assert tie(replace(first, sequence=1), replace(second, sequence=2)) is not None
    assert tie(replace(first, size_bytes=FAT_BYTES - (4 << 20)), second) is not None


def test_times_of_two_kinds_are_not_compared() -> None:
    assert tie(piece(0), piece(1, clock="container")) is None


def test_a_gap_that_a_clock_of_whole_seconds_cannot_tell_is_not_told() -> None:
    found = tie(piece(0, duration=Fraction(29951, 100)), piece(1))
    assert found is not None
    assert (found.gap, found.basis) == (None, "time:file-name")


def test_an_overlap_that_is_longer_than_a_second_is_told() -> None:
    found = tie(piece(0, duration=Fraction(303)), piece(1))
    assert found is not None
    assert found.gap == -3


def test_a_fine_clock_tells_the_gap_exactly() -> None:
    second = piece(1, is_fine=True, start=NOON + timedelta(seconds=300, milliseconds=41))
    found = tie(piece(0, is_fine=True), second)
    assert found is not None
    assert found.gap == Fraction(41, 1000)


def test_timecodes_tell_the_gap_to_the_frame_and_over_midnight() -> None:
    """Chapters of 11,988 frames at 30000/1001: 399.9996 s; the second begins one frame later than the first ends."""
    rate = Fraction(30_000, 1001)
    length = 11_988 / rate
    day = seconds_of("23:59:59:29@30000/1001")
    assert day is not None
    first = piece(0, duration=length, timecode=day, part=1, sequence=3)
    # Both chapters bear the start of the first, as GoPro's do.
    second = piece(0, id="rec-b", duration=length, timecode=day + length + 1 / rate - 86_400, part=2, sequence=3)
    found = tie(first, second)

    assert found is not None
    assert (found.gap, found.basis) == (1 / rate, "number:timecode")
    assert tie(first, replace(second, timecode=day + length + 5)) is None


def test_a_file_cut_for_fat_says_so() -> None:
    found = tie(piece(0, size_bytes=FAT_BYTES - (3 << 20)), piece(1))
    assert found is not None
    assert found.basis == "size:file-name"


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [(1, 2, []), (1, 3, [2]), (2, 6, [3, 4, 5]), (3, 1, [])],
)
def test_missing_parts_of_one_capture_are_named(before: int, after: int, lost: list[int]) -> None:
    assert missing(piece(0, part=before, sequence=7), piece(9, part=after, sequence=7)) == lost


def test_running_numbers_name_what_is_missing_only_when_the_time_between_fits() -> None:
    assert missing(piece(0, sequence=10), piece(3, sequence=13)) == [11, 12]
    assert missing(piece(0, sequence=10), piece(9, sequence=13)) == []
    assert missing(piece(0, sequence=10), piece(1, sequence=13)) == []


@pytest.mark.parametrize("seed", range(20))
def test_every_file_is_in_exactly_one_capture_whatever_they_say(seed: int) -> None:
    chance = random.Random(seed)
    pieces = [
        piece(
            number,
            start=NOON + timedelta(seconds=chance.randrange(2000)),
            duration=Fraction(chance.randrange(1, 600)),
            part=chance.choice([None, 1, 2, 3]),
            sequence=chance.choice([None, 1, 2]),
            timecode=chance.choice([None, Fraction(chance.randrange(86_400))]),
        )
        for number in range(40)
    ]
    found = chains(pieces)

    assert sorted(one for chain in ids(found) for one in chain) == sorted(one.id for one in pieces)  # type: ignore[arg-type]
    shuffled = pieces[:]
    chance.shuffle(shuffled)
    assert ids(chains(shuffled)) == ids(found)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:00:00:00@25", Fraction(0)),
        ("01:00:00:12@25", Fraction(3600 * 25 + 12, 25)),
        ("00:01:00:00@30000/1001", Fraction(1800 * 1001, 30_000)),
        ("00:01:00;02@30000/1001", Fraction(1800 * 1001, 30_000)),  # the frame after 00:00:59;29
        ("01:00:00;00@30000/1001", Fraction(107_892 * 1001, 30_000)),  # 1 h of drop-frame: 107,892 frames
        ("00:00:00:30@30", None),
        ("00:00:00:00@0", None),
        ("x", None),
        ("00:61:00:00@25", None),
    ],
)
def test_a_timecode_is_exact_seconds(text: str, seconds: Fraction | None) -> None:
    assert seconds_of(text) == seconds
