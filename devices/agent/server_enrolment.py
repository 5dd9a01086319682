# SPDX-License-Identifier: Apache-2.0
"""This is where a dock is enrolled: its key goes to the server once, with a code, and the server's keys are pinned.

What was agreed is one file, and nothing of it is asked for again: a server that shows another certificate, or
receipts that other keys signed, are not believed.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from devices.agent.server_wire import Wire, checked_fingerprint, checked_url, failure
from devices.agent.session import Session
from devices.agent.signing import DockKey, verifiers
from evidence.errors import BadInput, Conflict, NotFound, RecordMalformed, ServerUnavailable
from evidence.note import Verifier
from storage.private_file import create_private, read_private

_FILE = "enrolment.json"
_FORM = "evidock/enrolment/v1"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Which dock this is, at which server, and what was pinned; `fingerprint` None: authorities vouch for it."""

    dock: str
    name: str
    url: str
    fingerprint: str | None
    server_keys: tuple[str, ...]

    @classmethod
    def load(cls, folder: Path) -> "Enrolment":
        """The enrolment of the dock whose folder this is.

        Raises:
            NotFound: it is not enrolled yet. RecordMalformed: the file is not as it was written.
            BadInput, StoreUnavailable: it cannot be read.
        """
        try:
            text = read_private(folder / _FILE)
        except NotFound as error:
            raise NotFound("this dock is not enrolled: `evidock dock enrol URL CODE`") from error
        try:
            told = json.loads(text)
            if told.pop("form") != _FORM:
                raise ValueError("another form")
            return cls(**{**told, "server_keys": tuple(told["server_keys"])})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise RecordMalformed(f"{folder / _FILE} is no enrolment: {error}") from error

    def trusted(self) -> tuple[Verifier, ...]:
        """The keys that receipts are checked with.

        Raises:
            RecordMalformed: one is no key.
        """
        return verifiers(self.server_keys)

    def session(self, folder: Path, *, monotonic: Callable[[], float]) -> Session:
        """Requests of this dock, not signed in yet."""
        wire = Wire(self.url, fingerprint=self.fingerprint)
        return Session(wire, dock=self.dock, key=DockKey(folder), monotonic=monotonic)


def enrol(folder: Path, *, url: str, code: str, name: str, fingerprint: str | None = None) -> Enrolment:
    """Enrol the dock whose folder this is, with a code of `evidock dock invite`; it works once.

    Raises:
        Conflict: it is enrolled already. NotSignedIn: the code is not, or no longer, good.
        BadInput: address or fingerprint is none. ServerUnavailable: the server does not answer, or is not known.
    """
    if (folder / _FILE).exists():
        was = Enrolment.load(folder).dock
        raise Conflict(f"this dock is enrolled already, as {was}; to enrol it anew move {folder / _FILE} away")
    pinned = None if fingerprint is None else checked_fingerprint(fingerprint)
    wire = Wire(checked_url(url), fingerprint=pinned)
    try:
        answer = _asked(wire, code=code.strip(), name=name, key=DockKey(folder).public)
    finally:
        wire.close()
    made = Enrolment(answer[0], name, checked_url(url), pinned, answer[1])
    text = json.dumps({"form": _FORM, **asdict(made)}, ensure_ascii=False, indent=1)
    create_private(folder / _FILE, f"{text}\n".encode())
    return Enrolment.load(folder)


def _asked(wire: Wire, **told: str) -> tuple[str, tuple[str, ...]]:
    body = json.dumps(told).encode()
    answer = wire.send("POST", "/v1/enrolments", headers={"Content-Type": "application/json"}, body=body)
    if answer.status >= 400:
        error = failure(answer)
        if isinstance(error, NotFound):
            raise NotFound(f"no evidock server answers there: {answer.status}") from error
        raise error
    said = answer.json()
    dock, keys = said.get("dock"), said.get("server_keys")
    if not isinstance(dock, str) or not isinstance(keys, list) or not keys:
        raise ServerUnavailable("what answers there does not speak as the server does")
    try:
        verifiers(keys)
    except (RecordMalformed, AttributeError) as error:
        raise BadInput(f"the server names keys that cannot be trusted: {error}") from error
    return dock, tuple(keys)
