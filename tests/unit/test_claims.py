# SPDX-License-Identifier: Apache-2.0
"""This is where the weight of sources, and their contradictions, are tested."""

import json
from itertools import permutations

import pytest

from evidence.claims import Claim, Claims, Source
from evidence.errors import BadInput

NAMED = Claim("start", "2026-06-19T10:03:24", Source.FILE_NAME)


def starts(*claims: Claim) -> Claims:
    return Claims((NAMED, *claims))


def test_the_weightiest_source_is_believed_and_the_others_are_kept() -> None:
    claims = Claims(Claim("device", str(source), source) for source in reversed(Source))
    told = [claim.source for claim in claims.of("device")]
    assert told == [
        Source.OPERATOR,
        Source.SIDECAR,
        Source.DEVICE_INFO,
        Source.FILE_NAME,
        Source.FOLDER,
        Source.CONTAINER,
        Source.MTIME,
    ]
    assert claims.value("device") == "operator"


def test_nobody_speaking_of_a_field_is_none() -> None:
    assert Claims().best("officer") is None
    assert Claims().value("officer") is None


def test_a_contradiction_between_sources_is_named_with_all_that_was_said() -> None:
    said = (Claim("device", "A", Source.SIDECAR), Claim("device", "B", Source.FILE_NAME))
    assert Claims((*said, NAMED)).conflicts() == {"device": said}


def test_sources_that_agree_are_no_contradiction() -> None:
    claims = Claims(Claim("device", "A", source) for source in Source)
    assert claims.conflicts() == {}


def test_several_marks_and_notes_are_no_contradiction() -> None:
    claims = Claims((Claim("mark", "SOS", Source.FILE_NAME), Claim("mark", "IMP", Source.FOLDER)))
    assert claims.conflicts() == {}


def test_local_times_within_the_grain_agree_and_beyond_it_do_not() -> None:
    assert starts(Claim("start", "2026-06-19T10:03:29", Source.CONTAINER)).conflicts() == {}
    assert "start" in starts(Claim("start", "2026-06-19T10:03:30", Source.CONTAINER)).conflicts()


def test_a_local_time_and_utc_agree_while_a_zone_could_explain_them() -> None:
    assert starts(Claim("start", "2026-06-19T02:03:24+00:00", Source.CONTAINER)).conflicts() == {}
    assert "start" in starts(Claim("start", "2026-06-21T02:03:24+00:00", Source.CONTAINER)).conflicts()


def test_the_last_write_of_a_long_recording_agrees_with_its_start() -> None:
    assert starts(Claim("start", "2026-06-19T10:03:24+00:00", Source.MTIME)).conflicts() == {}


def test_the_last_write_agrees_with_a_start_that_has_a_zone_too() -> None:
    claims = (
        Claim("start", "2026-06-19T10:03:24+08:00", Source.DEVICE_INFO),
        Claim("start", "2026-06-19T04:03:24+00:00", Source.MTIME),
    )
    assert Claims(claims).conflicts() == {}


def test_a_file_time_of_1980_disagrees_with_the_name() -> None:
    assert "start" in starts(Claim("start", "1980-01-01T00:00:00+00:00", Source.MTIME)).conflicts()


def test_times_in_two_zones_are_compared_as_instants() -> None:
    claims = Claims(
        (
            Claim("start", "2026-06-19T10:03:24+08:00", Source.DEVICE_INFO),
            Claim("start", "2026-06-19T02:03:24+00:00", Source.CONTAINER),
        )
    )
    assert claims.conflicts() == {}


def test_a_time_that_nobody_can_read_contradicts_one_that_can_be_read() -> None:
    assert "start" in starts(Claim("start", "noon", Source.SIDECAR)).conflicts()


def test_the_canonical_form_does_not_depend_on_the_order_of_speaking() -> None:
    said = (NAMED, Claim("device", "B", Source.FOLDER), Claim("device", "A", Source.FOLDER), NAMED)
    forms = {json.dumps(Claims(order).to_json()) for order in permutations(said)}
    assert len(forms) == 1


def test_claims_come_back_from_json() -> None:
    claims = starts(Claim("device", "36NCC009910", Source.SIDECAR))
    assert Claims.from_json(json.loads(json.dumps(claims.to_json()))) == claims


@pytest.mark.parametrize(
    "told",
    [
        [{"field": "device", "value": "A"}],
        [{"field": "device", "value": "A", "source": "rumour"}],
        [{"field": "device", "value": "", "source": "mtime"}],
    ],
)
def test_json_that_holds_no_claims_is_refused(told: list[dict[str, str]]) -> None:
    with pytest.raises(BadInput):
        Claims.from_json(told)


@pytest.mark.parametrize("value", ["", "x" * 257, "a\nb", "\udcff", "\u202egpj"])
def test_a_value_that_cannot_be_shown_as_it_is_is_no_claim(value: str) -> None:
    with pytest.raises(BadInput):
        Claim("device", value, Source.FILE_NAME)
