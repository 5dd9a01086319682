# SPDX-License-Identifier: Apache-2.0
"""This is where the metadata of an upload becomes what is told of a file on its way in."""

import json
import re
from collections.abc import Callable, Mapping

from evidence.claims import Claims, Source
from evidence.errors import BadInput
from evidence.offer import from_raw
from pipeline.received_told import Told

VIA = "tus"

_MTIME = re.compile(rb"-?[0-9]{1,19}")
_DOCKING = re.compile(rb"dkg-[a-z2-7]{16}")
_SHA256 = re.compile(rb"[0-9a-f]{64}")
_FIELD = re.compile(r"[a-z_]{1,40}")
_LONGEST_NAME, _LONGEST_PATH = 255, 4096

Reader = Callable[[str, int], Claims]
"""What a file's path and time (ns since 1970) say of it; for clients that send no claims."""


def told_of(said: Mapping[str, bytes], *, sender: str, length: int, alone: str, header: str, read: Reader) -> Told:
    """What is told of a file by the metadata `said`, which came as `header`.

    A file whose path is not said gets one that no other has, in the folder `alone`: two files of one name are not
    taken for one.

    Raises:
        BadInput: something said is not of its form, or the path leaves the device.
    """
    mtime = int(_formed(said, "mtime_ns", _MTIME) or b"0")
    path = from_raw(said["path"]) if "path" in said else f"{alone}/{_name(said) or alone}"
    name = _name(said) or path.rpartition("/")[2]
    if len(said.get("path", b"")) > _LONGEST_PATH or len(name.encode("utf-8", "surrogateescape")) > _LONGEST_NAME:
        raise BadInput("the path or name of the file is too long")
    docking, digest = _formed(said, "docking", _DOCKING), _formed(said, "sha256", _SHA256)
    told = Told(
        sender=sender,
        path=path,
        name=name,
        mtime_ns=mtime,
        length=length,
        claims=_claims(said["claims"]) if "claims" in said else read(path, mtime),
        docking=docking.decode() if docking else None,
        sha256=digest.decode() if digest else None,
        extra={"via": VIA, "metadata": header},
    )
    told.offer()  # raises what no offer can be
    return told


def is_upload(told: Told) -> bool:
    """True when a file came by this door."""
    return bool(told.extra.get("via") == VIA)


def _name(said: Mapping[str, bytes]) -> str:
    """The last part of the name that ordinary clients send under one of two keys."""
    named = said.get("filename") or said.get("name") or b""
    name = from_raw(named).rpartition("/")[2]
    return "" if name in (".", "..") else name.replace("\0", "")


def _formed(said: Mapping[str, bytes], key: str, form: re.Pattern[bytes]) -> bytes | None:
    value = said.get(key)
    if value is not None and not form.fullmatch(value):
        raise BadInput(f"Upload-Metadata {key} is not of its form")
    return value


def _claims(text: bytes) -> Claims:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput("Upload-Metadata claims is no JSON") from error
    if not isinstance(said, list) or not all(isinstance(one, dict) for one in said):
        raise BadInput("Upload-Metadata claims is no list of claims")
    if not all(isinstance(one.get("field"), str) and _FIELD.fullmatch(one["field"]) for one in said):
        raise BadInput("Upload-Metadata claims names no field")
    claims = Claims.from_json(said)
    if any(one.source is Source.OPERATOR for one in claims):
        raise BadInput("nobody at a dock speaks as an operator of ours")
    return claims
