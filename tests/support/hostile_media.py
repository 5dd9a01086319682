# SPDX-License-Identifier: Apache-2.0
"""This is where the corpus of hostile files is made: each has a name, and what must become of it.

Nothing in it comes from elsewhere. What is not written byte by byte is footage of ours, damaged on purpose.
"""

import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

from pipeline.media.boxes import make_box, make_full_box
from tests.support.cameras import ClipKind, tiny_clip
from tests.support.hostile_texts import Bait, Hostile, Must, hls, texts
from tests.support.tiny_media import make, tool

BIG = 0x7FFF_FFFF


def corpus() -> list[Hostile]:
    """Every file, in the order of the folder it is written to."""
    return [*texts(), *_referring(), *_codecs(), *_numbers(), *_nests(), *_others(), *_cut_short()]


# --- containers that refer to other files ---------------------------------------------------------


def _referring() -> Iterator[Hostile]:
    yield Hostile(
        "avi-gab2-playlist", "avi-gab2-playlist.avi", "any", lambda b: avi_with_text(hls(f"file://{b.secret}"))
    )
    yield Hostile("avi-gab2-http", "avi-gab2-http.avi", "any", lambda b: avi_with_text(hls(b.url)))
    yield Hostile(
        "avi-gab2-ass", "avi-gab2-ass.avi", "any", lambda b: avi_with_text(f"[Script Info]\n{b.secret}".encode())
    )
    yield Hostile("mov-reference-movie", "mov-reference-movie.mov", "refused", _reference_movie)
    yield Hostile(
        "mov-reference-http", "mov-reference-http.mov", "refused", lambda b: _reference(b.url.encode() + b"\0")
    )
    yield Hostile("mov-data-reference-url", "mov-data-reference-url.mov", "any", _data_reference_url)
    yield Hostile("mov-data-reference-alias", "mov-data-reference-alias.mov", "any", _data_reference_alias)
    yield Hostile("mkv-linked-segment", "mkv-linked-segment.mkv", "any", lambda b: mkv(b, _linked(b)))
    yield Hostile("mkv-attached-file", "mkv-attached-file.mkv", "any", lambda b: mkv(b, _attached(b)))
    yield Hostile("mkv-chapter-of-another", "mkv-chapter-of-another.mkv", "any", lambda b: mkv(b, _chapter()))
    yield Hostile("asf-script-url", "asf-script-url.wmv", "refused", _asf_script)
    yield Hostile("flv-metadata-url", "flv-metadata-url.flv", "any", _flv_url)


