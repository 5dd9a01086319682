# SPDX-License-Identifier: Apache-2.0
"""The directory store joins the contract, and keeps the promises only a directory can be asked about."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evidence.errors import Conflict, EvidockError, FixityMismatch, NotFound, StoreUnavailable, Unavailable
from storage.layout import CHECKPOINT_KEY
from storage.objects_file import DirectoryStore
from tests.contract.object_store import KEY, OTHER, ObjectStoreContract, digest_of, put, some_bytes

DATA = some_bytes(5_000)
DAY_S = 24 * 3600


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "objects"


@pytest.fixture
def store(root: Path) -> DirectoryStore:
    return DirectoryStore(root)


class TestDirectoryStore(ObjectStoreContract):
    @pytest.fixture
    def same_store(self, store: DirectoryStore, root: Path) -> DirectoryStore:
        return DirectoryStore(root, create=False)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(DATA)
    return path


def drafts(root: Path) -> list[Path]:
    return list((root / ".tmp").iterdir()) if (root / ".tmp").exists() else []


@pytest.mark.parametrize("give", [False, True])
def test_an_object_is_a_read_only_file_and_no_draft_is_left(
    store: DirectoryStore, root: Path, tmp_path: Path, give: bool
) -> None:
    put(store, KEY, DATA, tmp_path, give=give)
    store.put_bytes_once(OTHER, DATA)
    for key in (KEY, OTHER):
        assert (root / key).stat().st_mode & 0o7777 == 0o444
    assert drafts(root) == []


def test_a_given_file_is_kept_without_a_copy(store: DirectoryStore, root: Path, tmp_path: Path) -> None:
    source = put(store, KEY, DATA, tmp_path, give=True)
    assert (root / KEY).samefile(source)


def test_a_lent_file_is_copied(store: DirectoryStore, root: Path, tmp_path: Path) -> None:
    source = put(store, KEY, DATA, tmp_path)
    assert not (root / KEY).samefile(source)
    assert source.stat().st_mode & 0o200


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs a second file system")  # noqa: S108
def test_a_given_file_on_another_disk_is_copied_and_compared(store: DirectoryStore, root: Path) -> None:
    folder = Path("/dev/shm") / f"evidock-{os.getpid()}"  # noqa: S108
    folder.mkdir()
    try:
        put(store, KEY, DATA, folder, give=True)
        source = folder / "flipped"
        source.write_bytes(bytes([DATA[0] ^ 1]) + DATA[1:])
        with pytest.raises(FixityMismatch):
            store.put_once(OTHER, source, digest=digest_of(DATA), give=True)
    finally:
        shutil.rmtree(folder)
    assert store.measure(KEY) == digest_of(DATA)
    assert not store.exists(OTHER)


def test_one_flipped_bit_at_rest_is_measured(store: DirectoryStore, root: Path, tmp_path: Path) -> None:
    put(store, KEY, DATA, tmp_path)
    (root / KEY).chmod(0o600)
    (root / KEY).write_bytes(DATA[:-1] + bytes([DATA[-1] ^ 1]))
    assert store.measure(KEY) != digest_of(DATA)
    with pytest.raises(Conflict):
        put(store, KEY, DATA, tmp_path)


def test_nothing_is_written_before_the_first_put(store: DirectoryStore, root: Path) -> None:
    assert not store.exists(KEY)
    assert list(store.keys()) == []
    assert list(root.iterdir()) == []


def test_a_store_that_is_not_there_is_unavailable_unless_it_may_be_made(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        DirectoryStore(tmp_path / "no" / "such", create=False)
    DirectoryStore(tmp_path / "no" / "such").put_bytes_once("a", b"x")
    assert (tmp_path / "no" / "such" / "a").read_bytes() == b"x"


def test_a_store_whose_root_is_a_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreUnavailable):
        DirectoryStore(tmp_path / "file")


def test_a_store_whose_folder_was_exchanged_is_unavailable(store: DirectoryStore, root: Path) -> None:
    store.put_bytes_once(KEY, b"x")
    root.rename(root.with_name("unmounted"))
    with pytest.raises(StoreUnavailable):
        store.exists(KEY)
    root.mkdir()
    for call in (
        lambda: store.exists(KEY),
        lambda: store.put_bytes_once(OTHER, b"x"),
        lambda: list(store.keys()),
    ):
        with pytest.raises(StoreUnavailable):
            call()
    assert list(root.iterdir()) == []


def test_drafts_a_day_old_are_swept_and_younger_ones_stay(store: DirectoryStore, root: Path) -> None:
    store.put_bytes_once(KEY, b"x")
    old, young = root / ".tmp" / "old", root / ".tmp" / "young"
    for path, age_s in ((old, DAY_S + 60), (young, DAY_S - 60)):
        path.write_bytes(b"left by a killed writer")
        written = (root / KEY).stat().st_mtime - age_s
        os.utime(path, (written, written))
    DirectoryStore(root).put_bytes_once(OTHER, b"x")
    assert drafts(root) == [young]


def test_drafts_are_no_objects(store: DirectoryStore, root: Path) -> None:
    store.put_bytes_once(KEY, b"x")
    (root / ".tmp" / "abc").write_bytes(b"")
    assert list(store.keys()) == [KEY]
    assert list(store.strays()) == []


def test_names_no_key_could_have_are_strays(store: DirectoryStore, root: Path) -> None:
    store.put_bytes_once(KEY, b"x")
    (root / "Thumbs.db").write_bytes(b"")
    (root / "originals" / "ab" / "UPPER").write_bytes(b"")
    assert list(store.keys()) == [KEY]
    assert sorted(store.strays()) == ["Thumbs.db", "originals/ab/UPPER"]


# --- links and other things that are no objects -------------------------------------------


def test_a_link_in_the_place_of_an_object_is_refused(store: DirectoryStore, root: Path, tmp_path: Path) -> None:
    store.put_bytes_once(OTHER, b"x")
    (tmp_path / "secret").write_bytes(DATA)
    (root / KEY).symlink_to(tmp_path / "secret")
    for call in _all_calls(store, KEY, tmp_path):
        with pytest.raises(FixityMismatch):
            call()
    assert sorted(store.keys()) == [KEY, OTHER], "an audit must meet it"


def test_a_dangling_link_in_the_place_of_an_object_is_refused(
    store: DirectoryStore, root: Path, tmp_path: Path
) -> None:
    store.put_bytes_once(OTHER, b"x")
    (root / KEY).symlink_to(tmp_path / "nowhere")
    for call in _all_calls(store, KEY, tmp_path):
        with pytest.raises(FixityMismatch):
            call()
    assert not (tmp_path / "nowhere").exists()


def test_a_link_in_the_place_of_a_folder_is_refused(store: DirectoryStore, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    (outside / "cd").mkdir(parents=True)
    (outside / "cd" / "abcd").write_bytes(DATA)
    (root / "originals").mkdir()
    (root / "originals" / "ab").symlink_to(outside)
    for call in _all_calls(store, KEY, tmp_path):
        with pytest.raises(FixityMismatch):
            call()
    assert list(outside.rglob("*")) == [outside / "cd", outside / "cd" / "abcd"]


def test_a_pipe_or_socket_in_the_place_of_an_object_does_not_hold_the_reader(
    store: DirectoryStore, root: Path, tmp_path: Path
) -> None:
    store.put_bytes_once(OTHER, b"x")
    os.mkfifo(root / KEY)
    for call in _all_calls(store, KEY, tmp_path):
        with pytest.raises(FixityMismatch):
            call()


def test_an_object_is_never_a_folder_too(store: DirectoryStore) -> None:
    store.put_bytes_once("log/a", b"x")
    with pytest.raises(NotFound):
        store.read("log/a/b", limit=1)
    with pytest.raises(Conflict):
        store.put_bytes_once("log/a/b", b"x")
    with pytest.raises(Conflict):
        store.put_bytes_once("log", b"x")


def _all_calls(store: DirectoryStore, key: str, folder: Path) -> list[Callable[[], object]]:
    return [
        lambda: store.read(key, limit=10_000),
        lambda: store.read_range(key, 0, 1),
        lambda: list(store.blocks(key)),
        lambda: store.measure(key),
        lambda: store.size(key),
        lambda: store.exists(key),
        lambda: store.local_file(key).__enter__(),
        lambda: store.put_bytes_once(key, DATA),
        lambda: put(store, key, DATA, folder),
        lambda: put(store, key, DATA, folder, give=True),
    ]


# --- the world is down --------------------------------------------------------------------


@contextmanager
def small_files() -> Iterator[None]:
    """No file of this process may grow past 4,000 bytes: a write stops there, and the next answers EFBIG.

    Around the calls alone: the limit holds for the test runner's own output too, where that is a file.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_stops_in_the_middle_publishes_nothing(store: DirectoryStore, root: Path, source: Path) -> None:
    calls: list[Callable[[], None]] = [
        lambda: store.put_once(KEY, source, digest=digest_of(DATA)),
        lambda: store.put_bytes_once(KEY, DATA),
        lambda: store.replace(CHECKPOINT_KEY, DATA),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable, match="larger than the system allows"), small_files():
            call()
    assert list(store.keys()) == []
    assert drafts(root) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk; the file size limit is tested in its place")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


