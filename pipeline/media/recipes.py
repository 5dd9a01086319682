# SPDX-License-Identifier: Apache-2.0
"""This is where a recipe is a value: exactly how a derivative was made.

Canonical form (bytes of `Recipe.to_json`): an object with `arguments` (list of text), `id`, `input`
(SHA-256 of the original, hexadecimal), `tool`, `version`. In `arguments` the input is written
`{input}`, and outputs are bare names: no path of any machine is in a recipe. One run may make several
derivatives; their recipes differ in `id` alone.
"""

import hashlib
import re
from dataclasses import dataclass

from evidence import canonical_json
from evidence.errors import RecordMalformed

INPUT = "{input}"

_ID = re.compile(r"[a-z0-9][a-z0-9-]*/v[1-9][0-9]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one derivative was made; equal recipes with the same build of the tool give equal bytes.

    Raises:
        RecordMalformed: `id` is not of the form `name/v1`, or `input_sha256` is not 64 hexadecimal digits.
    """

    id: str
    tool: str
    version: str
    arguments: tuple[str, ...]
    input_sha256: str

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise RecordMalformed(f"not a recipe's name: {self.id!r}")
        if not _SHA256.fullmatch(self.input_sha256):
            raise RecordMalformed(f"not a SHA-256 in hexadecimal: {self.input_sha256!r}")

    def to_json(self) -> bytes:
        """The canonical bytes."""
        return canonical_json.dumps(
            {
                "arguments": self.arguments,
                "id": self.id,
                "input": self.input_sha256,
                "tool": self.tool,
                "version": self.version,
            }
        )

    @property
    def key(self) -> str:
        """SHA-256 of the canonical bytes, hexadecimal: the name under which a derivative is kept."""
        return hashlib.sha256(self.to_json()).hexdigest()


def from_json(data: bytes) -> Recipe:
    """The recipe that `to_json` wrote.

    Raises:
        RecordMalformed: not canonical JSON, a field too many or missing, or of another type.
    """
    value = canonical_json.loads(data)
    if not isinstance(value, dict) or set(value) != {"arguments", "id", "input", "tool", "version"}:
        raise RecordMalformed("a recipe has the fields arguments, id, input, tool, version")
    arguments = value["arguments"]
    texts = [value["id"], value["tool"], value["version"], value["input"]]
    if not isinstance(arguments, list) or not all(isinstance(text, str) for text in texts + arguments):
        raise RecordMalformed("the fields of a recipe are text")
    return Recipe(value["id"], value["tool"], value["version"], tuple(arguments), value["input"])
