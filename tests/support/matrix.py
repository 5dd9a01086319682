# SPDX-License-Identifier: Apache-2.0
"""This is where a valid request is made for every route there is, about a case of each kind, from what routes declare.

Of a new route whose parameters mean nothing here, nobody could say who may ask it: it fails the build until `THINGS`
knows them.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evidence.access import ACTS, Reach, Role
from evidence.custody import Happening
from tests.support.home import NOON
from tests.support.people import CASES, OURS, STRANGER, THEIRS, Hall, Person, add_user
from web.access.declared import DOCKS, Declared, declared
from web.api.app import ROUTERS

_PARAM = re.compile(r"{(\w+)(?::\w+)?}")
_DAY = "2026-06-19T04:00:00Z"
_OF_CASES = frozenset({"recording", "segment", "case"})
"""Parameters that name something of a case: whom it is hidden from is hidden from with it."""

HIDDEN = "none that is yours to see"
"""What is said of a recording or case beyond somebody's reach, as of one that there is not."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One request of one person about one kind of case. `is_seen` None: it is about nothing of a case."""

    route: Declared
    person: Person
    kind: str
    reach: Reach
    is_seen: bool | None

    def __str__(self) -> str:
        return f"{self.route.name} as {self.person.role} on {self.kind}"

    def is_equal(self, status: int, told: Mapping[str, Any]) -> bool:
        """True when an answer, and the problem that it tells, is what the table declares."""
        code, is_hidden = told.get("code"), HIDDEN in str(told.get("detail", ""))
        if self.reach is Reach.NONE:
            return status == 403 and code == "not-allowed"
        if self.is_seen is False:
            return status == 404 and is_hidden
        return status not in (401, 403) and status < 500 and not (self.is_seen and is_hidden)


def seen(role: Role, reach: Reach) -> frozenset[str]:
    """The kinds of cases within a reach, by hand: our people are of one unit, and hold no grant."""
    if reach is Reach.ALL:
        return frozenset(CASES)
    if reach is Reach.UNIT or (reach is Reach.OWN and role is Role.OFFICER):
        return frozenset({"own"})
    return frozenset()


def routes() -> list[Declared]:
    """Every route that asks for an act of a person or program: what changes something comes last."""
    found = [one for one in declared(ROUTERS) if one.act and one.act != DOCKS]
    return sorted(found, key=lambda one: (one.method not in ("GET", "HEAD"), one.path, one.method))


def nameless() -> set[str]:
    """What stands in addresses and means nothing here."""
    return {name for route in routes() for name in _PARAM.findall(route.path)} - set(THINGS)


def cells(hall: Hall) -> Iterator[Cell]:
    """Every route, for every person and kind of case."""
    for route in routes():
        for person in hall.people.values():
            reach = ACTS[route.act].reach.get(person.role, Reach.NONE)
            for kind in CASES:
                about = _OF_CASES & set(_PARAM.findall(route.path))
                is_seen = kind in seen(person.role, reach) if about else None
                yield Cell(route, person, kind, reach, is_seen)


