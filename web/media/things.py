# SPDX-License-Identifier: Apache-2.0
"""This is where it is said which files a leave opens, and what each of them is: bytes, a type, a name to keep it by."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from evidence.errors import NotFound
from pipeline import playback
from pipeline.media import hls
from pipeline.media.hls import Plan
from pipeline.media.marked import Marked, mark
from pipeline.ports import Ports
from pipeline.scratch import scratch
from pipeline.waveform import waveform
from storage import layout
from storage.durable import store_errors
from storage.register import search
from web.media.figures import Figures
from web.media.headers import HEAD_BYTES, attachment, etag_of, type_of
from web.media.kept import Kept
from web.media.leave import Leave
from web.media.sending import Read

_JSON, _VTT, _GEOJSON, _TEXT = "application/json", "text/vtt; charset=utf-8", "application/geo+json", "text/plain"
_TEXT_MAX = 64 << 20
_NUMBER = re.compile(r"([0-9]|[1-9][0-9]{1,5})\.m4s", re.ASCII)
_PROXY, _SPRITE, _ORIGINAL, _RECEIPT = "proxy.mp4", "thumbnails.jpg", "original", "receipt.txt"
_SAMPLES_KEPT = 4_000_000


@dataclass(frozen=True, slots=True)
class Thing:
    """A file that can be fetched. `seen` says which stretch of which name a range of its bytes is, on record."""

    read: Read
    size_bytes: int
    media_type: str
    etag: str
    seen: Callable[[int, int], tuple[str, tuple[int, int]]]
    disposition: str = "inline"


def files_of(kind: str, what: str, *, is_whole: bool) -> list[str]:
    """The files that leave for `what` opens, the one to begin with first; `kind` is the derivative's."""
    if what == "proxy":
        return [hls.PLAYLIST, _PROXY] if is_whole else [hls.PLAYLIST]
    if what == "thumbnails":
        return [_SPRITE, "thumbnails.json", "thumbnails.vtt"] if kind == "sprite" else [_SPRITE]
    return {"waveform": ["waveform.json"], "track": ["track.geojson"], "original": [_ORIGINAL, _RECEIPT]}[what]


