# SPDX-License-Identifier: Apache-2.0
"""This is where a large object is cut into parts: a function of its size alone, so that a resumed upload cuts alike.

Source: Amazon S3 user guide, "Multipart upload limits": 10,000 parts, 5 MiB to 5 GiB each.
"""

import hashlib
import re

PART_SIZE = 16 << 20
_MOST_PARTS = 10_000
_MIB = 1 << 20
_ETAG = re.compile(r"([0-9a-f]{32})(?:-([0-9]{1,5}))?", re.ASCII)


def part_size_of(size_bytes: int) -> int:
    """Bytes of every part but the last of an object of this size; the object is put at once when it is no larger."""
    least = -(-size_bytes // _MOST_PARTS)
    return max(PART_SIZE, -(-least // _MIB) * _MIB)


class EtagCheck:
    """What the ETag of an object would be had it arrived as these bytes, if the service makes ETags of MD5s.

    It vouches for nothing at rest. It tells a body that was changed on its way to us from one that rests so.
    """

    def __init__(self, etag: str, size_bytes: int) -> None:
        self._etag, self._part_size = etag, part_size_of(size_bytes)
        match = _ETAG.fullmatch(etag)
        count = match.group(2) if match else None
        # Another's part size, or an encrypted object: its ETag tells nothing.
        self.is_usable = match is not None and (count is None or int(count) == -(-size_bytes // self._part_size))
        self._is_composite = count is not None
        self._done: list[bytes] = []
        self._open, self._filled = hashlib.md5(usedforsecurity=False), 0

    def update(self, piece: bytes) -> None:
        """Go on with the next bytes."""
        if not self.is_usable:
            return
        rest = memoryview(piece)
        while rest:
            take = len(rest) if not self._is_composite else min(len(rest), self._part_size - self._filled)
            self._open.update(rest[:take])
            self._filled += take
            rest = rest[take:]
            if self._is_composite and self._filled == self._part_size:
                self._close()

    def holds(self) -> bool:
        """True when all bytes together have the ETag."""
        if not self._is_composite:
            return self._open.hexdigest() == self._etag
        if self._filled:
            self._close()
        return composite(self._done) == self._etag

    def _close(self) -> None:
        self._done.append(self._open.digest())
        self._open, self._filled = hashlib.md5(usedforsecurity=False), 0


def composite(md5s: list[bytes]) -> str:
    """The ETag of an object of parts with these MD5s, where a service makes it so."""
    return f"{hashlib.md5(b''.join(md5s), usedforsecurity=False).hexdigest()}-{len(md5s)}"
