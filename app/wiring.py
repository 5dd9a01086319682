# SPDX-License-Identifier: Apache-2.0
"""This is where settings become engines: the one place that chooses them."""

import fcntl
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import evidence
from app import clocks
from app.agreed_walls import walls_as_agreed
from app.settings import Settings
from devices.safe_open import open_beneath
from evidence.errors import BadInput, IntegrityError, InUse, Refused, RegisterLost
from evidence.note import Verifier
from pipeline.catalogs.load import DEFAULT, catalog_bytes, parse_catalog
from pipeline.keeping_settings import DEFAULT as DEFAULT_KEEPING
from pipeline.keeping_settings import load_keeping
from pipeline.ports import Cold, Ports
from pipeline.tsa.http import HttpAuthority
from pipeline.tsa.local import LocalAuthority
from pipeline.tsa.port import Authority, TrustAnchors
from storage import layout
from storage.custody_log import CustodyLog
from storage.durable import store_errors
from storage.enveloped import keyring
from storage.enveloped.keyring import Keyring
from storage.enveloped.store import EnvelopedStore, at_rest
from storage.objects import ObjectStore
from storage.objects_file import DirectoryStore
from storage.private_file import create_private, read_private
from storage.register import search
from storage.register.register import Register, open_register
from storage.signing import KeyFile

_LOCAL = "evidock.local"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of this installation: one signs the log's checkpoints, one signs records and receipts."""

    log: KeyFile
    records: KeyFile

    @property
    def verifiers(self) -> tuple[Verifier, ...]:
        """What opens a note of either key."""
        return (self.log.verifier(), self.records.verifier())


def check_packages() -> None:
    """Our import names are generic: refuse to start when another distribution shadows one of them.

    Raises:
        Refused: one of our packages comes from another folder than the rest.
    """
    import devices
    import pipeline
    import storage
    import web
    import workers

    ours = (evidence, storage, pipeline, devices, workers, web)
    homes = {package: Path(next(iter(package.__path__))).parent for package in ours}
    if len(set(homes.values())) != 1:
        told = ", ".join(f"{package.__name__} from {home}" for package, home in homes.items())
        raise Refused(f"our packages come from several places: {told}; use an environment of evidock's own")


def open_store(settings: Settings) -> ObjectStore:
    """The object store that the settings name, with envelopes when they are on, or once were.

    Raises:
        BadInput: the URL names an engine we do not have, or the key of its envelopes is not here.
        StoreUnavailable: it is down.
    """
    store = _in_envelopes(open_place(settings), settings)
    if at_rest(store) is store and next(store.keys(layout.ENVELOPES_PREFIX), None):
        # Read as they are, they would pass for footage that somebody altered.
        raise BadInput(f"the object store holds envelopes: bring their key back into {settings.keys}")
    return store


def open_cold(settings: Settings) -> Cold | None:
    """The archive that the settings name, if they name one; in envelopes where the object store is.

    Raises:
        BadInput, StoreUnavailable: as `open_store`; it is the object store itself.
    """
    if not settings.cold_url:
        return None
    place = place_name(settings.cold_url)
    if place == place_name(settings.objects_url):
        raise BadInput(f"EVIDOCK_COLD_URL is the object store itself ({place}): name a second store")
    store = _engine(settings.cold_url, "EVIDOCK_COLD_URL", journal=settings.home / "uploads-cold")
    storage_class = dict(parse_qsl(urlsplit(settings.cold_url).query)).get("class")
    return Cold(_in_envelopes(store, settings), place, storage_class)


def place_name(url: str) -> str:
    """What a place is called in records: nothing of how it is reached, or by whom."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{unquote(parts.path).rstrip('/')}"


def _in_envelopes(store: ObjectStore, settings: Settings) -> ObjectStore:
    keys = open_keyring(settings, store)
    if keys is None:
        return store
    return EnvelopedStore(
        store,
        keys,
        chance=clocks.chance,
        rooms=settings.home / "opened",
        is_on=settings.envelope,
        lends_itself=isinstance(store, DirectoryStore),
    )


def open_keyring(settings: Settings, store: ObjectStore) -> Keyring | None:
    """The keys that wrap data keys, made at the first start with envelopes; None when they never were on.

    Raises:
        BadInput: `store` holds envelopes already, and their key is not here: a new one would open none of them.
            Or a key file cannot be used.
    """
    keys = Keyring.load(settings.keys)
    if keys.newest or not settings.envelope:
        return keys if keys.names else None
    if not keys.names and next(store.keys(layout.ENVELOPES_PREFIX), None):
        raise BadInput(f"the object store holds envelopes: bring their key back as {settings.keys / keyring.NEWEST}")
    return Keyring.create_or_load(settings.keys, chance=clocks.chance)


def open_place(settings: Settings) -> ObjectStore:
    """Where the objects of `open_store` lie, as the bytes that they are there.

    Raises:
        BadInput: the URL names an engine we do not have.
    """
    return _engine(settings.objects_url, "EVIDOCK_OBJECTS_URL", journal=settings.home / "uploads")


def _engine(url: str, name: str, *, journal: Path) -> ObjectStore:
    parts = urlsplit(url)
    if parts.scheme == "s3":
        # boto3 takes long to import: only who uses a bucket pays for it.
        from storage.s3.address import S3Address
        from storage.s3.store import S3Store

        return S3Store(S3Address.parse(url), journal=journal)
    if parts.scheme != "file" or parts.netloc or not parts.path:
        raise BadInput(f"{name} cannot be {url!r} (write file:///PATH or s3://BUCKET)")
    return DirectoryStore(Path(unquote(parts.path)))


def open_keys(settings: Settings) -> Keys:
    """The installation's keys, made at the first start (mode 0600)."""
    folder = settings.keys
    origin = settings.agency or _own_name(KeyFile.create_or_load(folder / "log.pem", _LOCAL))
    log = KeyFile.create_or_load(folder / "log.pem", origin)
    return Keys(log, KeyFile.create_or_load(folder / "records.pem", f"{origin}/records"))


