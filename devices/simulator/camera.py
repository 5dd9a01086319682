# SPDX-License-Identifier: Apache-2.0
"""This is where a body camera is imitated: a serial, an officer, a clock, and a card to write on.

`at` is always true UTC; what the camera believes is `camera.clock(at)`, and that alone goes into
names, burnt-in text, EXIF, container and mtime. Only the GPS track tells true time.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from devices.simulator import filming
from devices.simulator.card import grow, set_mtime
from devices.simulator.exif import PhotoFacts, with_exif
from devices.simulator.filming import FULL_HD, Caption, Quality
from devices.simulator.layouts import Kind, Mark, Naming, layout, root_files
from devices.simulator.track import Fix, nmea, walk
from evidence.errors import BadInput, StoreUnavailable
from pipeline.media.encode import FrameTimes, Wrapping, encode_footage, encode_still

MAKE, MODEL = "Evidock", "Simulated camera"
CHINA = timezone(timedelta(hours=8))

_GROWTH_STEPS = 8

Pause = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a camera wrote, and the truth about it that its files may not tell.

    `name` is the path on the card. Frame n starts at `times.starts[n]` and bears the number
    `first_number + n`; a photo bears `first_number`, a sound has no `times`.
    """

    kind: Kind
    path: Path
    name: PurePosixPath
    true_start: datetime
    camera_start: datetime
    seconds: Fraction
    times: FrameTimes | None
    first_number: int
    track: tuple[Fix, ...] = ()
    side_files: tuple[Path, ...] = ()

    @property
    def frames(self) -> int:
        """How many frames were written; 0 for a sound."""
        return len(self.times.starts) if self.times else 0


