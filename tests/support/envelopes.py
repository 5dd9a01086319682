# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a store with envelopes over another, as an installation wires it."""

import os
from pathlib import Path

from storage.enveloped.keyring import Keyring
from storage.enveloped.store import EnvelopedStore
from storage.objects import ObjectStore
from storage.objects_file import DirectoryStore


def enveloped(inner: ObjectStore, folder: Path, *, is_on: bool = True) -> EnvelopedStore:
    """A store over `inner` whose keys and rooms are below `folder`."""
    keys = Keyring.create_or_load(folder / "keys", chance=os.urandom)
    is_folder = isinstance(inner, DirectoryStore)
    rooms = folder / "opened"
    return EnvelopedStore(inner, keys, chance=os.urandom, rooms=rooms, is_on=is_on, lends_itself=is_folder)
