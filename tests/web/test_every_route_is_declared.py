# SPDX-License-Identifier: Apache-2.0
"""Which route may be asked by whom is declared beside it: a route without an act fails here, and so does the build."""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import APIRouter

from evidence.access import ACTS
from web.access.acting import Acting, Asker
from web.access.audited import AuditedRoute
from web.access.declared import declared
from web.access.public import PUBLIC
from web.api.app import ROUTERS


def test_every_route_declares_its_act_or_stands_with_a_reason() -> None:
    assert {one.name: one.fault for one in declared(ROUTERS) if one.fault} == {}


def test_no_reason_stands_for_a_route_that_is_gone() -> None:
    assert set(PUBLIC) <= {one.name for one in declared(ROUTERS)}


def test_every_act_that_is_asked_for_is_in_the_table() -> None:
    assert {one.act for one in declared(ROUTERS) if one.act} <= set(ACTS)


def test_no_two_routes_share_an_address() -> None:
    names = [one.name for one in declared(ROUTERS)]
    assert sorted(names) == sorted(set(names))


def _one() -> dict[str, str]:
    return {}


def _two(asker: Annotated[Asker, Acting("case.read")], other: Annotated[Asker, Acting("case.open")]) -> None:
    """Two acts."""


def _three(asker: Annotated[Asker, Acting("case.read")]) -> None:
    """One act."""


@pytest.mark.parametrize(
    ("router", "fault"),
    [(APIRouter(), "no act"), (APIRouter(route_class=AuditedRoute), "more than one"), (APIRouter(), "AuditedRoute")],
)
def test_a_route_that_forgets_is_found(router: APIRouter, fault: str) -> None:
    endpoints: dict[str, Callable[..., Any]] = {"no act": _one, "more than one": _two, "AuditedRoute": _three}
    router.add_api_route("/v1/forgotten", endpoints[fault])
    [found] = declared([router])
    assert fault in found.fault


def test_an_act_that_no_line_declares_cannot_be_asked_for() -> None:
    with pytest.raises(KeyError):
        Acting("case.burn")
