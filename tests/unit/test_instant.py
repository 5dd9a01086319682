# SPDX-License-Identifier: Apache-2.0
"""Moments as text: one form, which sorts as time does; what is none is refused in our words."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence import instant
from evidence.errors import BadInput

_moments = st.datetimes(timezones=st.just(UTC))


@given(_moments, _moments)
def test_text_order_is_time_order_in_every_year(one: datetime, other: datetime) -> None:
    assert (instant.to_text(one) < instant.to_text(other)) == (one < other)
    assert instant.from_text(instant.to_text(one)) == one


def test_every_instant_has_the_same_length() -> None:
    for moment in (
        datetime.min.replace(tzinfo=UTC),
        datetime(2026, 6, 19, tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    ):
        assert len(instant.to_text(moment)) == len("2026-06-19T10:03:24.000000Z")


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-08:00", "2026-06-19T10:03:24", "yesterday", ""]
)
def test_what_is_no_instant_is_refused_in_our_words(text: str) -> None:
    with pytest.raises(BadInput):
        instant.from_text(text)


def test_a_time_without_a_zone_is_not_written_down() -> None:
    with pytest.raises(BadInput):
        instant.to_text(datetime(2026, 6, 19) + timedelta(0))  # noqa: DTZ001
