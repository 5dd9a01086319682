# SPDX-License-Identifier: Apache-2.0
"""This is where jobs are listed with how far they are, and tried again by hand over HTTP."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel

from pipeline.job_retry import retry_job
from storage.register import registry_lists
from web.access import audited
from web.access.acting import Acting, Asker
from web.api.etags import tagged
from web.api.idempotency import Once
from web.api.moments import Instant
from web.api.paging import Listed, Paged, listed
from web.api.texts import Line

router = APIRouter(prefix="/v1/jobs", route_class=audited.AuditedRoute, tags=["jobs"])

JobId = Annotated[Line, Path(description="`STEP:SUBJECT`")]
Reading = Annotated[Asker, Acting("job.read")]
State = Literal["runnable", "leased", "done", "dead"]


class JobBody(BaseModel):
    """A job: what it does to what, how far it is (in thousandths), and what it met last.

    `place`: the one installation that can run it; empty: any. `dead`: it was given up.
    """

    id: str
    step: str
    subject: str
    dock: str
    place: str
    state: State
    attempts: int
    failures: int
    owner: str | None
    due_at: Instant
    progress_permille: int
    error_code: str | None
    error_text: str | None
    created_at: Instant


@router.get("", operation_id="jobs.list", response_model=Listed[JobBody])
def list_jobs(
    asker: Reading, paged: Paged, state: State | None = None, step: Line | None = None, subject: Line | None = None
) -> Listed[JobBody]:
    """Jobs by id."""
    wanted: dict[str, Any] = {"state": state, "step": step, "subject": subject}
    with asker.view() as connection:
        page = registry_lists.jobs_page(connection, **wanted, limit=paged.limit, after=paged.place())
    return listed([JobBody(**row) for row in page.rows], page)


@router.get("/{job}", operation_id="jobs.show", response_model=JobBody)
def show(job: JobId, request: Request, asker: Reading) -> Response:
    """A job."""
    return tagged(request, _shown(asker, job))


@router.post("/{job}/retry", operation_id="jobs.retry", response_model=JobBody)
def retry(job: JobId, asker: Annotated[Asker, Acting("job.retry")], once: Once) -> Response:
    """Have a job tried again now that was given up, or waits after a failure; what is recorded stays."""

    def do() -> JobBody:
        retry_job(job, ports=asker.ports, now=asker.now)
        asker.here.hint(job)
        return _shown(asker, job)

    return once.answer(asker, do)


def _shown(asker: Asker, job: str) -> JobBody:
    asker.about("job", job)
    with asker.view() as connection:
        return JobBody(**registry_lists.job(connection, job))
