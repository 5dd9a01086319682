# SPDX-License-Identifier: Apache-2.0
"""This is where it is written what the API tells of cases, and what it takes to open or revise one."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, StringConstraints

from evidence.case import CaseKind
from web.api.moments import Instant, Moment, Seconds
from web.api.texts import Asking, Line, Words

Term = Annotated[Line, Field(examples=["P10Y", "permanent", "30年"])]
_Title = Annotated[str, StringConstraints(max_length=200)]
_Officers = Annotated[list[Line], Field(max_length=500)]
_Links = Annotated[list[Line], Field(max_length=100)]


class Party(Asking):
    """Somebody a case is about."""

    name: Line
    id_no: _Title = ""
    role: _Title = ""


class Where(Asking):
    """Where it took place: a name, or a point (degrees, as text) with a radius in metres, or both."""

    lat: Annotated[str, StringConstraints(max_length=20)] | None = None
    lon: Annotated[str, StringConstraints(max_length=20)] | None = None
    radius_m: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    name: _Title = ""


class CaseChange(Asking):
    """What is to be told of a case from now on; what is not named stays, null empties what may be empty."""

    number: Line | None = None
    title: _Title | None = None
    officers: _Officers | None = None
    start: Moment | None = Field(None, alias="from")
    end: Moment | None = Field(None, alias="to")
    item: Line | None = None
    type: Line | None = None
    unit: Line | None = None
    file_term: Term | None = None
    links: _Links | None = None
    parties: Annotated[list[Party], Field(max_length=1000)] | None = None
    place: Where | None = None


class NewCase(CaseChange):
    """A case or check task to open."""

    number: Line
    officers: Annotated[list[Line], Field(min_length=1, max_length=500)]
    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")
    kind: CaseKind = CaseKind.CASE


class Closing(Asking):
    """When a case was closed; now, if not told."""

    at: Moment | None = None


class Linking(Asking):
    """Recordings or segments, by id, and why."""

    things: Annotated[list[Line], Field(min_length=1, max_length=500)]
    why: Words


class NewPaper(Asking):
    """A paper of a case with the times it states."""

    name: Line
    number: Line | None = None
    link: Line | None = None
    item: Line | None = None
    officers: _Officers = Field(default_factory=list)
    start: Moment | None = Field(None, alias="from")
    end: Moment | None = Field(None, alias="to")


class NewGap(Asking):
    """Why the record of a case was interrupted."""

    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")
    how: Literal["spoken", "written"] = "written"
    why: Words


class NewDelay(Asking):
    """Why something of a case was handed in late: of an item, of a link, or of all of it."""

    why: Words
    item: Line | None = None
    link: Line | None = None
    returned: Moment | None = None


class Paper(BaseModel):
    """A paper of a case (文书)."""

    id: str
    name: str
    number: str | None
    link: str | None
    item: str | None
    start_at: Instant | None
    end_at: Instant | None
    officers: list[str]


class Gap(BaseModel):
    """An interruption that was explained."""

    start_at: Instant
    end_at: Instant
    how: str
    why: str


class StandingCondition(BaseModel):
    """A condition of the catalog that stands."""

    code: str
    why: str
    set_by: str
    set_at: Instant


class CaseBrief(BaseModel):
    """A case in a list."""

    id: str
    number: str
    title: str
    kind: str
    type: str | None
    unit: str | None
    item: str | None
    file_term: str | None
    source: str | None
    source_key: str | None
    start: Instant = Field(alias="from")
    end: Instant = Field(alias="to")
    officers: list[str]
    segments: int = Field(description="How many it holds.")
    closed: bool
    closed_at: Instant | None
    restricted: bool


class CaseBody(CaseBrief):
    """A case with all that is told of it; its links are asked for page by page."""

    told: dict[str, Any] = Field(description="Parties, place, draw, links and delays.")
    documents: list[Paper]
    gaps: list[Gap]
    conditions: list[StandingCondition]


class CaseMade(BaseModel):
    """A case that was opened, and how many recordings were linked to it at once."""

    id: str
    number: str
    recordings_linked: int


class CaseDone(BaseModel):
    """What was done to a case; `changed` is false when all of it was told already."""

    id: str
    changed: bool = True


class Linked(BaseModel):
    """The segments that were linked, or whose links were withdrawn."""

    id: str
    segments: list[str]


class PaperFiled(CaseDone):
    """The paper that was filed or withdrawn."""

    document: str


class CaseLink(BaseModel):
    """A segment that stands in a case, and why."""

    segment: str
    recording: str
    number: int
    start: Seconds
    end: Seconds
    start_at: Instant | None
    reason: dict[str, Any]
    linked_by: str
    linked_at: Instant


class TimelineLine(BaseModel):
    """One line of a case's time: a recording, a paper or an interruption, and when it was."""

    what: Literal["recording", "document", "gap"]
    id: str
    name: str
    start: Instant | None = Field(alias="from")
    end: Instant | None = Field(alias="to")
