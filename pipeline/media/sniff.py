# SPDX-License-Identifier: Apache-2.0
"""This is where bytes say what they are: magic numbers decide, the file's name never does.

The demuxer that libav will be forced to use comes from here. Left to guess, libav opens a
playlist by the name of .mp4 and reads whatever other files it lists.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evidence.errors import EmptyFile, NotMedia, PlaylistRefused, SourceUnavailable

Kind = Literal["video", "audio", "photo", "document"]

_HEAD_BYTES = 1 << 16
_SIDE_FILE_SUFFIXES = frozenset({".gps", ".nmea", ".gpx", ".txt", ".log", ".srt"})
_MP4_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp", b"moof"})
_STILL_BRANDS = frozenset({b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis"})


@dataclass(frozen=True, slots=True)
class Container:
    """What the first bytes claim. `kind` is a claim too: an .mp4 may hold sound only.

    `demuxer` is the one libav demuxer that may open the file; empty for a document, which libav never sees.
    """

    name: str
    kind: Kind
    demuxer: str

    @property
    def is_mp4_family(self) -> bool:
        """True for ISO base media and QuickTime files: an index of samples, and boxes."""
        return self.demuxer == "mov"


MP4 = Container("mp4", "video", "mov")
MOV = Container("mov", "video", "mov")
HEIF = Container("heif", "photo", "mov")
TEXT_TRACK = Container("text-track", "document", "")

_MATROSKA = Container("matroska", "video", "matroska")
_MPEGTS = Container("mpegts", "video", "mpegts")
_MP3 = Container("mp3", "audio", "mp3")
_ADTS = Container("aac", "audio", "aac")

_PREFIXES: tuple[tuple[bytes, Container], ...] = (
    (b"\xff\xd8\xff", Container("jpeg", "photo", "jpeg_pipe")),
    (b"\x89PNG\r\n\x1a\n", Container("png", "photo", "png_pipe")),
    (b"\x1a\x45\xdf\xa3", _MATROSKA),
    (b"\x00\x00\x01\xba", Container("mpegps", "video", "mpeg")),
    (b"FLV\x01", Container("flv", "video", "flv")),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Container("asf", "video", "asf")),
    (b"fLaC", Container("flac", "audio", "flac")),
    (b"OggS", Container("ogg", "audio", "ogg")),
    (b"#!AMR", Container("amr", "audio", "amr")),
    (b"ID3", _MP3),
)
_RIFF_FORMS = {
    b"AVI ": Container("avi", "video", "avi"),
    b"WAVE": Container("wav", "audio", "wav"),
    b"WEBP": Container("webp", "photo", "webp_pipe"),
}

# Texts that name other files or addresses. A decoder given one reads what it lists (CVE-2016-1897).
_PLAYLIST = re.compile(
    rb"#EXT(M3U|-X-)|ffconcat\s|file\s+['\"/.\w]|\[playlist\]|\[Reference\]|v=0\s*[\r\n]+o="
    rb"|<\?xml.{0,2000}?<(MPD|SmoothStreamingMedia|smil|asx|playlist)\b|<(MPD|SmoothStreamingMedia|smil|asx)\b"
    rb"|(https?|rtsp|rtmp|file|concat|subfile|crypto)://?\S",
    re.DOTALL | re.IGNORECASE,
)
_TRACK_TEXT = re.compile(
    rb"\$[A-Z]{2,5}[A-Z0-9]{0,3},|<\?xml.{0,2000}?<gpx\b|<gpx\b|\d+\s*\r?\n\d\d:\d\d:\d\d[,.]\d+ --> ",
    re.DOTALL,
)


def sniff(path: Path) -> Container:
    """What the first 64 KiB of `path` are. The name matters only to tell a GPS side file from stray text.

    Raises:
        EmptyFile: there are no bytes.
        PlaylistRefused: a text that lists other files or addresses (HLS, DASH, concat, SDP, …).
        NotMedia: anything else we do not know, also text by a media file's name.
        SourceUnavailable: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise SourceUnavailable(f"cannot be read: {path.name}: {error.strerror}", name=path.name) from error
    if not head:
        raise EmptyFile(f"{path.name} has no bytes", name=path.name)
    return sniff_bytes(head, name=path.name)


