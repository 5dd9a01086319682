# SPDX-License-Identifier: Apache-2.0
"""This is where it is read off the routes which act each of them declares."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from web.access.acting import Door
from web.access.audited import AuditedRoute
from web.access.public import PUBLIC
from web.api.axis.door import signed_in as axis_signed_in
from web.api.signed_in import signed_in as dock_signed_in

DOCKS = "dock.speak"
"""The act of every route that asks for a dock's token by itself."""

_OF_DOCKS = (dock_signed_in, axis_signed_in)


@dataclass(frozen=True, slots=True)
class Declared:
    """A route with one of its methods. `act` is empty for one that everybody may ask; `fault`: what is wrong."""

    method: str
    path: str
    act: str
    fault: str
    route: APIRoute

    @property
    def name(self) -> str:
        """As `public` names it."""
        return f"{self.method} {self.path}"


def declared(routers: Iterable[APIRouter]) -> Iterator[Declared]:
    """Every route, by method."""
    for router in routers:
        for route in router.routes:
            if not isinstance(route, APIRoute):
                raise TypeError(f"{route!r} is no route whose act can be read")
            for method in sorted(route.methods or ()):
                yield _declared(route, method)


def _declared(route: APIRoute, method: str) -> Declared:
    calls = list(_calls(route.dependant))
    doors = [call for call in calls if isinstance(call, Door)]
    is_public = f"{method} {route.path}" in PUBLIC
    if not doors and any(one in calls for one in _OF_DOCKS):
        fault = "public, and asks for a dock" if is_public else ""
        return Declared(method, route.path, DOCKS, fault, route)
    if not doors:
        return Declared(method, route.path, "", "" if is_public else "no act is declared", route)
    fault = "more than one act is declared" if len(doors) > 1 else ""
    if is_public:
        fault = "public, and declares an act"
    if not isinstance(route, AuditedRoute):
        fault = "not an AuditedRoute: what is seen would not be told"
    return Declared(method, route.path, doors[0].name, fault, route)


def _calls(dependant: Dependant) -> Iterator[object]:
    for one in dependant.dependencies:
        yield one.call
        yield from _calls(one)
