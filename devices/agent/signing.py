# SPDX-License-Identifier: Apache-2.0
"""This is where a dock says who it is, and believes what the server signed: its own key, and the pinned ones.

The dock's key is a file that only its owner reads. The server's note keys came with the enrolment; a receipt that
none of them signed is no receipt, whoever sends it.
"""

import base64
from collections.abc import Iterable
from pathlib import Path

from evidence.errors import RecordMalformed
from evidence.note import Verifier, open_note, parse_vkey
from evidence.receipt import Receipt, parse_receipt
from storage.signing import KeyFile, verifier_of

KEY = "key.pem"
_SESSION = "evidock-session-v1"


class DockKey:
    """The key of this dock, made at the first call."""

    def __init__(self, folder: Path) -> None:
        self._file = KeyFile.create_or_load(folder / KEY, "dock")

    @property
    def public(self) -> str:
        """The public half, 32 bytes in base64."""
        return base64.b64encode(self._file.verifier_key.public_key).decode()

    def answer(self, dock: str, challenge: str) -> str:
        """The signature, in base64, that answers a challenge. Source: docs/upload-protocol.md, Who speaks."""
        text = f"{_SESSION}\n{dock}\n{challenge}".encode()
        return base64.b64encode(self._file.signer().sign(text)).decode()


def verifiers(server_keys: Iterable[str]) -> tuple[Verifier, ...]:
    """The server's note keys, as text, made ready to check receipts with.

    Raises:
        RecordMalformed: one is no key that anyone may trust.
    """
    return tuple(verifier_of(parse_vkey(one)) for one in server_keys)


def opened_receipt(note: str, trusted: Iterable[Verifier]) -> Receipt:
    """The receipt in a note that a trusted key signed. What it is of, the caller compares.

    Raises:
        SignatureInvalid: no trusted key signed it, or a signature is wrong.
        RecordMalformed: it is no receipt.
    """
    try:
        return parse_receipt(open_note(note, tuple(trusted)).text)
    except ValueError as error:
        raise RecordMalformed("not a receipt") from error
