# SPDX-License-Identifier: Apache-2.0
"""This is where a checkpoint is defined: the size and root of a log, as the text that is signed."""

import base64
import binascii
import re
from dataclasses import dataclass

from evidence.errors import RecordMalformed
from evidence.merkle import EMPTY_ROOT, HASH_SIZE, MAX_SIZE

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Number of leaves and root hash of the log that calls itself `origin`.

    Extension lines are opaque: no monitor can audit them, so `parse` refuses them unless asked.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lines = (self.origin, *self.extensions)
        if not all(line and all(character >= " " for character in line) for line in lines):
            raise RecordMalformed("an origin or extension line is empty or holds control characters")
        if not 0 <= self.size <= MAX_SIZE or len(self.root) != HASH_SIZE:
            raise RecordMalformed(f"no tree has size {self.size} and a root of {len(self.root)} bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise RecordMalformed("an empty log has another root than the empty tree's")

    def to_text(self) -> str:
        """The note text that is signed. Source: C2SP tlog-checkpoint, Note text."""
        root = base64.b64encode(self.root).decode()
        return "".join(f"{line}\n" for line in (self.origin, str(self.size), root, *self.extensions))


def parse(text: str, *, allow_extensions: bool = False) -> Checkpoint:
    """The checkpoint whose `to_text` is exactly `text`: the text of an opened note, not the note itself.

    Raises:
        RecordMalformed: another form (a size with leading zeros, a CR, a root that is not 32 bytes of
            canonical base64), or extension lines that were not allowed.

    Source: C2SP tlog-checkpoint, Note text.
    """
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < 3 or (len(lines) > 3 and not allow_extensions):
        raise RecordMalformed(f"a checkpoint has three lines, not {len(lines)}")
    origin, size, root, *extensions = lines
    if _SIZE.fullmatch(size) is None:
        raise RecordMalformed(f"not the size of a log: {size[:40]!r}")
    try:
        checkpoint = Checkpoint(origin, int(size), base64.b64decode(root, validate=True), tuple(extensions))
    except (binascii.Error, ValueError) as error:
        raise RecordMalformed(f"not a root hash: {root[:80]!r}") from error
    if checkpoint.to_text() != text:
        raise RecordMalformed("a checkpoint in another spelling than its own")
    return checkpoint
