# SPDX-License-Identifier: Apache-2.0
"""This is where the headers of footage are written: what it is by its bytes, and a name nobody can break out of.

Source: RFC 6266 (Content-Disposition), RFC 8187 (`filename*`), RFC 9110 §8.8.3 (ETag).
"""

import re
import unicodedata
from urllib.parse import quote

from evidence.errors import Unacceptable
from pipeline.media.sniff import sniff_bytes

HEAD_BYTES = 65_536
_ANY = "application/octet-stream"
# What a browser may show. A type that it would run (HTML, SVG, XML) is never said, whatever the bytes are.
_TYPES = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "matroska": "video/x-matroska",
    "mpegts": "video/mp2t",
    "mpegps": "video/mpeg",
    "avi": "video/x-msvideo",
    "flv": "video/x-flv",
    "asf": "video/x-ms-asf",
    "mp3": "audio/mpeg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "amr": "audio/amr",
    "wav": "audio/wav",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "heif": "image/heif",
}
_LONGEST_NAME = 120
_PLAIN = re.compile(r"[^A-Za-z0-9._ -]")

NEVER_KEPT = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}
"""What every answer with footage says: nobody keeps it, nobody guesses, no page of another site shows it."""


def type_of(head: bytes) -> str:
    """The media type of a file by its first bytes; its name says nothing."""
    try:
        return _TYPES.get(sniff_bytes(head, name="file").name, _ANY)
    except Unacceptable:
        return _ANY


def attachment(name: str) -> str:
    """`Content-Disposition` for a file to be kept under `name`, which may hold anything."""
    clean = clean_name(name)
    plain = _PLAIN.sub("_", unicodedata.normalize("NFKD", clean)) or "original"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe='')}"


def clean_name(name: str) -> str:
    """The last part of a name without what files, headers or eyes are deceived by; never empty, never hidden."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(one for one in last if unicodedata.category(one)[0] != "C" and one not in '<>:"|?*;%')
    return kept.strip(" .")[-_LONGEST_NAME:].strip(" .") or "original"


def etag_of(sha256: str) -> str:
    """The strong entity tag of bytes of this digest."""
    return f'"{sha256}"'
