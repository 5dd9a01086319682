# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a folder in memory: what is asked there has nothing to do with how fast a disk is."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def quick_folder(prefix: str) -> Iterator[Path]:
    """A new folder with a short path, in memory where we may mount; gone at the end.

    Not below `/dev/shm`: behind the walls of a sandbox there is another `/dev`.
    """
    made = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    is_mounted = os.geteuid() == 0 and _runs("mount", "-t", "tmpfs", "-o", "size=4g,mode=0700", "evidock-test", made)
    try:
        yield made
    finally:
        if is_mounted:
            _runs("umount", "-l", made)
        shutil.rmtree(made)


def _runs(*command: str | Path) -> bool:
    return subprocess.run([str(word) for word in command], capture_output=True, check=False).returncode == 0
