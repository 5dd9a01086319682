# SPDX-License-Identifier: Apache-2.0
"""This is where it is written what the API tells of the custody log."""

from typing import Any

from pydantic import BaseModel, Field

from web.api.moments import Instant


class CustodyEntry(BaseModel):
    """A custody event. `note` is what was signed; it is the entry of the log at `leaf_index`."""

    stream: str
    seq: int
    kind: str
    at: Instant
    actor: str
    leaf_index: int | None = Field(description="Its place in the public log; null until it is published.")
    leaf_hash: str
    note: str


class Checkpoint(BaseModel):
    """The newest signed checkpoint of the log; `size` 0 and an empty text while nothing was published."""

    size: int
    checkpoint: str


class LogKeys(BaseModel):
    """The public keys that an auditor needs, as C2SP vkeys: of the log, and of records and receipts."""

    keys: list[str]


class LogEntry(BaseModel):
    """One leaf of the log."""

    index: int
    leaf_hash: str
    entry: str = Field(description="The bytes of the leaf: a signed note, which is text.")


class ProvenEntry(LogEntry):
    """One leaf of the log, and the proof that it stands in the newest checkpoint (RFC 6962 §2.1.1)."""

    proof: dict[str, Any]


class Finding(BaseModel):
    """One thing that does not hold, or could not be decided."""

    object: str
    what: str
    where: str
    verdict: str


class Checked(BaseModel):
    """How much was looked at."""

    objects: int
    bytes: int


class Report(BaseModel):
    """What a check found; as `evidock verify --json`."""

    verdict: str = Field(description="proven, tampered, undecidable or unusable")
    findings: list[Finding]
    checked: Checked
    notes: list[str]
