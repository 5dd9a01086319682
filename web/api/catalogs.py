# SPDX-License-Identifier: Apache-2.0
"""This is where the recording catalog (音像记录事项清单) is read over HTTP, and changed by two people."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, Field

from evidence.errors import NotFound, Overloaded
from pipeline.catalogs import adopt, filing
from pipeline.catalogs.told import tell_review, tell_version, tell_versions
from storage.register import catalogs
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.etags import tagged
from web.api.idempotency import Once
from web.api.moments import Instant, Moment, utc
from web.api.recordings import Why
from web.api.texts import Asking, Line, Words

router = APIRouter(prefix="/v1/catalogs", route_class=audited.AuditedRoute, tags=["catalogs"])

Version = Annotated[
    str,
    Path(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._@#-]+$", description="`avcat-…@2026.1#…`, `#` as `%23`."),
]
Reads = Annotated[Asker, Acting("catalog.read")]
Proposes = Annotated[Asker, Acting("catalog.propose")]
_LONGEST = 4 << 20
# A dry run asks of everything that is kept: one at a time.
_ROOM = threading.Lock()


class NewCatalog(Asking):
    """A catalog to be proposed. `shorten`: items and conditions that count for earlier recordings too."""

    text: Annotated[str, Field(min_length=1, max_length=_LONGEST, description="The catalog as YAML.")]
    effective_from: Moment
    why: Words
    profile: Line | None = None
    preset: Line | None = None
    shorten: Annotated[list[Line], Field(max_length=500, default_factory=list)]
    over_brake: Words | None = None


class Approving(Asking):
    """A second person's word. `shorter`: how many shortened recordings they have seen in the dry run."""

    why: Annotated[str, Field(max_length=4000)] = ""
    shorter: Annotated[int, Field(ge=0, le=10**12)] | None = None
    over_brake: Words | None = None


class Filing(Asking):
    """What became of a version with the supervising body (备案)."""

    status: Line
    on: date
    body: Line


class VersionBody(BaseModel):
    """A version that was proposed here."""

    id: str
    sha256: str
    profile: str | None
    preset: str | None
    effective_from: Instant
    why: str
    proposed_by: str
    proposed_at: Instant
    approved_by: str | None
    approved_at: Instant | None
    withdrawn_at: Instant | None
    state: str
    shortens: list[str]
    filing: Any


class Versions(BaseModel):
    """All versions by the day of their effect. `in_force`: the one that counts now; `configured`: the first."""

    versions: list[VersionBody]
    in_force: str
    configured: str


class CatalogText(BaseModel):
    """A catalog as it was proposed, or is configured."""

    id: str
    text: str
    version: VersionBody | None


class Review(BaseModel):
    """What a version changes, and what that does to all that is kept."""

    catalog: str
    effective_from: Instant
    adopted: bool
    change: dict[str, Any]
    effects: dict[str, Any]


class Withdrawn(BaseModel):
    """That a version was taken back."""

    catalog: str
    withdrawn: bool


class Filed(BaseModel):
    """That a filing was written down."""

    catalog: str
    status: str
    filed_on: date
    body: str


@router.get("", operation_id="catalogs.list", response_model=Versions)
def versions(asker: Reads) -> Versions:
    """Every version that was ever proposed, and which one counts now."""
    with asker.view() as connection:
        return Versions(**tell_versions(connection, ports=asker.ports, now=asker.now))


@router.get("/{catalog}", operation_id="catalogs.show", response_model=CatalogText)
def show(catalog: Version, request: Request, asker: Reads) -> Response:
    """A catalog with its text."""
    with asker.view() as connection:
        row = catalogs.find_version(connection, catalog)
        if row is not None:
            newest = tell_versions(connection, ports=asker.ports, now=asker.now)["in_force"]
            version = VersionBody(**tell_version(row, newest=newest, now=asker.now))
            return tagged(request, CatalogText(id=catalog, text=catalogs.text_of(connection, catalog), version=version))
    if catalog != asker.ports.catalog.id:
        raise NotFound("no such version of the catalog was proposed here", catalog=catalog)
    return tagged(request, CatalogText(id=catalog, text=asker.ports.catalog_text.decode(), version=None))


@router.get("/{catalog}/review", operation_id="catalogs.review", response_model=Review)
def review(catalog: Version, asker: Reads) -> Review:
    """What a proposed version would do as of now: a dry run, nothing is written."""
    asker.about("catalog", catalog)
    with _dry_run():
        return Review(**tell_review(adopt.look(catalog, ports=asker.ports, now=asker.now)))


@router.post("", operation_id="catalogs.propose", status_code=201, response_model=Review)
def propose(told: NewCatalog, asker: Proposes, once: Once) -> Response:
    """Propose a catalog after a dry run. The first one counts at once; any later one waits for another person."""
    wanted = adopt.Wanted(
        told.text.encode(),
        "catalog.yaml",
        utc(told.effective_from),
        told.why,
        profile=told.profile,
        preset=told.preset,
        shortens=frozenset(told.shorten),
        over_brake=told.over_brake,
    )

    def do() -> Review:
        with _dry_run():
            found = adopt.propose(wanted, ports=asker.ports, now=asker.now)
        asker.about("catalog", found.catalog)
        return Review(**tell_review(found))

    return once.answer(asker, do, status=201)


@router.post("/{catalog}/approve", operation_id="catalogs.approve", response_model=Review)
def approve(
    catalog: Version, told: Approving, asker: Annotated[Asker, Acting("catalog.approve")], once: Once
) -> Response:
    """Approve a proposed version as the second person, after a dry run as of now."""
    said = adopt.Approval(told.why, told.shorter, told.over_brake)

    def do() -> Review:
        asker.about("catalog", catalog)
        with _dry_run():
            return Review(**tell_review(adopt.approve(catalog, said, ports=asker.ports, now=asker.now)))

    return once.answer(asker, do)


@router.post("/{catalog}/withdraw", operation_id="catalogs.withdraw", response_model=Withdrawn)
def withdraw(catalog: Version, told: Why, asker: Annotated[Asker, Acting("catalog.withdraw")], once: Once) -> Response:
    """Take back a version before it counts."""

    def do() -> Withdrawn:
        asker.about("catalog", catalog)
        filing.withdraw(catalog, why=told.why, ports=asker.ports, now=asker.now)
        return Withdrawn(catalog=catalog, withdrawn=True)

    return once.answer(asker, do)


@router.post("/{catalog}/filing", operation_id="catalogs.file", response_model=Filed)
def file(catalog: Version, told: Filing, asker: Proposes, once: Once) -> Response:
    """Write down that a version was filed with the supervising body (备案)."""

    def do() -> Filed:
        asker.about("catalog", catalog)
        filing.file(catalog, status=told.status, on=told.on, body=told.body, ports=asker.ports, now=asker.now)
        return Filed(catalog=catalog, status=told.status, filed_on=told.on, body=told.body)

    return once.answer(asker, do)


@contextmanager
def _dry_run() -> Iterator[None]:
    if not _ROOM.acquire(blocking=False):
        raise Overloaded("another dry run is under way: ask again in a moment")
    try:
        yield
    finally:
        _ROOM.release()
