# SPDX-License-Identifier: Apache-2.0
"""This is where a catalog's structure is held to its JSON Schema (draft 2020-12), in words and lines of the file.

The schema is data beside the default catalog, and published as docs/catalog.schema.json. Each rule of it says in
its `description` what to write; that is the advice a person gets.
"""

import json
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.catalogs.faults import Fault, one_of, quoted
from pipeline.catalogs.text import Document, path_words

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

SCHEMA = Path(__file__).parents[1] / "data" / "catalog.schema.json"
_MOST = 200
_KINDS = {dict: "a mapping", list: "a list", str: "text", bool: "true or false", int: "a number", type(None): "nothing"}


def structure_faults(document: Document) -> list[Fault]:
    """What in `document` is not as the schema says; empty when all is."""
    # The library takes longer to import than a catalog to read: only who validates pays for it.
    from jsonschema import Draft202012Validator

    schema = json.loads(SCHEMA.read_text("utf-8"))
    errors = islice(Draft202012Validator(schema).iter_errors(document.body), _MOST)
    return [fault for error in errors for fault in _faults(document, error)]


def _faults(document: Document, error: "ValidationError") -> Iterator[Fault]:
    path = tuple(error.absolute_path)
    found: Any = error.instance
    rule, said = error.validator, error.schema if isinstance(error.schema, Mapping) else {}
    if rule == "required":
        yield from _lacking(document, path, error)
    elif rule == "additionalProperties":
        yield from _unknown(document, path, found, said)
    elif "propertyNames" in error.absolute_schema_path:
        advice = f"write {said.get('description', 'another')}"
        yield Fault(document.key_mark(*path, found), f"{quoted(found)} cannot be a name here", advice)
    else:
        advice = f"write {said['description']}" if "description" in said else ""
        yield Fault(document.mark(*path), f"{path_words(path)} {_wrong(error)}", advice)


def _lacking(document: Document, path: tuple[str | int, ...], error: "ValidationError") -> Iterator[Fault]:
    asked: Any = error.validator_value
    found: Any = error.instance
    for key in (key for key in asked if key not in found):
        yield Fault(document.key_mark(*path), f"{path_words(path) or 'the catalog'} has no {key}", f"write {key}: …")


def _unknown(
    document: Document, path: tuple[str | int, ...], body: Mapping[str, Any], said: Mapping[str, Any]
) -> Iterator[Fault]:
    known = list(said.get("properties", {}))
    patterns = list(said.get("patternProperties", {}))
    for key in body:
        if key not in known and not any(re.search(pattern, key) for pattern in patterns):
            near = get_close_matches(key, known, 1)
            advice = f"did you mean {near[0]}?" if near else f"known here: {one_of(known)}"
            place = path_words(path) or "the catalog"
            yield Fault(document.key_mark(*path, key), f"{place} has no key {quoted(key)}", advice)


def _wrong(error: "ValidationError") -> str:
    """What is wrong with a value, without the schema's own words."""
    if error.validator == "type":
        return f"is {_KINDS.get(type(error.instance), 'of another kind')}"
    if error.validator in ("minLength", "minItems", "minProperties"):
        return "is empty"
    if error.validator in ("maxLength", "maxItems"):
        return f"is too long (at most {error.validator_value})"
    return f"cannot be {quoted(error.instance)}"
