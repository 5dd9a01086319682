# SPDX-License-Identifier: Apache-2.0
"""This is where docks sign in: a challenge, and a token for whoever signed it."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, StringConstraints

from evidence.errors import NotFound, NotSignedIn
from storage.register import dock_rows
from web.api.context import Here

router = APIRouter(prefix="/v1")

Short = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Asking(BaseModel):
    """Who asks for a challenge."""

    dock: Short


class Signing(BaseModel):
    """A challenge and its signature, both base64."""

    dock: Short
    challenge: Short
    signature: Short


@router.post("/challenges")
def ask(asking: Asking, here: Here) -> dict[str, str]:
    """A challenge, also for a dock that nobody knows: the answer must not tell which docks there are."""
    return {"challenge": here.sessions.challenge(asking.dock)}


@router.post("/sessions", status_code=201)
def sign_in(signing: Signing, here: Here) -> dict[str, Any]:
    """A token for the dock whose key signed the challenge."""
    try:
        with here.ports.register.view() as connection:
            dock = dock_rows.dock(connection, signing.dock)
    except NotFound as error:
        raise NotSignedIn("the signature is not by the key of an enrolled dock") from error
    token = here.sessions.open(dock, challenge=signing.challenge, signature=signing.signature)
    return {"token": token, "expires_in": here.limits.session_s}