@dataclass(frozen=True, slots=True)
class SimulatedCamera:
    """A camera whose clock shows true time plus `clock_offset`, in `zone`.

    The same camera and the same `at` give the same bytes in every file, on any day.
    """

    serial: str
    officer: str = "000000"
    clock_offset: timedelta = timedelta(0)
    layout: str = "dsj"
    seed: int = 0
    zone: timezone = CHINA

    def clock(self, at: datetime) -> datetime:
        """What this camera's clock shows at `at`, aware, in its zone.

        Raises:
            BadInput: `at` has no zone.
        """
        if at.tzinfo is None:
            raise BadInput("a true time needs a zone")
        return (at + self.clock_offset).astimezone(self.zone)

    def record(
        self,
        card: Path,
        *,
        at: datetime,
        seconds: int | Fraction = 10,
        rate: int | Fraction = 30,
        times: FrameTimes | None = None,
        quality: Quality = FULL_HD,
        mark: Mark = "",
        first_number: int = 0,
        has_sound: bool = True,
        has_track: bool = True,
        pause: Pause | None = None,
    ) -> Recorded:
        """Film for `seconds` from `at` and write the file, and its GPS track, where the maker would.

        `times` replaces `seconds` and `rate` when frames are unevenly spaced. With `pause`, the
        video grows on the card in eight steps, `pause()` being called after each.
        """
        times = times or FrameTimes.at_rate(Fraction(rate), max(1, math.floor(seconds * Fraction(rate))))
        slot = _slot(self, card, at, kind="video", ending="mp4", mark=mark)
        caption = Caption(self.serial, self.officer, slot.clock)
        picture = filming.picture(slot.seed, caption=caption, times=times, quality=quality, first_number=first_number)
        sound = filming.sound(slot.seed, seconds=times.end, rate=quality.sound_rate, codec="aac")
        wrapping = Wrapping(index=quality.index, created=slot.clock)

        def film(out: Path) -> None:
            encode_footage(out, picture=picture, sound=sound if has_sound else None, wrapping=wrapping)

        slot.put(film, lasting=times.end, pause=pause)
        track = walk(slot.seed, start=at, seconds=math.ceil(times.end)) if has_track else ()
        side_files = (slot.put_track(track, lasting=times.end),) if track else ()
        return Recorded(
            kind="video",
            path=slot.path,
            name=slot.name,
            true_start=at.astimezone(UTC),
            camera_start=slot.clock,
            seconds=times.end,
            times=times,
            first_number=first_number,
            track=track,
            side_files=side_files,
        )

    def photograph(
        self,
        card: Path,
        *,
        at: datetime,
        quality: Quality = FULL_HD,
        number: int = 0,
        has_place: bool = True,
    ) -> Recorded:
        """Take a photo at `at`: a JPEG with EXIF (camera clock and zone, maker, serial, place)."""
        slot = _slot(self, card, at, kind="image", ending="jpg")
        times = FrameTimes(starts=(Fraction(0),), end=Fraction(1))
        caption = Caption(self.serial, self.officer, slot.clock)
        paint = filming.painter(slot.seed, caption=caption, times=times, quality=quality, first_number=number)
        fixes = walk(slot.seed, start=at, seconds=0) if has_place else ()
        jpeg = encode_still(paint, width=quality.width, height=quality.height)
        facts = PhotoFacts(MAKE, MODEL, self.serial, slot.clock, fixes[0] if fixes else None)
        slot.put(lambda out: _write(out, with_exif(jpeg, facts)), lasting=Fraction(0))
        return Recorded(
            kind="image",
            path=slot.path,
            name=slot.name,
            true_start=at.astimezone(UTC),
            camera_start=slot.clock,
            seconds=Fraction(0),
            times=times,
            first_number=number,
            track=fixes,
        )

    def record_sound(self, card: Path, *, at: datetime, seconds: int | Fraction = 10, ending: str = "m4a") -> Recorded:
        """Record sound only, as AAC (`m4a`) or PCM (`wav`)."""
        slot = _slot(self, card, at, kind="audio", ending=ending)
        length = Fraction(seconds)
        is_plain = ending == "wav"
        sound = filming.sound(slot.seed, seconds=length, rate=48_000, codec="pcm_s16le" if is_plain else "aac")
        wrapping = Wrapping(container="wav" if is_plain else "mp4", created=slot.clock)
        slot.put(lambda out: encode_footage(out, sound=sound, wrapping=wrapping), lasting=length)
        return Recorded(
            kind="audio",
            path=slot.path,
            name=slot.name,
            true_start=at.astimezone(UTC),
            camera_start=slot.clock,
            seconds=length,
            times=None,
            first_number=0,
        )


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place on the card for one recording, and the camera's clock when it began."""

    card: Path
    name: PurePosixPath
    clock: datetime
    seed: tuple[int, ...]

    @property
    def path(self) -> Path:
        return self.card / self.name

    def put(self, make: Callable[[Path], None], *, lasting: Fraction, pause: Pause | None = None) -> None:
        """Let `make` write the file, at once or growing, and date it by the camera's clock at its end."""
        if pause is None:
            make(self.path)
        else:
            with TemporaryDirectory() as aside:
                whole = Path(aside) / self.name.name
                make(whole)
                block_bytes = -(-whole.stat().st_size // _GROWTH_STEPS)
                grow(whole, self.path, block_bytes=block_bytes, pause=pause)
        set_mtime(self.path, self._end(lasting))

    def put_track(self, track: tuple[Fix, ...], *, lasting: Fraction) -> Path:
        """Write the track beside the recording, under the same name."""
        path = self.path.with_suffix(".nmea")
        _write(path, nmea(track).encode("ascii"))
        set_mtime(path, self._end(lasting))
        return path

    def _end(self, lasting: Fraction) -> datetime:
        return self.clock + timedelta(microseconds=math.floor(lasting * 1_000_000))


def _slot(camera: SimulatedCamera, card: Path, at: datetime, *, kind: Kind, ending: str, mark: Mark = "") -> _Slot:
    clock = camera.clock(at)
    naming = Naming(camera.serial, camera.officer, kind, clock, mark, ending)
    place = layout(camera.layout).place
    # At most one file a second and kind: the next one is named a second later, though it began now.
    while (card / place(naming)).exists():
        naming = replace(naming, clock=naming.clock + timedelta(seconds=1))
    _set_up(camera, card, clock)
    (card / place(naming)).parent.mkdir(parents=True, exist_ok=True)
    moment = int(at.timestamp())
    return _Slot(card, place(naming), clock, (camera.seed, moment, zlib.crc32(camera.serial.encode())))


def _set_up(camera: SimulatedCamera, card: Path, clock: datetime) -> None:
    card.mkdir(parents=True, exist_ok=True)
    for name, content in root_files(camera.layout, serial=camera.serial, officer=camera.officer).items():
        if not (card / name).exists():
            _write(card / name, content)
            set_mtime(card / name, clock)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise StoreUnavailable(f"the card cannot be written: {error}", path=str(path)) from error