class Things:
    """Makes the files of a leave. Threads may share it."""

    def __init__(self, ports: Ports, figures: Figures) -> None:
        self._ports, self._figures = ports, figures
        wait_s = figures.wait_s
        self._plans: Kept[Plan] = Kept(
            figures.plans_kept,
            making=1,
            waiting=3 * figures.waiting,
            wait_s=wait_s,
            cost=lambda one: one.cost,
            costs=_SAMPLES_KEPT,
        )
        self._types: Kept[str] = Kept(4096, making=figures.readers, waiting=3 * figures.waiting, wait_s=wait_s)
        self._waves: Kept[bytes] = Kept(
            figures.waveforms_kept, making=figures.waveforms, waiting=figures.waiting, wait_s=wait_s
        )
        self._marks: Kept[Marked] = Kept(
            figures.marks_kept, making=figures.marking, waiting=figures.waiting, wait_s=wait_s
        )
        self._makers: Mapping[str, Mapping[str, Callable[[Leave], Thing]]] = {
            "proxy": {_PROXY: self._object, hls.PLAYLIST: self._playlist, hls.INIT: self._init},
            "thumbnails": {
                _SPRITE: self._object,
                "thumbnails.json": self._index,
                "thumbnails.vtt": self._cues,
            },
            "waveform": {"waveform.json": self._wave},
            "track": {"track.geojson": self._track},
            "original": {_ORIGINAL: self._original, _RECEIPT: self._receipt},
        }

    def thing(self, leave: Leave, file: str) -> Thing:
        """The file of this name that a leave opens.

        Raises:
            NotFound: it opens none of that name. StoreUnavailable, RegisterUnavailable: worth another try.
        """
        if leave.what == "proxy" and (number := _NUMBER.fullmatch(file)):
            return self._segment(leave, int(number[1]))
        make = self._makers[leave.what].get(file)
        if make is None or (file == _PROXY and not leave.is_whole):
            raise NotFound("no such file")
        return make(leave)

    # --- objects as they rest -------------------------------------------------------------------

    def _object(self, leave: Leave) -> Thing:
        return self._resting(layout.derivative_key(leave.object), leave.object, name=leave.what)

    def _original(self, leave: Leave) -> Thing:
        with self._ports.register.view() as connection:
            name = str(search.original(connection, leave.recording)["name"])
        key = layout.original_key(leave.object)
        return self._resting(key, leave.object, name=_ORIGINAL, disposition=attachment(name))

    def _resting(self, key: str, sha256: str, *, name: str, disposition: str = "inline") -> Thing:
        store = self._ports.store
        size_bytes = store.size(key)  # also the proof that it is there still
        media_type = self._types.get(sha256, lambda: type_of(store.read_range(key, 0, HEAD_BYTES)))
        read = partial(store.read_range, key)
        return Thing(
            read, size_bytes, media_type, etag_of(sha256), lambda first, end: (name, (first, end)), disposition
        )

    def _receipt(self, leave: Leave) -> Thing:
        return self._made(leave, _RECEIPT, _TEXT, self._text(layout.receipt_key(leave.object)))

    # --- what is told of them -------------------------------------------------------------------

    def _index(self, leave: Leave) -> Thing:
        with self._ports.register.view() as connection:
            key = playback.index_of_sprite(connection, leave.recording)
        return self._made(leave, "thumbnails.json", _JSON, self._text(key))

    def _cues(self, leave: Leave) -> Thing:
        with self._ports.register.view() as connection:
            key = playback.index_of_sprite(connection, leave.recording)
        told = playback.thumbnails_vtt(self._text(key), picture=_SPRITE)
        return self._made(leave, "thumbnails.vtt", _VTT, told.encode())

    def _track(self, leave: Leave) -> Thing:
        told = playback.track_geojson(self._text(layout.derivative_key(leave.object)), leave.part)
        return self._made(leave, "track.geojson", _GEOJSON, told.encode())

    def _wave(self, leave: Leave) -> Thing:
        def make() -> bytes:
            told = self._plan(leave)
            return waveform(
                told, self._reading(leave), part=leave.part, longest_s=self._figures.waveform_s, ports=self._ports
            )

        key = layout.derivative_key(leave.object)
        self._ports.store.size(key)  # what was taken away is not told from memory
        return self._made(leave, "waveform.json", _JSON, self._waves.get(f"{leave.object} {leave.part}", make))

    def _made(self, leave: Leave, name: str, media_type: str, data: bytes) -> Thing:
        def read(first: int, length: int) -> bytes:
            return data[first : first + length]

        etag = etag_of(f"{leave.object}-{leave.id}-{name}")
        return Thing(read, len(data), media_type, etag, lambda first, end: (name, (first, end)))

    def _text(self, key: str) -> bytes:
        return self._ports.store.read(key, limit=_TEXT_MAX)

    # --- HLS --------------------------------------------------------------------------------------

    def _playlist(self, leave: Leave) -> Thing:
        told = self._plan(leave)
        lines = hls.playlist(told, told.numbers(leave.part))
        return self._made(leave, hls.PLAYLIST, hls.PLAYLIST_TYPE, lines.encode())

    def _init(self, leave: Leave) -> Thing:
        if leave.mark is not None:
            first = next(iter(self._plan(leave).numbers(leave.part)), 0)
            return self._made(leave, hls.INIT, hls.SEGMENT_TYPE, self._marked(leave, first).init)
        return self._made(leave, hls.INIT, hls.SEGMENT_TYPE, self._plan(leave).init())

    def _segment(self, leave: Leave, number: int) -> Thing:
        told = self._plan(leave)
        if number not in told.numbers(leave.part):
            raise NotFound("no such segment")

        def seen(first: int, end: int) -> tuple[str, tuple[int, int]]:
            return "segments", (number, number + 1 if end > first else number)

        if leave.mark is not None:
            marked = self._made(leave, f"{number}", hls.SEGMENT_TYPE, self._marked(leave, number).data)
            return replace(marked, seen=seen)
        made, source = told.segment(number), self._reading(leave)

        def read(first: int, length: int) -> bytes:
            return made.read(first, length, source=source)

        return Thing(read, made.size_bytes, hls.SEGMENT_TYPE, etag_of(f"{leave.object}-{number}"), seen)

    def _marked(self, leave: Leave, number: int) -> Marked:
        told, read = self._plan(leave), self._reading(leave)

        def make() -> Marked:
            with (
                store_errors("there is no working with files in the scratch folder"),
                scratch(self._ports.spool) as folder,
            ):
                return mark(told, number, str(leave.mark), read=read, folder=folder)

        return self._marks.get(f"{leave.object} {number} {leave.mark}", make)

    def _plan(self, leave: Leave) -> Plan:
        read, key = self._reading(leave), layout.derivative_key(leave.object)
        size_bytes = self._ports.store.size(key)
        segment_s = self._figures.segment_s
        return self._plans.get(leave.object, lambda: hls.plan(read, size_bytes, segment_s=segment_s))

    def _reading(self, leave: Leave) -> Read:
        return partial(self._ports.store.read_range, layout.derivative_key(leave.object))
