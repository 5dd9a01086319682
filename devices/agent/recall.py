# SPDX-License-Identifier: Apache-2.0
"""This is where a dock finds that its server no longer knows a file for which it once gave a receipt.

A server that was put back to an earlier day has lost what came since. What the dock let go of is then on the device
alone, if it still is: it is taken once more.
"""

from collections.abc import Iterator
from itertools import islice

from devices.agent.visit import Visit

FORGOTTEN = "server-forgot"
_AT_ONCE = 500
_WITHDRAWN = "withdrawn"


def forget_lost(visit: Visit) -> int:
    """Ask after the files of a docking that were received before it; those that the server lost are to be taken anew.

    How many these are; the first is an alarm.

    Raises:
        ServerUnavailable, NotSignedIn: the server cannot be asked. StoreUnavailable: the journal cannot be used.
    """
    desk, lost = visit.desk, 0
    offers = _received_before(visit)
    while asked := list(islice(offers, _AT_ONCE)):
        visit.check()
        known = desk.server.known(asked)
        for offer in asked:
            if offer not in known or known[offer].outcome == _WITHDRAWN:
                desk.spool.forgotten(offer)
                lost += 1
    if lost:
        text = f"the server does not know {lost} files any more that it gave receipts for: they are taken once more"
        desk.alarm(FORGOTTEN, text, device=visit.serial)
    return lost


def _received_before(visit: Visit) -> Iterator[str]:
    for row in visit.rows():
        known = visit.desk.spool.find(visit.offer(row).id)
        if known is not None and known.is_receipted and known.docking != visit.docking:
            yield known.offer
