# SPDX-License-Identifier: Apache-2.0
"""This is where a recorder's own settings files say whose recorder it is.

Ini, flat or indented CSON, JSON and a bare `ID.txt` are read by one small reader that looks for few keys and
ignores the rest: these files also hold passwords, which must not travel. What cannot be read says nothing.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from devices.makers import form
from devices.safe_open import open_beneath
from evidence.claims import Claim, Source
from evidence.errors import BadInput, NotFound

MAX_SIDE_BYTES = 1 << 16
# Where recorders keep them, from the folder that holds `DCIM`.
PLACES = (
    "bind.ini",
    "device.ini",
    "configs.cson",
    "DCIM/configs.cson",
    "Config/dcam_config.cson",
    "LocalSettings.json",
    "ID.txt",
)
_SETTINGS = frozenset(place.lower() for place in PLACES)
# Keys without spaces and strokes, in lower case; a dot stands between a section and a key in it.
_DEVICE_KEYS = {"account.userid", "id", "idcode", "sn", "serial", "serialno", "serialnumber"} | {
    f"dev{rest}" for rest in ("id", "ice.id", "iceid", "ice.no", "iceno", "ice.sn", "icesn")
}
_DEVICE_KEYS_ZH = {"记录仪编号", "执法记录仪编号", "设备编号", "产品序号"}
_OFFICER_KEYS = {"police.userid", "badgeid", "badgeno", "officer"} | {
    f"{who}{what}" for who in ("officer", "police") for what in (".id", "id", ".no", "no")
}
_OFFICER_KEYS_ZH = {"警号", "执法证件编号", "执法人员编号", "用户编号"}
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_OFFICER = re.compile(r"[A-Za-z0-9\u4e00-\u9fff-]{1,32}")
_SECTION = re.compile(r"\[([^\[\]]{1,64})\]")
_PAIR = re.compile(r"([^=:]{1,64}?)\s*[=:]\s*(.*)")
_NOISE = re.compile(r"[\s_\-'\"]+")
_MAX_NESTING = 4


def is_settings(path: str) -> bool:
    """True for a settings file of a recorder, by its path on the device: it may hold passwords, and stays there."""
    return path.lower() in _SETTINGS


def side_places(path: str) -> tuple[str, ...]:
    """Where the settings of the recorder may lie whose file is `path`; nowhere when no `DCIM` is above it.

    Only the volume the file is on is asked: one dock folder may hold the cards of several recorders.
    """
    parts = path.split("/")
    camera = next((place for place, part in enumerate(parts[:-1]) if part.upper() == "DCIM"), None)
    if camera is None:
        return ()
    return tuple("/".join((*parts[:camera], place)) for place in PLACES)


def read_side(root: Path, path: str) -> dict[str, bytes]:
    """The settings files of the recorder whose file is `path` beneath `root`: path to content.

    Links are not followed, and a file larger than `MAX_SIDE_BYTES` is not a settings file. They may hold
    passwords: do not log or keep them.

    Raises:
        SourceUnavailable: the medium cannot be read now.
    """
    found: dict[str, bytes] = {}
    for place in side_places(path):
        try:
            with open_beneath(root, place) as side:
                content = side.read(MAX_SIDE_BYTES + 1)
        except (NotFound, BadInput):  # most places are empty, and a link is nobody's settings
            continue
        if content and len(content) <= MAX_SIDE_BYTES:
            found[place] = content
    return found


def claims_of(side: Mapping[str, bytes]) -> Iterator[Claim]:
    """The device and the officer that settings files name; `side` is path to content. Never fails."""
    for path, content in side.items():
        text = _text(content)
        if path.rpartition("/")[2].lower() == "id.txt":
            yield from _claims((("id", text.strip()),))
        else:
            yield from _claims(_pairs(text))


def _claims(pairs: Iterable[tuple[str, str]]) -> Iterator[Claim]:
    for key, value in pairs:
        field = _field_of(_NOISE.sub("", key.lower()))
        if field == "officer" and _OFFICER.fullmatch(value):
            yield from form.officer(value, Source.SIDECAR)
        elif field == "device" and _DEVICE.fullmatch(value):
            yield from form.claimed("device", value, Source.SIDECAR)


def _field_of(key: str) -> str | None:
    last = key.rpartition(".")[2]
    if key in _OFFICER_KEYS or last in _OFFICER_KEYS | _OFFICER_KEYS_ZH:
        return "officer"
    # A bare `id` is the device's only where no section says whose it is.
    if key in _DEVICE_KEYS or last in (_DEVICE_KEYS | _DEVICE_KEYS_ZH) - {"id"}:
        return "device"
    return None


def _text(content: bytes) -> str:
    if len(content) > MAX_SIDE_BYTES:
        return ""
    for encoding in ("utf-8-sig", "gb18030"):  # recorders sold in China write either
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return ""


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    if text.lstrip().startswith("{"):
        try:
            yield from _flat(json.loads(text), "", 0)
        except (ValueError, RecursionError):
            return
    else:
        yield from _lines(text)


def _flat(value: object, key: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and depth < _MAX_NESTING:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name), depth + 1)
    elif isinstance(value, str):
        yield key, value.strip()
    elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18:
        yield key, str(value)


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """`key = value` and `key: value`, under `[section]` or under a line `key:` that is indented less."""
    section = ""
    for line in text.splitlines():
        told = line.strip()
        heading, pair = _SECTION.fullmatch(told), _PAIR.fullmatch(told)
        if heading is not None:
            section = heading[1]
        elif pair is not None and not told.startswith(("#", ";", "//")):
            key, value = pair[1], pair[2].strip().strip("'\",")
            if not value:
                section = key
                continue
            if line[:1].isspace() and section:
                yield f"{section}.{key}", value
            else:
                yield key, value
