# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried that edit lists become one exact shift for each stream."""

from fractions import Fraction

from pipeline.media.edits import Edit, place


def test_a_start_inside_the_media_moves_it_back() -> None:
    placed = place([Edit(5700, 1024)], movie_timescale=1000, media_timescale=15_360)
    assert (placed.shift, placed.start, placed.end) == (-Fraction(1, 15), Fraction(0), Fraction(57, 10))
    assert not placed.warnings


def test_an_empty_edit_delays_the_media() -> None:
    placed = place([Edit(3, -1), Edit(17_017, 0)], movie_timescale=1000, media_timescale=48_000)
    assert (placed.shift, placed.start, placed.end) == (Fraction(3, 1000), Fraction(3, 1000), Fraction(17_020, 1000))


def test_a_duration_of_zero_is_open() -> None:
    assert place([Edit(0, 512)], movie_timescale=1000, media_timescale=512).end is None


def test_edits_that_follow_on_are_one() -> None:
    placed = place([Edit(1000, 0), Edit(500, 48_000)], movie_timescale=1000, media_timescale=48_000)
    assert placed.end == Fraction(3, 2)
    assert not placed.warnings


def test_an_edit_that_jumps_is_told_and_not_followed() -> None:
    placed = place([Edit(1000, 0), Edit(500, 96_000)], movie_timescale=1000, media_timescale=48_000)
    assert placed.end is None
    assert placed.warnings == ("edit-list-jumps",)


def test_another_speed_is_told() -> None:
    placed = place([Edit(1000, 0, rate=1 << 15)], movie_timescale=1000, media_timescale=48_000)
    assert placed.warnings == ("edit-list-rate",)
