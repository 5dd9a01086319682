# SPDX-License-Identifier: Apache-2.0
"""This is where the server for docks and terminals is made out of settings: engines, a socket, and rounds beside it."""

import ipaddress
import resource
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress

from app import clocks
from app.alone import alone
from app.media_round import media_round
from app.operate.lines import Notes
from app.operate.operation import Operation, operating
from app.settings import Settings
from app.sign_in_round import sign_in_round, tell_last_tries
from app.signing_in import means_of, outbound_of
from app.wiring import check_packages, open_keys, wired
from app.words import word_in
from devices.makers.registry import read_claims
from evidence.claims import Claims, Source
from evidence.errors import BadInput, EvidockError, Refused, ServerUnavailable, Unavailable
from pipeline import live_closing
from pipeline.live_closing import Quiet
from pipeline.ports import Ports
from pipeline.received import ReceivedFiles
from web.api.app import create_app
from web.api.context import Context
from web.api.limits import shipped_limits
from web.api.sessions import Sessions
from web.guard.proxies import behind_proxies
from web.outbound.telling import Teller
from web.server.certificate import Identity, brought, own
from web.server.listening import bound, listening
from web.tus.intake import Intake
from workers.link import Link, open_link
from workers.rounds import Round, Rounds

GRACE_S = 8.0
_TICK_S = 0.5
_OPEN_FILES = 65_536
_SWEEP_S, _LIVE_S, _LINK_S, _TELL_S = 60.0, 5.0, 2.0, 2.0


def run_server(
    settings: Settings, *, stop: threading.Event, notes: Notes, is_plain: bool = False, grace_s: float = GRACE_S
) -> int:
    """Answer docks and terminals at EVIDOCK_SERVE until `stop` is set; returns the exit status.

    Requests under way when `stop` is set have `grace_s` seconds. `is_plain`: without TLS, on loopback only.

    Raises:
        BadInput: a setting cannot be used. Refused: plain HTTP anywhere else than on loopback.
        InUse: another server runs on this home.
        StoreUnavailable, RegisterUnavailable: an engine is down at the start; later, outages are waited out.
    """
    check_packages()
    host, port = settings.serve
    if is_plain and not _is_loopback(host):
        raise Refused(f"without TLS the server answers on a loopback address only, not at {host}")
    _allow_many_files()
    with (
        alone(settings.home / "serve.lock", told=f"another `evidock serve` answers for {settings.home} already"),
        wired(settings, actor="server") as ports,
        open_link(settings.broker_url, home=settings.home, namespace=ports.log.origin, place=ports.place) as link,
        operating(settings, ports, notes=notes, stop=stop) as seen,
        bound(host, port) as listener,
    ):
        identity = None if is_plain else identity_of(settings)
        context = context_of(settings, ports, link, seen)
        context.files.clear()
        app = create_app(context)
        behind_proxies(app, settings.trusted_proxies)
        rounds = {
            "uploads": _of_uploads(context, app.state.intake),
            "live": _of_live(context),
            "broker": _of_link(link),
            "webhooks": _of_webhooks(context),
            "media": media_round(context, app.state.media),
            "sign-in": sign_in_round(context),
        }
        with (
            closing(app.state.desk),  # what was counted of strangers is put on record when nobody is answered any more
            _rounds(rounds, seen, stop=stop),
            listening(app, listener, identity=identity, grace_s=grace_s) as server,
        ):
            told = "" if identity is None else f"; SHA-256 of its certificate: {identity.fingerprint}"
            notes.tell(f"{server.address} answers docks and terminals{told}")
            while not stop.wait(_TICK_S):
                seen.pulse.turned("server", _TICK_S)
                if not server.is_alive():
                    raise ServerUnavailable("the server ended by itself")
        tell_last_tries(context)
        with suppress(Unavailable):  # then the sum of what was seen is short; that it was seen is on record
            app.state.media.ledger.flush(ports.register)
    return 0


