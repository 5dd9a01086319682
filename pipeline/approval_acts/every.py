# SPDX-License-Identifier: Apache-2.0
"""This is where the acts that two people agree on are listed by name."""

from collections.abc import Mapping

from evidence.errors import BadInput
from pipeline.approval_acts import access, break_glass, disclosure, hold_lift, role, sandbox_off
from pipeline.approval_acts.act import Act

ACTS: Mapping[str, Act] = {
    one.name: one for one in (access.ACT, break_glass.ACT, disclosure.ACT, hold_lift.ACT, role.ACT, sandbox_off.ACT)
}


def act_named(name: str) -> Act:
    """The act of this name.

    Raises:
        BadInput: there is none.
    """
    if name not in ACTS:
        raise BadInput(f"two people agree on {', '.join(ACTS)}; not on {name[:80]!r}", field="act")
    return ACTS[name]
