# SPDX-License-Identifier: Apache-2.0
"""This is where the API describes itself: OpenAPI 3.1, made from the routes, at `/v1/openapi.json`.

What no route says by itself is added: how one signs in to which operation, which act it is, and what a problem is.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from web.access.acting import Door
from web.api.openapi_links import add_links
from web.api.problems import SCHEMA

ADDRESS = "/v1/openapi.json"
VERSION = "1"
_SESSION, _KEY, _DOCK = "session", "key", "dock"
_SCHEMES: Mapping[str, Any] = {
    _SESSION: {"type": "apiKey", "in": "cookie", "name": "__Host-evidock", "description": "A person's session."},
    _KEY: {"type": "http", "scheme": "bearer", "bearerFormat": "evk_…", "description": "An API key of a program."},
    _DOCK: {"type": "http", "scheme": "bearer", "description": "The token of a dock or terminal."},
}
_DOCKS = "dock protocol"
_OPEN = ("/v1/challenges", "/v1/sessions", "/v1/enrolments")  # how a dock begins: it has no token yet
_NO_NAME = re.compile(r"[^A-Za-z0-9]+")
_ABOUT = """Evidence media: recordings, cases, clips and their proofs. docs/operate/api.md tells the conventions.

Lists are paged by `limit` and `after`. A single thing has an `ETag`. A request that changes something may carry an
`Idempotency-Key`. What goes wrong is told as `application/problem+json`."""


def install(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Have the application of these routers describe itself so."""

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app, routers)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]  # how the framework has it replaced


def operation_of(route: APIRoute) -> str:
    """A name for an operation that was given none: its tag and what its function is called."""
    tag = str(route.tags[0]) if route.tags else _DOCKS
    return f"{tag.replace(' ', '_')}.{route.name}.{_short(route.path)}"


def tags_of(tags: list[Any]) -> list[str]:
    """The tags to add to a router's own: docks' routes have none."""
    return [] if tags else [_DOCKS]


def acts_of(route: APIRoute) -> list[str]:
    """The acts that a route asks for; none of one that everybody or a dock may call."""
    return [one.call.act.name for one in _dependants(route.dependant) if isinstance(one.call, Door)]


def _short(path: str) -> str:
    return _NO_NAME.sub("_", path.partition("/v1/")[2]).strip("_")


def _described(app: FastAPI, routers: Sequence[APIRouter]) -> dict[str, Any]:
    told = get_openapi(title="evidock", version=VERSION, description=_ABOUT, routes=app.routes)
    parts = told.setdefault("components", {})
    parts["securitySchemes"] = dict(_SCHEMES)
    schemas = parts.setdefault("schemas", {})
    schemas["Problem"] = dict(SCHEMA)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for route in (one for router in routers for one in router.routes):
        if isinstance(route, APIRoute) and route.include_in_schema:
            for method in route.methods or ():
                _annotate(told["paths"][route.path_format][method.lower()], route)
    add_links(told)
    return told


def _annotate(operation: dict[str, Any], route: APIRoute) -> None:
    acts = acts_of(route)
    if acts:
        operation["x-evidock-act"] = acts[0]
        operation["security"] = [{_SESSION: []}, {_KEY: []}]
    elif operation.get("tags") == [_DOCKS] and route.path not in _OPEN:
        operation["security"] = [{_DOCK: []}]
    else:
        operation["security"] = []


def _dependants(dependant: Dependant) -> Iterator[Dependant]:
    for one in dependant.dependencies:
        yield one
        yield from _dependants(one)
