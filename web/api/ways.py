# SPDX-License-Identifier: Apache-2.0
"""This is where somebody who is not signed in yet is told by what means one signs in here."""

from fastapi import APIRouter
from pydantic import BaseModel

from web.api.context import Here

router = APIRouter(prefix="/v1/session", tags=["session"])


class Ways(BaseModel):
    """What this server takes beside a password. `passkey`: it was told its name; `oidc`: it was told a provider."""

    passkey: bool
    oidc: bool


@router.get("/ways", operation_id="session.ways", response_model=Ways)
def show(here: Here) -> Ways:
    """By what means one signs in here; it tells of nobody."""
    means = here.sign_in
    return Ways(passkey=bool(means.host), oidc=means.oidc is not None and bool(means.public_url))
