# SPDX-License-Identifier: Apache-2.0
"""This is where the outside world of the steps is named: what `app` wires and steps receive."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from evidence.catalog import Catalog
from evidence.note import Signer, Verifier, VerifierKey
from pipeline.keeping_settings import Keeping
from pipeline.tsa.port import Authority
from storage.custody_log import CustodyLog
from storage.objects import ObjectStore
from storage.register.facts import Chance
from storage.register.register import Register

OpenSource = Callable[[Path, str], BinaryIO]
"""Open a file beneath a root, following no link: (root, relative path) -> readable binary file."""

Progress = Callable[[float], None]
"""Told how far a step is, from 0.0 to 1.0, as often as the step likes."""


def unheard(_: float) -> None:
    """Progress that nobody follows."""


@dataclass(frozen=True, slots=True)
class Cold:
    """The archive: a second store that costs less. `place` names it in records, without credentials."""

    store: ObjectStore
    place: str
    storage_class: str | None = None


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything a step may use beside its arguments. Engines are already chosen; no step knows which."""

    store: ObjectStore
    register: Register
    log: CustodyLog
    signer: Signer
    verifiers: tuple[Verifier, ...]
    keys: tuple[VerifierKey, ...]
    """The public halves of our keys, for whoever checks what we hand out."""
    authorities: tuple[Authority, ...]
    open_source: OpenSource
    spool: Path
    received: Path
    """Where files rest that come over the network, on the spool's own disk."""
    exports: Path
    """Where packs rest that were asked for over the network, until they are fetched."""
    ffmpeg: str | None
    zone: ZoneInfo
    catalog: Catalog
    """The one that the settings name; `pipeline.catalogs.in_force` says which counts now."""
    catalog_text: bytes
    """The text it was read from."""
    keeping: Keeping
    default_item: str | None
    chance: Chance
    actor: str
    place: str
    """Which installation this is: its spool holds what its own fixity and seal go on with."""
    cold: Cold | None = None
