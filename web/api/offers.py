# SPDX-License-Identifier: Apache-2.0
"""This is where a dock asks what became of its files, and gets the receipt for each that is sealed."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from pipeline.offers_told import MOST_AT_ONCE, known_offers, told_of
from web.api.context import Here
from web.api.signed_in import Dock

router = APIRouter(prefix="/v1/offers")


class Asking(BaseModel):
    """Offer ids, at most 500."""

    offers: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=64)]], Field(max_length=MOST_AT_ONCE)
    ]


@router.post("/known")
def known(asking: Asking, dock: Dock, here: Here) -> dict[str, Any]:
    """Those of the offers that were made."""
    return {"offers": [asdict(one) for one in known_offers(asking.offers, dock=dock["id"], ports=here.ports)]}


@router.get("/{offer}")
def told(offer: str, dock: Dock, here: Here) -> dict[str, Any]:
    """What became of one offer."""
    return asdict(told_of(offer, dock=dock["id"], ports=here.ports))
