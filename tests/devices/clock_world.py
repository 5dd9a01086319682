# SPDX-License-Identifier: Apache-2.0
"""This is where cameras live for a month with clocks of every kind, and the truth about each recording is kept.

The world knows nothing of the ledger: clocks run by the physics of a watch crystal (0.034 ppm lost per degree squared
away from 25 °C), people set them wrong, batteries run empty, counters wrap, file systems cut times to their grain.
What a camera shows is a bare wall clock; what it writes is made from that alone.
"""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from evidence.camera_clock import Reading
from evidence.camera_clock_interval import Sighting
from evidence.claims import Claim, Claims, Source
from evidence.instant import to_text

CHINA = ZoneInfo("Asia/Shanghai")
_HOUR = timedelta(hours=1)
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of camera: how many of a hundred are so, and what is wrong with it.

    `zone`: the agency's. `set_wrong`: by how much its clock was set wrong in the middle of the month (to a zone, a
    year). `shows`: what its clock shows, from true time on. `written`: which sources its files have. `manner`: how the
    registry says its times are read. `daily`: the chance that it is docked on a day. `corrects`: docks set its clock.
    """

    name: str
    share: int
    zone: ZoneInfo = CHINA
    manner: str = ""
    display: str = "local"
    written: str = "named"
    offset: Callable[[random.Random], float] = lambda chance: 0.0
    daily: float = 1.0
    corrects: bool = True
    resets: float = 0.0
    reset_to: datetime = datetime(1970, 1, 1)  # noqa: DTZ001 (a bare wall clock)
    base: timedelta = timedelta(0)
    wraps_at: datetime | None = None
    set_by_hand: float = 0.0
    begins: datetime = datetime(2026, 6, 1, tzinfo=UTC)
    read_as_utc: bool = False


def _seconds(span: timedelta) -> float:
    return span.total_seconds()


KINDS = (
    Kind("plain", 28),
    Kind("offset, never set", 8, offset=lambda chance: chance.uniform(-600, 600), corrects=False),
    Kind("missed dockings", 8, daily=0.35),
    Kind("wrong zone", 6, offset=lambda chance: chance.choice((-8, -1, 1, 5.5)) * 3600, corrects=False),
    Kind("zone set wrong by hand", 4, set_by_hand=0.05),
    Kind("local read as UTC", 6, manner="local", read_as_utc=True),
    Kind("local read as UTC, unsaid", 2, read_as_utc=True),
    Kind("container is local", 5, manner="local", written="container"),
    Kind("shows UTC", 4, manner="utc", display="utc"),
    Kind("summer time ends", 5, zone=ZoneInfo("Europe/Berlin"), begins=datetime(2026, 10, 10, tzinfo=UTC)),
    Kind("summer time begins", 5, zone=ZoneInfo("America/New_York"), begins=datetime(2026, 2, 20, tzinfo=UTC)),
    Kind("summer time not followed", 4, zone=ZoneInfo("Europe/Berlin"), begins=datetime(2026, 10, 10, tzinfo=UTC),
         display="fixed", corrects=False),
    Kind("1970", 5, resets=0.15),
    Kind("1980", 3, resets=0.15, reset_to=datetime(1980, 1, 1)),  # noqa: DTZ001
    Kind("2038", 3, base=timedelta(days=4240), wraps_at=datetime(2038, 1, 19, 3, 14, 8), corrects=False),  # noqa: DTZ001
    Kind("only the last write", 4, written="mtime", manner="local"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filmed:
    """A recording: what its camera wrote of it, when it was seen, how long it is, and when it truly began."""

    claims: Claims
    sighting: Sighting
    duration: Fraction
    true: datetime


@dataclass(slots=True)
class Life:
    """A camera's month: every reading that docks made, and every recording with how many readings were there then."""

    kind: Kind
    readings: list[Reading] = field(default_factory=list)
    filmed: list[tuple[Filmed, int]] = field(default_factory=list)


class _Camera:
    """A clock: what it shows is `shown`, as a bare time in seconds since 1970, at the true second `now`."""

    def __init__(self, kind: Kind, chance: random.Random) -> None:
        self.kind, self.chance = kind, chance
        self.rate = chance.gauss(0, 1.5) / _DAY_S
        self.crystal = chance.uniform(0.030, 0.040) * 1e-6
        self.outdoors = chance.uniform(2, 38)
        self.now = kind.begins.timestamp()
        self.shown = self.now + self._display_distance(self.now) + _seconds(kind.base) + kind.offset(chance)
        self.followed = self._display_distance(self.now)

    def _display_distance(self, now: float) -> float:
        """What a right clock of this kind is ahead of UTC."""
        if self.kind.display == "utc":
            return 0.0
        at = self.kind.begins if self.kind.display == "fixed" else datetime.fromtimestamp(now, UTC)
        return _seconds(at.astimezone(self.kind.zone).utcoffset() or timedelta(0))

    def _warmth(self, now: float) -> float:
        """Degrees: in the dock by night, on the street from eight to six, warmed by itself and by who bears it."""
        hour = (now / 3600 + 8) % 24
        return self.outdoors + 6 * math.sin((hour - 8) / 10 * math.pi) if 8 <= hour < 18 else 24.0

    def run_to(self, now: float) -> None:
        """Let time pass, ten minutes at a step."""
        while self.now < now:
            step = min(600.0, now - self.now)
            bend = self.crystal * (self._warmth(self.now) - 25) ** 2
            self.shown += step * (1 + self.rate - bend)
            self.now += step
            self._follow()
            self._wrap()

    def _follow(self) -> None:
        """Its own firmware follows summer time, to within its step."""
        distance = self._display_distance(self.now)
        self.shown += distance - self.followed
        self.followed = distance

    def _wrap(self) -> None:
        if self.kind.wraps_at is not None and self.shown >= self.kind.wraps_at.replace(tzinfo=UTC).timestamp():
            self.shown -= 2**32

    def empty_battery(self) -> None:
        self.shown = self.kind.reset_to.replace(tzinfo=UTC).timestamp() + self.chance.uniform(0, 5)

    def set_right(self) -> None:
        self.shown = self.now + self._display_distance(self.now) + self.chance.uniform(-0.1, 0.1)

    def face(self) -> datetime:
        """The bare time that it shows."""
        return (datetime(1970, 1, 1) + timedelta(seconds=self.shown)).replace(tzinfo=None)  # noqa: DTZ001


