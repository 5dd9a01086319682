# SPDX-License-Identifier: Apache-2.0
"""This is where a reach becomes the settings that PostgreSQL's row-level security reads: the second wall.

The policies (migration 0007) say once more, inside the database, what `reach` says in each question: a list whose
condition was forgotten still shows nobody more than they may see. Without these settings every row is shown: steps,
workers and commands of whoever runs the machine.
"""

from storage.register.reach import Sight

SETTINGS = {
    "actor": "evidock.actor",
    "reach": "evidock.reach",
    "officer": "evidock.officer",
    "units": "evidock.units",
    "now": "evidock.now",
    "grants": "evidock.grants",
}
"""What each is called in the database."""

EVERY_UNIT = "*"
BETWEEN = "\x1f"
"""No unit's code holds it."""


def settings_of(sight: Sight) -> dict[str, str]:
    """The values for a reach, by the keys of `SETTINGS`."""
    actor = sight.actor
    return {
        "actor": actor.name,
        "reach": sight.reach.name.lower(),
        "officer": actor.officer or "",
        "units": EVERY_UNIT if actor.unit is None else BETWEEN.join(actor.units),
        "now": sight.now,
        "grants": BETWEEN.join(sorted(sight.grants)),
    }
