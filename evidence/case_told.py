# SPDX-License-Identifier: Apache-2.0
"""This is where what else is told of a case is a value: parties, place, draw of a random check (双随机), delays.

All of it goes into salted details: names of people never stand in the public log. JSON holds text and whole numbers
only. Each `of_json` refuses what it does not know, so that a misspelt word is not lost in silence.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from evidence import instant
from evidence.errors import BadInput
from evidence.written import degrees, lines, moment, one_line, reason

_MOST_NAMED = 1000
_WIDEST_M = 100_000
_SHARE = re.compile(r"(?:100(?:\.0{1,3})?|[0-9]{1,2}(?:\.[0-9]{1,3})?)\s?[%％]", re.ASCII)


@dataclass(frozen=True, slots=True)
class Party:
    """A party (当事人) or another person of a case: name, number of a paper of theirs, and what they are in it.

    Raises:
        BadInput: the name is missing, or a part is no printable line of at most 200 characters.
    """

    name: str
    id_no: str = ""
    role: str = ""

    def __post_init__(self) -> None:
        _set(self, "name", one_line(self.name, "the name of a party"))
        _set(self, "id_no", one_line(self.id_no, "a party's number", may_be_empty=True))
        _set(self, "role", one_line(self.role, "a party's role", may_be_empty=True))

    def to_json(self) -> dict[str, Any]:
        """As a mapping; what is not known is left out."""
        return _present(name=self.name, id_no=self.id_no, role=self.role)

    @classmethod
    def of_json(cls, told: object) -> "Party":
        """The party that a mapping tells.

        Raises:
            BadInput: it is no mapping of these names and texts.
        """
        return cls(**_texts(told, "a party", ("name",), ("id_no", "role")))


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is: decimal degrees (WGS 84) as text, and how far around in metres; or a name alone.

    Raises:
        BadInput: one coordinate without the other, out of range, no radius with them, or neither name nor coordinates.
    """

    lat: str | None = None
    lon: str | None = None
    radius_m: int | None = None
    name: str = ""

    def __post_init__(self) -> None:
        _set(self, "name", one_line(self.name, "the name of a place", may_be_empty=True))
        if (self.lat is None) != (self.lon is None) or (self.lat is None) != (self.radius_m is None):
            raise BadInput("a place has lat, lon and radius_m together, or none of them")
        if self.lat is None or self.lon is None or self.radius_m is None:
            if not self.name:
                raise BadInput("a place has a name, or lat, lon and radius_m")
            return
        _set(self, "lat", degrees(self.lat, "lat", limit=90))
        _set(self, "lon", degrees(self.lon, "lon", limit=180))
        if not 1 <= self.radius_m <= _WIDEST_M:
            raise BadInput(f"the radius of a place is 1 to {_WIDEST_M} metres, not {self.radius_m}")

    def to_json(self) -> dict[str, Any]:
        """As a mapping; what is not known is left out."""
        return _present(lat=self.lat, lon=self.lon, radius_m=self.radius_m, name=self.name)

    @classmethod
    def of_json(cls, told: object) -> "Place":
        """The place that a mapping tells; `radius_m` is a whole number.

        Raises:
            BadInput: it is no mapping of these names.
        """
        body = _mapping(told, "a place", ("lat", "lon", "radius_m", "name"))
        radius = body.get("radius_m")
        if radius is not None and (isinstance(radius, bool) or not isinstance(radius, int)):
            raise BadInput("radius_m of a place is a whole number of metres")
        words = {name: body[name] for name in ("lat", "lon", "name") if body.get(name) is not None}
        return cls(**_texts(words, "a place", (), ("lat", "lon", "name")), radius_m=radius)