def live(kind: Kind, chance: random.Random, *, days: int = 30) -> Life:
    """One camera's life."""
    camera, life = _Camera(kind, chance), Life(kind)
    grain = chance.choice((0.0, 0.001, 1.0))
    swept: datetime | None = None
    held: list[tuple[Claims, Fraction, datetime]] = []
    for day in range(days):
        dawn = kind.begins.timestamp() + day * _DAY_S
        held += _shift(camera, dawn, chance)
        if chance.random() >= kind.daily and day < days - 1:
            continue
        # Half the docks wait for the second to turn; the others see what is shown, to its grain.
        camera.run_to(dawn + chance.uniform(10, 11) * 3600)
        began = datetime.fromtimestamp(camera.now, UTC)
        life.readings.append(_read_clock(camera, chance, grain))
        sighting = Sighting(began, swept)
        for claims, length, true in held:
            life.filmed.append((Filmed(claims, sighting, length, true), len(life.readings)))
        swept, held = began, []
    return life


def _shift(camera: _Camera, dawn: float, chance: random.Random) -> list[tuple[Claims, Fraction, datetime]]:
    made = []
    moments = sorted(chance.uniform(0.2, 9.0) for _ in range(4))
    trouble = chance.uniform(0, 9.0) if chance.random() < camera.kind.resets + camera.kind.set_by_hand else 24.0
    for hour in moments:
        if trouble < hour:
            camera.run_to(dawn + trouble * 3600)
            _spoil(camera, chance)
            trouble = 24.0 if chance.random() < 0.8 else hour + 0.01
        camera.run_to(dawn + hour * 3600)
        made.append(_film(camera, chance))
    return made


def _spoil(camera: _Camera, chance: random.Random) -> None:
    if camera.kind.resets:
        camera.empty_battery()
    else:
        camera.shown += chance.choice((-1, 1)) * chance.choice((3600.0, 1800.0, 8 * 3600.0))


def _film(camera: _Camera, chance: random.Random) -> tuple[Claims, Fraction, datetime]:
    length = Fraction(chance.randrange(5_000, 900_000), 1000)
    true, begun = datetime.fromtimestamp(camera.now, UTC), camera.face()
    camera.run_to(camera.now + float(length))
    return Claims(_written(camera.kind, begun, camera.face())), length, true


def _written(kind: Kind, begun: datetime, ended: datetime) -> Iterator[Claim]:
    if kind.written == "named":
        yield Claim("start", begun.replace(microsecond=0).isoformat(), Source.FILE_NAME)
    if kind.written in ("named", "container") and begun.year > 1970:
        yield Claim("start", f"{begun.replace(microsecond=0).isoformat()}.000000Z", Source.CONTAINER)
    if ended.year >= 1980:  # FAT counts from there, in twos
        fat = ended.replace(microsecond=0, second=ended.second // 2 * 2)
        zone = UTC if kind.display == "utc" else kind.zone
        yield Claim("start", to_text(fat.replace(tzinfo=zone)), Source.MTIME)


def _read_clock(camera: _Camera, chance: random.Random, grain: float) -> Reading:
    """As a dock does: half the round trip is the doubt, and the grain of what is shown."""
    offset = _offset(camera)
    trip = chance.uniform(0.005, 0.2)
    seen = offset + chance.uniform(-trip / 2, trip / 2)
    if grain and chance.random() < 0.5:
        seen = math.floor((camera.now + seen) / grain) * grain - camera.now + grain / 2
        trip += grain
    at = datetime.fromtimestamp(camera.now, UTC)
    after = None
    if camera.kind.corrects:
        camera.set_right()
        after = timedelta(seconds=_offset(camera) + chance.uniform(-trip / 2, trip / 2))
    return Reading(at, timedelta(seconds=seen), timedelta(seconds=trip / 2), after)


def _offset(camera: _Camera) -> float:
    """Device minus true time, as a dock reads what is shown: local time in the agency's zone, unless it errs."""
    face, kind = camera.face(), camera.kind
    is_utc = kind.display == "utc" or kind.read_as_utc
    shown = face.replace(tzinfo=UTC if is_utc else kind.zone).timestamp()
    return shown - camera.now
