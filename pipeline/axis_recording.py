# SPDX-License-Identifier: Apache-2.0
"""This is where what a body worn system of Axis sent becomes recordings, with all that came along.

A clip becomes a recording when it is whole. What else its container has (bookmarks, tracks, keys, what was said of
it all) is attached when the system says that the container is complete. Every step may be done again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from evidence.claims import Claim, Claims
from evidence.custody import Happening
from evidence.errors import NotFound
from pipeline import receive
from pipeline.attach import Attachment, attach
from pipeline.axis_account import Account, Metadata, Thing
from pipeline.axis_words import (
    Bookmark,
    bookmark_of,
    clip_claims,
    is_within,
    manifest_of,
    mark_claims,
    officer_claim,
    original_of,
    role_of,
    span_of,
    stem_of,
    user_claim,
    user_of,
    words_of,
)
from pipeline.outcome import about
from pipeline.ports import Ports
from pipeline.received import ReceivedFiles
from pipeline.received_told import Told
from storage.register import dock_rows, search

VIA = "axis"
USERS, DEVICES, SYSTEM = "Users", "Devices", "System"
BOOKMARKS = "bookmarks"
"""The code of a remark: bookmarks that came after the footage."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip that is a recording."""

    thing: Thing
    recording: str
    start: datetime | None
    stop: datetime | None


def is_ours(told: Told) -> bool:
    """True when a file came by this door."""
    return bool(told.extra.get("via") == VIA)


def told_of_clip(dock: str, container: str, name: str, metadata: Metadata, *, account: Account, ports: Ports) -> Told:
    """What is told of a clip that comes; it has no length before it is whole.

    Raises:
        BadInput: its name leaves the container. StoreUnavailable, RegisterUnavailable: worth another try.
    """
    start, stop = span_of(name, metadata)
    things = account.things(container)
    claims = Claims(_claims(container, name, metadata, things=things, account=account, ports=ports))
    marks = mark_claims(_bookmarks(container, things, account), start, stop)
    told = Told(
        sender=dock,
        path=f"{container}/{name}",
        name=name.rpartition("/")[2],
        mtime_ns=0 if start is None else (start - _EPOCH) // _MICROSECOND * 1000,
        length=None,
        claims=claims | marks,
        extra={"via": VIA, "container": container, "object": name},
    )
    replace(told, length=0).offer()  # raises what no offer can be
    return told


def marks_of(told: Told) -> tuple[str, ...]:
    """The marks that a clip arrives with."""
    return tuple(claim.value for claim in told.claims.of("mark"))


def make_whole(thing: Thing, *, files: ReceivedFiles) -> bool:
    """Let a clip whose bytes rest be taken down; False when its bytes are not here, as they were written down.

    Raises:
        StoreUnavailable: worth another try.
    """
    if thing.received is None:
        return True
    try:
        told = files.told(thing.received)
        if told.length is None and files.offset(thing.received) == thing.size_bytes:
            files.tell(thing.received, replace(told, length=thing.size_bytes, sha256=thing.sha256))
            return True
    except NotFound:  # it rests under its recording, or was given up
        return False
    return told.length == thing.size_bytes


def is_here(thing: Thing, *, ports: Ports) -> bool:
    """True when the bytes of an object are ours to answer for: still where they came in, or a recording's.

    Raises:
        StoreUnavailable, RegisterUnavailable: worth another try.
    """
    if not thing.is_clip or make_whole(thing, files=ReceivedFiles(ports.received)):
        return True
    with ports.register.view() as connection:
        row = search.offer(connection, thing.offer or "")
    return row is not None and row["outcome"] != "withdrawn"


def settle(container: str, *, account: Account, ports: Ports, now: datetime) -> list[str]:
    """Attach what came along to the recordings of a container; these. Repeats change nothing.

    What has no footage in its container yet waits.

    Raises:
        StoreUnavailable, RegisterUnavailable: worth another try.
    """
    metadata = account.metadata(container) or {}
    things = account.things(container)
    clips = _clips(things, ports=ports, now=now)
    original = original_of(container, metadata)
    if not clips and original is not None:
        clips = _clips(account.things(original), ports=ports, now=now)
    if not clips:
        return []
    manifest = manifest_of(container, metadata, [_told(one) for one in things])
    attach(clips[0].recording, Attachment("axis-container", f"{container}.json", manifest), ports=ports, now=now)
    for thing in things:
        for attachment in _attachments(container, thing, account):
            attach(_of(thing, clips).recording, attachment, ports=ports, now=now)
    _remark(_bookmarks(container, things, account), clips, ports=ports, now=now)
    return [clip.recording for clip in clips]


