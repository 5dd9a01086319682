# SPDX-License-Identifier: Apache-2.0
"""This is where what was found in a media file is one value that can be written down and read again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, cast, get_args

from evidence.errors import BadInput
from evidence.media_time import from_text, to_text
from pipeline.media.sniff import Kind

_KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class MediaStream:
    """One stream. Sizes in pixels, rate in frames a second, rotation in degrees; None or 0 for none.

    `shift`: seconds that are added to a stored time of this stream to get the time at which it is shown.
    """

    index: int
    media_type: str
    codec: str
    time_base: Fraction
    packets: int
    shift: Fraction = Fraction(0)
    width: int = 0
    height: int = 0
    rate: Fraction | None = None
    sample_rate: int = 0
    channels: int = 0
    rotation: int = 0

    def to_dict(self) -> dict[str, object]:
        """A form that canonical JSON can hold."""
        return {
            "index": self.index,
            "type": self.media_type,
            "codec": self.codec,
            "time_base": to_text(self.time_base),
            "packets": self.packets,
            "shift": to_text(self.shift),
            "width": self.width,
            "height": self.height,
            "rate": None if self.rate is None else to_text(self.rate),
            "sample_rate": self.sample_rate,
            "channels": self.channels,
            "rotation": self.rotation,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "MediaStream":
        """The stream that `to_dict` wrote; raises KeyError, TypeError or BadInput for anything else."""
        return cls(
            index=int(fields["index"]),
            media_type=str(fields["type"]),
            codec=str(fields["codec"]),
            time_base=from_text(fields["time_base"]),
            packets=int(fields["packets"]),
            shift=from_text(fields["shift"]),
            width=int(fields["width"]),
            height=int(fields["height"]),
            rate=None if fields["rate"] is None else from_text(fields["rate"]),
            sample_rate=int(fields["sample_rate"]),
            channels=int(fields["channels"]),
            rotation=int(fields["rotation"]),
        )


@dataclass(frozen=True, slots=True)
class Examination:
    """What one file holds. Media time 0 is the first instant a player shows; `duration` is in exact seconds.

    `random_access`: shown times at which decoding may begin, never closer than half a second.
    `packet_root`, `lines` (one a stream, for the packet root) and `table_seal` (binds the packet
    table) are empty for photos and side files, which have no packets.
    """

    kind: Kind
    container: str
    demuxer: str
    duration: Fraction
    streams: tuple[MediaStream, ...] = ()
    packet_root: str | None = None
    lines: tuple[str, ...] = ()
    table_seal: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    random_access: tuple[Fraction, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def video(self) -> MediaStream | None:
        """The first stream of pictures, if there is one."""
        return next((stream for stream in self.streams if stream.media_type == "video"), None)

    @property
    def audio(self) -> MediaStream | None:
        """The first stream of sound, if there is one."""
        return next((stream for stream in self.streams if stream.media_type == "audio"), None)

    def to_dict(self) -> dict[str, object]:
        """A form that canonical JSON can hold."""
        return {
            "kind": self.kind,
            "container": self.container,
            "demuxer": self.demuxer,
            "duration": to_text(self.duration),
            "streams": [stream.to_dict() for stream in self.streams],
            "packet_root": self.packet_root,
            "lines": list(self.lines),
            "table_seal": self.table_seal,
            "tags": dict(self.tags),
            "random_access": [to_text(point) for point in self.random_access],
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Examination":
        """The examination that `to_dict` wrote. A captured child may have written it: only its form is believed.

        Raises:
            BadInput: it is of another form.
        """
        try:
            return cls(
                kind=cast("Kind", _name_of(fields["kind"], _KINDS)),
                container=_text(fields["container"]),
                demuxer=_text(fields["demuxer"]),
                duration=_length(from_text(fields["duration"])),
                streams=tuple(MediaStream.from_dict(stream) for stream in fields["streams"]),
                packet_root=None if fields["packet_root"] is None else _text(fields["packet_root"]),
                lines=_texts(fields["lines"]),
                table_seal=None if fields["table_seal"] is None else _text(fields["table_seal"]),
                tags={_text(name): _text(value) for name, value in fields["tags"].items()},
                random_access=tuple(from_text(point) for point in fields["random_access"]),
                warnings=_texts(fields["warnings"]),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadInput(f"not an examination: {error!r:.200}") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _texts(values: object) -> tuple[str, ...]:
    if not isinstance(values, list):
        raise TypeError("no list")
    return tuple(_text(value) for value in values)


def _name_of(value: object, names: tuple[str, ...]) -> str:
    if value not in names:
        raise ValueError("no name of a kind")
    return _text(value)


def _length(seconds: Fraction) -> Fraction:
    if seconds < 0:
        raise ValueError("a length below nothing")
    return seconds
