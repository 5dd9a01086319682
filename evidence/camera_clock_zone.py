# SPDX-License-Identifier: Apache-2.0
"""This is where a clock that is off by a zone is told from one that is wrong: local time read as UTC, summer time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo


def zone_change(zone: tzinfo, since: datetime, until: datetime) -> tuple[datetime, timedelta] | None:
    """When the zone's distance from UTC changed, and by how much that moves the offset of a clock that did not follow.

    To the second. None when the zone is as far from UTC at the end as at the beginning.
    """
    before, after = distance(zone, since), distance(zone, until)
    if before == after:
        return None
    low, high = int(since.timestamp()), int(until.timestamp()) + 1
    while high - low > 1:
        middle = (low + high) // 2
        is_still = distance(zone, datetime.fromtimestamp(middle, UTC)) == before
        low, high = (middle, high) if is_still else (low, middle)
    return datetime.fromtimestamp(high, UTC), before - after


def distance(zone: tzinfo, moment: datetime) -> timedelta:
    """How far the zone's clocks are ahead of UTC at an aware moment."""
    return moment.astimezone(zone).utcoffset() or timedelta(0)


def without_zone(offset: timedelta, shift: timedelta, *, within: timedelta) -> timedelta:
    """The offset, with `shift` taken off where it is `shift` but for at most `within`: it was read in another zone."""
    return offset - shift if abs(offset - shift) <= within else offset


def local_readings(shown: datetime, zone: tzinfo) -> Iterator[datetime]:
    """The instants that a zone's clocks may mean by a time without zone: two in the hour that comes twice a year.

    An hour that a zone leaves out is read both as before and as after the change. In UTC; none that no calendar has.
    """
    found = []
    for fold in (0, 1):
        try:
            moment = shown.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        except (OverflowError, ValueError):
            continue
        if moment not in found:
            found.append(moment)
    yield from found