def context_of(settings: Settings, ports: Ports, link: Link, seen: Operation) -> Context:
    """Everything that requests may use."""
    limits = shipped_limits()
    keys = open_keys(settings)
    lock = threading.Lock()

    def admit(size_bytes: int) -> None:
        with lock:  # an admission is not for several threads at once
            seen.admission.check_bytes(size_bytes)

    def hint(job: str) -> None:
        seen.figures.arrived()
        link.hints.send_when_idle(job)

    return Context(
        ports=ports,
        files=ReceivedFiles(ports.received),
        sessions=Sessions(time.monotonic, clocks.chance, limits),
        limits=limits,
        now=clocks.now,
        monotonic=time.monotonic,
        admit=admit,
        hint=hint,
        note=seen.notes.note,
        read_clock=lambda: clocks.reading(ports.place),
        read_name=read_name,
        words=word_in,
        sign_in=means_of(settings),
        outbound=outbound_of(settings),
        is_watermarked=settings.watermark,
        server_keys=(keys.records.verifier_key.to_text(),),
        proof_keys=(keys.log.verifier_key, keys.records.verifier_key),
    )


def read_name(path: str, mtime_ns: int) -> Claims:
    """What path and time of a file say, when its sender says no more; a time of 0 is none."""
    return Claims(one for one in read_claims(path, mtime_ns=mtime_ns) if mtime_ns or one.source is not Source.MTIME)


def identity_of(settings: Settings) -> Identity:
    """Certificate and key of the server: those that the settings name, else its own, made at the first start.

    Raises:
        BadInput: they cannot be used, or only one of them is named. StoreUnavailable.
    """
    if settings.tls_cert is not None and settings.tls_key is not None:
        return brought(settings.tls_cert, settings.tls_key)
    if settings.tls_cert is not None or settings.tls_key is not None:
        raise BadInput("set both EVIDOCK_TLS_CERT and EVIDOCK_TLS_KEY, or neither")
    return own(settings.home / "tls", host=settings.serve[0], now=clocks.now())


@contextmanager
def _rounds(rounds: Mapping[str, Round], seen: Operation, *, stop: threading.Event) -> Iterator[None]:
    """What is done again and again beside the requests, while the block runs."""
    made = [Rounds(name, once, stop=stop, tell=seen.notes.tell, attendant=seen.pulse) for name, once in rounds.items()]
    for one in made:
        one.start()
    try:
        yield
    finally:
        stop.set()
        for one in made:
            one.join(1.0)
    for one in made:
        if one.failed is not None:
            raise one.failed


def _of_uploads(context: Context, intake: Intake) -> Round:
    def once() -> float:
        try:
            intake.sweep()
        except Unavailable:
            raise
        except EvidockError as error:  # of one file; the others went on, and go on
            context.note("upload-stuck", f"an upload needs a person: {error.message} ({error.code})", code=error.code)
        return _SWEEP_S

    return once


def _of_live(context: Context) -> Round:
    quiet = Quiet()

    def once() -> float:
        try:
            made = live_closing.sweep(quiet, at=context.monotonic(), ports=context.ports, now=context.now())
        except Unavailable:
            raise
        except EvidockError as error:  # of one recording; the others went on
            context.note(
                "live-stuck", f"a live recording needs a person: {error.message} ({error.code})", code=error.code
            )
            return _LIVE_S
        for recording in made:
            context.note("live-ended", f"{recording} came in while it was recorded", recording=recording)
            context.hint(f"fixity:{recording}")
        return _LIVE_S

    return once


def _of_webhooks(context: Context) -> Round:
    outbound, box = context.outbound, context.sign_in.box
    assert outbound is not None and box is not None  # noqa: S101, PT018 - context_of put them there
    teller = Teller(context.ports, outbound, box, context.now, context.note)

    def once() -> float:
        return 0.0 if teller.once() else _TELL_S

    return once


def _of_link(link: Link) -> Round:
    def once() -> float:
        link.ensure()
        return _LINK_S

    return once


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _allow_many_files() -> None:
    """Every connection and every growing file is an open one: allow us as many as we may need, if we may."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if most == resource.RLIM_INFINITY else min(_OPEN_FILES, most)
    if now != resource.RLIM_INFINITY and now < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
