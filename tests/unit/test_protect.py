# SPDX-License-Identifier: Apache-2.0
"""Locks that nobody can take back: from when they are counted, whatever a camera claims."""

from datetime import UTC, datetime, timedelta

import pytest

from evidence import instant
from pipeline.protect import _ended

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("claimed", "counted"),
    [
        (NOW - timedelta(days=400), NOW - timedelta(days=400)),
        (NOW + timedelta(hours=20), NOW + timedelta(hours=20)),  # clocks differ by zones
        (NOW + timedelta(days=2), NOW),
        (datetime(2107, 12, 31, tzinfo=UTC), NOW),
        (None, NOW),
    ],
)
def test_a_claim_of_the_far_future_locks_nothing_for_a_century(claimed: datetime | None, counted: datetime) -> None:
    told = None if claimed is None else instant.to_text(claimed)
    assert _ended({"end_at": told, "start_at": None}, NOW) == counted
