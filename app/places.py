# SPDX-License-Identifier: Apache-2.0
"""This is where the removal door is opened, for the commands that end a recording's life, and for nobody else."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from app.settings import Settings
from app.wiring import open_cold, place_name
from pipeline.tombstone import HOT
from storage.enveloped import rooms
from storage.removal import Remover
from storage.removal_file import DirectoryRemover


def open_remover(url: str) -> Remover:
    """The door of the store that a URL names. It works on what rests there, in envelopes or not.

    Raises:
        BadInput: the URL cannot be used. StoreUnavailable: there is no such store.
    """
    if urlsplit(url).scheme == "s3":
        from storage.s3.address import S3Address
        from storage.s3.removal import S3Remover

        return S3Remover(S3Address.parse(url))
    return DirectoryRemover(Path(unquote(urlsplit(url).path)))


def open_places(settings: Settings) -> Mapping[str, Remover]:
    """A door for every place where bytes rest, by the name that records call it.

    Raises:
        BadInput, StoreUnavailable: as `open_remover`.
    """
    # What a killed program had opened of an envelope is a copy too.
    rooms.sweep(settings.home / "opened")
    places = {HOT: open_remover(settings.objects_url)}
    if settings.cold_url:
        open_cold(settings)  # a folder that is not there yet is made, one that cannot be used is refused
        places[place_name(settings.cold_url)] = open_remover(settings.cold_url)
    return places