def sniff_bytes(head: bytes, *, name: str) -> Container:
    """As `sniff`, for the first bytes `head` of a file called `name`.

    Raises:
        PlaylistRefused: a text that lists other files or addresses.
        NotMedia: anything else we do not know.
    """
    for recognise in (_by_prefix, _riff, _mp4, _transport_stream, _mpeg_audio):
        found = recognise(head)
        if found:
            return found
    text = _as_ascii(head)
    if _PLAYLIST.match(text):
        raise PlaylistRefused(f"{name} is a list of other files, not footage", name=name)
    if _TRACK_TEXT.match(text) and Path(name).suffix.lower() in _SIDE_FILE_SUFFIXES:
        return TEXT_TRACK
    raise NotMedia(f"{name} is of no media kind we know", name=name, first_bytes=head[:16].hex())


def is_side_file(container: Container) -> bool:
    """True for a text of positions or subtitles that accompanies footage."""
    return container == TEXT_TRACK


def _by_prefix(head: bytes) -> Container | None:
    return next((container for magic, container in _PREFIXES if head.startswith(magic)), None)


def _riff(head: bytes) -> Container | None:
    return _RIFF_FORMS.get(head[8:12]) if head[:4] == b"RIFF" else None


def _mp4(head: bytes) -> Container | None:
    """A box of a plausible length first (ISO/IEC 14496-12 §4.2; QuickTime files need no `ftyp`)."""
    size, kind, brand = int.from_bytes(head[:4], "big"), head[4:8], head[8:12]
    if kind not in _MP4_FIRST_BOXES or (size < 8 and size > 1):
        return None
    if kind != b"ftyp":
        return MOV
    if brand in _STILL_BRANDS:
        return HEIF
    return MOV if brand == b"qt  " else MP4


def _transport_stream(head: bytes) -> Container | None:
    """The sync byte at every packet start (ISO/IEC 13818-1 §2.4.3.2), with or without a 4-byte time code."""
    for start, step in ((0, 188), (4, 192)):
        syncs = head[start : start + step * 16 : step]
        if len(syncs) >= 3 and set(syncs) == {0x47}:
            return _MPEGTS
    return None


def _mpeg_audio(head: bytes) -> Container | None:
    """Two frame headers in step: one alone is too weak a sign."""
    for container, frame_length in ((_ADTS, _adts_length), (_MP3, _mp3_length)):
        length = frame_length(head)
        if length and (length == len(head) or frame_length(head[length:])):
            return container
    return None


def _adts_length(head: bytes) -> int:
    """Length of the ADTS frame that starts here, or 0 (ISO/IEC 13818-7 §6.2)."""
    if len(head) < 7 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length > 7 else 0


_MP3_KBPS = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
)
_MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}


def _mp3_length(head: bytes) -> int:
    """Length of the MPEG audio layer III frame that starts here, or 0 (ISO/IEC 11172-3 §2.4.1.3)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return 0
    version, rate_index = head[1] >> 3 & 3, head[2] >> 2 & 3
    if version == 1 or rate_index == 3:
        return 0
    kbps = _MP3_KBPS[version != 3][head[2] >> 4]
    samples_eighth = 144 if version == 3 else 72
    padding = head[2] >> 1 & 1
    return samples_eighth * kbps * 1000 // _MP3_RATES[version][rate_index] + padding if kbps else 0


def _as_ascii(head: bytes) -> bytes:
    """The text without byte order mark, leading blanks, and the zeros of UTF-16."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return head[2:].replace(b"\x00", b"").lstrip()
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()
