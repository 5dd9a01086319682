# SPDX-License-Identifier: Apache-2.0
"""This is where the output of a program is received: kept within a bound, or handed on as it comes."""

from collections.abc import Callable
from dataclasses import dataclass, field

from evidence.errors import BadInput, Undecodable

_TAIL_BYTES = 1 << 14
_LINE_MAX_BYTES = 1 << 16


@dataclass(slots=True)
class Tail:
    """Keeps the last bytes of a stream."""

    _kept: bytearray = field(default_factory=bytearray)

    def take(self, piece: bytes) -> None:
        """Take one piece; older bytes are forgotten."""
        self._kept += piece
        del self._kept[:-_TAIL_BYTES]

    @property
    def text(self) -> str:
        """The last bytes as text, whatever they are."""
        return self._kept.decode("utf-8", "replace")


@dataclass(slots=True)
class Collected:
    """Keeps a whole stream, up to a bound."""

    max_bytes: int
    _kept: bytearray = field(default_factory=bytearray)

    def take(self, piece: bytes) -> None:
        """Take one piece.

        Raises:
            Undecodable: the bound is passed.
        """
        if len(self._kept) + len(piece) > self.max_bytes:
            raise Undecodable(f"more than {self.max_bytes} bytes of output", limit="stdout_bytes")
        self._kept += piece

    def finish(self) -> None:
        """Nothing is held back."""

    @property
    def kept(self) -> bytes:
        """All that was taken."""
        return bytes(self._kept)


@dataclass(slots=True)
class Lines:
    """Hands a stream on line by line."""

    on_line: Callable[[str], None]
    kept: bytes = b""
    _rest: bytes = b""

    def take(self, piece: bytes) -> None:
        """Take one piece; every line it completes is handed on, without its newline.

        Raises:
            Undecodable: a line does not end.
        """
        *lines, self._rest = (self._rest + piece).split(b"\n")
        if len(self._rest) > _LINE_MAX_BYTES:
            raise Undecodable(f"a line of more than {_LINE_MAX_BYTES} bytes", limit="line_bytes")
        for line in lines:
            self.on_line(line.decode("utf-8", "replace"))

    def finish(self) -> None:
        """Hand on a last line that has no newline."""
        if self._rest:
            self.on_line(self._rest.decode("utf-8", "replace"))


@dataclass(slots=True)
class Pieces:
    """Hands a stream on as it comes."""

    take: Callable[[bytes], None]
    kept: bytes = b""

    def finish(self) -> None:
        """Nothing is held back."""


def receiver(
    on_line: Callable[[str], None] | None, on_bytes: Callable[[bytes], None] | None, max_bytes: int
) -> Collected | Lines | Pieces:
    """The receiver that fits: lines, pieces, or all of it up to `max_bytes`.

    Raises:
        BadInput: both kinds of callback are given.
    """
    if on_line and on_bytes:
        raise BadInput("standard output goes to on_line or to on_bytes, not to both")
    if on_line:
        return Lines(on_line)
    return Pieces(on_bytes) if on_bytes else Collected(max_bytes)