def riff(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def avi_with_text(text: bytes) -> bytes:
    """Our own footage as AVI with a subtitle stream whose one chunk is this text, as CVE-2017-9993 has it."""
    header = riff(b"strh", b"txts", bytes(4), struct.pack("<11I", 0, 0, 0, 1, 25, 0, 60, 0, 0, 0, 0))
    stream = riff(b"LIST", b"strl", header, riff(b"strf", bytes(40)))
    main = riff(b"avih", struct.pack("<14I", 40000, 0, 0, 0x10, 60, 0, 1, 0, 64, 64, 0, 0, 0, 0))
    name = "a".encode("utf-16-le") + b"\0\0"
    gab2 = b"GAB2\0" + struct.pack("<HI", 2, len(name)) + name + struct.pack("<HI", 4, len(text)) + text
    movie = riff(b"LIST", b"movi", riff(b"00tx", gab2))
    return riff(b"RIFF", b"AVI ", riff(b"LIST", b"hdrl", main, stream), movie)


def _reference(target: bytes) -> bytes:
    described = make_full_box(b"rdrf", 0, 0, b"url ", struct.pack(">I", len(target)), target)
    movie = make_box(b"moov", make_box(b"rmra", make_box(b"rmda", described)))
    return make_box(b"ftyp", b"qt  \0\0\0\0qt  ") + movie


def _reference_movie(b: Bait) -> bytes:
    return _reference(f"file://{b.secret}\0".encode())


def _data_reference_url(b: Bait) -> bytes:
    return _with_reference(b"url ", f"file://{b.secret}\0".encode())


def _data_reference_alias(b: Bait) -> bytes:
    path = str(b.secret).encode()
    alias = struct.pack(">IHH", 0, 150, 2) + bytes(142) + struct.pack(">HH", 2, len(path)) + path + b"\xff\xff\0\0"
    return _with_reference(b"alis", alias)


def _with_reference(kind: bytes, body: bytes) -> bytes:
    """Our footage, its samples said to lie in another file."""
    data = bytearray(clip("plain"))
    at = data.index(b"url ") - 4
    entry = make_full_box(kind, 0, 0, body)
    # The boxes around it grow by as much.
    for outer in (b"dref", b"dinf", b"minf", b"mdia", b"trak", b"moov"):
        start = data.rindex(outer, 0, at + 4) - 4
        struct.pack_into(">I", data, start, struct.unpack_from(">I", data, start)[0] + len(entry) - 12)
    data[at : at + 12] = entry
    return bytes(data)


def element(identifier: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes.fromhex(identifier) + b"\x01" + len(body).to_bytes(7, "big") + body


def mkv(_: Bait, extra: bytes) -> bytes:
    """Our own footage as Matroska, with another element in its segment."""
    data = bytearray(remuxed("plain", "mkv"))
    at = data.index(bytes.fromhex("18538067")) + 4
    size = int.from_bytes(data[at : at + 8], "big") & ~(0xFF << 56)
    data[at : at + 8] = b"\x01" + (size + len(extra)).to_bytes(7, "big")
    data[at + 8 : at + 8] = extra
    return bytes(data)


def _linked(b: Bait) -> bytes:
    names = element("7384", b"this.mkv"), element("3C83AB", str(b.secret).encode()), element("3E83BB", b.url.encode())
    return element(
        "1549A966", element("73A4", b"A" * 16), element("3CB923", b"B" * 16), element("3EB923", b"C" * 16), *names
    )


def _attached(b: Bait) -> bytes:
    name = f"../../..{b.secret}".encode()
    file = element("61A7", element("466E", name), element("4660", b"font/ttf"), element("465C", b"\0\1\0\0" * 400))
    return element("1941A469", file)


def _chapter() -> bytes:
    atom = element("B6", element("73C4", b"\1"), element("91", b"\0"), element("6E67", b"D" * 16))
    return element("1043A770", element("45B9", element("45DD", b"\1"), atom))


def _asf_script(b: Bait) -> bytes:
    url = b.url.encode("utf-16-le") + b"\0\0"
    command = struct.pack("<HHI", 1, 0, 0) + struct.pack("<H", len(url) // 2) + url
    script = (
        bytes.fromhex("301afb1e620bd011a39b00a0c90348f6") + struct.pack("<Q", 40 + len(command)) + bytes(16) + command
    )
    return bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + struct.pack("<QIH", 30 + len(script), 1, 0x0201) + script


def _flv_url(b: Bait) -> bytes:
    url = b.url.encode()
    said = b"\x02\0\x0aonMetaData\x08\0\0\0\1\0\x03url\x02" + len(url).to_bytes(2, "big") + url + b"\0\0\x09"
    return b"FLV\x01\x05\0\0\0\x09\0\0\0\0\x12" + len(said).to_bytes(3, "big") + bytes(7) + said + bytes(4)


# --- codecs that no recorder writes ---------------------------------------------------------------

_CODECS = (
    *(
        "magicyuv.mov",
        "magicyuv.mkv",
        "magicyuv.avi",
        "utvideo.avi",
        "ffv1.mkv",
        "huffyuv.avi",
        "qtrle.mov",
        "prores.mov",
    ),
    *("cinepak.avi", "snow.avi", "flashsv.flv", "jpeg2000.mov", "png.mov", "dvvideo.avi", "wmv2.wmv"),
    *("wavpack.mkv", "tta.mkv"),
)


def _codecs() -> Iterator[Hostile]:
    for file in _CODECS:
        codec, _, ending = file.partition(".")
        yield Hostile(f"{codec}-in-{ending}", file, "codec", _always(partial(coded, codec, ending)))


def _always(build: Callable[[], bytes]) -> Callable[[Bait], bytes]:
    """The same whatever the bait."""
    return lambda _: build()


@cache
def coded(codec: str, ending: str) -> bytes:
    is_sound = codec in ("wavpack", "tta")
    size = "720x576" if codec == "dvvideo" else "64x64"
    source = "sine=d=0.2" if is_sound else f"testsrc2=d=0.2:s={size}:r=25"
    kind = "-c:a" if is_sound else "-c:v"
    return _made(f"a.{ending}", "-f", "lavfi", "-i", source, kind, codec, "-strict", "-2")


@cache
def remuxed(kind: ClipKind, ending: str) -> bytes:
    return _made(f"a.{ending}", "-i", str(tiny_clip(kind)), "-c", "copy")


def _made(name: str, *arguments: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return make(Path(folder) / name, *arguments).read_bytes()


# --- numbers that promise too much ----------------------------------------------------------------


@cache
def clip(kind: ClipKind) -> bytes:
    return tiny_clip(kind).read_bytes()


def patched(kind: bytes, body: bytes, *, at: int = 0, of: ClipKind = "plain", last: bool = False) -> bytes:
    """Footage of ours, with the body of its first (or last) `kind` box overwritten from byte `at` on."""
    data = bytearray(clip(of))
    found = data.rindex(kind) if last else data.index(kind, data.index(b"moov"))
    data[found + 4 + at : found + 4 + at + len(body)] = body
    return bytes(data)


def _numbers() -> Iterator[Hostile]:
    many = struct.pack(">I", BIG)
    patches: dict[str, tuple[Must, Callable[[], bytes]]] = {
        "stsz-two-billion-samples": ("refused", lambda: patched(b"stsz", struct.pack(">II", 1, BIG), at=4)),
        "stsz-sample-of-two-billion": ("refused", lambda: patched(b"stsz", many, at=4)),
        "stts-two-billion-entries": ("any", lambda: patched(b"stts", many, at=4)),
        "stts-two-billion-samples": ("any", lambda: patched(b"stts", many, at=8)),
        "stts-endless-duration": ("any", lambda: patched(b"stts", b"\xff\xff\xff\xff", at=12)),
        "stsc-two-billion-entries": ("refused", lambda: patched(b"stsc", many, at=4)),
        "stsc-chunks-backwards": ("any", lambda: patched(b"stsc", struct.pack(">III", 1, 0xFFFF_FFFF, BIG), at=4)),
        "stco-beyond-the-end": ("refused", lambda: patched(b"stco", many, at=8)),
        "stco-two-billion-chunks": ("any", lambda: patched(b"stco", many, at=4)),
        "ctts-two-billion-entries": ("any", lambda: patched(b"ctts", many, at=4, of="bframes")),
        "elst-a-billion-edits": ("refused", lambda: patched(b"elst", many, at=4)),
        "elst-endless-edit": ("any", lambda: patched(b"elst", many + b"\x80\0\0\0", at=8)),
        "mvhd-no-time-scale": ("refused", lambda: patched(b"mvhd", bytes(4), at=12)),
        "mdhd-finest-time-scale": ("any", lambda: patched(b"mdhd", b"\xff\xff\xff\xff", at=12)),
        "mdhd-endless": ("any", lambda: patched(b"mdhd", b"\xff\xff\xff\xff", at=16)),
        "tkhd-of-two-billion-pixels": ("any", lambda: patched(b"tkhd", b"\xff\xff\0\0\xff\xff\0\0", at=76)),
        "avc1-of-30000-pixels": ("any", lambda: patched(b"avc1", struct.pack(">HH", 30_000, 30_000), at=24)),
        "trun-two-billion-samples": ("refused", lambda: patched(b"trun", many, at=4, of="fragments", last=True)),
        "tfhd-of-another-track": ("any", lambda: patched(b"tfhd", b"\0\0\xff\xff", at=4, of="fragments", last=True)),
        "box-of-size-one": ("refused", lambda: patched(b"trak", struct.pack(">I", 1), at=-8)),
        "box-of-size-seven": ("refused", lambda: patched(b"trak", struct.pack(">I", 7), at=-8)),
        "box-of-negative-size": ("refused", lambda: patched(b"trak", b"\xff\xff\xff\xf0", at=-8)),
        "box-around-its-own-parent": ("refused", lambda: patched(b"mdia", struct.pack(">I", BIG), at=-8)),
        "box-of-2-to-the-63": ("refused", lambda: _FTYP + b"\0\0\0\1moov" + b"\x7f" + b"\xff" * 7 + bytes(64)),
        "mvhd-of-2-to-the-63": ("refused", _endless_movie),
    }
    for name, (must, build) in patches.items():
        yield Hostile(name, f"{name}.mp4", must, _always(build))


def _endless_movie() -> bytes:
    mvhd = make_full_box(b"mvhd", 1, 0, bytes(16), struct.pack(">IQ", 1, (1 << 63) - 1), bytes(80))
    return _FTYP + make_box(b"moov", mvhd)


# --- nests and repetitions -------------------------------------------------------------------------


def _nests() -> Iterator[Hostile]:
    yield Hostile("boxes-ten-thousand-deep", "boxes-ten-thousand-deep.mp4", "refused", lambda _: _deep_boxes())
    yield Hostile("tracks-by-the-thousand", "tracks-by-the-thousand.mp4", "refused", lambda _: _many_tracks())
    yield Hostile(
        "boxes-by-the-million", "boxes-by-the-million.mp4", "any", lambda _: clip("plain") + b"\0\0\0\x08free" * 300_000
    )
    yield Hostile("moov-compressed-bomb", "moov-compressed-bomb.mov", "refused", lambda _: _compressed_movie())
    yield Hostile("ebml-ten-thousand-deep", "ebml-ten-thousand-deep.mkv", "refused", lambda _: _deep_ebml())
    yield Hostile("ebml-unknown-sizes", "ebml-unknown-sizes.mkv", "refused", lambda _: _EBML + _UNKNOWN * 5_000)
    yield Hostile("ebml-tags-of-gigabytes", "ebml-tags-of-gigabytes.mkv", "any", lambda b: mkv(b, _gigabyte_tag()))
    yield Hostile("ogg-page-for-ever", "ogg-page-for-ever.ogg", "refused", lambda _: _OGG_PAGE * 2_000)
    yield Hostile("mpegts-huge-table", "mpegts-huge-table.ts", "refused", lambda _: _huge_table())
    yield Hostile(
        "flv-tag-pointing-back", "flv-tag-pointing-back.flv", "refused", lambda _: _FLV_HEAD + _FLV_BACK * 500
    )
    yield Hostile("avi-list-in-list", "avi-list-in-list.avi", "refused", lambda _: _deep_riff())
    yield Hostile("exif-directory-loop", "exif-directory-loop.jpg", "any", lambda _: _with_exif(_exif_loop()))
    yield Hostile("exif-65535-entries", "exif-65535-entries.jpg", "any", lambda _: _with_exif(_exif_many()))
    yield Hostile("exif-value-of-gigabytes", "exif-value-of-gigabytes.jpg", "any", lambda _: _with_exif(_exif_large()))
    yield Hostile("exif-position-over-zero", "exif-position-over-zero.jpg", "any", lambda _: _with_exif(_exif_zero()))


_FTYP = make_box(b"ftyp", b"isom\0\0\2\0isom")
_EBML = bytes.fromhex("1a45dfa3") + b"\x88" + bytes.fromhex("4282") + b"\x84webm"
_UNKNOWN = bytes.fromhex("18538067") + b"\x01" + b"\xff" * 7
_OGG_PAGE = b"OggS\0\0" + b"\xff" * 8 + b"\1\0\0\0" + bytes(8) + b"\xff" + b"\xff" * 255
_FLV_HEAD = b"FLV\x01\x05\0\0\0\x09\0\0\0\0"
_FLV_BACK = b"\x09\xff\xff\xff\0\0\0\0\0\0\0\x17\0\xff\xff\xff\xff"


def _deep_boxes() -> bytes:
    head = b"".join(struct.pack(">I", 8 * (10_000 - n)) + b"trak" for n in range(10_000))
    return _FTYP + make_box(b"moov", make_full_box(b"mvhd", 0, 0, bytes(96)), head)


def _many_tracks() -> bytes:
    return _FTYP + make_box(b"moov", make_full_box(b"mvhd", 0, 0, bytes(96)), *[make_box(b"trak")] * 5_000)


def _compressed_movie() -> bytes:
    bomb = zlib.compress(bytes(64 << 20), 9)
    parts = make_box(b"dcom", b"zlib"), make_box(b"cmvd", struct.pack(">I", 64 << 20), bomb)
    return make_box(b"ftyp", b"qt  \0\0\0\0qt  ") + make_box(b"moov", make_box(b"cmov", *parts))


def _deep_ebml() -> bytes:
    nest = b""
    for _ in range(200):
        nest = element("1654AE6B", nest)
    return _EBML + element("18538067", nest) * 50


def _gigabyte_tag() -> bytes:
    return bytes.fromhex("1254c367") + b"\x01\0\0\0\x40\0\0\0"


def _huge_table() -> bytes:
    section = b"\0\xbf\xff\0\1\xc1\0\0" + b"\0\1\xe1\0" * 44
    first = b"\x47\x40\0\x10\0" + section[:183]
    more = b"".join(b"\x47\0\0" + bytes((0x10 | n % 16,)) + (b"\0\1\xe1\0" * 46) for n in range(1, 3_000))
    return first.ljust(188, b"\xff") + more


def _deep_riff() -> bytes:
    nest = b""
    for _ in range(2_000):
        nest = riff(b"LIST", b"hdrl", nest)
    return riff(b"RIFF", b"AVI ", nest)


def _with_exif(tiff: bytes) -> bytes:
    """A picture of ours whose EXIF is replaced by this."""
    data = clip("photo")
    old = int.from_bytes(data[4:6], "big") + 4 if data[2:4] == b"\xff\xe1" else 2
    segment = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + data[old:]


_II = b"II*\0\x08\0\0\0"


def _exif_loop() -> bytes:
    entry = struct.pack("<HHII", 0x8769, 4, 1, 8)
    return _II + struct.pack("<H", 1) + entry + struct.pack("<I", 8)


def _exif_many() -> bytes:
    return _II + struct.pack("<H", 65_535) + struct.pack("<HHII", 0x010F, 2, 60_000, 8) * 5_000


def _exif_large() -> bytes:
    entries = [struct.pack("<HHII", tag, 5, 0x1FFF_FFFF, 8) for tag in range(0x100, 0x180)]
    return _II + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)


def _exif_zero() -> bytes:
    place = [struct.pack("<HHI4s", 1, 2, 2, b"N\0\0\0"), struct.pack("<HHII", 2, 5, 3, 80)]
    directory = struct.pack("<H", 1) + struct.pack("<HHII", 0x8825, 4, 1, 26) + bytes(4)
    return (_II + directory + struct.pack("<H", 2) + b"".join(place) + bytes(4)).ljust(80, b"\0") + bytes(24)


# --- pictures, sound, and what is left -------------------------------------------------------------


def _others() -> Iterator[Hostile]:
    yield Hostile(
        "png-of-900-million-pixels", "png-of-900-million-pixels.png", "refused", lambda _: png(30_000, 30_000)
    )
    yield Hostile("png-of-2-to-the-31", "png-of-2-to-the-31.png", "refused", lambda _: png(BIG, BIG, rows=8))
    yield Hostile("png-text-bomb", "png-text-bomb.png", "any", lambda _: _png_text())
    yield Hostile("jpeg-of-65500-pixels", "jpeg-of-65500-pixels.jpg", "refused", lambda _: _large_jpeg())
    yield Hostile("webp-of-16383-pixels", "webp-of-16383-pixels.webp", "refused", lambda _: _large_webp())
    yield Hostile("heif-grid-of-tiles", "heif-grid-of-tiles.heic", "refused", lambda _: _heif())
    yield Hostile("tiff-directory-loop", "tiff-directory-loop.tif", "refused", lambda _: _exif_loop())
    yield Hostile("wav-giant-chunk", "wav-giant-chunk.wav", "any", lambda _: _wav(chunk=0xFFFF_FFFE))
    yield Hostile("wav-65535-channels", "wav-65535-channels.wav", "refused", lambda _: _wav(channels=65_535))
    yield Hostile("wav-no-block", "wav-no-block.wav", "refused", lambda _: _wav(rate=0, channels=0))
    yield Hostile("flac-giant-picture", "flac-giant-picture.flac", "refused", lambda _: _flac())
    yield Hostile(
        "id3-giant-tag", "id3-giant-tag.mp3", "refused", lambda _: b"ID3\x04\0\0\x7f\x7f\x7f\x7f" + bytes(5_000)
    )
    yield Hostile("amr-noise", "amr-noise.amr", "any", lambda _: b"#!AMR\n" + bytes(range(256)) * 40)
    yield Hostile("mpegps-noise", "mpegps-noise.mpg", "refused", lambda _: b"\0\0\1\xba" + bytes(range(256)) * 400)
    yield Hostile("asf-noise", "asf-noise.wmv", "refused", lambda _: _ASF + bytes(range(256)) * 400)
    yield Hostile("ten-hours-of-black", "ten-hours-of-black.mp4", "any", lambda _: black())


_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")


@cache
def black() -> bytes:
    """Very long in very little: at one frame in ten seconds, ten hours."""
    source = "color=black:s=32x32:r=1/10:d=36000"
    return _made("a.mp4", "-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "ultrafast", "-g", "3600")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@cache
def png(width: int, height: int, rows: int | None = None) -> bytes:
    squeeze, line = zlib.compressobj(9), bytes(min(width, 40_000) // 8 + 1)
    data = b"".join(squeeze.compress(line) for _ in range(rows or height)) + squeeze.flush()
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _png_text() -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 1, 0, 0, 0, 0))
    bomb = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 << 20), 9))
    return b"\x89PNG\r\n\x1a\n" + head + bomb + _chunk(b"IDAT", zlib.compress(bytes(16))) + _chunk(b"IEND", b"")


