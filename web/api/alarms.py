# SPDX-License-Identifier: Apache-2.0
"""This is where a dock tells what a person must hear of."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BaseModel, StringConstraints

from pipeline.dock_alarms import alarm
from web.api.context import Here
from web.api.signed_in import Dock

router = APIRouter(prefix="/v1")


class Alarm(BaseModel):
    """An alarm of a device, or of the dock itself; `at` is when the dock noticed: with it, a repeat is known."""

    device: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    code: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    text: Annotated[str, StringConstraints(max_length=20_000)]
    at: AwareDatetime | None = None


@router.post("/alarms", status_code=204, response_class=Response)
def tell(told: Alarm, dock: Dock, here: Here) -> None:
    """Nothing: it is on record."""
    here.rates.alarms.count(dock["id"], at=here.monotonic())
    alarm(
        told.code,
        told.text,
        device=told.device,
        noticed_at=told.at,
        dock=dock["id"],
        ports=here.ports,
        now=here.now(),
    )
    here.note("device-alarm", f"dock {dock['name']}: {told.code}", dock=dock["id"], code=told.code)
