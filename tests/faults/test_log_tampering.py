# SPDX-License-Identifier: Apache-2.0
"""F14. The custody log is changed behind our back, in the register or in the store: verify says so, and says where.

Who changes it may do anything to the database and to the disk, and has not got the keys.
"""

import random
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app import clocks
from evidence.device import Device
from evidence.merkle import leaf_hash
from evidence.verdict import CheckReport, Verdict
from pipeline.audit import verify_all
from pipeline.devices_register import register_device
from storage.custody_log import SignedCheckpoint
from storage.layout import CHECKPOINT_KEY
from storage.log_check import check_log
from storage.tiles import split_bundle
from tests.support.chaos import is_long, seeded, times
from tests.support.command import evidock
from tests.support.custody_log import STRANGER, keys
from tests.support.home import Home, open_home, track
from tests.support.quick_folder import quick_folder

pytestmark = pytest.mark.timeout(3600)

Row = dict[str, Any]
_EVENTS = "custody_events"
_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Place:
    """What verify must name: one of some objects, and words of which the place in it must hold one (none: any)."""

    objects: tuple[str, ...]
    where: tuple[str, ...] = ()

    def is_in(self, report: CheckReport) -> bool:
        """True when the report names it; `entry 1` is not named by `entry 10`."""
        told = [one.where for one in report.findings if one.object in self.objects]
        wanted = [re.compile(re.escape(words) + r"(?!\d)") for words in self.where or ("",)]
        return any(one.search(where) for one in wanted for where in told)


def place(named: str, *where: str) -> Place:
    return Place((named,), where)


