# SPDX-License-Identifier: Apache-2.0
"""This is where texts are made that name other files and addresses: what a player given one would open."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Must = Literal["list", "refused", "codec", "document", "any"]
"""What must become of a file, beside that nothing else is read or sent: `list`: refused before anything opens it, as a
list or as no media; `refused`: put aside, for whatever reason; `codec`: put aside for its codec; `document`: taken as
a text, not opened; `any`: taken or put aside, whichever is true of it."""


@dataclass(frozen=True, slots=True)
class Bait:
    """What hostile files try to reach: a recording of another case, a neighbour, a listener on loopback."""

    secret: Path
    neighbour: str
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/steal"


@dataclass(frozen=True, slots=True)
class Hostile:
    """One file of the corpus. `file` is the name it is offered by; `is_list` when a bare ffmpeg would follow it."""

    name: str
    file: str
    must: Must
    make: Callable[[Bait], bytes]


def hls(target: str, *lines: str) -> bytes:
    return "\n".join(
        ("#EXTM3U", "#EXT-X-TARGETDURATION:2", *lines, "#EXTINF:2,", target, "#EXT-X-ENDLIST", "")
    ).encode()


def texts() -> Iterator[Hostile]:
    """Lists, descriptions and other texts, each by the name of footage."""
    for name, make in _LISTS.items():
        yield Hostile(name, f"{name}.mp4", "list", make)
    yield Hostile("hls-named-a-track", "hls-named-a-track.gpx", "list", lambda b: hls(f"file://{b.secret}", "#track"))
    yield Hostile("gpx-external-entity", "gpx-external-entity.gpx", "document", _gpx_entity)
    yield Hostile("gpx-billion-laughs", "gpx-billion-laughs.gpx", "document", lambda _: _LAUGHS)
    yield Hostile("subtitles-naming-a-file", "subtitles-naming-a-file.srt", "document", _subtitles)
    yield Hostile("ass-naming-a-font", "ass-naming-a-font.srt", "list", _ass)
    yield Hostile(
        "vobsub-index", "vobsub-index.srt", "list", lambda b: f"# VobSub index file, v7\nid: {b.secret}\n".encode()
    )
    yield Hostile("svg-naming-a-picture", "svg-naming-a-picture.jpg", "list", _svg)
    yield Hostile("image-sequence-name", "shot-%03d.png", "refused", lambda _: b"\x89PNG\r\n\x1a\n" + bytes(40))
    yield Hostile("id3-then-playlist", "id3-then-playlist.mp3", "refused", lambda b: _ID3 + hls(f"file://{b.secret}"))
    yield Hostile(
        "ftyp-then-playlist", "ftyp-then-playlist.mp4", "refused", lambda b: _FTYP + hls(f"file://{b.secret}")
    )
    yield Hostile("jpeg-then-playlist", "jpeg-then-playlist.jpg", "refused", lambda b: b"\xff\xd8\xff\xe0" + hls(b.url))
    yield Hostile("sync-bytes-then-playlist", "sync-bytes-then-playlist.ts", "refused", _sync_bytes)


def _utf16(b: Bait) -> bytes:
    return hls(f"file://{b.secret}").decode().encode("utf-16")


_LISTS: dict[str, Callable[[Bait], bytes]] = {
    "hls-file": lambda b: hls(f"file://{b.secret}"),
    "hls-bare-path": lambda b: hls(str(b.secret)),
    "hls-http": lambda b: hls(b.url),
    "hls-neighbour": lambda b: hls(b.neighbour),
    "hls-parent-folder": lambda b: hls(f"../{b.neighbour}"),
    "hls-data": lambda _: hls("data:video/mp2t;base64,R0FS"),
    "hls-key-file": lambda b: hls(b.neighbour, f'#EXT-X-KEY:METHOD=AES-128,URI="file://{b.secret}"'),
    "hls-map-file": lambda b: hls(b.neighbour, f'#EXT-X-MAP:URI="file://{b.secret}"'),
    "hls-concat-protocol": lambda b: hls(f"concat:{b.secret}|{b.secret}"),
    "hls-subfile-protocol": lambda b: hls(f"subfile,,start,0,end,1000,,:{b.secret}"),
    "hls-crypto-protocol": lambda b: hls(f"crypto+file://{b.secret}"),
    "hls-master": lambda b: f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nfile://{b.secret}\n".encode(),
    "hls-byte-order-mark": lambda b: b"\xef\xbb\xbf" + hls(f"file://{b.secret}"),
    "hls-utf16": _utf16,
    "hls-after-blank-lines": lambda b: b"\n" * 70_000 + hls(f"file://{b.secret}"),
    "dash-file": lambda b: _dash(f"file://{b.secret}"),
    "dash-http": lambda b: _dash(b.url),
    "dash-without-declaration": lambda b: _dash(b.url).partition(b"\n")[2],
    "ffconcat-absolute": lambda b: f"ffconcat version 1.0\nfile '{b.secret}'\n".encode(),
    "ffconcat-neighbour": lambda b: f"ffconcat version 1.0\nfile {b.neighbour}\n".encode(),
    "ffconcat-parent-folder": lambda b: f"ffconcat version 1.0\nfile ../{b.neighbour}\n".encode(),
    "concat-without-header": lambda b: f"file '{b.secret}'\n".encode(),
    "sdp": lambda b: f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video {b.port} RTP/AVP 96\r\n".encode(),
    "smil": lambda b: f'<?xml version="1.0"?><smil><body><video src="{b.url}"/></body></smil>'.encode(),
    "smooth-streaming": lambda b: f'<SmoothStreamingMedia Url="{b.url}"/>'.encode(),
    "asx": lambda b: f'<asx version="3.0"><entry><ref href="{b.url}"/></entry></asx>'.encode(),
    "pls": lambda b: f"[playlist]\nFile1={b.url}\nNumberOfEntries=1\n".encode(),
    "windows-reference": lambda b: f"[Reference]\nRef1={b.url}\n".encode(),
    "bare-rtsp-address": lambda b: f"rtsp://127.0.0.1:{b.port}/live\n".encode(),
    "xspf": lambda b: f'<?xml version="1.0"?><playlist><location>file://{b.secret}</location></playlist>'.encode(),
    "imf-composition": lambda b: f'<?xml version="1.0"?><CompositionPlaylist>{b.secret}</CompositionPlaylist>'.encode(),
    "cue-sheet": lambda b: f'FILE "{b.secret}" WAVE\n  TRACK 01 AUDIO\n'.encode(),
}


def _dash(target: str) -> bytes:
    return (
        '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT2S">'
        f'<Period><AdaptationSet mimeType="video/mp2t"><Representation id="1" bandwidth="1"><BaseURL>{target}</BaseURL>'
        f'<SegmentList duration="2"><SegmentURL media="{target}"/></SegmentList></Representation></AdaptationSet>'
        "</Period></MPD>"
    ).encode()


def _gpx_entity(b: Bait) -> bytes:
    return (
        f'<?xml version="1.0"?><!DOCTYPE gpx [<!ENTITY x SYSTEM "file://{b.secret}">]>'
        "<gpx><trk><name>&x;</name></trk></gpx>"
    ).encode()


def _subtitles(b: Bait) -> bytes:
    return f"1\n00:00:00,000 --> 00:00:02,000\n<img src='file://{b.secret}'><font face='{b.url}'>\n\n".encode()


def _ass(b: Bait) -> bytes:
    return f"[Script Info]\nScriptType: v4.00+\n[Fonts]\nfontname: {b.secret}\n[Events]\nDialogue: {b.url}\n".encode()


def _svg(b: Bait) -> bytes:
    link = f'<image xlink:href="file://{b.secret}" width="9" height="9"/><image href="{b.url}"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">{link}</svg>'.encode()


def _sync_bytes(b: Bait) -> bytes:
    return b"".join(b"\x47" + hls(f"file://{b.secret}").ljust(187, b"\n")[:187] for _ in range(40))


_ID3 = b"ID3\x04\0\0\0\0\0\0"
_FTYP = b"\0\0\0\x14ftypisom\0\0\2\0isom"
_LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE gpx [<!ENTITY a0 "ha">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12))
    + b"]><gpx><name>&a11;</name></gpx>"
)
