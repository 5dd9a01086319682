# SPDX-License-Identifier: Apache-2.0
"""This is where the binding file of a recorder is checked: whose it is, and whether somebody changed that.

`bind.ini` at the root of the volume has the recorder's number, its user, unit and time of binding, and SM3
(GB/T 32905-2016) over the four values, each followed by a line feed, in UTF-8. The digest has no key: it
shows that the file was changed by hand, and proves no more than that.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from devices.safe_open import open_beneath
from evidence.errors import BadInput, NotFound

PLACE = "bind.ini"
ALTERED = "binding-altered"
_LARGEST = 1 << 16
_PAIR = re.compile(r"\s*([^=:#;\[\]]{1,64}?)\s*[=:]\s*(.*?)\s*")
_FIELDS = {
    "记录仪编号": "device",
    "用户": "user",
    "部门": "unit",
    "绑定时间": "bound_at",
    "sm3": "digest",
    "device": "device",
    "user": "user",
    "unit": "unit",
    "bound_at": "bound_at",
}


@dataclass(frozen=True, slots=True)
class Binding:
    """What the binding file says; `digest` as it stands there, in hexadecimal."""

    device: str
    user: str
    unit: str
    bound_at: str
    digest: str

    @property
    def is_whole(self) -> bool:
        """True when the digest fits what is said."""
        return self.digest.lower() == self.measured()

    def measured(self) -> str:
        """The SM3 of what is said, in hexadecimal."""
        digest = hashes.Hash(hashes.SM3())
        for value in (self.device, self.user, self.unit, self.bound_at):
            digest.update(value.encode("utf-8", "surrogatepass") + b"\n")
        return digest.finalize().hex()

    def to_text(self) -> str:
        """The file as we write it, with the digest that fits."""
        values = (self.device, self.user, self.unit, self.bound_at, self.measured())
        names = ("记录仪编号", "用户", "部门", "绑定时间", "SM3")
        return "".join(f"{name}={value}\n" for name, value in zip(names, values, strict=True))


def read_binding(root: Path) -> Binding | None:
    """The binding file of the volume at `root`; None when there is none, or it binds nobody.

    A link or a file too large to be one says as much as a changed file does.

    Raises:
        SourceUnavailable: the medium cannot be read.
    """
    try:
        with open_beneath(root, PLACE) as file:
            content = file.read(_LARGEST + 1)
    except NotFound:
        return None
    except BadInput:
        return Binding("", "", "", "", "no file")
    told = dict(_pairs(content))
    if len(content) <= _LARGEST and not {"bound_at", "digest"} & told.keys():
        return None  # settings of another kind under this name
    return Binding(**{name: told.get(name, "") for name in ("device", "user", "unit", "bound_at", "digest")})


def problem_of(binding: Binding | None, serial: str | None) -> str | None:
    """`binding-altered` when the file was changed, or binds another recorder than this one; else None."""
    if binding is None:
        return None
    is_ours = serial is None or binding.device == serial
    return None if binding.is_whole and is_ours else ALTERED


def _pairs(content: bytes) -> list[tuple[str, str]]:
    found = []
    for line in _text(content).splitlines():
        match = _PAIR.fullmatch(line)
        field = _FIELDS.get(match[1].lower()) if match else None
        if match and field:
            found.append((field, match[2]))
    return found


def _text(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):  # recorders sold in China write either
        try:
            return content[:_LARGEST].decode(encoding)
        except UnicodeDecodeError:
            continue
    return ""
