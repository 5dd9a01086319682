# SPDX-License-Identifier: Apache-2.0
"""This is where it is written what the API tells of recordings."""

from typing import Any

from pydantic import BaseModel, Field

from web.api.moments import Instant, Seconds


class Clock(BaseModel):
    """How surely the start is known: the truth lies from `early_ms` before it to `late_ms` after (null: any time)."""

    early_ms: int | None
    late_ms: int | None
    basis: dict[str, Any] | None


class OriginalBrief(BaseModel):
    """A file as it left the camera."""

    name: str
    sha256: str
    size_bytes: int


class Original(OriginalBrief):
    """A file as it left the camera, and what was measured of it."""

    recording: str
    position: int
    container: str | None
    chunk_root: str
    packet_root: str | None
    packets_sha256: str | None
    facts: Any
    receipt_sha256: str | None
    sealed_at: Instant | None


class Derivative(BaseModel):
    """What was made from an original; `removed_at`: its bytes were taken away."""

    kind: str
    sha256: str
    size_bytes: int
    removed_at: Instant | None


class Segment(BaseModel):
    """A span of a recording; `earliest` and `latest` bound when it truly was, as far as the clock is known."""

    id: str
    start: Seconds
    end: Seconds
    start_at: Instant | None
    end_at: Instant | None
    earliest: Instant | None
    latest: Instant | None


class Event(BaseModel):
    """A custody event; `leaf_index` is its place in the public log, null until it is published."""

    seq: int
    kind: str
    at: Instant
    actor: str
    leaf_index: int | None


class Job(BaseModel):
    """A step of the pipeline at work on a recording."""

    step: str
    state: str
    attempts: int
    progress_permille: int
    error_code: str | None
    error_text: str | None


class Link(BaseModel):
    """A segment's link to a case."""

    case: str
    segment: str
    reason: dict[str, Any]


class Remark(BaseModel):
    """What was noticed of a recording."""

    code: str
    text: str
    at: Instant


class Attachment(BaseModel):
    """What came along with a recording."""

    role: str
    name: str
    sha256: str
    size_bytes: int
    signer: str | None


class Part(BaseModel):
    """One recording of a capture in several files; `gap_ms`: what is missing before it, negative: told twice."""

    id: str
    name: str
    state: str
    start: Instant | None
    end: Instant | None
    duration: Seconds | None
    gap_ms: int | None
    basis: str


class RecordingBase(BaseModel):
    """What lists and single answers tell of a recording alike."""

    id: str
    state: str
    kind: str | None
    device: str | None
    officer: str | None
    start: Instant | None
    end: Instant | None
    clock: Clock
    segments: int = Field(description="How many.")
    problem: str | None


class RecordingBrief(RecordingBase):
    """A recording in a list."""

    originals: list[OriginalBrief]
    derivatives: list[str]


class RecordingBody(RecordingBase):
    """All that is known of a recording, as far as whoever asks may see."""

    name: str
    dock: str
    duration: Seconds | None
    item: str | None
    item_reason: Any
    catalog: str | None
    claims: Any
    conflicts: list[str]
    problem_text: str | None
    originals: list[Original]
    derivatives: list[Derivative]
    segment_list: list[Segment]
    jobs: list[Job]
    remarks: list[Remark]
    attachments: list[Attachment]
    cases: list[Link]
    parts: list[Part]
    custody: list[Event]
    appraisal: dict[str, Any] | None
    disposal: str | None
    archive: dict[str, Any] | None
    tombstone: dict[str, Any] | None
