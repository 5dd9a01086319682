# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a dock without ports: an enrolled key, a spool to put files into, and what sends them."""

import hashlib
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from app import clocks
from devices.agent.pieces import Sent
from devices.agent.server import HttpServer
from devices.agent.server_enrolment import Enrolment, enrol
from devices.agent.server_outbox import Outbox
from devices.agent.server_patience import Gate
from devices.agent.server_teller import Teller
from devices.agent.session import Session
from devices.agent.spool import PIECE_BYTES, Origin, Spool
from devices.agent.spool_rows import SpoolFile
from devices.agent.uploading import Uploads
from devices.agent.uploading_receipts import Receipts
from evidence.claims import Claims
from evidence.errors import EvidockError
from evidence.offer import Offer
from pipeline.docks import Invitation, invite
from pipeline.received import ReceivedFiles
from storage.signing import KeyFile
from tests.support.home import Home
from tests.support.web_server import Weather, WebServer
from web.api.app import create_app
from web.api.context import Context
from web.api.limits import shipped_limits
from web.api.sessions import Sessions
from web.server.listening import bound, listening

MTIME = 1_781_841_600_000_000_000


@contextmanager
def receipt_server(home: Home, **figures: int) -> Iterator[WebServer]:
    """The server of a home in a thread, as it is shipped: it tells its keys, and nothing runs its jobs."""
    records = KeyFile.load(home.settings.keys / "records.pem", home.ports.signer.name)
    weather, limits = Weather(), replace(shipped_limits(), **figures)
    context = Context(
        ports=home.ports,
        files=ReceivedFiles(home.ports.received),
        sessions=Sessions(time.monotonic, home.ports.chance, limits),
        limits=limits,
        now=clocks.now,
        monotonic=time.monotonic,
        admit=weather.admit,
        hint=weather.hints.append,
        note=weather.note,
        server_keys=(records.verifier_key.to_text(),),
    )
    app = create_app(context)
    with bound("127.0.0.1", 0) as listener, listening(app, listener, identity=None, grace_s=1.0):
        yield WebServer(home, listener.getsockname()[1], weather, app.state.intake)


def enrolled_at(home: Home, folder: Path, url: str, *, name: str = "hall", fingerprint: str | None = None) -> Enrolment:
    """A dock in `folder` that is enrolled at a server of `home`."""
    code = invite(Invitation(name), ports=home.ports, now=clocks.now()).code
    return enrol(folder, url=url, code=code, name=name, fingerprint=fingerprint)


@dataclass(slots=True)
class Sender:
    """A dock that has no ports. `start` begins to send; troubles and failures are there to be looked at."""

    folder: Path
    enrolment: Enrolment
    session: Session
    outbox: Outbox
    server: HttpServer
    spool: Spool
    gate: Gate
    stop: threading.Event = field(default_factory=threading.Event)
    troubles: list[tuple[str, str]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    online: list[bool] = field(default_factory=list)
    uploads: Uploads = field(init=False)
    teller: Teller = field(init=False)
    receipts: Receipts = field(init=False)

    def __post_init__(self) -> None:
        self.uploads = Uploads(
            self.spool,
            self.session,
            self.server,
            self.gate,
            monotonic=time.monotonic,
            on_trouble=self.trouble,
            on_failure=self.failures.append,
        )
        self.receipts = Receipts(self.spool, self.server, on_trouble=self.trouble)
        self.teller = Teller(
            self.server,
            self.receipts,
            self.gate,
            on_trouble=self.trouble,
            on_failure=self.failures.append,
            on_online=self.online.append,
        )

    @property
    def sent(self) -> Sent:
        return self.uploads.sent

    def trouble(self, offer: str, error: EvidockError) -> None:
        self.troubles.append((offer, error.code))

    def start(self) -> None:
        self.uploads.start(self.stop)
        self.teller.start(self.stop)

    def end(self) -> None:
        self.stop.set()
        if self.uploads._threads[0].ident is not None:
            self.uploads.join(10)
            self.teller.join(10)
        self.session.close()
        self.spool.close()
        assert self.failures == []

    # --- files --------------------------------------------------------------------------------

    def offer(self, path: str, size: int) -> Offer:
        return Offer(self.enrolment.dock, path, path.rpartition("/")[2], size, MTIME)

    def begin(self, path: str, size: int, *, port: str = "p1", is_priority: bool = False) -> Offer:
        """A file that is about to be copied."""
        offer = self.offer(path, size)
        self.spool.begin(offer, Origin("dkg-aaaaaaaaaaaaaaaa", port, "36NCC000001", is_priority), Claims())
        return offer

    def grow(self, offer: Offer, data: bytes) -> None:
        """Some of its pieces are copied."""
        path = self.spool.bytes_path(offer.id)
        with path.open("ab") as out:
            out.write(data)
        self.spool.grow(offer.id, path.stat().st_size // PIECE_BYTES * PIECE_BYTES)

    def whole(self, offer: Offer, data: bytes) -> None:
        """All of it is copied."""
        digest = hashlib.sha256(data).hexdigest()
        self.spool.copied(offer.id, digest, tail=digest, docking="dkg-aaaaaaaaaaaaaaaa")

    def put(self, path: str, data: bytes, *, port: str = "p1", is_priority: bool = False) -> Offer:
        """A file that is copied whole."""
        offer = self.begin(path, len(data), port=port, is_priority=is_priority)
        self.grow(offer, data)
        self.whole(offer, data)
        return offer

    def file(self, offer: Offer) -> SpoolFile:
        return self.spool.file(offer.id)

    def is_uploaded(self, offer: Offer) -> bool:
        file = self.file(offer)
        return file.upload_url is not None and file.uploaded_bytes >= file.size_bytes


@contextmanager
def sender(folder: Path, *, url: str | None = None, longest_s: float = 0.5) -> Iterator[Sender]:
    """The dock that was enrolled in `folder`; `url` is where it finds its server, when not where it enrolled."""
    enrolment = Enrolment.load(folder)
    if url is not None:
        enrolment = replace(enrolment, url=url)
    session = enrolment.session(folder, monotonic=time.monotonic)
    outbox = Outbox(folder / "outbox")
    made = Sender(
        folder,
        enrolment,
        session,
        outbox,
        HttpServer(session, outbox, enrolment.trusted()),
        Spool(folder / "spool"),
        Gate(monotonic=time.monotonic, chance=random.Random(1).random, longest_s=longest_s),
    )
    try:
        yield made
    finally:
        made.end()


def noise(size: int) -> bytes:
    """Bytes that nobody has seen."""
    return os.urandom(size)