class Log:
    """A home's custody log as whoever owns the machine sees it: a table, and files."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.objects = home.settings.home / "objects"
        self._database = home.settings.home / "register.db"
        self.rows = self._all(_EVENTS)
        self._tables = {name: self._all(name) for name in (_EVENTS, "checkpoints")}
        self.files = {
            str(path.relative_to(self.objects)): path.read_bytes()
            for path in sorted((self.objects / "log").rglob("*"))
            if path.is_file() and "tokens" not in path.parts
        }

    def sql(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self._database)) as database, database:
            assert database.execute(statement, values).rowcount >= 1

    def write(self, key: str, data: bytes | None) -> None:
        path = self.objects / key
        if path.exists():
            path.unlink()
        if data is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def put_back(self) -> None:
        """Undo everything."""
        with closing(sqlite3.connect(self._database)) as database, database:
            for table, rows in self._tables.items():
                database.execute(f"DELETE FROM {table}")  # noqa: S608
                marks = ", ".join("?" for _ in rows[0])
                database.executemany(
                    f"INSERT INTO {table} VALUES ({marks})",  # noqa: S608
                    [tuple(row.values()) for row in rows],
                )
        for key, data in self.files.items():
            if not (self.objects / key).exists() or (self.objects / key).read_bytes() != data:
                self.write(key, data)

    def newest(self, prefix: str) -> str:
        """The widest object below a prefix: what the newest checkpoint needs."""
        return max((key for key in self.files if key.startswith(prefix)), key=lambda key: len(self.files[key]))

    def _all(self, table: str) -> list[Row]:
        with closing(sqlite3.connect(self._database)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute(f"SELECT * FROM {table}")]  # noqa: S608


Edit = Callable[[Log, random.Random], Place]


# --- edits of the register ----------------------------------------------------------------------------


def named(row: Row) -> Place:
    """The event as verify speaks of it: by its place in its stream, or in the log."""
    return place(f"register/{_EVENTS}", f"{row['stream']} number {row['seq']}", f"entry {row['leaf_index']}")


def edit_a_note(log: Log, chance: random.Random) -> Place:
    row = chance.choice(log.rows)
    at = chance.randrange(len(row["note"]))
    other = chance.choice([letter for letter in "abcdefXYZ0189" if letter != row["note"][at]])
    log.sql(f"UPDATE {_EVENTS} SET note = ? WHERE id = ?", row["note"][:at] + other + row["note"][at + 1 :], row["id"])  # noqa: S608
    return named(row)


def edit_a_column(log: Log, chance: random.Random) -> Place:
    row = chance.choice(log.rows)
    column = chance.choice(["kind", "at", "actor", "detail_sha256", "leaf_hash", "stream"])
    log.sql(f"UPDATE {_EVENTS} SET {column} = ? WHERE id = ?", f"{row[column]}x", row["id"])  # noqa: S608
    return place(f"register/{_EVENTS}", f"{row['stream']}{'x' if column == 'stream' else ''} number {row['seq']}")


def delete_an_event(log: Log, chance: random.Random) -> Place:
    row = chance.choice(log.rows)
    log.sql(f"DELETE FROM {_EVENTS} WHERE id = ?", row["id"])  # noqa: S608
    return named(row)


def delete_the_newest_events(log: Log, chance: random.Random) -> Place:
    row = chance.choice(log.rows)
    log.sql(f"DELETE FROM {_EVENTS} WHERE leaf_index >= ?", row["leaf_index"])  # noqa: S608
    return named(row)


def swap_two_events(log: Log, chance: random.Random) -> Place:
    first, second = sorted(chance.sample(log.rows, 2), key=lambda row: int(row["leaf_index"]))
    log.sql(f"UPDATE {_EVENTS} SET leaf_index = -1 WHERE id = ?", first["id"])  # noqa: S608
    log.sql(f"UPDATE {_EVENTS} SET leaf_index = ? WHERE id = ?", first["leaf_index"], second["id"])  # noqa: S608
    log.sql(f"UPDATE {_EVENTS} SET leaf_index = ? WHERE id = ?", second["leaf_index"], first["id"])  # noqa: S608
    return place(f"register/{_EVENTS}", f"entry {first['leaf_index']}")


def take_an_event_back(log: Log, chance: random.Random) -> Place:
    row = chance.choice(log.rows)
    log.sql(f"UPDATE {_EVENTS} SET leaf_index = NULL WHERE id = ?", row["id"])  # noqa: S608
    return place(f"register/{_EVENTS}", f"entry {row['leaf_index']}")


def put_in_an_event_of_a_stranger(log: Log, chance: random.Random) -> Place:
    row = chance.choice(log.rows)
    signer, _ = keys(STRANGER, "stranger")
    text = row["note"].partition("\n\n")[0] + "\n"
    forged = f"{text}\n— stranger {signer.sign(text.encode()).hex()}\n"
    number = 1 + max(one["seq"] for one in log.rows if one["stream"] == row["stream"])
    columns = "stream, seq, kind, at, actor, note, leaf_hash, detail_sha256, leaf_index"
    log.sql(
        f"INSERT INTO {_EVENTS} ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",  # noqa: S608
        *(row["stream"], number, row["kind"], row["at"], row["actor"], forged),
        *(leaf_hash(forged.encode()).hex(), row["detail_sha256"]),
    )
    return place(f"register/{_EVENTS} {row['stream']} number {number}")


def edit_a_checkpoint_of_the_register(log: Log, chance: random.Random) -> Place:
    row = chance.choice(log._tables["checkpoints"])
    column = chance.choice(["root", "note"])
    log.sql(f"UPDATE checkpoints SET {column} = ? WHERE size = ?", "0" + row[column][1:] + "0", row["size"])  # noqa: S608
    return place("register/checkpoints", f"size {row['size']}")


# --- edits of the store ---------------------------------------------------------------------------------


def bundle_of(log: Log) -> tuple[str, list[bytes]]:
    key = log.newest("log/tile/entries/")
    return key, split_bundle(log.files[key], count_in(log.files[key]))


def count_in(bundle: bytes) -> int:
    count = 0
    while bundle:
        bundle, count = bundle[2 + int.from_bytes(bundle[:2], "big") :], count + 1
    return count


def joined(entries: list[bytes]) -> bytes:
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def first_of(key: str) -> int:
    """Number of the first entry in a bundle or tile of leaves."""
    return 256 * int(re.sub(r"\.p/.*|\D", "", key.split("/", 3)[3]))


def edit_an_entry(log: Log, chance: random.Random) -> Place:
    key, entries = bundle_of(log)
    number = chance.randrange(len(entries))
    at = chance.randrange(len(entries[number]))
    changed = bytearray(entries[number])
    changed[at] ^= 1 << chance.randrange(8)
    log.write(key, joined([*entries[:number], bytes(changed), *entries[number + 1 :]]))
    return place(key, f"entry {first_of(key) + number}")


def swap_two_entries(log: Log, chance: random.Random) -> Place:
    key, entries = bundle_of(log)
    one, other = sorted(chance.sample(range(len(entries)), 2))
    entries[one], entries[other] = entries[other], entries[one]
    log.write(key, joined(entries))
    return place(key, f"entry {first_of(key) + one}")


def delete_an_entry(log: Log, chance: random.Random) -> Place:
    key, entries = bundle_of(log)
    number = chance.randrange(len(entries))
    del entries[number]
    log.write(key, joined(entries))
    return place(key, f"from entry {first_of(key) + number} on")


def shorten_a_bundle(log: Log, chance: random.Random) -> Place:
    key, entries = bundle_of(log)
    rest = chance.randrange(len(log.files[key]))
    log.write(key, log.files[key][:rest])
    whole = sum(len(joined(entries[: number + 1])) <= rest for number in range(len(entries)))
    return place(key, f"from entry {first_of(key) + whole} on")


def edit_an_entry_and_its_hash(log: Log, chance: random.Random) -> Place:
    """As a careful forger would: the tile says what the entry now is. The signed root does not."""
    key, entries = bundle_of(log)
    number = chance.randrange(len(entries))
    entries[number] = entries[number].replace(b"20", b"19", 1)
    log.write(key, joined(entries))
    log.write(key.replace("entries", "0"), b"".join(leaf_hash(entry) for entry in entries))
    return place(f"log entry {first_of(key) + number}")


def edit_a_hash(log: Log, chance: random.Random) -> Place:
    key = log.newest("log/tile/0/")
    changed = bytearray(log.files[key])
    at = chance.randrange(len(changed))
    changed[at] ^= 1 << chance.randrange(8)
    log.write(key, bytes(changed))
    return place(key, f"hash {at // 32} = entry {first_of(key) + at // 32}")


def remove_an_object(log: Log, chance: random.Random) -> Place:
    # The newest checkpoint rests twice: without its copy nothing is lost, and the next publication lays it down again.
    pointer = log.files["log/checkpoint"]
    needed = [key for key, data in log.files.items() if key.startswith("log/checkpoints/") and data != pointer]
    needed.append("log/checkpoint")
    needed += [log.newest("log/tile/0/"), log.newest("log/tile/entries/")]
    key = chance.choice(needed)
    log.write(key, None)
    return place(key)


def swap_two_objects(log: Log, chance: random.Random) -> Place:
    one, other = chance.sample(sorted(log.files), 2)
    while log.files[one] == log.files[other]:  # the newest checkpoint rests twice
        one, other = chance.sample(sorted(log.files), 2)
    log.write(one, log.files[other])
    log.write(other, log.files[one])
    return Place((one, other))


def put_the_pointer_back(log: Log, chance: random.Random) -> Place:
    older = chance.choice(sorted(key for key in log.files if key.startswith("log/checkpoints/"))[:-1])
    log.write(CHECKPOINT_KEY, log.files[older])
    return place(CHECKPOINT_KEY)


def put_the_whole_log_back(log: Log, chance: random.Random) -> Place:
    """Every file of the log as it was at an older checkpoint; the register remembers better."""
    older = chance.choice(sorted(key for key in log.files if key.startswith("log/checkpoints/"))[:-1])
    size = size_of(older)
    for key in log.files:
        width = re.search(r"\.p/(\d+)$", key)
        is_newer = (width and int(width[1]) > size) or (key.startswith("log/checkpoints/") and size_of(key) > size)
        if is_newer:
            log.write(key, None)
    log.write(CHECKPOINT_KEY, log.files[older])
    return place(CHECKPOINT_KEY)


def size_of(checkpoint: str) -> int:
    return int(re.sub(r"\D", "", checkpoint))


_EDITS: tuple[Edit, ...] = (
    edit_a_note,
    edit_a_column,
    delete_an_event,
    delete_the_newest_events,
    swap_two_events,
    take_an_event_back,
    put_in_an_event_of_a_stranger,
    edit_a_checkpoint_of_the_register,
    edit_an_entry,
    swap_two_entries,
    delete_an_entry,
    shorten_a_bundle,
    edit_an_entry_and_its_hash,
    edit_a_hash,
    remove_an_object,
    swap_two_objects,
    put_the_pointer_back,
    put_the_whole_log_back,
)


@pytest.fixture
def home() -> Iterator[Home]:
    with quick_folder("evd-log-") as folder, open_home(folder / "home") as home:
        fill(home, range(times(12, 45)))
        yield home


def fill(home: Home, numbers: range) -> None:
    """Some recordings, and a publication of the log after each."""
    card = home.settings.home.with_name("card")
    for number in numbers:
        home.ingest(track(card, f"{number}.gpx", number=number))


def test_every_edit_of_the_log_is_found_and_the_first_bad_entry_named(home: Home) -> None:
    chance, wanted, made = seeded("test_every_edit_of_the_log"), times(150, 1000), Counter[str]()
    log = Log(home)
    assert is_long() == (len(log.rows) > 256)  # the long run has full tiles, and a level above them
    for number in range(wanted):
        edit = _EDITS[number % len(_EDITS)]
        state = chance.getstate()
        expected = edit(log, chance)
        report = verify_all(home.ports)
        told = (number, state[1][-1], edit.__name__, expected, report.findings[:5])
        assert report.verdict is Verdict.TAMPERED, told
        assert expected.is_in(report), told
        made[edit.__name__] += 1
        log.put_back()
    assert verify_all(home.ports).findings == ()
    print(f"{made.total()} of {wanted} edits of {len(made)} sorts were found and placed")


# --- rolled back as a whole -----------------------------------------------------------------------------


def rolled_back(home: Home) -> SignedCheckpoint:
    """Put everything, register and store, back to an older state; the checkpoint that somebody kept meanwhile."""
    before, now = home.settings.home.with_name("before"), home.settings.home
    backed_up(now, before)
    fill(home, range(100, 102))
    kept = home.ports.log.newest()
    assert kept is not None
    shutil.rmtree(now / "objects")
    shutil.copytree(before / "objects", now / "objects")
    with closing(sqlite3.connect(before / "register.db")) as old, closing(sqlite3.connect(now / "register.db")) as new:
        old.backup(new)
    return kept


def backed_up(home: Path, into: Path) -> None:
    shutil.copytree(home / "objects", into / "objects")
    with closing(sqlite3.connect(home / "register.db")) as live, closing(sqlite3.connect(into / "register.db")) as kept:
        live.backup(kept)


def test_what_was_rolled_back_as_a_whole_is_not_found_by_itself_alone() -> None:
    """The limit of all that rests on one machine, and the reason for witnesses."""
    with quick_folder("evd-log-") as folder:
        with open_home(folder / "home") as home:
            fill(home, range(3))
            rolled_back(home)
        with open_home(folder / "home") as home:
            assert verify_all(home.ports).verdict is Verdict.PROVEN


def test_what_was_rolled_back_as_a_whole_is_found_by_a_checkpoint_kept_elsewhere() -> None:
    with quick_folder("evd-log-") as folder:
        with open_home(folder / "home") as home:
            fill(home, range(3))
            kept = rolled_back(home)
            (folder / "kept.txt").write_text(kept.note)
        with open_home(folder / "home") as home:
            report = check_log(home.ports.store, home.ports.verifiers, origin=home.ports.log.origin, known=[kept])
        assert [(one.object, one.what) for one in report.findings] == [(CHECKPOINT_KEY, "rolled-back")]
        said = evidock("log", "check", "--kept", folder / "kept.txt", "--json", home=folder / "home")
        assert (said.status, said.json["verdict"]) == (1, "tampered")
        assert evidock("log", "check", home=folder / "home").status == 0


def test_what_was_rolled_back_and_grew_anew_is_found_by_a_checkpoint_kept_elsewhere() -> None:
    with quick_folder("evd-log-") as folder:
        with open_home(folder / "home") as home:
            fill(home, range(3))
            kept = rolled_back(home)
            (folder / "kept.txt").write_text(kept.note)
        with open_home(folder / "home") as home:
            register_device(Device("OTHER"), ports=home.ports, now=clocks.now())
            fill(home, range(200, 203))
            assert verify_all(home.ports).verdict is Verdict.PROVEN
        said = evidock("log", "check", "--kept", folder / "kept.txt", "--json", home=folder / "home")
        assert said.status == 1
        assert "another-root" in {one["what"] for one in said.json["findings"]}
