# SPDX-License-Identifier: Apache-2.0
"""This is where a packet's bytes get one form, so that a proof holds whatever container they travel in.

A packet from MP4 or Matroska is taken as it is. A transport stream and a raw .aac file wrap the same
coded bytes in start codes or frame headers, which an MP4 clip cannot hold; of those packets the
form without the wrapping is hashed, in the original and in the clip alike:

| form      | packet                                                                                   |
|-----------|------------------------------------------------------------------------------------------|
| `stored`  | the bytes as demuxed                                                                     |
| `lengths` | H.264/H.265 byte stream (Annex B): each NAL unit, without start code and trailing zeros, |
|           | after its length in 4 bytes, big endian (ISO/IEC 14496-15 §5.3.3.1 with 4-byte lengths)  |
| `raw-aac` | ADTS: the access unit without its 7- or 9-byte header (ISO/IEC 13818-7 §6.2)             |

Where the original is not MP4, the extradata leaf is over the decoder configuration that an MP4 file
of the stream holds.
"""

from collections.abc import Callable
from typing import Literal

Form = Literal["stored", "lengths", "raw-aac"]
Payload = bytes | memoryview
"""The bytes of a packet, copied or not."""


def form_of(codec: str, extradata: bytes, *, container: str) -> Form:
    """The form of the packets of a stream with this codec and extradata.

    MPEG containers carry Annex B and ADTS by specification; elsewhere a decoder configuration
    record (first byte 1) says that NAL units have lengths already (ISO/IEC 14496-15 §5.3.3.1.2).
    """
    if container in ("mp4", "mov"):
        return "stored"
    if codec in ("h264", "hevc"):
        return "stored" if extradata[:1] == b"\1" else "lengths"
    if codec == "aac" and container in ("mpegts", "mpegps", "aac"):
        return "raw-aac"
    return "stored"


def lengths(packet: Payload) -> bytes:
    """NAL units with 4-byte lengths, from a byte stream with start codes."""
    # A NAL unit never ends in a zero byte (ISO/IEC 14496-10 §7.4.1): zeros there belong to the start code.
    units = [unit.rstrip(b"\0") for unit in bytes(packet).split(b"\0\0\1")[1:]]
    return b"".join([part for unit in units if unit for part in (len(unit).to_bytes(4, "big"), unit)])


def raw_aac(packet: Payload) -> bytes:
    """One AAC access unit without its ADTS header; as it is when there is none."""
    data = bytes(packet)
    if len(data) < 7 or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return data
    return data[7:] if data[1] & 1 else data[9:]


def _stored(packet: Payload) -> Payload:
    return packet


FORMS: dict[Form, Callable[[Payload], Payload]] = {"stored": _stored, "lengths": lengths, "raw-aac": raw_aac}
"""How to bring a demuxed packet into each form."""
