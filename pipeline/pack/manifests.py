# SPDX-License-Identifier: Apache-2.0
"""This is where the manifests of a bag are read and held against its files.

Source: RFC 8493 §2.1.3, §2.2.1.
"""

import re
from collections.abc import Mapping

from evidence.errors import RecordMalformed
from pipeline.pack import names
from pipeline.pack.opened import shown

LARGEST = 256 << 20
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n]+)", re.ASCII)
_LONGEST = 1200


def parse_manifest(data: bytes, *, of_payload: bool) -> Mapping[str, str]:
    """The digests that a manifest gives, by name.

    Raises:
        RecordMalformed: a line of another form, a name twice (also by other letters' case), or one that is none of
            ours: absolute, leading out of the bag, or in letters that two systems may take for one another.
    """
    found: dict[str, str] = {}
    folded: set[str] = set()
    for number, line in enumerate(_lines(data), start=1):
        match = _LINE.fullmatch(line) if len(line) <= _LONGEST else None
        if match is None:
            raise RecordMalformed(f"line {number} is not a digest and a name: {shown(line[:80])}")
        sha256, name = match.groups()
        if not names.is_name(name):
            raise RecordMalformed(f"line {number} names what no pack holds: {shown(name)}")
        if name.startswith(names.PAYLOAD) is not of_payload:
            raise RecordMalformed(f"line {number} names {name}, which belongs into the other manifest")
        if name.casefold() in folded:
            raise RecordMalformed(f"line {number} names {name} a second time")
        folded.add(name.casefold())
        found[name] = sha256
    return found


def _lines(data: bytes) -> list[str]:
    text = data.decode("utf-8", "surrogateescape")
    if not text.endswith("\n"):
        raise RecordMalformed("the last line has no end")
    return text[:-1].split("\n")
