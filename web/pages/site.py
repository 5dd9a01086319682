# SPDX-License-Identifier: Apache-2.0
"""This is where the built files of the console are: read whole, once, so that no request names a path on disk."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import web

FOLDER = Path(web.__file__).parent / "console" / "dist"
"""Where `make console` puts what it builds, and where the wheel carries it."""
ENTRY = "index.html"
HASHED = "assets/"
"""Below this, a file's name changes with its bytes."""
ENCODINGS: Mapping[str, str] = {"br": ".br", "gzip": ".gz"}
"""What a file may be packed by, the best first, each with the ending of what was packed at the build."""

_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_NO_TYPE = "application/octet-stream"
_TAG_LETTERS = 32
_PART = re.compile(r"^\s*([A-Za-z0-9*-]+)\s*(?:;\s*q=([01](?:\.\d{0,3})?)\s*)?$")


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent. `packed`: by the name of an encoding; `is_hashed`: its name changes with its bytes."""

    media_type: str
    plain: bytes
    packed: Mapping[str, bytes]
    sha256: str
    is_hashed: bool

    def tag(self, encoding: str | None) -> str:
        """A strong entity tag of this file, packed so; bytes that differ have tags that differ."""
        return f'"{self.sha256[:_TAG_LETTERS]}{"" if encoding is None else "-" + encoding}"'

    def bytes_for(self, encoding: str | None) -> bytes:
        """The bytes to send."""
        return self.plain if encoding is None else self.packed[encoding]


@dataclass(frozen=True, slots=True)
class Site:
    """All files by their address, without the slash before it. None at all: the console was never built."""

    assets: Mapping[str, Asset]

    @property
    def entry(self) -> Asset | None:
        """The page that starts the console; None where it was not built."""
        return self.assets.get(ENTRY)


@cache
def shipped_site() -> Site:
    """The console that this installation carries; read once in the life of a process."""
    return load_site(FOLDER)


def load_site(folder: Path) -> Site:
    """Every file below `folder`; links are not followed. A folder that is not there is a site without files."""
    found = {one.relative_to(folder).as_posix(): one for one in folder.rglob("*") if _is_file(one)}
    endings = tuple(ENCODINGS.values())
    names = [name for name in found if not (name.endswith(endings) and name.rpartition(".")[0] in found)]
    return Site({name: _asset(name, found) for name in sorted(names)})


def encoding_for(accepted: str | None, packed: Iterable[str]) -> str | None:
    """The best of `packed` that an `Accept-Encoding` header allows; None: send it plain.

    Source: RFC 9110 §12.5.3. A header that cannot be read allows nothing but plain.
    """
    weights: dict[str, float] = {}
    for part in (accepted or "").split(","):
        met = _PART.match(part)
        if met is not None:
            weights[met[1].lower()] = 1.0 if met[2] is None else float(met[2])
    usable = set(packed)
    return next((name for name in ENCODINGS if name in usable and weights.get(name, weights.get("*", 0.0)) > 0), None)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _asset(name: str, found: Mapping[str, Path]) -> Asset:
    plain = found[name].read_bytes()
    packed = {code: found[name + end].read_bytes() for code, end in ENCODINGS.items() if name + end in found}
    media_type = _TYPES.get(Path(name).suffix, _NO_TYPE)
    return Asset(media_type, plain, packed, hashlib.sha256(plain).hexdigest(), name.startswith(HASHED))
