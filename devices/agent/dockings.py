# SPDX-License-Identifier: Apache-2.0
"""This is where a dock remembers its dockings: which files each one is about, and which never ended.

It also knows the devices that the server took from this dock before: those are copied while there is no
network, and others wait until the server was asked.
"""

from dataclasses import dataclass

from devices.agent.journal import Journal


@dataclass(frozen=True, slots=True)
class Tally:
    """How far the files of a docking are: rows of the journal that it is about."""

    files: int
    copied: int
    received: int
    erased: int


class Dockings:
    """The dockings in a dock's journal. Safe to use from several threads. All may raise StoreUnavailable."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def begin(self, docking: str, device: str | None) -> None:
        """A docking began; until `end` it counts as one that was broken off."""
        self._journal.write("INSERT OR IGNORE INTO dockings (docking, device) VALUES (?, ?)", (docking, device))

    def end(self, docking: str) -> None:
        """It ended, and the server will be told."""
        self._journal.write("UPDATE dockings SET is_ended = 1 WHERE docking = ?", (docking,))
        self._journal.write("DELETE FROM taken WHERE docking = ?", (docking,))

    def broken_off(self) -> list[str]:
        """Dockings without an end, oldest first: those that the last process did not live to end."""
        asked = "SELECT docking FROM dockings WHERE is_ended = 0 ORDER BY rowid"
        return [str(row["docking"]) for row in self._journal.rows(asked)]

    def takes(self, docking: str, *offers: str) -> None:
        """These files are the docking's."""
        written = "INSERT OR IGNORE INTO taken (docking, offer) VALUES (?, ?)"
        self._journal.write_many(written, [(docking, offer) for offer in offers])

    def tally(self, docking: str) -> Tally:
        """How far its files are."""
        asked = (
            "SELECT count(*) AS files, coalesce(sum(f.sha256 IS NOT NULL), 0) AS copied,"
            " coalesce(sum(f.is_receipted), 0) AS received, coalesce(sum(f.is_erased), 0) AS erased"
            " FROM taken t JOIN files f ON f.offer = t.offer WHERE t.docking = ?"
        )
        row = self._journal.rows(asked, (docking,))[0]
        return Tally(int(row["files"]), int(row["copied"]), int(row["received"]), int(row["erased"]))

    def trust(self, serial: str) -> None:
        """The server took from this device."""
        self._journal.write("INSERT OR IGNORE INTO devices (serial) VALUES (?)", (serial,))

    def distrust(self, serial: str) -> None:
        """The server refused this device."""
        self._journal.write("DELETE FROM devices WHERE serial = ?", (serial,))

    def is_trusted(self, serial: str) -> bool:
        """True when the server took from this device the last time it was asked."""
        return bool(self._journal.rows("SELECT 1 FROM devices WHERE serial = ?", (serial,)))
