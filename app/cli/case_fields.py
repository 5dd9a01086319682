# SPDX-License-Identifier: Apache-2.0
"""This is where options about cases are named once, and made into the fields of a case."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer

from evidence.case import Codes
from evidence.case_told import Party, Place
from evidence.errors import BadInput
from pipeline.case_codes import codes_now
from pipeline.cells import term
from pipeline.ports import Ports
from storage.register import casebook

Number = Annotated[str, typer.Argument(help="Number of the case.", show_default=False)]
Why = Annotated[str, typer.Option(help="The reason, for the record.", show_default=False)]
Item = Annotated[str | None, typer.Option(help="Catalog item, such as JC-01.", show_default=False)]
Type = Annotated[str | None, typer.Option("--type", help="Enforcement type: JC or 行政检查 …", show_default=False)]
UnitCode = Annotated[str | None, typer.Option(help="Code or name of the unit.", show_default=False)]
FileTerm = Annotated[str | None, typer.Option(help="How long its file is kept: P10Y, 30年, 永久.", show_default=False)]
Links = Annotated[
    list[str] | None,
    typer.Option("--link", help="Link that took place: 现场检查 or its code; may be repeated.", show_default=False),
]
Parties = Annotated[
    list[str] | None,
    typer.Option("--party", help="NAME, NAME;NUMBER or NAME;NUMBER;ROLE; may be repeated.", show_default=False),
]
PlaceText = Annotated[
    str | None, typer.Option("--place", help="NAME, or LAT;LON;METRES, or LAT;LON;METRES;NAME.", show_default=False)
]
_LAT_LON_RADIUS = 3


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of a case in options; None: nothing."""

    item: str | None = None
    type: str | None = None
    unit: str | None = None
    file_term: str | None = None
    link: list[str] | None = None
    party: list[str] | None = None
    where: str | None = None

    def fields(self, ports: Ports, *, now: datetime) -> dict[str, Any]:
        """As fields of `CaseBody`, names turned into codes; only what was told.

        Raises:
            BadInput: an option is not written as it should be.
        """
        with ports.register.view() as connection:
            codes = codes_now(connection, ports=ports, now=now)
            unit = self.unit and (casebook.unit_told(connection, self.unit) or self.unit)
        told: Mapping[str, tuple[object, Callable[[], Any]]] = {
            "item": (self.item, lambda: self.item),
            "type": (self.type, lambda: codes.code_of("types", self.type or "")),
            "unit": (unit, lambda: unit),
            "file_term": (self.file_term, lambda: term(self.file_term or "")),
            "links": (self.link, lambda: links_of(self.link or [], codes)),
            "parties": (self.party, lambda: tuple(_party(one) for one in self.party or [])),
            "place": (self.where, lambda: _place(self.where or "")),
        }
        return {name: make() for name, (given, make) in told.items() if given}


def links_of(names: list[str], codes: Codes) -> tuple[str, ...]:
    """The codes of links told by code or name."""
    return tuple(codes.code_of("links", one) for one in names)


def _party(text: str) -> Party:
    parts = [part.strip() for part in text.replace("；", ";").split(";")]
    if len(parts) > len(("name", "id_no", "role")):
        raise BadInput(f"a party is NAME;NUMBER;ROLE, not {text[:80]!r}")
    return Party(*parts)


def _place(text: str) -> Place:
    parts = [part.strip() for part in text.replace("；", ";").split(";")]
    if len(parts) == 1:
        return Place(name=parts[0])
    radius = parts[2] if len(parts) in (_LAT_LON_RADIUS, _LAT_LON_RADIUS + 1) else ""
    if not (radius.isascii() and radius.isdecimal() and len(radius) < len("1000000")):
        raise BadInput(f"a place is NAME, or LAT;LON;METRES;NAME with whole metres, not {text[:80]!r}")
    return Place(parts[0], parts[1], int(radius), "".join(parts[3:]))
