# SPDX-License-Identifier: Apache-2.0
"""This is where keys are spelt, and nowhere else: what rests under which name in the object store.

| key | what | written |
|---|---|---|
| `originals/ab/cd/<sha256>` | an Original, byte for byte | once |
| `originals/ab/cd/<sha256>.chunks` | leaf hashes of its chunk tree, 32 raw bytes each | once |
| `originals/ab/cd/<sha256>.packets` | its packet table | once |
| `originals/ab/cd/<sha256>.receipt` | the signed Receipt, leave to erase | once |
| `derivatives/ab/cd/<sha256>` | a Derivative | once |
| `details/ab/cd/<sha256>` | a salted detail file: names, case numbers, file names | once |
| `manifests/ab/cd/<sha256>` | a dock's list of all that a device held, made before anything was copied | once |
| `attachments/ab/cd/<sha256>` | what came along with a recording: a terminal's signed word, bookmarks, a track | once |
| `envelopes/originals/ab/cd/<sha256>.key` | the wrapped data key of an Original and its tables, if enveloped | once |
| `envelopes/derivatives/ab/cd/<sha256>.key` | the wrapped data key of a Derivative, if enveloped | once |
| `log/checkpoint` | the newest checkpoint: the only pointer | replaced |
| `log/tile/<level>/<n>[.p/<width>]` | hashes of the custody log (C2SP tlog-tiles) | once |
| `log/tile/entries/<n>[.p/<width>]` | its entry bundles | once |
| `log/checkpoints/<size>` | every checkpoint ever signed | once |
| `log/tokens/<size>/<authority>/<sha256>.tsr` | a time token over the checkpoint of that size | once |

What rests in an envelope is named and measured by its plaintext; the receipt, details and the log never do.

`ab` and `cd` are the first four digits of the SHA-256: 16 million objects make folders of about 256 names.
`<n>` and `<size>` are written as tlog-tiles writes an index: groups of three digits, all but the last with an
`x` before them (1234067 is `x001/x234/067`). Keys hold lower case only and are at most 200 bytes: safe on
file systems that fold case, and in every S3 service.

Source: C2SP tlog-tiles, "Merkle Tree" and "Log Entries".
"""

import re

from evidence.errors import BadInput

CHECKPOINT_KEY = "log/checkpoint"
ORIGINALS_PREFIX = "originals/"
DERIVATIVES_PREFIX = "derivatives/"
ENVELOPES_PREFIX = "envelopes/"
CHECKPOINTS_PREFIX = "log/checkpoints/"
TOKENS_PREFIX = "log/tokens/"
TILE_WIDTH = 256

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_AUTHORITY = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
_ORIGINAL = re.compile(r"originals/([0-9a-f]{2})/([0-9a-f]{2})/(\1\2[0-9a-f]{60})", re.ASCII)
_RECEIPT = ".receipt"
_TABLES = (".chunks", ".packets")
_WRAPPED = ".key"
_LARGEST_INDEX = 2**63 - 1
_HIGHEST_LEVEL = 63


def is_pointer(key: str) -> bool:
    """True for the few keys whose object may be replaced; everything else is written once."""
    return key == CHECKPOINT_KEY


def original_key(sha256: str) -> str:
    """Key of the Original with this SHA-256 (64 lower-case hexadecimal digits).

    Raises:
        BadInput: the text is no such digest. So do all functions here that take one.

    """
    return _by_digest("originals", sha256)


def original_of(key: str) -> str | None:
    """SHA-256 of the Original that rests under `key`, or None when the key is of another thing."""
    match = _ORIGINAL.fullmatch(key)
    return match[3] if match else None


def chunks_key(sha256: str) -> str:
    """Key of the chunk leaf hashes of the Original with this SHA-256."""
    return f"{original_key(sha256)}.chunks"


def packets_key(sha256: str) -> str:
    """Key of the packet table of the Original with this SHA-256."""
    return f"{original_key(sha256)}.packets"


def receipt_key(sha256: str) -> str:
    """Key of the Receipt of the Original with this SHA-256."""
    return f"{original_key(sha256)}{_RECEIPT}"


