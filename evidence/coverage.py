# SPDX-License-Identifier: Apache-2.0
"""This is where a case is held against the recording catalog (清单覆盖), cell by cell. Pure.

In words; every term is defined to the last detail in docs/operate/coverage.md:

- A case *demands* what its papers tell that took place, each of one item of the catalog or of any of the items that
  its type has at a link; then the links it tells of, and its own item, as far as no paper speaks of them.
- A recording *serves* an activity when the case holds it, it is of a kind that a mode of the item asks for, and it was
  classified to the item, or to nothing else that the activity can be of and was filmed while it took place.
- A *cell* is an activity held against one item. It is present when a valid recording serves it (neither put aside nor
  with a broken hash), invalid when only others do, awaited while one may still be handed in in time, else missing.
- Only `must` items count in the rate: cells present among those that are neither awaited nor of a `should` or `may`.
- Of the other checks only those apply that the item names. They find, and never change, what became of a cell.
"""

from collections.abc import Sequence
from datetime import datetime

from evidence.coverage_checks import cell_findings, due_of, invalid_findings, longer_of
from evidence.coverage_demand import demands
from evidence.coverage_serving import chosen_item, is_valid, own_of, serving
from evidence.coverage_terms import Activity, Cell, Coverage, CoveredCase, Filmed, Status, Yardstick


def cover(case: CoveredCase, yardstick: Yardstick, *, now: datetime) -> Coverage:
    """What the catalog asks of a case against what was recorded, at `now`.

    Same arguments, same answer, whatever order papers and recordings come in.
    """
    activities, doubts = demands(case, yardstick.catalog)
    own = own_of(activities, case)
    cells = tuple(
        _cell(activity, own[n], case, others=(*activities[:n], *activities[n + 1 :]), yardstick=yardstick, now=now)
        for n, activity in enumerate(activities)
    )
    return Coverage(case, cells, doubts)


def _cell(
    activity: Activity,
    own: Sequence[Filmed],
    case: CoveredCase,
    *,
    others: Sequence[Activity],
    yardstick: Yardstick,
    now: datetime,
) -> Cell:
    item = chosen_item(activity, case, own)
    found = serving(activity, item, case, own)
    valid = [one for one in found if is_valid(one, item)]
    invalid = [one for one in found if not is_valid(one, item)]
    ended = activity.end or case.end
    due = due_of(item, ended, yardstick)
    last = longer_of(activity, item, case, ended=ended, due=due)
    findings = cell_findings(activity, item, case, valid, due=due, others=others, yardstick=yardstick)
    return Cell(
        activity,
        item,
        _status(valid, invalid, is_over=now > last),
        last,
        recordings=tuple(one.id for one in valid),
        invalid=tuple(one.id for one in invalid),
        findings=(*invalid_findings(item, invalid), *findings),
    )


def _status(valid: Sequence[Filmed], invalid: Sequence[Filmed], *, is_over: bool) -> Status:
    if valid:
        return Status.PRESENT
    if invalid:
        return Status.INVALID
    return Status.MISSING if is_over else Status.AWAITED
