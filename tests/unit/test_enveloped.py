# SPDX-License-Identifier: Apache-2.0
"""Envelopes: what was done to one at rest is noticed, whoever loses a race loses nothing, an erased key is gone."""

import fcntl
import hashlib
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from evidence.digest import Digest
from evidence.errors import (
    BadInput,
    Conflict,
    EvidockError,
    FixityMismatch,
    NotFound,
    RecordMalformed,
    StoreUnavailable,
)
from storage import layout
from storage.enveloped import rooms
from storage.enveloped.form import CHUNK_SIZE, HEADER_SIZE, SEALED_CHUNK_SIZE, Envelope
from storage.enveloped.keyring import WRAPPED_SIZE, Keyring
from storage.enveloped.store import EnvelopedStore
from storage.objects_file import DirectoryStore
from tests.contract.object_store import digest_of, put, some_bytes, soon
from tests.support.envelopes import enveloped

DATA = some_bytes(3 * CHUNK_SIZE + 1000)
SHA = digest_of(DATA).hex
KEY = layout.original_key(SHA)
CHUNKS, PACKETS = layout.chunks_key(SHA), layout.packets_key(SHA)
WRAPPED = f"envelopes/{KEY}.key"
FORMATS = Path(__file__).parents[2] / "docs" / "formats.md"


@pytest.fixture
def objects(tmp_path: Path) -> Path:
    return tmp_path / "objects"


@pytest.fixture
def store(objects: Path, tmp_path: Path) -> EnvelopedStore:
    """A store with one original of four chunks."""
    store = enveloped(DirectoryStore(objects), tmp_path)
    put(store, KEY, DATA, tmp_path)
    return store


def change(objects: Path, key: str, by: Callable[[bytes], bytes]) -> None:
    """As somebody who can write to the disk."""
    path = objects / key
    path.chmod(0o600)
    path.write_bytes(by(path.read_bytes()))


