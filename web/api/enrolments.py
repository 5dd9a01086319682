# SPDX-License-Identifier: Apache-2.0
"""This is where a dock that was invited brings its key, and learns who it is and whose receipts to believe."""

import base64
import binascii
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, StringConstraints

from evidence.errors import BadInput, NotSignedIn
from pipeline.docks import enrol
from web.api.context import Here
from web.api.rates import neighbours

router = APIRouter(prefix="/v1")

Short = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Enrolling(BaseModel):
    """The one-time code, what the dock calls itself, and its public key in base64."""

    code: Short
    name: Annotated[str, StringConstraints(max_length=200)] = ""
    key: Short


@router.post("/enrolments", status_code=201)
def enrol_dock(enrolling: Enrolling, request: Request, here: Here) -> dict[str, Any]:
    """The dock's id, and the keys to pin."""
    key = _key(enrolling.key)
    asks = neighbours("unknown" if request.client is None else request.client.host)
    # Counted before it is looked up: of many guesses at once, none is free.
    here.rates.wrong_codes.count(asks, at=here.monotonic())
    try:
        dock = enrol(enrolling.code, key, name=enrolling.name, ports=here.ports, now=here.now())
    except NotSignedIn:
        raise
    except BaseException:
        here.rates.wrong_codes.take_back(asks)  # nothing was learned of any code
        raise
    here.rates.wrong_codes.take_back(asks)
    here.sessions.end(dock["id"])  # whoever held this dock's place before has lost it
    here.note("dock-enrolled", f"dock {dock['name']} ({dock['id']}) is enrolled", dock=dock["id"])
    return {"dock": dock["id"], "server_keys": list(here.server_keys)}


def _key(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput("the key is not base64") from error
