# SPDX-License-Identifier: Apache-2.0
"""This is where the names of a pack's files are spelt, for those who write one and those who check one.

No name comes from a camera, a card or a case: ids, numbers and words of ours, in letters that every file system and
every tool takes as they are.

Source: RFC 8493 §2.
"""

import re

FORM = "evidock/pack/v1"
DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"

BAGIT, BAG_INFO, MANIFEST, TAG_MANIFEST = "bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"
NOTE = "pack.note"
TAGS = frozenset({BAGIT, BAG_INFO, MANIFEST, TAG_MANIFEST, NOTE})
FETCH = "fetch.txt"

PAYLOAD = "data/"
INDEX = "data/pack.json"
CASE = "data/case.json"
COVERAGE = "data/coverage.json"
REPORT = "data/report.html"
READMES = ("data/README.en.txt", "data/README.zh-CN.txt")
CHECKPOINT = "data/log/checkpoint"
CONSISTENCY = "data/log/consistency.json"
KEYS = "data/keys/agency.keys"
ANCHORS = "data/keys/anchors.pem"

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}"
_NAME = re.compile(rf"{_PART}(/{_PART}){{0,7}}", re.ASCII)

# What a container's bytes are called when they are handed out; anything else is `.bin`.
_ENDINGS = {
    "aac": "aac", "amr": "amr", "asf": "wmv", "avi": "avi", "flac": "flac", "flv": "flv", "heif": "heic",
    "jpeg": "jpg", "matroska": "mkv", "mov": "mov", "mp3": "mp3", "mp4": "mp4", "mpegps": "mpg", "mpegts": "ts",
    "ogg": "ogg", "png": "png", "text-track": "txt", "wav": "wav", "webp": "webp",
}  # fmt: skip


def is_name(text: str) -> bool:
    """True for names that a pack of ours may hold: short, relative, in plain letters, without `.` or `..`."""
    return _NAME.fullmatch(text) is not None


def original_name(recording: str, position: int, container: str | None) -> str:
    """The name of an original."""
    number = f"-{position + 1}" if position else ""
    return f"data/originals/{recording}{number}.{_ENDINGS.get(container or '', 'bin')}"


def receipt_name(recording: str, position: int) -> str:
    """The name of an original's receipt."""
    return f"data/receipts/{recording}{f'-{position + 1}' if position else ''}.receipt"


def clip_name(recording: str, number: int) -> str:
    """The name of a recording's clip; its proof is beside it."""
    return f"data/clips/{recording}-{number}.mp4"


def proof_name(clip: str) -> str:
    """The name of a clip's proof."""
    return f"{clip}.proof.json"


def note_name(stream: str, seq: int) -> str:
    """The name of one event of a stream."""
    return f"data/custody/{stream}/{seq:05d}.note"


def inclusion_name(stream: str) -> str:
    """The name of the file that says where a stream's events are in the log, and proves it."""
    return f"data/custody/{stream}/inclusion.json"


def detail_name(sha256: str) -> str:
    """The name of an event's detail."""
    return f"data/details/{sha256}.json"


def checkpoint_name(size: int) -> str:
    """The name of an older checkpoint, which time tokens are over."""
    return f"data/log/checkpoints/{size}"


def token_name(size: int, authority: str, sha256: str) -> str:
    """The name of a time token."""
    return f"data/log/tokens/{size}/{authority}-{sha256[:16]}.tsr"