def flipped(at: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def chunk(data: bytes, number: int) -> bytes:
    start = HEADER_SIZE + number * SEALED_CHUNK_SIZE
    return data[start : start + SEALED_CHUNK_SIZE]


def swapped(one: int, other: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        parts = [chunk(data, number) for number in range(4)]
        parts[one], parts[other] = parts[other], parts[one]
        return data[:HEADER_SIZE] + b"".join(parts)

    return change


def smaller(data: bytes) -> bytes:
    """Cut after two chunks, and the header made to say so."""
    return data[:20] + (2 * CHUNK_SIZE).to_bytes(8, "big") + data[28 : HEADER_SIZE + 2 * SEALED_CHUNK_SIZE]


# --- what is done to an envelope at rest ----------------------------------------------------------

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit of the form": flipped(3),
    "a bit of the size": flipped(27),
    "the highest bit of the size": lambda data: data[:20] + b"\xff" + data[21:],
    "a bit of the seed": flipped(40),
    "a bit of the first chunk": flipped(HEADER_SIZE),
    "a bit of a chunk within": flipped(HEADER_SIZE + SEALED_CHUNK_SIZE + 77),
    "a bit of a tag": flipped(HEADER_SIZE + SEALED_CHUNK_SIZE - 1),
    "the last bit": lambda data: data[:-1] + bytes([data[-1] ^ 128]),
    "the last byte missing": lambda data: data[:-1],
    "the last chunk missing": lambda data: data[: HEADER_SIZE + 3 * SEALED_CHUNK_SIZE],
    "two chunks missing, and the header says so": smaller,
    "all chunks missing": lambda data: data[:HEADER_SIZE],
    "half of the header missing": lambda data: data[:30],
    "everything missing": lambda _: b"",
    "a byte more": lambda data: data + b"\0",
    "the last chunk twice": lambda data: data + chunk(data, 3),
    "a chunk more after the last": lambda data: data + chunk(data, 0),
    "two chunks exchanged": swapped(0, 1),
    "the last chunk moved forward": swapped(2, 3),
    "a chunk twice in place of another": lambda data: (
        data[:HEADER_SIZE] + chunk(data, 0) * 2 + data[-SEALED_CHUNK_SIZE:]
    ),
    "the plaintext in its place": lambda _: DATA,
    "another plaintext in its place": lambda _: DATA[::-1],
}


@pytest.mark.parametrize("what", DAMAGES)
@pytest.mark.parametrize("is_known", [False, True], ids=["met anew", "opened before"])
def test_an_altered_envelope_is_refused_by_every_whole_reading(
    store: EnvelopedStore, objects: Path, what: str, is_known: bool
) -> None:
    if is_known:
        store.measure(KEY)
    change(objects, KEY, DAMAGES[what])
    for call in (lambda: store.measure(KEY), lambda: list(store.blocks(KEY)), lambda: store.read(KEY, limit=1 << 20)):
        with pytest.raises((FixityMismatch, RecordMalformed)):
            call()
    with pytest.raises((FixityMismatch, RecordMalformed)), store.local_file(KEY):
        pass


@pytest.mark.parametrize("what", [name for name in DAMAGES if "missing" in name or "more" in name or "twice" in name])
def test_a_length_that_is_not_that_of_the_envelope_is_no_size(store: EnvelopedStore, objects: Path, what: str) -> None:
    change(objects, KEY, DAMAGES[what])
    if what == "two chunks missing, and the header says so":
        return  # a size is no proof, here as without envelopes: reading shows it
    with pytest.raises(FixityMismatch):
        store.size(KEY)


def test_a_range_opens_the_chunks_it_touches_and_no_other(store: EnvelopedStore, objects: Path) -> None:
    change(objects, KEY, flipped(HEADER_SIZE + 2 * SEALED_CHUNK_SIZE))
    assert store.read_range(KEY, 5, 2 * CHUNK_SIZE - 5) == DATA[5 : 2 * CHUNK_SIZE]
    assert store.read_range(KEY, 3 * CHUNK_SIZE, 10_000) == DATA[3 * CHUNK_SIZE :]
    for start, length in ((2 * CHUNK_SIZE, 1), (2 * CHUNK_SIZE - 1, 2), (0, 1 << 20), (3 * CHUNK_SIZE - 1, 1)):
        with pytest.raises(FixityMismatch, match=r"64 KiB chunk 2 \(bytes 131072 to 196607\)"):
            store.read_range(KEY, start, length)


def test_a_range_after_the_end_of_a_cut_envelope_is_refused(store: EnvelopedStore, objects: Path) -> None:
    change(objects, KEY, DAMAGES["the last chunk missing"])
    with pytest.raises(FixityMismatch):
        store.read_range(KEY, len(DATA), 10)


def test_an_envelope_does_not_open_under_another_key_of_the_same_data_key(store: EnvelopedStore, objects: Path) -> None:
    store.put_bytes_once(CHUNKS, b"leaves")
    envelope = (objects / KEY).read_bytes()
    change(objects, CHUNKS, lambda _: envelope)
    with pytest.raises(FixityMismatch):
        store.measure(CHUNKS)


def test_the_same_chunk_of_another_envelope_of_the_same_data_key_does_not_open(
    store: EnvelopedStore, objects: Path
) -> None:
    store.put_bytes_once(CHUNKS, DATA[::-1])
    other = (objects / CHUNKS).read_bytes()
    change(objects, KEY, lambda data: data[:HEADER_SIZE] + chunk(other, 0) + data[HEADER_SIZE + SEALED_CHUNK_SIZE :])
    with pytest.raises(FixityMismatch, match="chunk 0"):
        store.read_range(KEY, 0, 1)


# --- what is done to a wrapped data key -----------------------------------------------------------


@pytest.mark.parametrize("at", [25, 33, 45, 60, WRAPPED_SIZE - 1])
def test_an_altered_wrapped_key_is_refused(store: EnvelopedStore, objects: Path, at: int) -> None:
    change(objects, WRAPPED, flipped(at))
    with pytest.raises((FixityMismatch, StoreUnavailable)) as caught:
        store.measure(KEY)
    # Of another id nobody can tell that it is no key of ours.
    assert isinstance(caught.value, StoreUnavailable) == (23 <= at < 31)


@pytest.mark.parametrize("by", [flipped(0), lambda data: data[:-1], lambda data: data + b"\0", lambda _: b""])
def test_what_is_no_wrapped_key_is_malformed(
    store: EnvelopedStore, objects: Path, by: Callable[[bytes], bytes]
) -> None:
    change(objects, WRAPPED, by)
    with pytest.raises(RecordMalformed):
        store.measure(KEY)


def test_the_wrapped_key_of_another_recording_is_refused(store: EnvelopedStore, objects: Path) -> None:
    other = layout.original_key(digest_of(b"other").hex)
    store.put_bytes_once(other, b"other")
    wrapped = (objects / f"envelopes/{other}.key").read_bytes()
    change(objects, WRAPPED, lambda _: wrapped)
    with pytest.raises(FixityMismatch, match="belongs elsewhere"):
        store.measure(KEY)


def test_a_wrapped_key_opens_under_its_own_name_only(tmp_path: Path) -> None:
    keys = Keyring.create_or_load(tmp_path, chance=os.urandom)
    wrapped = keys.wrap(b"k" * 32, WRAPPED, chance=os.urandom)
    assert keys.unwrap(wrapped, WRAPPED) == b"k" * 32
    with pytest.raises(FixityMismatch, match="belongs elsewhere"):
        keys.unwrap(wrapped, f"{WRAPPED}0")


def test_a_wrapped_key_whose_own_key_is_elsewhere_is_unavailable_and_says_which(
    store: EnvelopedStore, objects: Path, tmp_path: Path
) -> None:
    [name] = Keyring.load(tmp_path / "keys").names
    stranger = enveloped(DirectoryStore(objects), tmp_path / "stranger")
    calls: list[Callable[[], object]] = [
        lambda: stranger.measure(KEY),
        lambda: stranger.read_range(KEY, 0, 1),
        lambda: put(stranger, KEY, DATA, tmp_path),
        lambda: stranger.put_bytes_once(CHUNKS, b"leaves"),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable, match=name):
            call()


def test_once_the_wrapped_key_is_gone_no_copy_opens_not_even_for_who_has_read_it_before(
    store: EnvelopedStore, objects: Path, tmp_path: Path
) -> None:
    tape = (objects / KEY).read_bytes()
    assert store.read_range(KEY, 0, 100) == DATA[:100]
    (objects / WRAPPED).unlink()
    parts = {DATA[at : at + 16] for at in range(0, len(DATA), 4096)}
    for reader in (store, enveloped(DirectoryStore(objects), tmp_path)):
        assert reader.read(KEY, limit=1 << 20) == tape
        assert reader.read_range(KEY, 0, 100) == tape[:100]
        assert reader.measure(KEY) != digest_of(DATA)
    assert not any(part in tape for part in parts)
    # Taken in again, it gets another data key: what was erased stays so.
    (objects / KEY).unlink()
    put(store, KEY, DATA, tmp_path)
    assert store.measure(KEY) == digest_of(DATA)
    assert (objects / KEY).read_bytes()[HEADER_SIZE:] != tape[HEADER_SIZE:]
    change(objects, KEY, lambda _: tape)
    with pytest.raises(FixityMismatch):
        store.measure(KEY)


# --- plain and enveloped --------------------------------------------------------------------------


def test_footage_made_to_look_like_an_envelope_is_footage(store: EnvelopedStore, objects: Path, tmp_path: Path) -> None:
    disguised = (objects / KEY).read_bytes()
    key = layout.original_key(digest_of(disguised).hex)
    put(enveloped(DirectoryStore(objects), tmp_path, is_on=False), key, disguised, tmp_path)
    assert (objects / key).read_bytes() == disguised
    assert store.measure(key) == digest_of(disguised)
    assert store.read_range(key, 0, 20) == disguised[:20]
    (objects / key).unlink()
    put(store, key, disguised, tmp_path)
    assert (objects / key).read_bytes() != disguised
    assert store.measure(key) == digest_of(disguised)


def test_what_shares_a_key_with_plain_footage_stays_plain(store: EnvelopedStore, objects: Path, tmp_path: Path) -> None:
    sha256 = digest_of(b"old").hex
    DirectoryStore(objects).put_bytes_once(layout.chunks_key(sha256), b"old leaves")
    put(store, layout.original_key(sha256), b"old", tmp_path)
    assert (objects / layout.original_key(sha256)).read_bytes() == b"old"
    assert store.read(layout.chunks_key(sha256), limit=100) == b"old leaves"
    assert not (objects / f"envelopes/{layout.original_key(sha256)}.key").exists()


def test_switched_off_what_shares_a_data_key_is_still_put_under_it(
    store: EnvelopedStore, objects: Path, tmp_path: Path
) -> None:
    off = enveloped(DirectoryStore(objects), tmp_path, is_on=False)
    off.put_bytes_once(PACKETS, b"packets")
    assert b"packets" not in (objects / PACKETS).read_bytes()
    assert store.read(PACKETS, limit=100) == b"packets"


def test_receipts_details_and_the_log_rest_as_they_are(store: EnvelopedStore, objects: Path) -> None:
    for key in (layout.receipt_key(SHA), layout.detail_key(SHA), "log/tile/0/000"):
        store.put_bytes_once(key, b"public")
        assert (objects / key).read_bytes() == b"public"
    assert len(list((objects / "envelopes").rglob(f"*{SHA}*"))) == 1


def test_a_derivative_with_the_bytes_of_an_original_has_a_key_of_its_own(store: EnvelopedStore, objects: Path) -> None:
    key = layout.derivative_key(SHA)
    store.put_bytes_once(key, DATA)
    (objects / WRAPPED).unlink()
    assert store.measure(key) == digest_of(DATA)


def test_wrapped_keys_are_named_for_what_they_open_and_lead_back_to_it() -> None:
    assert {layout.envelope_key_of(key) for key in (KEY, CHUNKS, PACKETS)} == {WRAPPED}
    assert set(layout.enveloped_under(WRAPPED)) == {KEY, CHUNKS, PACKETS}
    made = layout.derivative_key(SHA)
    assert layout.enveloped_under(str(layout.envelope_key_of(made))) == (made,)
    for key in (layout.receipt_key(SHA), layout.detail_key(SHA), layout.CHECKPOINT_KEY, WRAPPED):
        assert layout.envelope_key_of(key) is None


def test_nothing_is_put_where_wrapped_keys_rest(store: EnvelopedStore, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        store.put_bytes_once(f"{WRAPPED}0", b"x")
    with pytest.raises(BadInput):
        put(store, f"{WRAPPED}0", b"x", tmp_path)


def test_a_wrapped_key_that_opens_nothing_is_a_stray(store: EnvelopedStore, objects: Path) -> None:
    store.put_bytes_once(CHUNKS, b"leaves")
    assert list(store.strays()) == []
    (objects / KEY).unlink()
    assert list(store.strays()) == []
    (objects / CHUNKS).unlink()
    assert list(store.strays()) == [WRAPPED]


def test_what_is_refused_leaves_no_wrapped_key(store: EnvelopedStore, objects: Path, tmp_path: Path) -> None:
    other = layout.original_key(digest_of(b"as measured").hex)
    source = tmp_path / "source"
    for data in (b"as measureD", b"as measured, and more", b"as"):
        source.write_bytes(data)
        with pytest.raises(FixityMismatch):
            store.put_once(other, source, digest=digest_of(b"as measured"))
    assert list(store.strays()) == []


@pytest.mark.parametrize("edge", [0, 1, CHUNK_SIZE, 2 * CHUNK_SIZE, 17 * CHUNK_SIZE])
@pytest.mark.parametrize("beside", [-1, 0, 1])
def test_ranges_and_blocks_are_right_beside_every_edge(store: EnvelopedStore, edge: int, beside: int) -> None:
    data = some_bytes(max(0, edge + beside))
    store.put_bytes_once(CHUNKS, data)
    assert store.measure(CHUNKS) == digest_of(data)
    assert store.size(CHUNKS) == len(data)
    assert b"".join(store.blocks(CHUNKS, 100_001)) == data
    near = sorted({max(0, at + by) for at in (0, CHUNK_SIZE, 16 * CHUNK_SIZE, edge) for by in (-1, 0, 1)})
    for start in near:
        for length in (0, 1, 2, CHUNK_SIZE, 1 << 24):
            assert store.read_range(CHUNKS, start, length) == data[start : start + length]


# --- races and kills ------------------------------------------------------------------------------


def test_a_writer_whose_data_key_comes_second_uses_the_first_once_it_is_durable(
    objects: Path, tmp_path: Path, synced: list[Path]
) -> None:
    inner = DirectoryStore(objects)
    quicker = enveloped(inner, tmp_path)
    asked: list[int] = []

    def chance(count: int) -> bytes:
        asked.append(count)
        if len(asked) == 2:  # our data key is made; that of another writer rests before ours
            quicker.put_bytes_once(CHUNKS, b"leaves")
            synced.clear()
        return os.urandom(count)

    keys = Keyring.load(tmp_path / "keys")
    slower = EnvelopedStore(inner, keys, chance=chance, rooms=tmp_path / "rooms")
    put(slower, KEY, DATA, tmp_path)
    assert len(asked) == 2
    assert (objects / WRAPPED).parent in synced
    assert quicker.measure(KEY) == digest_of(DATA)
    assert quicker.read(CHUNKS, limit=100) == b"leaves"


class Meanwhile(DirectoryStore):
    """A store in which something happens just before it is asked whether an object is there."""

    happens: Callable[[], object] | None = None

    def exists(self, key: str) -> bool:
        happens, self.happens = self.happens, None
        if happens is not None:
            happens()
        return super().exists(key)


def test_a_reader_that_misses_the_wrapped_key_of_a_writer_at_work_looks_for_it_again(
    objects: Path, tmp_path: Path
) -> None:
    inner = Meanwhile(objects)
    reader, writer = enveloped(inner, tmp_path), enveloped(DirectoryStore(objects), tmp_path)
    inner.happens = lambda: put(writer, KEY, DATA, tmp_path)
    assert reader.read(KEY, limit=1 << 20) == DATA


def test_a_writer_that_misses_the_wrapped_key_of_another_at_work_looks_for_it_again(
    objects: Path, tmp_path: Path
) -> None:
    inner = Meanwhile(objects)
    slower, quicker = enveloped(inner, tmp_path), enveloped(DirectoryStore(objects), tmp_path)
    inner.happens = lambda: quicker.put_bytes_once(CHUNKS, b"leaves")
    put(slower, KEY, DATA, tmp_path)
    assert quicker.measure(KEY) == digest_of(DATA)


class Noisy(DirectoryStore):
    """A store whose every first answer to a question is changed on its way."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked: set[tuple[str, int]] = set()

    def read_range(self, key: str, start: int, length: int) -> bytes:
        data = super().read_range(key, start, length)
        if (key, start) in self.asked or start == 0 < HEADER_SIZE == length:
            return data
        self.asked.add((key, start))
        return data[:5] + bytes([data[5] ^ 1]) + data[6:]


def test_what_was_changed_on_its_way_is_read_again_before_it_is_called_altered(
    store: EnvelopedStore, objects: Path, tmp_path: Path
) -> None:
    noisy = enveloped(Noisy(objects), tmp_path)
    assert noisy.read_range(KEY, 70_000, 10) == DATA[70_000:70_010]
    assert noisy.read_range(KEY, 0, 1 << 20) == DATA


def test_a_repeat_writes_the_very_same_envelope(store: EnvelopedStore, objects: Path, tmp_path: Path) -> None:
    first = (objects / KEY).read_bytes()
    (objects / KEY).unlink()
    put(store, KEY, DATA, tmp_path)
    assert (objects / KEY).read_bytes() == first


_CALLS = ("open", "mkdir", "readv", "write", "fchmod", "fsync", "link", "unlink", "fstat", "listdir")


def _killed_at(call: int, monkeypatch: pytest.MonkeyPatch, do: Callable[[], None]) -> bool:
    """Do it in a child that dies at that call to the system; True when it came to its end before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads that other tests left behind
        child = os.fork()
    if child == 0:
        made = [0]

        def counted(real: Callable[..., object]) -> Callable[..., object]:
            def counting(*args: object, **kwargs: object) -> object:
                made[0] += 1
                if made[0] == call:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args, **kwargs)

            return counting

        with monkeypatch.context() as patch:
            for name in _CALLS:
                patch.setattr(os, name, counted(getattr(os, name)))
            do()
        os._exit(0)
    return os.WIFEXITED(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("how", ["file", "bytes"])
def test_killed_at_any_call_the_envelope_is_absent_or_opens_and_a_repeat_completes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    data = some_bytes(CHUNK_SIZE + 7)
    source = tmp_path / "source"
    source.write_bytes(data)
    Keyring.create_or_load(tmp_path / "keys", chance=os.urandom)
    for call in range(1, 200, 3):
        inner = DirectoryStore(tmp_path / f"objects-{call}")

        def do(inner: DirectoryStore = inner) -> None:
            writer = enveloped(inner, tmp_path)
            if how == "file":
                writer.put_once(KEY, source, digest=digest_of(data), give=True)
            else:
                writer.put_bytes_once(KEY, data)

        is_done = _killed_at(call, monkeypatch, do)
        reader = enveloped(inner, tmp_path)
        assert not reader.exists(KEY) or reader.measure(KEY) == digest_of(data)
        do()
        assert reader.measure(KEY) == digest_of(data)
        reader.sweep(now=soon(0))
        assert list((tmp_path / "opened").glob("*")) == [], "what a killed one left is gone"
        if is_done:
            assert call > 20
            return
    pytest.fail("the write never came to its end")


def test_the_wrapped_key_is_durable_before_its_envelope_gets_a_name(
    objects: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, done = enveloped(DirectoryStore(objects), tmp_path), []
    link, fsync = os.link, os.fsync

    def linked(*args: object, **kwargs: object) -> None:
        folder = Path(f"/proc/self/fd/{kwargs['dst_dir_fd']}").readlink()
        done.append(f"name in {folder.relative_to(objects).parts[0]}")
        link(*args, **kwargs)  # type: ignore[arg-type]

    def synced(descriptor: int) -> None:
        place = Path(f"/proc/self/fd/{descriptor}").readlink()
        if place.is_dir() and place.is_relative_to(objects / "envelopes"):
            done.append("envelopes durable")
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", linked)
        patch.setattr(os, "fsync", synced)
        put(store, KEY, DATA, tmp_path)
    assert done[-1] == "name in originals"
    assert done[-2] == "envelopes durable"
    assert "name in envelopes" in done[:-2]


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What is made durable, in order."""
    done: list[Path] = []
    fsync = os.fsync

    def syncing(descriptor: int) -> None:
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", syncing)
    return done


def test_who_finds_a_wrapped_key_or_an_envelope_makes_it_durable_before_relying_on_it(
    store: EnvelopedStore, objects: Path, tmp_path: Path, synced: list[Path]
) -> None:
    for write in (
        lambda: store.put_bytes_once(CHUNKS, b"leaves"),
        lambda: put(store, PACKETS, b"packets", tmp_path),
        lambda: put(store, KEY, DATA, tmp_path),
    ):
        synced.clear()
        write()
        assert {(objects / WRAPPED).parent, (objects / KEY).parent} <= set(synced)


# --- rooms ----------------------------------------------------------------------------------------


def test_an_opened_copy_is_private_and_goes_with_its_use(store: EnvelopedStore, tmp_path: Path) -> None:
    with store.local_file(KEY) as path:
        assert path.read_bytes() == DATA
        assert path.stat().st_mode & 0o777 == 0o400
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "opened").stat().st_mode & 0o777 == 0o700
        assert store.sweep(now=soon(10**8)) == 0, "it is in use"
        with store.local_file(KEY) as second:
            assert second != path
        assert path.exists()
    assert list((tmp_path / "opened").iterdir()) == []


def test_what_a_killed_reader_left_open_goes_with_the_next_use(store: EnvelopedStore, tmp_path: Path) -> None:
    left = tmp_path / "opened" / "room-left"
    for use in (lambda: store.sweep(now=soon(0)), lambda: store.local_file(KEY).__enter__()):
        left.mkdir()
        (left / SHA).write_bytes(DATA)
        use()
        assert not left.exists()


def test_an_opened_copy_of_an_altered_envelope_is_not_left_behind(
    store: EnvelopedStore, objects: Path, tmp_path: Path
) -> None:
    change(objects, KEY, DAMAGES["the last byte missing"])
    with pytest.raises(FixityMismatch), store.local_file(KEY):
        pass
    assert list((tmp_path / "opened").iterdir()) == []


def test_rooms_of_many_at_once_do_not_take_each_other_away(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom storage.enveloped.rooms import room\n"
        "for _ in range(100):\n"
        "    with room(Path(sys.argv[1])) as made:\n"
        "        (made / 'x').write_bytes(b'x')\n"
        "        assert (made / 'x').read_bytes() == b'x'\n"
    )
    argv = [sys.executable, "-c", program, str(tmp_path / "rooms")]
    running = [subprocess.Popen(argv, cwd=FORMATS.parents[1]) for _ in range(3)]
    assert [one.wait(60) for one in running] == [0, 0, 0]
    assert rooms.sweep(tmp_path / "rooms") == 0


def test_a_room_that_is_taken_for_a_dead_ones_before_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, swept = fcntl.flock, list[Path]()

    def locking(descriptor: int, how: int) -> None:
        if not swept:  # another process was here between the opening and the lock
            swept.append(Path(f"/proc/self/fd/{descriptor}").readlink())
            swept[0].rmdir()
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", locking)
    with rooms.room(tmp_path / "rooms") as made:
        assert made.is_dir()
        assert made not in swept
    assert swept


# --- keys -----------------------------------------------------------------------------------------


def test_the_key_is_made_once_and_private(tmp_path: Path) -> None:
    first = Keyring.create_or_load(tmp_path, chance=os.urandom)
    assert (tmp_path / "envelope.key").stat().st_mode & 0o777 == 0o600
    assert Keyring.create_or_load(tmp_path, chance=os.urandom).newest == first.newest
    assert Keyring.load(tmp_path / "none").names == ()


def test_no_text_form_shows_a_key(tmp_path: Path) -> None:
    keys = Keyring.create_or_load(tmp_path, chance=lambda count: b"\xab" * count)
    data_key = Envelope.of(KEY, digest_of(DATA), data_key=b"\xcd" * 32)
    for told in (repr(keys), str(keys), repr(data_key)):
        assert "abab" not in told
        assert "cdcd" not in told
        assert "AESGCM" not in told


@pytest.mark.parametrize("text", ["", "evidock/envelope-kek/v2\n" + "0" * 64 + "\n", "evidock/envelope-kek/v1\n00\n"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "envelope.key").touch(0o600)
    (tmp_path / "envelope.key").write_text(text)
    with pytest.raises(BadInput, match="holds no key"):
        Keyring.load(tmp_path)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    Keyring.create_or_load(tmp_path, chance=os.urandom)
    (tmp_path / "envelope.key").chmod(0o640)
    with pytest.raises(BadInput, match="chmod 600"):
        Keyring.load(tmp_path)


def test_an_older_key_opens_and_the_newest_wraps(store: EnvelopedStore, objects: Path, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    (keys / "envelope.key").rename(keys / "envelope-2026.key")
    older = Keyring.load(keys)
    assert older.newest is None
    with pytest.raises(StoreUnavailable, match=r"no keys/envelope\.key"):
        older.wrap(b"x" * 32, WRAPPED, chance=os.urandom)
    turned = enveloped(DirectoryStore(objects), tmp_path)
    assert turned.measure(KEY) == digest_of(DATA)
    other = layout.derivative_key(SHA)
    turned.put_bytes_once(other, DATA)
    with pytest.raises(StoreUnavailable):
        older.unwrap((objects / f"envelopes/{other}.key").read_bytes(), f"envelopes/{other}.key")


# --- the form -------------------------------------------------------------------------------------


def test_the_form_is_the_one_that_rests_elsewhere() -> None:
    data = bytes(range(256)) * 300
    envelope = Envelope.of("originals/ab/cd/x", digest_of(data), data_key=bytes(range(32)))
    sealed = b"".join(envelope.sealed([data[:1000], data[1000:70_000], data[70_000:]]))
    assert len(sealed) == envelope.sealed_size == 60 + len(data) + 2 * 16
    assert hashlib.sha256(sealed).hexdigest() == "d99cb8eee8f2f02dc92d671fc494fac4a1d910dbad04312d5b0c5026f3ce66bd"


def test_equal_arguments_give_equal_envelopes_and_no_others_do() -> None:
    made = {
        (name, data, data_key): Envelope.of(name, digest_of(data), data_key=data_key).header
        for name in ("originals/x", "originals/x.chunks")
        for data in (b"", b"a", b"b")
        for data_key in (b"1" * 32, b"2" * 32)
    }
    assert len(set(made.values())) == len(made) == 12


def test_an_envelope_seals_no_more_and_no_fewer_bytes_than_it_was_made_for() -> None:
    for promised in (0, 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE):
        envelope = Envelope.of(KEY, Digest(b"\0" * 32, promised), data_key=b"k" * 32)
        for given in {0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 3 * CHUNK_SIZE} - {promised}:
            with pytest.raises(FixityMismatch):
                list(envelope.sealed([b"x" * given]))


def test_what_no_envelope_can_hold_is_refused() -> None:
    with pytest.raises(BadInput):
        Envelope.of(KEY, Digest(b"\0" * 32, (1 << 48) + 1), data_key=b"k" * 32)


@pytest.mark.parametrize("key", [KEY, CHUNKS])
def test_the_program_in_the_pages_opens_an_envelope(
    store: EnvelopedStore, objects: Path, tmp_path: Path, key: str
) -> None:
    data = {KEY: DATA, CHUNKS: b"leaves"}[key]
    if key == CHUNKS:
        store.put_bytes_once(key, data)
    found = re.search(r"<!-- run: openenvelope.py -->\n```python\n(.*?)```", FORMATS.read_text("utf-8"), re.DOTALL)
    assert found
    (tmp_path / "openenvelope.py").write_text(found[1])
    argv = [
        sys.executable,
        str(tmp_path / "openenvelope.py"),
        str(objects),
        str(tmp_path / "keys" / "envelope.key"),
        key,
    ]
    assert subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout == data


def test_every_refusal_here_has_a_code_of_ours(store: EnvelopedStore, objects: Path, tmp_path: Path) -> None:
    with pytest.raises(Conflict):
        put(store, KEY, DATA[::-1], tmp_path)
    with pytest.raises(Conflict):
        store.put_bytes_once(KEY, b"x")
    with pytest.raises(NotFound):
        store.measure(PACKETS)
    change(objects, KEY, DAMAGES["the last bit"])
    with pytest.raises(EvidockError) as caught:
        put(store, KEY, DATA, tmp_path)
    assert caught.value.code == "fixity-mismatch"