def _claims(
    container: str, name: str, metadata: Metadata, *, things: Sequence[Thing], account: Account, ports: Ports
) -> Iterator[Claim]:
    of_container = account.metadata(container) or {}
    tracks = [one for one in things if role_of(one.name, one.metadata) == "track"]
    track = account.data(container, tracks[0].sha256) if tracks else None
    yield from clip_claims(name, metadata, container=container, of_container=of_container, track=track)
    user = user_of(container, of_container)
    if user is None:
        return
    known = account.thing(USERS, user)
    said = {} if known is None else known.metadata
    number = said.get("userid", "")
    with ports.register.view() as connection:
        is_officer = bool(number) and search.officer(connection, number) is not None
    yield officer_claim(number) if is_officer else user_claim(said, user)


def _bookmarks(container: str, things: Sequence[Thing], account: Account) -> list[Bookmark]:
    found = [one for one in things if role_of(one.name, one.metadata) == "bookmark"]
    return [bookmark_of(one.metadata, account.data(container, one.sha256)) for one in found]


def _clips(things: Sequence[Thing], *, ports: Ports, now: datetime) -> list[Clip]:
    """The clips of a container as recordings, in order of time."""
    found = []
    for thing in things:
        recording = _recording(thing, ports=ports, now=now) if thing.is_clip else None
        if recording is not None:
            found.append(Clip(thing, recording, *span_of(thing.name, thing.metadata)))
    return sorted(found, key=lambda clip: (clip.start or _EPOCH, clip.thing.name))


def _recording(thing: Thing, *, ports: Ports, now: datetime) -> str | None:
    with ports.register.view() as connection:
        row = search.offer(connection, thing.offer or "")
    if row is not None:
        return str(row["recording"])
    if thing.received is None or not make_whole(thing, files=ReceivedFiles(ports.received)):
        return None
    return receive.finish(thing.received, ports=ports, now=now).recording


def _of(thing: Thing, clips: Sequence[Clip]) -> Clip:
    """The clip that an object belongs to: its key file's, or the first."""
    is_key = role_of(thing.name, thing.metadata) == "key"
    same = [clip for clip in clips if is_key and stem_of(clip.thing.name) == stem_of(thing.name)]
    return same[0] if same else clips[0]


def _attachments(container: str, thing: Thing, account: Account) -> Iterator[Attachment]:
    role = role_of(thing.name, thing.metadata)
    for sha256 in () if thing.is_clip or role is None else (*thing.earlier, thing.sha256):
        data = account.data(container, sha256)
        if data:  # of an empty one all is said in the manifest
            yield Attachment(role or "", thing.name, data)


def _told(thing: Thing) -> dict[str, object]:
    told = asdict(thing)
    return {name: told[name] for name in ("name", "size_bytes", "md5", "sha256", "metadata", "earlier")}


def _remark(bookmarks: Sequence[Bookmark], clips: Sequence[Clip], *, ports: Ports, now: datetime) -> None:
    """Say of each recording which bookmarks came after it."""
    for clip in clips:
        words = {words_of(one) for one in bookmarks if is_within(one, clip.start, clip.stop)}
        late = sorted(words - set(clip.thing.claimed))
        if late:
            _remark_once(clip.recording, "\n".join(late), ports=ports, now=now)


def _remark_once(recording: str, text: str, *, ports: Ports, now: datetime) -> None:
    happening = Happening("remarked", about(recording), facts={"code": BOOKMARKS}, detail={"text": text})
    rested = ports.register.rest(happening)
    with ports.register.begin() as facts:
        known = {one["code"]: one["text"] for one in dock_rows.remarks_of(facts.connection, recording)}
        if known.get(BOOKMARKS) != text:
            facts.record(rested, actor=ports.actor, at=now)
