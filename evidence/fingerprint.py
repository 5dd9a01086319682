# SPDX-License-Identifier: Apache-2.0
"""This is where likeness of footage is a value: what was seen, in bits that survive re-encoding.

A fingerprint only resembles; it proves nothing (a digest does). Bytes, all big-endian: "EVDKFPR1", rate
as numerator and denominator (u32 each), count of samples (u32); then for each sample 32 bytes of look,
16 of motion and 1 of texture.
"""

import struct
from dataclasses import dataclass
from fractions import Fraction

from evidence.errors import RecordMalformed

LOOK_BITS = 256
MOTION_BITS = 128

_MAGIC = b"EVDKFPR1"
_HEADER = struct.Struct(">8sIII")
_SAMPLE = struct.Struct(">32s16sB")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What was seen at 0, 1/rate, 2/rate … seconds.

    looks: the picture, 256 bits. motions: what changed since the sample before, 64 bits of "brighter
    here" and 64 of "darker here". textures: how much there was to see, 0 for an even surface.

    Raises:
        RecordMalformed: columns of unequal length, bits out of range, or no rate.
    """

    rate: Fraction
    looks: tuple[int, ...]
    motions: tuple[int, ...]
    textures: bytes

    def __post_init__(self) -> None:
        if not len(self.looks) == len(self.motions) == len(self.textures):
            raise RecordMalformed("a fingerprint has one look, motion and texture for each sample")
        if self.rate <= 0:
            raise RecordMalformed(f"not a rate of samples: {self.rate}")
        for values, bits in ((self.looks, LOOK_BITS), (self.motions, MOTION_BITS)):
            if any(value < 0 or value >> bits for value in values):
                raise RecordMalformed(f"a sample has more than {bits} bits")

    def __len__(self) -> int:
        return len(self.looks)

    def to_bytes(self) -> bytes:
        """The one spelling of this fingerprint; 49 bytes a sample."""
        head = _HEADER.pack(_MAGIC, self.rate.numerator, self.rate.denominator, len(self))
        columns = zip(self.looks, self.motions, self.textures, strict=True)
        return head + b"".join(
            _SAMPLE.pack(look.to_bytes(32, "big"), motion.to_bytes(16, "big"), texture)
            for look, motion, texture in columns
        )


def from_bytes(data: bytes) -> Fingerprint:
    """The fingerprint that `to_bytes` wrote.

    Raises:
        RecordMalformed: another magic, a length that does not fit the count, a rate not in lowest terms.
    """
    if len(data) < _HEADER.size:
        raise RecordMalformed("a fingerprint is longer than this")
    magic, numerator, denominator, count = _HEADER.unpack_from(data)
    if magic != _MAGIC or len(data) != _HEADER.size + count * _SAMPLE.size:
        raise RecordMalformed("not a fingerprint, or not all of one")
    rate = Fraction(numerator, denominator) if denominator else Fraction(0)
    if (rate.numerator, rate.denominator) != (numerator, denominator):
        raise RecordMalformed("a rate of samples is a fraction in lowest terms")
    samples = list(_SAMPLE.iter_unpack(data[_HEADER.size :]))
    return Fingerprint(
        rate,
        tuple(int.from_bytes(look, "big") for look, _, _ in samples),
        tuple(int.from_bytes(motion, "big") for _, motion, _ in samples),
        bytes(texture for _, _, texture in samples),
    )