def _large_jpeg() -> bytes:
    data = bytearray(clip("photo"))
    at = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, at + 5, 65_500, 65_500)
    return bytes(data)


def _large_webp() -> bytes:
    frame = b"\x30\x01\0\x9d\x01\x2a" + struct.pack("<HH", 16_383, 16_383) + bytes(64)
    return riff(b"RIFF", b"WEBP", riff(b"VP8 ", frame))


def _heif() -> bytes:
    grid = make_full_box(b"meta", 0, 0, make_full_box(b"hdlr", 0, 0, bytes(4), b"pict", bytes(13)))
    return make_box(b"ftyp", b"heic\0\0\0\0mif1heic") + grid + make_box(b"mdat", b"\0\0\xff\xff\xff\xff\xff\xff")


def _wav(*, chunk: int = 64, channels: int = 1, rate: int = 8_000) -> bytes:
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * 2, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"LIST" + struct.pack("<I", chunk) + bytes(64) + b"data" + struct.pack("<I", 0xFFFF_FFFF) + bytes(4_000)
    return b"RIFF\xff\xff\xff\xff" + body


def _flac() -> bytes:
    return b"fLaC\x00\0\0\x22" + bytes(34) + b"\x86\xff\xff\xff" + b"\0\0\0\3\xff\xff\xff\xff" + bytes(2_000)


