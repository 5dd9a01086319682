# SPDX-License-Identifier: Apache-2.0
"""This is where a coded picture itself says whether decoding may begin with it.

Asked only where the container's word is worth nothing: an MP4 without a table of sync samples claims that
every one is, and some cameras leave the table out although they write P frames.
"""

from collections.abc import Iterator

_UNITS_MAX = 64
_IDR, _SEI = 5, 6
_RECOVERY_POINT = 6


def may_begin(codec: str, packet: bytes, *, length_bytes: int = 4) -> bool:
    """True when decoding may begin with `packet`, a run of NAL units each after its length.

    H.264: an IDR picture or a recovery point message; H.265: an IRAP picture. Any other codec: True.

    Source: ISO/IEC 14496-10 §7.4.1 and D.2.8; ISO/IEC 23008-2 §7.4.2.2.
    """
    if codec == "h264":
        return any(
            unit[0] & 31 == _IDR or (unit[0] & 31 == _SEI and unit[1:2] == bytes((_RECOVERY_POINT,)))
            for unit in _units(packet, length_bytes)
        )
    if codec == "hevc":
        return any(16 <= unit[0] >> 1 & 63 <= 23 for unit in _units(packet, length_bytes))
    return True


def _units(packet: bytes, length_bytes: int) -> Iterator[bytes]:
    """The first bytes of each NAL unit; ends where a length leads out of the packet."""
    at = 0
    for _ in range(_UNITS_MAX):
        size = int.from_bytes(packet[at : at + length_bytes], "big")
        at += length_bytes
        if not 0 < size <= len(packet) - at:
            return
        yield packet[at : at + 2]
        at += size
