# SPDX-License-Identifier: Apache-2.0
"""This is where ffmpeg is looked for: on PATH, in the wheel, where a setting says, and nowhere."""

import time
from pathlib import Path

import pytest

from evidence.errors import ToolMissing
from pipeline.media import tools
from pipeline.media.tools import find_ffmpeg

ANSWERS = """#!/bin/sh
case "$*" in *-version*) echo "ffmpeg version {version} Copyright";; *) echo " V....D {encoder} x";; esac
"""


def impostor(folder: Path, version: str, encoder: str = "libx264") -> Path:
    program = folder / "ffmpeg"
    program.write_text(ANSWERS.format(version=version, encoder=encoder))
    program.chmod(0o700)
    return program


def test_ffmpeg_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = impostor(tmp_path, "5.1.9-0+deb12u1")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    found = find_ffmpeg()
    assert (found.name, found.version, found.program) == ("ffmpeg", "5.1.9-0+deb12u1", program)


def test_the_wheel_is_used_when_there_is_none_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    assert "imageio_ffmpeg" in str(find_ffmpeg().program)


def test_a_build_that_cannot_make_h264_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    impostor(tmp_path, "7.0", encoder="libopenh264")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert "imageio_ffmpeg" in str(find_ffmpeg().program)


def test_a_setting_overrides_both(tmp_path: Path) -> None:
    assert find_ffmpeg(str(impostor(tmp_path, "6.0"))).version == "6.0"


@pytest.mark.parametrize("setting", ["/nowhere/ffmpeg", "/bin/true", "no-such-ffmpeg"])
def test_a_setting_that_is_not_ffmpeg_is_refused_and_not_replaced(setting: str) -> None:
    with pytest.raises(ToolMissing, match="install"):
        find_ffmpeg(setting)


def test_no_ffmpeg_at_all_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(tools, "_WHEEL", "no_such_wheel")

    with pytest.raises(ToolMissing, match="install"):
        find_ffmpeg()


def test_an_upgrade_in_place_is_noticed(tmp_path: Path) -> None:
    program = impostor(tmp_path, "6.0")
    before = find_ffmpeg(str(program)).version
    time.sleep(0.01)
    impostor(tmp_path, "6.1")

    assert (before, find_ffmpeg(str(program)).version) == ("6.0", "6.1")