def _cut_short() -> Iterator[Hostile]:
    kinds: tuple[tuple[ClipKind, str, str], ...] = (
        ("plain", "mp4", ""), ("fragments", "mp4", "-fragments"), ("plain", "mkv", ""), ("plain", "avi", ""),
        ("plain", "ts", ""), ("plain", "flv", ""), ("wav", "wav", ""), ("photo", "jpg", ""),
    )  # fmt: skip
    for kind, ending, note in kinds:
        name = f"cut-short-{ending}{note}"
        yield Hostile(name, f"{name}.{ending}", "any", _always(partial(_half, kind, ending)))
    yield Hostile("no-bytes", "no-bytes.mp4", "refused", lambda _: b"")


def _half(kind: ClipKind, ending: str) -> bytes:
    whole = clip(kind) if ending in ("mp4", "wav", "jpg") else remuxed(kind, ending)
    return whole[: len(whole) * 6 // 10]


_BY_TEXT = (
    (b"#EXTM3U", ("hls", "-allowed_extensions", "ALL", "-allowed_segment_extensions", "ALL", "-extension_picky", "0")),
    (b"ffconcat", ("concat", "-safe", "0")),
    (b"v=0", ("sdp",)),
    (b"<?xml", ("dash",)),
)


def bare_ffmpeg(file: Path) -> list[str]:
    """A decoder with none of our guards and every door of its own open: only walls hold it."""
    protocols = ("-protocol_whitelist", "file,http,tcp,udp,rtp,data,crypto,concat,subfile,pipe")
    text = file.read_bytes()[:8]
    kind = next(options for start, options in _BY_TEXT if text.startswith(start))
    wanted = ("-f", *kind, *protocols, "-rw_timeout", "500000", "-i", str(file), "-t", "1", "-f", "null", "-")
    return [str(tool().program), "-nostdin", "-v", "error", *wanted]
