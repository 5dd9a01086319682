# SPDX-License-Identifier: Apache-2.0
"""This is where a randomised test gets its seed, says how to replay it, and learns how long it may run."""

import os
import random
import secrets
import subprocess
from pathlib import Path

CHAOS = "EVIDOCK_CHAOS"
_PROJECT = Path(__file__).parents[2]


def is_long() -> bool:
    """True under `make chaos`: the numbers of a release, not those of every landing."""
    return os.environ.get(CHAOS) == "long"


def times(landing: int, release: int) -> int:
    """How often to do it: `landing` in `make test`, `release` under `make chaos`."""
    return release if is_long() else landing


def seeded(name: str) -> random.Random:
    """Chance for one test, with the words that repeat it; CHAOS_SEED chooses the seed."""
    seed = int(os.environ.get("CHAOS_SEED") or secrets.randbits(32))
    told = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=_PROJECT, capture_output=True, text=True)  # noqa: S607
    commit = told.stdout.strip() or "no commit"
    print(f"\n{name}: seed {seed}, commit {commit}; replay: CHAOS_SEED={seed} make chaos ARGS='-k {name}'")
    return random.Random(f"{name} {seed}")