def test_a_full_disk_is_said_in_words_and_publishes_nothing(small_disk: Path, tmp_path: Path) -> None:
    store = DirectoryStore(small_disk / "objects")
    store.put_bytes_once(OTHER, b"x")
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        put(store, KEY, some_bytes(100_000), tmp_path)
    assert list(store.keys()) == [OTHER]
    put(store, KEY, some_bytes(10_000), tmp_path)
    assert store.measure(KEY) == digest_of(some_bytes(10_000)), "it recovers alone once there is space"


def test_a_read_only_disk_can_be_read_and_refuses_writes_in_words(small_disk: Path, tmp_path: Path) -> None:
    DirectoryStore(small_disk).put_bytes_once(OTHER, b"x")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)  # noqa: S607
    store = DirectoryStore(small_disk)
    assert store.read(OTHER, limit=1) == b"x"
    with pytest.raises(StoreUnavailable, match="read-only"):
        put(store, KEY, DATA, tmp_path)


# --- dying and failing at every call to the system ----------------------------------------

_CALLS = (
    "open",
    "mkdir",
    "readv",
    "write",
    "fchmod",
    "fsync",
    "link",
    "rename",
    "unlink",
    "fstat",
    "listdir",
)


class _Nth:
    """Counts the calls a writer makes to the system and strikes at one of them."""

    def __init__(self, patch: pytest.MonkeyPatch, *, at: int, strike: Callable[[], None]) -> None:
        self.made = 0
        for name in _CALLS:
            patch.setattr(os, name, self._counted(getattr(os, name), at, strike))

    def _counted(self, call: Callable[..., object], at: int, strike: Callable[[], None]) -> Callable[..., object]:
        def counted(*args: object, **kwargs: object) -> object:
            self.made += 1
            if self.made == at:
                strike()
            return call(*args, **kwargs)

        return counted


