# SPDX-License-Identifier: Apache-2.0
"""This is where it is tried which segments lie in the window of a case."""

from datetime import timedelta

from evidence import instant
from pipeline.index import segments_within
from tests.support.home import NOON

CASE = {"start_at": instant.to_text(NOON), "end_at": instant.to_text(NOON + timedelta(minutes=10))}


def segment(start_s: int, end_s: int) -> dict[str, str]:
    at = [instant.to_text(NOON + timedelta(seconds=seconds)) for seconds in (start_s, end_s)]
    return {"id": f"{start_s}-{end_s}", "start_at": at[0], "end_at": at[1]}


def test_a_segment_that_only_touches_the_window_is_not_in_it() -> None:
    inside = segments_within([segment(-10, 0), segment(-10, 1), segment(599, 610), segment(600, 610)], CASE)

    assert inside == ["-10-1", "599-610"]


def test_a_photo_taken_as_the_window_opens_is_in_it_and_one_as_it_closes_is_not() -> None:
    assert segments_within([segment(0, 0), segment(600, 600), segment(-1, -1)], CASE) == ["0-0"]


def test_a_segment_of_unknown_time_is_in_no_window() -> None:
    assert segments_within([{"id": "x", "start_at": None, "end_at": None}], CASE) == []
