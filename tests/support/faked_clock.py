# SPDX-License-Identifier: Apache-2.0
"""This is where processes of a test get a wall clock that the test sets; the monotonic one is left alone."""

from contextlib import suppress
from pathlib import Path

from tests.support.footage import missing

_FOLDERS = ("/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime")
_LIBRARY = "libfaketimeMT.so.1"  # the one for programs with threads
RIGHT = "+0"


class FakedClock:
    """A clock that stands in one file; every process that got `environment` reads it there, each time anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.set(RIGHT)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(_library()),
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",  # times of files are the kernel's
        }

    def set(self, shift: str) -> None:
        """Set it: `+1d`, `-3600`, or `@2026-10-25 02:59:58` in the zone of the process."""
        draft = self._path.with_suffix(".draft")
        draft.write_text(shift)
        draft.replace(self._path)


def _library() -> Path:
    for folder in _FOLDERS:
        with suppress(OSError):
            if (found := Path(folder) / _LIBRARY).exists():
                return found
    missing("libfaketime", remedy="install the package libfaketime")
    raise AssertionError
