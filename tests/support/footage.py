# SPDX-License-Identifier: Apache-2.0
"""This is where tests find the shared real footage, and say loudly when it is not there."""

import os
from pathlib import Path

import pytest

SHARED_MEDIA = Path(__file__).parents[2].parent / "shared" / "media"


def missing(what: str, *, remedy: str) -> None:
    """Skip on a laptop, fail in CI: a test that needs `what` must never vanish there unseen."""
    message = f"NOT TESTED: {what} is missing; {remedy}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def shared_media() -> Path:
    """The folder of real footage beside the checkout."""
    if not SHARED_MEDIA.is_dir():
        missing("the shared footage", remedy="put it at ../shared/media")
    return SHARED_MEDIA