def derivative_key(sha256: str) -> str:
    """Key of the Derivative whose own bytes have this SHA-256."""
    return _by_digest("derivatives", sha256)


def detail_key(sha256: str) -> str:
    """Key of the detail file whose own bytes have this SHA-256."""
    return _by_digest("details", sha256)


def manifest_key(sha256: str) -> str:
    """Key of the dock manifest whose own bytes have this SHA-256."""
    return _by_digest("manifests", sha256)


def attachment_key(sha256: str) -> str:
    """Key of the attachment whose own bytes have this SHA-256."""
    return _by_digest("attachments", sha256)


def envelope_key_of(key: str) -> str | None:
    """Key of the wrapped data key that opens `key` when it rests in an envelope; None when its kind never does.

    An Original and its tables share one; a Derivative has its own, also one whose bytes are those of an Original.
    """
    if not key.startswith((ORIGINALS_PREFIX, DERIVATIVES_PREFIX)) or key.endswith(_RECEIPT):
        return None
    for ending in _TABLES if key.startswith(ORIGINALS_PREFIX) else ():
        key = key.removesuffix(ending)
    return f"{ENVELOPES_PREFIX}{key}{_WRAPPED}"


def enveloped_under(envelope_key: str) -> tuple[str, ...]:
    """The keys that the wrapped data key under `envelope_key` opens, whether or not anything rests there."""
    key = envelope_key.removeprefix(ENVELOPES_PREFIX).removesuffix(_WRAPPED)
    tables = _TABLES if key.startswith(ORIGINALS_PREFIX) else ()
    return (key, *(f"{key}{ending}" for ending in tables))


def tile_key(level: int, index: int, *, width: int = TILE_WIDTH) -> str:
    """Key of hash tile `index` of `level`; a `width` below 256 names the partial tile.

    Raises:
        BadInput: a level, index or width that no log has.

    """
    if not 0 <= level <= _HIGHEST_LEVEL:
        raise BadInput(f"no log has a tile level {level}", level=level)
    return f"log/tile/{level}/{_index_path(index)}{_partial(width)}"


def entries_key(index: int, *, width: int = TILE_WIDTH) -> str:
    """Key of entry bundle `index`; a `width` below 256 names the partial bundle.

    Raises:
        BadInput: an index or width that no log has.

    """
    return f"log/tile/entries/{_index_path(index)}{_partial(width)}"


def checkpoint_key(size: int) -> str:
    """Key under which the checkpoint of `size` entries stays for good.

    Raises:
        BadInput: a size that no log has.

    """
    return f"{CHECKPOINTS_PREFIX}{_index_path(size)}"


def token_prefix(size: int) -> str:
    """What the keys of all time tokens over the checkpoint of `size` entries begin with.

    Raises:
        BadInput: a size that no log has.

    """
    return f"{TOKENS_PREFIX}{_index_path(size)}/"


def token_key(size: int, authority: str, sha256: str) -> str:
    """Key of one time token: checkpoint size, short name of the authority, SHA-256 of the token.

    Raises:
        BadInput: the name is not 1 to 40 of `a-z 0-9 -`, or another part is none.

    """
    if not _AUTHORITY.fullmatch(authority):
        raise BadInput(f"not a short name of an authority: {authority[:80]!r}", authority=authority)
    return f"{token_prefix(size)}{authority}/{_checked(sha256)}.tsr"


def _by_digest(folder: str, sha256: str) -> str:
    name = _checked(sha256)
    return f"{folder}/{name[:2]}/{name[2:4]}/{name}"


def _checked(sha256: str) -> str:
    if not _SHA256.fullmatch(sha256):
        raise BadInput(f"not a SHA-256 in lower-case hexadecimal: {sha256[:80]!r}", sha256=sha256)
    return sha256


def _index_path(index: int) -> str:
    if not 0 <= index <= _LARGEST_INDEX:
        raise BadInput(f"no log has an index or size {index}", index=index)
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    return "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])


def _partial(width: int) -> str:
    if not 1 <= width <= TILE_WIDTH:
        raise BadInput(f"no tile is {width} wide", width=width)
    return "" if width == TILE_WIDTH else f".p/{width}"
