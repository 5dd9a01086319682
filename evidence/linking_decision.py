# SPDX-License-Identifier: Apache-2.0
"""This is where it is decided which footage belongs to which case, from all that is known of both at once.

What is decided of one recording depends on what else its officers filmed and were sent to around that time; what is
farther off than the rules reach changes nothing. The answer does not depend on the order of what is given.
"""

from collections.abc import Iterable

from evidence import linking_others, linking_visits
from evidence.linking import Footage, Rules, Score, Work
from evidence.linking_desk import Desk, Pair
from evidence.linking_times import matched


def decide(footages: Iterable[Footage], works: Iterable[Work], rules: Rules) -> dict[Pair, Score]:
    """The score of every pair that any rule speaks for, at least `suggest_at`; `link_at` and more is a link."""
    films = sorted(footages, key=lambda one: one.id)
    cases = sorted(works, key=lambda one: one.id)
    desk = Desk(rules, films, cases)
    linking_visits.settle_times(desk)
    # (1) Each officer's footage and the visits they were named for, one to one.
    for match in matched(desk.theirs, desk.visits, rules):
        linking_visits.take(desk, match)
    # (2) What lies within a visit's time besides, unless its place is taken by another.
    linking_visits.within(desk)
    linking_visits.twins(desk)
    # (3) A window that is wrong for both officers; (4) a colleague in place of an officer; (5) anyone of the unit.
    linking_others.together(desk)
    linking_others.siblings(desk)
    linking_others.unit_times(desk)
    # (6) What needs no clock, or only a rough one.
    linking_others.wide(desk)
    linking_others.numbers(desk)
    linking_others.places(desk)
    linking_others.revisits(desk)
    return desk.scores()
