# SPDX-License-Identifier: Apache-2.0
"""This is where an installation is looked over: each thing it needs, whether it is there, and what to do if not."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app import clocks, walls
from app.settings import Settings, without_password
from app.wiring import (
    check_packages,
    open_authorities,
    open_cold,
    open_keyring,
    open_keys,
    open_log,
    open_place,
    open_store,
    wired,
)
from evidence.errors import BadInput, EvidockError, WrongState
from pipeline.catalogs.in_force import catalog_now
from pipeline.catalogs.load import DEFAULT, load_catalog
from pipeline.media.tools import find_ffmpeg
from storage import layout
from workers.valkey import find_server

_LOW_DISK_BYTES = 2 << 30


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at; `advice` says what is wrong and what to do, None when it is well."""

    name: str
    found: str
    advice: str | None = None


def examine_installation(settings: Settings) -> list[Check]:
    """Look at everything an installation needs; never raises for what is wrong."""
    looks: tuple[tuple[str, Callable[[Settings], str]], ...] = (
        ("packages", _packages),
        ("home", _home),
        ("disk", _disk),
        ("keys", lambda s: open_keys(s).log.verifier_key.to_text()),
        ("envelopes", _envelopes),
        ("object store", lambda s: _said(next(open_store(s).keys(), None), s.objects_url)),
        ("archive", _archive),
        ("register and jobs", _register),
        ("disposal", _disposal),
        ("custody log", _log),
        (
            "time authority",
            lambda s: ", ".join(f"{one.name} (trust {one.trust})" for one in open_authorities(s, now=clocks.now())),
        ),
        ("catalog", _catalog),
        ("ffmpeg", lambda s: find_ffmpeg(s.ffmpeg).version),
        ("media sandbox", _walls),
        ("broker", _broker),
    )
    return [*(_look(name, look, settings) for name, look in looks), *_bucket(settings)]


def _broker(settings: Settings) -> str:
    return without_password(settings.broker_url) if settings.broker_url != "embedded:" else f"embedded, {find_server()}"


def _bucket(settings: Settings) -> list[Check]:
    """What was tried on the bucket, when the object store is one: a few small objects are put there."""
    if not settings.objects_url.startswith("s3:"):
        return []
    from storage.s3.address import S3Address
    from storage.s3.probe import probe

    try:
        findings = probe(S3Address.parse(settings.objects_url), now=clocks.now())
    except EvidockError as error:
        return [Check("object store: address", "", error.message)]
    told = [(f"object store: {one.code}", one) for one in findings]
    return [Check(name, one.words, one.words if one.is_trouble else None) for name, one in told]


def _look(name: str, look: Callable[[Settings], str], settings: Settings) -> Check:
    try:
        return Check(name, look(settings))
    except EvidockError as error:
        return Check(name, "", error.message)
    except OSError as error:
        return Check(name, "", str(error))


def _said(_: object, words: str) -> str:
    return words


def _packages(_: Settings) -> str:
    check_packages()
    return "all from one place"


def _home(settings: Settings) -> str:
    settings.home.mkdir(parents=True, exist_ok=True)
    if not os.access(settings.home, os.W_OK):
        raise PermissionError(f"{settings.home} cannot be written by this user")
    return str(settings.home)


def _disk(settings: Settings) -> str:
    free = shutil.disk_usage(settings.home).free
    if free < _LOW_DISK_BYTES:
        raise OSError(f"only {free >> 20} MiB free: make room before cameras are docked")
    return f"{free >> 30} GiB free"


def _envelopes(settings: Settings) -> str:
    store = open_place(settings)
    keys = open_keyring(settings, store)
    is_any = next(store.keys(layout.ENVELOPES_PREFIX), None) is not None
    if keys is None:
        if is_any:
            raise BadInput(f"the object store holds envelopes: bring their key back into {settings.keys}")
        return "off: footage rests as it is"
    told = f"keys {', '.join(keys.names)}; without them the footage is lost: keep copies of their files"
    return f"on, {told}" if settings.envelope else f"off for what is new; what rests in envelopes is read with {told}"


def _archive(settings: Settings) -> str:
    cold = open_cold(settings)
    if cold is None:
        return "none"
    next(cold.store.keys(), None)
    return cold.place


def _disposal(settings: Settings) -> str:
    from storage.register import ends

    with wired(settings, actor="doctor") as ports, ports.register.view() as connection:
        begun = ends.under_way(connection)
        stones = [ends.tombstone_of(connection, one) for one in begun]
    if begun:
        lists = " and ".join(sorted({f"`evidock dispose run {stone['disposal']}`" for stone in stones if stone}))
        raise WrongState(f"the disposal of {len(begun)} recordings was begun and is not finished: {lists}")
    return "nothing is half-way"


def _walls(settings: Settings) -> str:
    # Whether a setting to do without walls is followed is known where two people agreed on it.
    with wired(settings, actor="doctor"):
        return walls.found(settings)


def _register(settings: Settings) -> str:
    from app.settings import without_password
    from storage.register import jobs

    with wired(settings, actor="doctor") as ports, ports.register.view() as connection:
        counts = jobs.counts(connection)
    return f"{without_password(settings.register_url)}; jobs: " + (
        ", ".join(f"{n} {state}" for state, n in sorted(counts.items())) or "none"
    )


def _catalog(settings: Settings) -> str:
    """The version in force: the settings' own counts until one is adopted, and is read in any case."""
    load_catalog(settings.catalog or DEFAULT)
    with wired(settings, actor="doctor") as ports:
        return catalog_now(ports, clocks.now()).id


def _log(settings: Settings) -> str:
    store = open_store(settings)
    newest = open_log(settings, store, open_keys(settings)).newest()
    return "empty" if newest is None else f"{newest.size} entries, root {newest.root.hex()[:16]}…"


def origins(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Name, value and origin of each setting."""
    from app.settings import SETTINGS

    for name, setting in SETTINGS.items():
        value, origin = settings.origins[name]
        yield setting.variable, without_password(value), origin
