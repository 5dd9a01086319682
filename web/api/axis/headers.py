# SPDX-License-Identifier: Apache-2.0
"""This is where paths and headers of Swift requests are read, and refused when they are not of the form.

Source: OpenStack Object Storage API v1; Axis body worn integration API 1.6.10, "Clip metadata details".
"""

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote, unquote_to_bytes

from fastapi import Request

from evidence.errors import BadInput
from evidence.offer import check_relative, from_raw, is_showable

_MOST, _LONGEST, _ALL = 90, 2048, 8192
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}")
_MD5 = re.compile(r"[0-9a-f]{32}")
_LONGEST_CONTAINER, _LONGEST_OBJECT = 256, 1024
_REFERRING = ("x-object-manifest", "x-symlink-target", "x-copy-from")


def place(request: Request, *, prefix: str) -> tuple[str, str, str]:
    """Account, container and object that a request is about; what it does not name is empty.

    The path is taken apart as it came: what is encoded in a name separates nothing.

    Raises:
        BadInput: a name is too long, holds what cannot be shown, or leads elsewhere.
    """
    raw = bytes(request.scope["raw_path"]).partition(b"?")[0]
    account, container, name = (*raw.removeprefix(prefix.encode()).split(b"/", 2), b"", b"")[:3]
    found = _name(account, _LONGEST_CONTAINER), _name(container, _LONGEST_CONTAINER), _name(name, _LONGEST_OBJECT)
    if "/" in found[0] + found[1]:
        raise BadInput("no account and no container has a slash in its name")
    for one in found:
        if one:
            check_relative(one)
    return found


def metadata(headers: Mapping[str, str], kind: str) -> dict[str, str]:
    """What a request says of a container or an object (`kind`): keys in small letters, values as they were meant.

    Raises:
        BadInput: there is more of it than anybody has to say, or a key cannot be one.
    """
    prefix = f"x-{kind}-meta-"
    said = {key.lower().removeprefix(prefix): value for key, value in headers.items() if key.lower().startswith(prefix)}
    if len(said) > _MOST or sum(len(key) + len(value) for key, value in said.items()) > _ALL:
        raise BadInput(f"metadata has at most {_MOST} keys, and {_ALL} characters")
    if not all(_KEY.fullmatch(key) and len(value) <= _LONGEST for key, value in said.items()):
        raise BadInput(f"a key of metadata cannot be one, or a value is longer than {_LONGEST} characters")
    return {key: unquote(value, errors="replace") for key, value in said.items()}


def told(said: Mapping[str, str], kind: str) -> dict[str, str]:
    """Metadata as the headers of an answer."""
    return {f"X-{kind.title()}-Meta-{key.title()}": quote(value) for key, value in said.items()}


def etag(headers: Mapping[str, str]) -> bytes | None:
    """The MD5 that the content has, by its sender; None when it does not say.

    Raises:
        BadInput: it is no MD5.
    """
    text = headers.get("etag")
    if text is None:
        return None
    digest = text.strip().strip('"').lower()
    if not _MD5.fullmatch(digest):
        raise BadInput("ETag must be the MD5 of the content, in hexadecimal")
    return bytes.fromhex(digest)


def length(headers: Mapping[str, str]) -> int | None:
    """How many bytes come; None when it is not said.

    Raises:
        BadInput: it is no number.
    """
    text = headers.get("content-length")
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,19}", text, re.ASCII):
        raise BadInput("Content-Length must be a number")
    return int(text)


def check_plain(request: Request) -> None:
    """Return when an object is its body, and not made of others: those we would not have.

    Raises:
        BadInput: it refers to other objects.
    """
    if "multipart-manifest" in request.query_params or any(name in request.headers for name in _REFERRING):
        raise BadInput("an object is its own bytes here: objects made of others are not spoken")


def _name(raw: bytes, longest: int) -> str:
    name = from_raw(unquote_to_bytes(raw))
    if len(raw) > 3 * longest or len(unquote_to_bytes(raw)) > longest or not is_showable(name):
        raise BadInput("a name is too long, or holds what cannot be shown")
    return name