def _own_name(key: KeyFile) -> str:
    """A name no other installation has: two that were never named must not pass for each other's forgers."""
    return f"{_LOCAL}/{hashlib.sha256(key.verifier_key.public_key).hexdigest()[:8]}"


def open_authorities(settings: Settings, *, now: datetime) -> tuple[Authority, ...]:
    """The timestamp authorities that the settings name; the local one when they name none."""
    if not settings.tsa_urls:
        return (LocalAuthority.create_or_load(settings.keys / "tsa", now=now),)
    anchors = settings.keys / "tsa-anchors.pem"
    if not anchors.exists():
        raise BadInput(f"EVIDOCK_TSA_URLS is set: put the root certificates of its authorities into {anchors}")
    trusted = TrustAnchors.from_pem(anchors.read_bytes())
    return tuple(HttpAuthority(_authority_name(url), url, trusted) for url in settings.tsa_urls)


def _authority_name(url: str) -> str:
    """A short name that keys can hold: the authority's host."""
    return re.sub(r"[^a-z0-9]+", "-", (urlsplit(url).hostname or "tsa").lower()).strip("-")[:40]


def open_log(settings: Settings, store: ObjectStore, keys: Keys) -> CustodyLog:
    """The custody log in the object store."""
    return CustodyLog(store, keys.log.name, signers=[keys.log.signer()], verifiers=[keys.log.verifier()])


def open_register_at(url: str, *, store: ObjectStore, keys: Keys) -> Register:
    """The register at a URL, whose records the installation's key signs."""
    return open_register(url, store=store, signer=keys.records.signer(), chance=clocks.chance)


def place_of(home: Path) -> str:
    """The name of this installation among those that share a register, made at its first start."""
    path = home / "place"
    with store_errors(f"cannot read {path}"):
        has_name = path.exists()
    if not has_name:
        create_private(path, clocks.chance(6).hex().encode())
    return read_private(path).decode()


@contextmanager
def wired(settings: Settings, *, actor: str) -> Iterator[Ports]:
    """Everything a step may use, opened; closed at the end.

    Raises:
        BadInput: a setting cannot be used. StoreUnavailable, RegisterUnavailable: an engine is down.
        RegisterLost: it must be rebuilt first. InUse: that is being done.
    """
    with store_errors(f"cannot use the home {settings.home}"):
        settings.home.mkdir(parents=True, exist_ok=True)
    with in_use(settings), _opened(settings, actor=actor) as ports, walls_as_agreed(settings, ports):
        yield ports


@contextmanager
def in_use(settings: Settings, *, alone: bool = False) -> Iterator[None]:
    """Be counted among the processes of an installation while the block runs; `alone`: be the only one.

    The kernel keeps the count: a process that dies is gone from it.

    Raises:
        InUse: others are running, or one that wants to be alone.
    """
    with store_errors(f"cannot count those who use {settings.home}"):
        count = (settings.home / "in-use").open("a")  # closed below, its errors are ours
    with count:
        try:
            fcntl.flock(count, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            told = "stop its watchers, workers and commands first" if alone else "its register is being rebuilt"
            raise InUse(f"{settings.home} is in use: {told}") from error
        yield


def _refuse_a_lost_register(register: Register, log: CustodyLog) -> None:
    try:
        newest = log.newest()
    except IntegrityError:
        return  # an audit names what is wrong with the log; here nothing can be said of the register
    if newest is None or newest.size == 0:
        return
    with register.view() as connection:
        if not search.newest_events(connection, 1):
            raise RegisterLost(
                f"the register is empty, but the custody log has {newest.size} entries: "
                "run `evidock doctor --rebuild-register`"
            )


@contextmanager
def _opened(settings: Settings, *, actor: str) -> Iterator[Ports]:
    keys, store = open_keys(settings), open_store(settings)
    register = open_register_at(settings.register_url, store=store, keys=keys)
    log = open_log(settings, store, keys)
    try:
        _refuse_a_lost_register(register, log)
        named = settings.catalog or DEFAULT
        text = catalog_bytes(named)
        yield Ports(
            store=store,
            register=register,
            log=log,
            signer=keys.records.signer(),
            verifiers=keys.verifiers,
            keys=(keys.log.verifier_key, keys.records.verifier_key),
            authorities=open_authorities(settings, now=clocks.now()),
            open_source=open_beneath,
            spool=settings.home / "spool",
            received=settings.home / "received",
            exports=settings.home / "exports",
            ffmpeg=settings.ffmpeg,
            zone=settings.zone,
            catalog=parse_catalog(text, name=named.name, was_validated=named == DEFAULT),
            catalog_text=text,
            keeping=load_keeping(settings.keeping or DEFAULT_KEEPING),
            default_item=settings.default_item,
            chance=clocks.chance,
            actor=actor,
            place=place_of(settings.home),
            cold=open_cold(settings),
        )
    finally:
        register.close()