Write = Callable[[DirectoryStore, Path], None]

WRITES: dict[str, Write] = {
    "copied": lambda store, source: store.put_once(KEY, source, digest=digest_of(DATA)),
    "given": lambda store, source: store.put_once(KEY, source, digest=digest_of(DATA), give=True),
    "bytes": lambda store, source: store.put_bytes_once(KEY, DATA),
    "replaced": lambda store, source: store.replace(CHECKPOINT_KEY, DATA),
}


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _fail() -> None:
    raise OSError(errno.EIO, "Input/output error")


def _forked() -> int:
    # Python warns when another test left a thread behind; the child only calls the system and dies.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.unlink(missing_ok=True)
    source.write_bytes(DATA)
    return source


@pytest.mark.parametrize("how", WRITES)
def test_killed_at_any_call_the_object_is_absent_or_whole_and_a_repeat_completes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    key = CHECKPOINT_KEY if how == "replaced" else KEY
    for at in range(1, 200):
        root, source = tmp_path / f"objects-{at}", _source(tmp_path)
        child = _forked()
        if child == 0:
            with monkeypatch.context() as patch:
                _Nth(patch, at=at, strike=_die)
                WRITES[how](DirectoryStore(root), source)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        store = DirectoryStore(root)
        assert list(store.keys()) in ([], [key])
        assert not store.exists(key) or store.measure(key) == digest_of(DATA)
        WRITES[how](store, source)
        assert store.measure(key) == digest_of(DATA)
        if os.WIFEXITED(status):
            assert at > 15
            return
    pytest.fail("the write never came to its end")


