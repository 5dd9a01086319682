# SPDX-License-Identifier: Apache-2.0
"""This is where the server of a dock is what `server_port` promises, by requests of docs/upload-protocol.md.

What is told later goes through one outbox, in the order in which it was said. A question about a docking is asked
only after all that was said before of that docking has been told: the server answers by what it knows.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from devices.agent.server_outbox import Entry, Outbox
from devices.agent.server_port import Alarm, Answer, Docking, Ending, ErasureFile, Known
from devices.agent.server_wording import answer_of, docking_body, known_of
from devices.agent.session import Session
from devices.agent.signing import opened_receipt
from evidence import instant
from evidence.errors import (
    BadInput,
    NotFound,
    NotSignedIn,
    RecordMalformed,
    Refused,
    ServerUnavailable,
    Unacceptable,
)
from evidence.note import Verifier
from evidence.receipt import Receipt
from storage.durable import store_errors

_DOCKINGS = "/v1/dockings"
_BLOCK = 1 << 20
_LEAVE_FILES = 10_000


class HttpServer:
    """See `server_port.Server`. `trusted` are the keys pinned at enrolment; threads share it.

    Leave for more than `leave_files` files is asked part by part, all parts before anything is erased.
    """

    def __init__(
        self, session: Session, outbox: Outbox, trusted: Sequence[Verifier], *, leave_files: int = _LEAVE_FILES
    ) -> None:
        self._session = session
        self._outbox = outbox
        self._trusted = tuple(trusted)
        self._leave_files = leave_files
        self._telling = threading.Lock()

    # --- asked now ------------------------------------------------------------------------------

    def announce(self, docking: Docking, manifest: Path) -> Answer:
        """See `server_port.Server`."""
        self._tell_before(docking.id)
        answer = answer_of(self._session.ask("POST", _DOCKINGS, told=docking_body(docking)).json())
        if answer.is_taken:
            self._put(manifest, _manifest_path(docking.id))
        return answer

    def known(self, offers: Sequence[str]) -> Mapping[str, Known]:
        """See `server_port.Server`."""
        if not offers:
            return {}
        told = self._session.ask("POST", "/v1/offers/known", told={"offers": list(offers)}).json()
        return {one.id: one for one in known_of(told)}

    def receipt(self, offer: str) -> Receipt | None:
        """See `server_port.Server`."""
        try:
            note = self._session.ask("GET", f"/v1/offers/{offer}").json().get("receipt")
        except NotFound:
            return None
        if note is None:
            return None
        if not isinstance(note, str):
            raise RecordMalformed("not a receipt")
        return opened_receipt(note, self._trusted)

    def ask_erasure(self, docking: str, files: Iterable[ErasureFile]) -> None:
        """See `server_port.Server`."""
        self._tell_before(docking)
        rest, first = iter(files), 0
        part = list(islice(rest, self._leave_files))
        is_all = len(part) < self._leave_files
        while part or is_all:
            told: dict[str, Any] = {"files": [{"offer": one.offer, "sha256": one.sha256} for one in part]}
            told |= {} if is_all else {"first": first}
            answer = self._session.ask("POST", f"{_DOCKINGS}/{docking}/erasure", told=told).json()
            if answer.get("is_allowed") is not True:  # anything but a plain yes is no
                raise ServerUnavailable("the server did not say that the device may be erased")
            if is_all:
                return
            first, part = first + len(part), list(islice(rest, self._leave_files))

    # --- told, now or later ---------------------------------------------------------------------

    def announce_later(self, docking: Docking, manifest: Path) -> None:
        """See `server_port.Server`."""
        self._outbox.put("POST", _DOCKINGS, docking_body(docking), file=manifest, file_path=_manifest_path(docking.id))

    def tell_alarm(self, alarm: Alarm) -> None:
        """See `server_port.Server`."""
        body = {"device": alarm.device, "code": alarm.code, "text": alarm.text, "at": instant.to_text(alarm.at)}
        self._outbox.put("POST", "/v1/alarms", body)

    def tell_end(self, ending: Ending) -> None:
        """See `server_port.Server`."""
        body = {"outcome": ending.outcome, "received": ending.received, "erased": ending.erased, "why": ending.why}
        self._outbox.put("POST", f"{_DOCKINGS}/{ending.docking}/end", body)

    def tell_waiting(self) -> int:
        """Tell what waits, oldest first; how much was told. For one thread that comes back and back.

        Raises:
            ServerUnavailable, NotSignedIn: the rest waits. StoreUnavailable: the outbox cannot be used.
        """
        count = 0
        with self._telling:
            while (entry := self._outbox.first()) is not None:
                self._tell(entry)
                count += 1
        return count

    def count_waiting(self) -> int:
        """How much waits to be told. Raises: StoreUnavailable."""
        return self._outbox.count()

    def _tell_before(self, docking: str) -> None:
        """Have all told that was said of a docking, and with it what was said before."""
        with self._telling:
            waiting = self._outbox.numbers_of(lambda entry: entry.mentions(docking))
            while waiting and (entry := self._outbox.first()) is not None and entry.number <= waiting[-1]:
                self._tell(entry)

    def _tell(self, entry: Entry) -> None:
        try:
            answer = self._session.ask(entry.method, entry.path, told=entry.body)
            if entry.file is not None and entry.file_path is not None and answer_of(answer.json()).is_taken:
                self._put(Path(entry.file), entry.file_path)
        except NotSignedIn:
            raise
        except (Refused, Unacceptable):
            self._outbox.set_aside(entry.number)
        else:
            self._outbox.remove(entry.number)

    def _put(self, file: Path, path: str) -> None:
        with store_errors("a manifest of the dock cannot be read"):
            try:
                size = file.stat().st_size
            except FileNotFoundError as error:
                raise BadInput("a manifest of the dock is not there any more") from error
        headers = {"Content-Type": "text/tab-separated-values; charset=utf-8", "Content-Length": str(size)}
        self._session.ask("PUT", path, headers=headers, body=lambda: _blocks(file))


def _blocks(file: Path) -> Iterable[bytes]:
    with file.open("rb") as reader:
        while block := reader.read(_BLOCK):
            yield block


def _manifest_path(docking: str) -> str:
    return f"{_DOCKINGS}/{docking}/manifest"
