# SPDX-License-Identifier: Apache-2.0
"""This is where names of nouns are made: short, typed, and functions of what they name.

A name derived from its source makes a repeat meet its earlier self: the same offer always
becomes the same recording, the same segment number the same segment.
"""

import base64
import hashlib


def recording_id(offer_id: str) -> str:
    """The recording that `offer_id` becomes: `rec-` and 20 characters of base32 (100 bits)."""
    return "rec-" + _short(b"recording\n" + offer_id.encode())


def segment_id(recording: str, number: int) -> str:
    """The segment number `number` (from 0) of a recording."""
    return f"{recording}.{number:05d}"


def job_id(step: str, subject: str) -> str:
    """The one job that runs `step` on `subject`."""
    return f"{step}:{subject}"


def stream_of(noun: str, name: str) -> str:
    """The custody stream of a noun, such as `recording/rec-…`: every event about it, gapless."""
    return f"{noun}/{name}"


def opaque(prefix: str, chance: bytes) -> str:
    """A name made of `chance`, for nouns whose own names must not stand in the public log."""
    return f"{prefix}-{base64.b32encode(chance).decode().lower()}"


def _short(data: bytes) -> str:
    return base64.b32encode(hashlib.sha256(data).digest()).decode().lower()[:20]