class Requests:
    """Makes requests of cells; knows an instance of every thing that an address or a body may name."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._described: Mapping[str, Any] = hall.app.openapi()
        add_user(hall.home.ports, "scapegoat", Role.LEGAL)
        with hall.home.ports.register.begin() as facts:
            told = {"sha256": "1" * 64, "acts": ["case.read"], "unit": None, "until_at": "2099-01-01T00:00:00.000000Z"}
            made = Happening("key-made", "key/key-scapegoat", told, {"name": "another program"})
            facts.record(made, actor="cli:test", at=NOON)

    def path(self, cell: Cell) -> str:
        """The address, with what it names."""
        told = _PARAM.sub(lambda found: self._thing(found[1], cell.kind), cell.route.path)
        wanted = [one for one in self._operation(cell.route).get("parameters", ()) if one["in"] == "query"]
        asked = [f"{one['name']}={self._text(one, cell)}" for one in wanted if one.get("required")]
        return told + ("?" + "&".join(asked) if asked else "")

    def body(self, cell: Cell) -> Any:
        """A body with all that is required; None without one."""
        told = self._operation(cell.route).get("requestBody")
        if told is None or "application/json" not in told["content"]:
            return None
        return self._made(told["content"]["application/json"]["schema"], cell, "")

    def _operation(self, route: Declared) -> Mapping[str, Any]:
        path = re.sub(r":\w+}", "}", route.path)
        found: Mapping[str, Any] = self._described["paths"].get(path, {}).get(route.method.lower())
        assert found is not None, f"{route.name} is not described"
        return found

    def _thing(self, name: str, kind: str) -> str:
        return THINGS.get(name, _is("nobody"))(self._hall, kind)

    def _text(self, parameter: Mapping[str, Any], cell: Cell) -> str:
        return str(self._made(parameter["schema"], cell, parameter["name"]))

    def _made(self, schema: Mapping[str, Any], cell: Cell, name: str) -> Any:
        if "$ref" in schema:
            schema = self._described["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        if name in THINGS and schema.get("type") == "string":
            return THINGS[name](self._hall, cell.kind)
        for choice in ("anyOf", "oneOf", "allOf"):
            if choice in schema:
                return self._made(schema[choice][0], cell, name)
        if "const" in schema or "enum" in schema:
            return schema.get("const", (schema.get("enum") or [None])[0])
        made = {"object": self._object, "array": self._array, "string": _string}.get(schema.get("type", ""))
        if made is not None:
            return made(schema, cell, name)
        return {"boolean": False, "integer": schema.get("minimum", 1), "number": 1.0}.get(schema.get("type", ""))

    def _object(self, schema: Mapping[str, Any], cell: Cell, _: str) -> Any:
        return {one: self._made(schema["properties"][one], cell, one) for one in schema.get("required", ())}

    def _array(self, schema: Mapping[str, Any], cell: Cell, name: str) -> Any:
        singular = name.removesuffix("s")
        return [self._made(schema["items"], cell, singular) for _ in range(schema.get("minItems", 0))]


def _string(schema: Mapping[str, Any], _: Cell, name: str) -> str:
    if schema.get("format") == "date-time":
        return _DAY
    if schema.get("format") == "date":
        return _DAY[:10]
    if "pattern" in schema and "64" in schema["pattern"]:
        return "0" * 64
    return "1".rjust(max(1, schema.get("minLength", 1)), "a")


Thing = Callable[[Hall, str], str]


def _is(name: str) -> Thing:
    return lambda _, __: name


THINGS: dict[str, Thing] = {
    "recording": lambda hall, kind: hall.recordings[kind],
    "thing": lambda hall, kind: hall.recordings[kind],
    "segment": lambda hall, kind: f"{hall.recordings[kind]}.00000",
    "case": lambda hall, kind: hall.cases[kind],
    "user": _is("usr-scapegoat"),
    "key": _is("key-scapegoat"),
    "role": _is("legal"),
    "unit": lambda _, kind: THEIRS if kind == "other" else OURS,
    "officer": lambda _, kind: STRANGER if kind == "other" else "7",
    "session": _is("0" * 64),
    "passkey": _is("pak-nobody"),
    "approval": _is("apv-nobody"),
    "grant": _is("gra-nobody"),
    "export": _is("exp-nobody"),
    "hold": _is("hld-nobody"),
    "webhook": _is("whk-nobody"),
    "delivery": _is("msg_nobody"),
    "clip": _is("clp-nobody"),
    "job": _is("fixity:nobody"),
    "device": _is("NOBODY"),
    "serial": _is("NOBODY"),
    "dock": _is("dck-nobody"),
    "disposal": _is("dsp-nobody"),
    "appraisal": _is("apr-nobody"),
    "document": _is("doc-nobody"),
    "version": _is("none"),
    "catalog": _is("none"),
    "code": _is("none"),
    "size": _is("1"),
    "index": _is("0"),
    "paper": _is("doc-nobody"),
}
"""What stands for a name in an address or a body: of the case of each kind, or somebody who is not among our people."""


class Pristine:
    """The register as it was when this was made; a register in a file alone."""

    def __init__(self, hall: Hall, folder: Path) -> None:
        self._live = Path(hall.home.settings.home) / "register.db"
        assert self._live.is_file(), self._live
        self._kept = folder / "pristine.db"
        self._copy(self._live, self._kept)

    def restore(self) -> None:
        """Undo whatever was written since."""
        self._copy(self._kept, self._live)

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        with closing(sqlite3.connect(source, timeout=30)) as old, closing(sqlite3.connect(target, timeout=30)) as new:
            old.backup(new)
