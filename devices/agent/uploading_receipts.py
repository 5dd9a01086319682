# SPDX-License-Identifier: Apache-2.0
"""This is where a dock asks what became of the files it sent, and takes the receipts: without one, all stays.

What was sent is asked after again and again, each file in its turn, until the server's word for it has come.
"""

from collections import Counter
from collections.abc import Callable, Mapping

from devices.agent.server_port import Known, Server
from devices.agent.spool import Spool
from evidence.errors import EvidockError, IntegrityError, NotFound, ServerUnavailable

_SENT = """
SELECT offer FROM files
WHERE is_receipted = 0 AND sha256 IS NOT NULL AND upload_url IS NOT NULL AND uploaded_bytes >= size_bytes AND offer > ?
ORDER BY offer LIMIT ?
"""
AT_ONCE = 500
# So often in a row a server may not know what it took, before the file is offered to it once more.
_PATIENCE = 60
_WITHDRAWN = "withdrawn"


class Receipts:
    """What a dock waits for. One thread uses it."""

    def __init__(
        self, spool: Spool, server: Server, *, on_trouble: Callable[[str, EvidockError], None], at_once: int = AT_ONCE
    ) -> None:
        self._spool = spool
        self._server = server
        self._on_trouble = on_trouble
        self._at_once = at_once
        self._after = ""
        self._unsound: set[str] = set()
        self._unknown: Counter[str] = Counter()

    def round(self) -> tuple[int, int]:
        """Ask after the next few hundred files; how many receipts came, and how many files were asked after.

        Raises:
            ServerUnavailable, NotSignedIn: later. StoreUnavailable: the spool cannot be read or written.
        """
        rows = self._spool.journal.rows(_SENT, (self._after, self._at_once))
        offers = [str(row["offer"]) for row in rows]
        self._after = offers[-1] if len(offers) == self._at_once else ""
        if not offers:
            return 0, 0
        known = self._server.known(offers)
        return sum(self._take(offer, known) for offer in offers), len(offers)

    def _take(self, offer: str, known: Mapping[str, Known]) -> bool:
        told = known.get(offer)
        if told is None:
            self._missed(offer)
            return False
        self._unknown.pop(offer, None)
        if told.outcome == _WITHDRAWN:
            self._spool.set_upload(offer, None)
        if not told.is_sealed:
            return False
        try:
            receipt = self._server.receipt(offer)
            if receipt is None:
                return False
            self._spool.take_receipt(offer, receipt)
        except ServerUnavailable:
            raise
        except (IntegrityError, NotFound) as error:
            if offer not in self._unsound:  # it is told once, and asked after on and on: nothing leaves meanwhile
                self._unsound.add(offer)
                self._on_trouble(offer, error)
            return False
        self._unsound.discard(offer)
        return True

    def _missed(self, offer: str) -> None:
        """A server that lost what it had (its disk was put back to an earlier day) is sent it once more."""
        self._unknown[offer] += 1
        if self._unknown[offer] % _PATIENCE == 0:
            self._spool.set_uploaded(offer, -1)