@dataclass(frozen=True, slots=True)
class Draw:
    """The draw of a random check (双随机): who was drawn to be checked and to check, the share, how often, of what.

    Raises:
        BadInput: nobody was drawn, a share is not written like `5%`, or a text is no printable line.
    """

    subjects: tuple[str, ...] = ()
    inspectors: tuple[str, ...] = ()
    ratio: str = ""
    frequency: str = ""
    matters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("subjects", "inspectors", "matters"):
            _set(self, name, lines(getattr(self, name), f"the {name} of a draw", most=_MOST_NAMED))
        _set(self, "frequency", one_line(self.frequency, "the frequency of a draw", may_be_empty=True))
        _set(self, "ratio", self.ratio.strip().replace("％", "%"))
        if self.ratio and not _SHARE.fullmatch(self.ratio):
            raise BadInput(f"the ratio of a draw is written like 5% or 0.5%, not {self.ratio[:40]!r}")
        if not self.subjects and not self.inspectors:
            raise BadInput("a draw names the subjects or the inspectors that were drawn")

    def to_json(self) -> dict[str, Any]:
        """As a mapping; what is not known is left out."""
        return _present(
            subjects=list(self.subjects),
            inspectors=list(self.inspectors),
            ratio=self.ratio,
            frequency=self.frequency,
            matters=list(self.matters),
        )

    @classmethod
    def of_json(cls, told: object) -> "Draw":
        """The draw that a mapping tells.

        Raises:
            BadInput: it is no mapping of these names.
        """
        body = _mapping(told, "a draw", ("subjects", "inspectors", "matters", "ratio", "frequency"))
        words = {name: body[name] for name in ("ratio", "frequency") if name in body}
        shares = _texts(words, "a draw", (), ("ratio", "frequency"))
        return cls(
            subjects=texts_of(body.get("subjects", []), "the subjects of a draw"),
            inspectors=texts_of(body.get("inspectors", []), "the inspectors of a draw"),
            matters=texts_of(body.get("matters", []), "the matters of a draw"),
            ratio=shares.get("ratio", ""),
            frequency=shares.get("frequency", ""),
        )


@dataclass(frozen=True, slots=True)
class Delay:
    """Why something was handed in late: of an item, of a link, or (neither) of the whole case; when they were back.

    Raises:
        BadInput: no reason, or a return without a zone.
    """

    why: str
    item: str | None = None
    link: str | None = None
    returned: datetime | None = None

    def __post_init__(self) -> None:
        _set(self, "why", reason(self.why))
        if self.returned is not None:
            moment(self.returned, "the return to the unit")

    def to_json(self) -> dict[str, Any]:
        """As a mapping; what is not known is left out."""
        returned = None if self.returned is None else instant.to_text(self.returned)
        return _present(why=self.why, item=self.item, link=self.link, returned_at=returned)

    @classmethod
    def of_json(cls, told: object) -> "Delay":
        """The delay that a mapping tells.

        Raises:
            BadInput: it is no mapping of these names and texts.
        """
        body = _texts(told, "a delay", ("why",), ("item", "link", "returned_at"))
        returned = body.get("returned_at")
        at = None if returned is None else instant.from_text(returned)
        return cls(body["why"], body.get("item"), body.get("link"), at)


def texts_of(told: object, what: str) -> tuple[str, ...]:
    """A list of texts, as JSON tells one.

    Raises:
        BadInput: it is no list, or something else than text is in it.
    """
    if isinstance(told, str) or not isinstance(told, Sequence) or not all(isinstance(one, str) for one in told):
        raise BadInput(f"{what} is a list of texts")
    return tuple(told)


def parties_of(told: object) -> tuple[Party, ...]:
    """The parties that a list tells.

    Raises:
        BadInput: it is no list of parties.
    """
    if isinstance(told, str) or not isinstance(told, Sequence):
        raise BadInput("the parties of a case are a list")
    return tuple(Party.of_json(one) for one in told)


def delays_of(told: object) -> tuple[Delay, ...]:
    """The delays that a list tells.

    Raises:
        BadInput: it is no list of delays.
    """
    if isinstance(told, str) or not isinstance(told, Sequence):
        raise BadInput("the delays of a case are a list")
    return tuple(Delay.of_json(one) for one in told)


def _mapping(told: object, what: str, known: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(told, Mapping):
        raise BadInput(f"{what} is an object with the names {', '.join(known)}")
    odd = sorted(str(name) for name in told if name not in known)
    if odd:
        raise BadInput(f"{what} has no {odd[0][:40]!r} (known: {', '.join(known)})")
    return told


def _texts(told: object, what: str, needed: Sequence[str], more: Sequence[str]) -> dict[str, str]:
    body = _mapping(told, what, (*needed, *more))
    missing = [name for name in needed if name not in body]
    if missing:
        raise BadInput(f"{what} has no {missing[0]}")
    wrong = [name for name, value in body.items() if not isinstance(value, str)]
    if wrong:
        raise BadInput(f"{wrong[0]} of {what} is a text")
    return dict(body)


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def _set(value: object, name: str, made: object) -> None:
    # A frozen value is put in order once, while it is made.
    object.__setattr__(value, name, made)
