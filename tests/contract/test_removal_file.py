# SPDX-License-Identifier: Apache-2.0
"""The directory's remover joins the contract, and keeps the promises only a directory can be asked about."""

import os
from pathlib import Path

import pytest

from evidence.errors import FixityMismatch, StoreUnavailable
from storage.objects_file import DirectoryStore
from storage.removal_file import DirectoryRemover
from tests.contract.object_store import KEY
from tests.contract.removal import RemoverContract, now


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "objects"


@pytest.fixture
def store(root: Path) -> DirectoryStore:
    return DirectoryStore(root)


@pytest.fixture
def remover(store: DirectoryStore, root: Path) -> DirectoryRemover:
    return DirectoryRemover(root)


class TestDirectoryRemover(RemoverContract):
    @pytest.fixture
    def same_remover(self, store: DirectoryStore, root: Path) -> DirectoryRemover:
        return DirectoryRemover(root)


def test_a_second_name_elsewhere_is_counted_and_told(
    store: DirectoryStore, remover: DirectoryRemover, root: Path, tmp_path: Path
) -> None:
    store.put_bytes_once(KEY, b"footage")
    (tmp_path / "elsewhere").hardlink_to(root / KEY)
    assert len(remover.traces(KEY)) == 2
    told = remover.remove(KEY, now=now())
    assert told.traces == ("1 other names of the same file on that disk",)
    assert not store.exists(KEY)


def test_the_draft_of_a_killed_write_goes_with_its_object(
    store: DirectoryStore, remover: DirectoryRemover, root: Path
) -> None:
    store.put_bytes_once(KEY, b"footage")
    (root / ".tmp" / "0123").hardlink_to(root / KEY)
    (root / ".tmp" / "other").write_bytes(b"another write")
    told = remover.remove(KEY, now=now())
    assert (told.drafts, told.traces) == (1, ())
    assert os.listdir(root / ".tmp") == ["other"]  # noqa: PTH208


def test_a_link_in_the_place_of_an_object_is_not_followed_and_stays(
    store: DirectoryStore, remover: DirectoryRemover, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "outside").write_bytes(b"not ours")
    (root / KEY).parent.mkdir(parents=True)
    (root / KEY).symlink_to(tmp_path / "outside")
    with pytest.raises(FixityMismatch):
        remover.remove(KEY, now=now())
    assert (tmp_path / "outside").read_bytes() == b"not ours"
    assert (root / KEY).is_symlink()


def test_a_linked_folder_on_the_way_is_not_followed(
    store: DirectoryStore, remover: DirectoryRemover, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside" / "ab" / "cd"
    outside.mkdir(parents=True)
    (outside / "abcd").write_bytes(b"not ours")
    (root / "originals").symlink_to(tmp_path / "outside")
    with pytest.raises(FixityMismatch):
        remover.remove(KEY, now=now())
    assert (outside / "abcd").read_bytes() == b"not ours"


def test_a_store_that_is_not_there_is_unavailable_and_not_empty(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        DirectoryRemover(tmp_path / "no such")


def test_a_store_whose_disk_was_unmounted_does_not_pass_for_gone(
    store: DirectoryStore, remover: DirectoryRemover, root: Path
) -> None:
    store.put_bytes_once(KEY, b"footage")
    root.rename(root.with_name("unmounted"))
    root.mkdir()
    for ask in (lambda: remover.remove(KEY, now=now()), lambda: remover.traces(KEY)):
        with pytest.raises(StoreUnavailable):
            ask()


def test_an_object_that_somebody_writes_again_is_not_called_gone(
    store: DirectoryStore, remover: DirectoryRemover, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_bytes_once(KEY, b"footage")
    unlink = os.unlink

    def unlinked_and_written(path: str, *, dir_fd: int | None = None) -> None:
        unlink(path, dir_fd=dir_fd)
        monkeypatch.setattr(os, "unlink", unlink)
        store.put_bytes_once(KEY, b"footage")

    monkeypatch.setattr(os, "unlink", unlinked_and_written)
    with pytest.raises(StoreUnavailable, match="again"):
        remover.remove(KEY, now=now())
