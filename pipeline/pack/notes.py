# SPDX-License-Identifier: Apache-2.0
"""This is where signed notes of a pack are believed or not: by the checker's own keys alone.

A note that only strangers signed is still read, so that what contradicts it is found; nothing is proven by it then.
"""

from collections.abc import Callable, Sequence

from evidence.errors import IntegrityError, SignatureInvalid
from evidence.note import Verifier, open_note, split_note
from evidence.verdict import Verdict
from pipeline.audit.sheet import Sheet
from pipeline.audit.trust import Trust, signers_of, verdict_on_unopened

UNTRUSTED = (
    "signed by {signers}, whose key was not given. The keys inside the pack are no proof: get them from the agency "
    "itself, and verify with --keys"
)


class Notes:
    """Opens the notes of one pack, and tells of each stranger once."""

    def __init__(self, trust: Trust, sheet: Sheet) -> None:
        self._trust = trust
        self._sheet = sheet
        self._strangers: set[str] = set()

    def text_of(self, note: bytes, keys: Callable[[Trust], Sequence[Verifier]], *, name: str) -> str | None:
        """The text of a note, if it is one; that it is not to be believed is noted against `name`."""
        try:
            return open_note(note, keys(self._trust)).text
        except SignatureInvalid as error:
            return self._unopened(note, error, name=name)
        except (IntegrityError, UnicodeError) as error:
            self._sheet.blame(name, "record-malformed", str(error))
            return None

    def _unopened(self, note: bytes, error: SignatureInvalid, *, name: str) -> str | None:
        if verdict_on_unopened(note, self._trust) is Verdict.TAMPERED:
            self._sheet.blame(name, error.code, error.message)
            return None
        signers = signers_of(note)
        if signers not in self._strangers:
            self._strangers.add(signers)
            self._sheet.doubt(name, "untrusted", UNTRUSTED.format(signers=signers))
        return split_note(note)[0]
