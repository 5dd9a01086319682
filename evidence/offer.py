# SPDX-License-Identifier: Apache-2.0
"""This is where an Offer is a value: a file that a dock says is complete, and is not evidence yet.

A name on a camera's card may be any bytes but NUL and slash. Here a name is text made of those bytes
as UTF-8, each byte that is not UTF-8 standing as a lone surrogate (PEP 383), whatever the locale of the
machine: `raw` gives the very bytes back. Names are kept and shown; no path of ours is ever built from one.
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from evidence.errors import BadInput

# What would let a name forge a line of a log, or be read otherwise than it is stored: controls, line and
# paragraph separators, marks that turn the direction of writing or show nothing, and bytes outside UTF-8.
_UNSHOWABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_ESCAPE = re.compile(r"\\(\\|x[0-9a-f]{2}|u[0-9a-f]{4})")


def raw(name: str) -> bytes:
    """The bytes that `name` stands for, as they rest on the card.

    Raises:
        BadInput: the text stands for no bytes (a surrogate that PEP 383 does not make).
    """
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise BadInput(f"not the name of a file: {name!r}", name=name) from error


def from_raw(name: bytes) -> str:
    """The text that stands for the bytes of a name; `raw` is its inverse."""
    return name.decode("utf-8", "surrogateescape")


def is_showable(text: str) -> bool:
    """True when every character of `text` is seen as it is: no control, no direction mark, no broken byte."""
    return _UNSHOWABLE.search(text) is None


def showable(name: str) -> str:
    r"""`name` on one line of plain UTF-8: `\\` for a backslash, `\xff` for a byte, `\u202e` for a mark.

    Different names are shown differently, and `from_showable` gives the name back.
    """
    return _UNSHOWABLE.sub(_escaped, name.replace("\\", "\\\\"))


def from_showable(text: str) -> str:
    """The name that `showable` wrote.

    Raises:
        BadInput: `showable` writes no such text.
    """
    name = _ESCAPE.sub(_unescaped, text)
    if showable(name) != text:
        raise BadInput(f"not a name as we write it: {text!r}")
    return name


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # PEP 383: the byte 0x80 … 0xFF itself
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}"


def _unescaped(match: re.Match[str]) -> str:
    form = match.group(1)
    if form == "\\":
        return "\\"
    code = int(form[1:], 16)
    return chr(code + 0xDC00) if form[0] == "x" else chr(code)


@dataclass(frozen=True, slots=True)
class Offer:
    """A settled file of a dock: where it lies under the dock's folder, and how it looked when it was quiet.

    `path` is relative and POSIX; `mtime_ns` is what the file system says, in nanoseconds since 1970, and is
    a claim like any other: cameras write 1980, or local time as if it were UTC.

    Raises:
        BadInput: the path leaves the dock's folder, or is empty, or a size is negative.
    """

    dock: str
    path: str
    name: str
    size_bytes: int
    mtime_ns: int

    def __post_init__(self) -> None:
        check_relative(self.path)
        if not self.name or self.size_bytes < 0:
            raise BadInput(f"not an offer: name {self.name!r}, {self.size_bytes} bytes")

    @property
    def id(self) -> str:
        """`ofr-` and 20 characters: the same five fields give the same id, on every machine, for ever.

        The first 100 bits of SHA-256 (lower-case base32, RFC 4648 §6) over `evidock-offer-v1` and the five
        fields, each written as its length in bytes, a colon, its bytes and a comma, so that no two offers
        run together into the same text.
        """
        fields = (
            raw(self.dock),
            raw(self.path),
            raw(self.name),
            b"%d" % self.size_bytes,
            b"%d" % self.mtime_ns,
        )
        told = b"".join(b"%d:%s," % (len(field), field) for field in (b"evidock-offer-v1", *fields))
        return "ofr-" + base64.b32encode(hashlib.sha256(told).digest()).decode("ascii").lower()[:20]

    def to_json(self) -> dict[str, str | int]:
        """The offer as canonical JSON takes it: names are `showable`, so broken bytes survive the way."""
        return {
            "dock": showable(self.dock),
            "mtime_ns": str(self.mtime_ns),  # as text: it is larger than JSON numbers hold exactly
            "name": showable(self.name),
            "path": showable(self.path),
            "size_bytes": self.size_bytes,
        }

    @classmethod
    def from_json(cls, told: dict[str, str | int]) -> "Offer":
        """The offer that `to_json` wrote.

        Raises:
            BadInput: a field is missing or of another form.
        """
        try:
            return cls(
                dock=from_showable(str(told["dock"])),
                path=from_showable(str(told["path"])),
                name=from_showable(str(told["name"])),
                size_bytes=int(told["size_bytes"]),
                mtime_ns=int(told["mtime_ns"]),
            )
        except (KeyError, ValueError) as error:
            raise BadInput(f"not an offer: {error}") from error


def check_relative(path: str) -> tuple[str, ...]:
    """The parts of a relative path that stays beneath where it starts.

    Raises:
        BadInput: it is empty or absolute, holds NUL, or has an empty, `.` or `..` part.
    """
    parts = tuple(path.split("/"))
    if "\x00" in path or not {"", ".", ".."}.isdisjoint(parts):
        raise BadInput(f"not a path beneath a folder: {showable(path)}", path=path)
    raw(path)
    return parts
