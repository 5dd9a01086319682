# SPDX-License-Identifier: Apache-2.0
"""This is where opening beneath a folder is tested, with the kernel's own walk and with ours."""

import os
import socket
from pathlib import Path

import pytest

from devices.safe_open import open_beneath, open_folder, open_root
from evidence.errors import BadInput, NotFound, SourceUnavailable
from evidence.offer import from_raw

both_walks = pytest.mark.parametrize("in_one_call", [True, False], ids=["openat2", "part-by-part"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_bytes(b"secret")
    root = tmp_path / "dock"
    (root / "DCIM/video").mkdir(parents=True)
    (root / "DCIM/video/a.mp4").write_bytes(b"footage")
    return root


@both_walks
def test_a_plain_file_beneath_the_folder_is_read(root: Path, in_one_call: bool) -> None:
    with open_beneath(root, "DCIM/video/a.mp4", in_one_call=in_one_call) as file:
        assert file.read() == b"footage"
        assert os.get_blocking(file.fileno())


@both_walks
def test_a_name_that_is_not_utf8_is_opened_by_its_bytes(root: Path, in_one_call: bool) -> None:
    name = "视频.mp4".encode("gb18030")
    (Path(os.fsdecode(os.fsencode(root) + b"/" + name))).write_bytes(b"gbk")
    with open_beneath(root, from_raw(name), in_one_call=in_one_call) as file:
        assert file.read() == b"gbk"


@both_walks
@pytest.mark.parametrize("path", ["../secret", "DCIM/../../secret", "/etc/passwd", "", "DCIM//video/a.mp4", "a\x00b"])
def test_a_path_that_leaves_the_folder_is_refused(root: Path, path: str, in_one_call: bool) -> None:
    with pytest.raises(BadInput):
        open_beneath(root, path, in_one_call=in_one_call)


@both_walks
@pytest.mark.parametrize("target", ["../../../secret", "a.mp4", "{tmp}/secret", "/proc/self/fd/0", "nowhere"])
def test_a_link_in_place_of_a_file_is_refused_wherever_it_leads(root: Path, target: str, in_one_call: bool) -> None:
    (root / "DCIM/video/b.mp4").symlink_to(target.format(tmp=root.parent))
    with pytest.raises(BadInput):
        open_beneath(root, "DCIM/video/b.mp4", in_one_call=in_one_call)


@both_walks
def test_a_link_in_place_of_a_folder_is_refused_even_when_it_stays_inside(root: Path, in_one_call: bool) -> None:
    (root / "inside").symlink_to("DCIM")
    (root / "outside").symlink_to(root.parent)
    for path in ("inside/video/a.mp4", "outside/secret"):
        with pytest.raises(BadInput):
            open_beneath(root, path, in_one_call=in_one_call)


@both_walks
def test_a_pipe_is_refused_at_once_and_not_waited_for(root: Path, in_one_call: bool) -> None:
    os.mkfifo(root / "pipe.mp4")
    with pytest.raises(BadInput, match=r"not a regular file: pipe\.mp4 \(p\)"):
        open_beneath(root, "pipe.mp4", in_one_call=in_one_call)


@both_walks
def test_a_socket_a_folder_and_a_file_used_as_a_folder_are_refused(root: Path, in_one_call: bool) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "s.mp4"))
        for path in ("s.mp4", "DCIM", "DCIM/video/a.mp4/b"):
            with pytest.raises(BadInput):
                open_beneath(root, path, in_one_call=in_one_call)


@both_walks
def test_a_device_node_is_refused_without_being_opened(root: Path, in_one_call: bool) -> None:
    # /dev/full acts on no open; the folder it lies in stands for a card that was mounted without nodev.
    with pytest.raises(BadInput, match=r"\(c\)"):
        open_beneath(Path("/dev"), "full", in_one_call=in_one_call)


@both_walks
def test_what_is_not_there_is_not_found(root: Path, in_one_call: bool) -> None:
    for path in ("b.mp4", "DCIM/audio/a.mp4"):
        with pytest.raises(NotFound):
            open_beneath(root, path, in_one_call=in_one_call)


def test_a_folder_that_has_gone_is_unavailable(root: Path) -> None:
    with pytest.raises(SourceUnavailable):
        open_beneath(root / "gone", "a.mp4")


def test_the_operator_s_own_folder_may_be_a_link(root: Path) -> None:
    (root.parent / "link").symlink_to(root)
    with open_beneath(root.parent / "link", "DCIM/video/a.mp4") as file:
        assert file.read() == b"footage"


@both_walks
def test_a_name_longer_than_any_file_system_takes_is_refused(root: Path, in_one_call: bool) -> None:
    with pytest.raises(BadInput):
        open_beneath(root, "x" * 300, in_one_call=in_one_call)


def test_a_path_longer_than_one_call_takes_is_opened_part_by_part(root: Path) -> None:
    with open_root(root) as at:
        here = os.dup(at)
        for _ in range(25):
            os.mkdir("d" * 200, dir_fd=here)
            inner = os.open("d" * 200, os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
        os.close(os.open("deep.mp4", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.close(here)
    open_beneath(root, "/".join(["d" * 200] * 25 + ["deep.mp4"])).close()


def test_refusals_leave_no_descriptor_open(root: Path) -> None:
    os.mkfifo(root / "pipe.mp4")
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    for path in ("pipe.mp4", "DCIM", "b.mp4", "../secret", "DCIM/video/a.mp4"):
        for in_one_call in (True, False):
            try:
                open_beneath(root, path, in_one_call=in_one_call).close()
            except (BadInput, NotFound):
                continue
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before


def test_only_a_folder_is_opened_as_a_folder(root: Path) -> None:
    (root / "inside").symlink_to("DCIM")
    with open_root(root) as at:
        os.close(open_folder(at, "DCIM/video"))
        for path in ("inside", "inside/video", "DCIM/video/a.mp4"):
            with pytest.raises(BadInput):
                open_folder(at, path)
