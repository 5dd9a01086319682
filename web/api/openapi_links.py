# SPDX-License-Identifier: Apache-2.0
"""This is where the description says which operation an answer leads to: from what was made, or listed, to the thing.

Made from the paths: what `POST /v1/cases` or `GET /v1/cases` answers names what `/v1/cases/{case}…` asks for.
Source: OpenAPI 3.1.1, 4.8.20 (Link Object).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_NAME = re.compile(r"\{([^}]+)\}")
_METHODS = ("get", "post", "put", "patch", "delete")
_REF = "#/components/schemas/"


def add_links(told: dict[str, Any]) -> None:
    """Add links to every answer of a description that names a thing which other operations ask for."""
    for path, operations in told["paths"].items():
        below = list(_below(told["paths"], path))
        for method, status, root in (("post", "201", ""), ("get", "200", "/items/0")):
            answer = operations.get(method, {}).get("responses", {}).get(status)
            if answer is None or not below:
                continue
            fields = _fields(told, answer, is_list=bool(root))
            links = {link["operationId"]: link for link in _links(below, fields, path, root)}
            if links:
                answer["links"] = links


def _below(paths: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Operations on one thing of a collection: their ids, and the name of the parameter that says which."""
    start = re.compile(re.escape(path) + r"/\{([^}]+)\}(?:/[^{}]*)?")
    for other, operations in paths.items():
        met = start.fullmatch(other)
        if met is not None:
            yield from ((operations[one]["operationId"], met[1]) for one in _METHODS if one in operations)


def _fields(told: Mapping[str, Any], answer: Mapping[str, Any], *, is_list: bool) -> frozenset[str]:
    schema = _resolved(told, answer.get("content", {}).get("application/json", {}).get("schema", {}))
    if is_list:
        schema = _resolved(told, schema.get("properties", {}).get("items", {}).get("items", {}))
    return frozenset(schema.get("properties", {}))


def _resolved(told: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = str(schema.get("$ref", "")).removeprefix(_REF)
    found: Mapping[str, Any] = told["components"]["schemas"][name] if name else schema
    return found


def _links(below: list[tuple[str, str]], fields: frozenset[str], path: str, root: str) -> Iterator[dict[str, Any]]:
    for operation, name in below:
        field = name if name in fields else "id"
        if field in fields:
            same = {one: f"$request.path.{one}" for one in _NAME.findall(path)}
            yield {"operationId": operation, "parameters": {**same, name: f"$response.body#{root}/{field}"}}