@pytest.mark.parametrize("how", WRITES)
def test_failing_at_any_call_is_an_error_of_ours_and_never_a_false_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    key = CHECKPOINT_KEY if how == "replaced" else KEY
    for at in range(1, 200):
        root, source = tmp_path / f"objects-{at}", _source(tmp_path)
        failure: EvidockError | None = None
        with monkeypatch.context() as patch:
            calls = _Nth(patch, at=at, strike=_fail)
            try:
                WRITES[how](DirectoryStore(root), source)
            except EvidockError as error:
                failure = error
        store = DirectoryStore(root)
        assert not store.exists(key) or store.measure(key) == digest_of(DATA)
        if calls.made < at:
            assert store.exists(key)
            return
        assert isinstance(failure, Unavailable), f"call {at} failed and nobody was told"
        WRITES[how](store, source)
        assert store.measure(key) == digest_of(DATA)
    pytest.fail("the write never came to its end")


# --- order of writes ----------------------------------------------------------------------


@pytest.mark.parametrize("how", WRITES)
def test_bytes_are_durable_before_they_get_a_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    store, source = DirectoryStore(tmp_path / "objects"), _source(tmp_path)
    done: list[str] = []
    with monkeypatch.context() as patch:
        for name in ("fsync", "fchmod", "link", "rename"):
            patch.setattr(os, name, _noted(done, name))
        WRITES[how](store, source)
    at = done.index("rename" if how == "replaced" else "link")
    assert "fsync of a file" in done[done.index("fchmod") : at]
    assert done[at + 1 :] == ["fsync of a folder"]


@pytest.mark.parametrize("how", ["copied", "given", "bytes"])
def test_a_repeat_makes_the_name_durable_that_another_writer_may_just_have_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    store, source = DirectoryStore(tmp_path / "objects"), _source(tmp_path)
    WRITES[how](store, source)
    done: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _noted(done, "fsync"))
        WRITES[how](DirectoryStore(tmp_path / "objects"), source)
    assert set(done) == {"fsync of a folder"}
    assert len(done) == len(KEY.split("/")), "every folder on the way, and the last one for the name"


def _noted(done: list[str], name: str) -> Callable[..., object]:
    call: Callable[..., object] = getattr(os, name)

    def noted(*args: object, **kwargs: object) -> object:
        what = name
        if name == "fsync":
            kind = "folder" if os.path.isdir(f"/proc/self/fd/{args[0]}") else "file"  # noqa: PTH112
            what = f"fsync of a {kind}"
        done.append(what)
        return call(*args, **kwargs)

    return noted


def test_four_processes_putting_one_key_leave_one_whole_object(root: Path, tmp_path: Path) -> None:
    DirectoryStore(root)
    data = some_bytes(2_000_000)
    source = tmp_path / "source"
    source.write_bytes(data)
    program = (
        "import sys, pathlib\n"
        "from evidence.digest import Digest\n"
        "from storage.objects_file import DirectoryStore\n"
        "root, source, key, sha, size = sys.argv[1:]\n"
        "DirectoryStore(pathlib.Path(root)).put_once(key, pathlib.Path(source),\n"
        "    digest=Digest(bytes.fromhex(sha), int(size)))\n"
    )
    argv = [sys.executable, "-c", program, str(root), str(source), KEY, digest_of(data).hex, str(len(data))]
    writers = [subprocess.Popen(argv, cwd=Path(__file__).parents[2]) for _ in range(4)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0, 0]
    store = DirectoryStore(root)
    assert list(store.keys()) == [KEY]
    assert store.measure(KEY) == digest_of(data)
    assert drafts(root) == []
