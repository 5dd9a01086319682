# SPDX-License-Identifier: Apache-2.0
"""This is where it is decided whether another file may be taken in now: is there room for it, and for its work.

What is not taken in stays where it is, on the camera or in the dock; nothing is ever removed to make room.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from app.reserve import Reserve
from app.settings import Settings
from evidence.errors import DiskLow, Overloaded
from evidence.offer import Offer
from pipeline.ports import Ports
from storage.register import search, tallies

# Taking in goes on when the backlog has gone down to this share of its limit, not at the first job that ends.
_AGAIN_PERCENT = 90


@dataclass(frozen=True, slots=True)
class Room:
    """The room of one place in bytes: how much is free, and how much of that stays so."""

    device: int
    free: int
    kept: int


def places(settings: Settings) -> Mapping[str, Path]:
    """The folders of this machine that taking in fills, by name: spool, and object store and register if local."""
    told = {"spool": settings.home / "spool"}
    for name, url, scheme in (
        ("objects", settings.objects_url, "file"),
        ("register", settings.register_url, "sqlite"),
    ):
        parts = urlsplit(url)
        if parts.scheme == scheme:
            path = Path(unquote(parts.path))
            # sqlite:///PATH holds one slash more than the path it means.
            told[name] = Path(unquote(parts.path[1:])).absolute().parent if scheme == "sqlite" else path
    return told


def room_of(place: Path, reserve: Reserve) -> Room:
    """The room on the disk that holds `place`, or would hold it if it were made.

    Raises:
        DiskLow: the disk cannot be asked, so nobody knows.
    """
    try:
        # A disk that cannot say whether the folder is there raises here as well.
        while not place.exists() and place != place.parent:
            place = place.parent
        usage = shutil.disk_usage(place)
        return Room(os.stat(place).st_dev, usage.free, reserve.of(usage.total))  # noqa: PTH116
    except OSError as error:
        raise DiskLow(f"the disk cannot be asked how much is free: {error.strerror}") from error


class Admission:
    """Says of each file whether it may be taken in now. One for a process; not for several threads at once."""

    def __init__(self, settings: Settings, ports: Ports) -> None:
        self._places = places(settings)
        self._reserve = settings.spool_free
        self._limit = settings.backlog
        self._ports = ports
        self._is_full = False

    def check(self, offer: Offer) -> None:
        """Return when the file may be taken in. One that was taken before always may: it brings no bytes.

        Raises:
            DiskLow: less than the reserve would stay free, with all that was taken down before.
            Overloaded: more jobs wait than were set as the limit, or did a moment ago.
            RegisterUnavailable: the register cannot be asked.
        """
        with self._ports.register.view() as connection:
            known = search.offer(connection, offer.id)
            if known is not None and known["outcome"] != "withdrawn":
                return
        self.check_bytes(offer.size_bytes)

    def check_bytes(self, size_bytes: int) -> None:
        """Return when so many bytes more may be taken in, whatever file they are of.

        Raises:
            DiskLow, Overloaded, RegisterUnavailable: as `check`.
        """
        with self._ports.register.view() as connection:
            waiting, to_come = tallies.open_jobs(connection), tallies.bytes_to_come(connection, place=self._ports.place)
        self._check_backlog(waiting)
        self.check_room(to_come + size_bytes)

    def check_room(self, size_bytes: int) -> None:
        """Return when so many bytes fit and the reserve of every disk stays free.

        Raises:
            DiskLow: they do not.
        """
        # A file is kept once where spool and store share a disk: it is given its second name there.
        for name, path in self._places.items():
            room = room_of(path, self._reserve)
            wanted = 0 if name == "register" else size_bytes
            if room.free - wanted < room.kept:
                raise DiskLow(
                    f"{room.free >> 20} MiB are free for the {name}, {-(-wanted >> 20)} MiB are wanted, "
                    f"and {room.kept >> 20} MiB stay free (EVIDOCK_SPOOL_FREE); what is docked stays where it is",
                    place=name,
                )

    def _check_backlog(self, waiting: int) -> None:
        limit = self._limit * _AGAIN_PERCENT // 100 if self._is_full else self._limit
        self._is_full = waiting > limit
        if self._is_full:
            raise Overloaded(
                f"{waiting} jobs wait or run, the limit is {self._limit} (EVIDOCK_BACKLOG); "
                "what is docked is taken in when they are fewer"
            )
