# SPDX-License-Identifier: Apache-2.0
"""A proxy as HLS, read by ffmpeg over HTTP as a player reads it; and what is told beside it: pictures, sound, way."""

import io
import json
import re
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import pytest

from evidence.errors import Unacceptable, Undecodable
from evidence.media_time import Span
from pipeline.media import hls
from pipeline.media.boxes import in_memory
from pipeline.media.sample_tables import read_tables
from pipeline.media.tracks.track import Point, Track
from pipeline.playback import thumbnails_vtt, track_geojson
from storage import layout
from storage.enveloped.store import EnvelopedStore
from tests.support.cinema import SECONDS, Cinema, cinema, film
from tests.support.people import Person

Frames = list[tuple[Fraction, int]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cinema]:
    """Footage rests encrypted here: segments are opened out of it piece by piece."""
    with cinema(tmp_path_factory.mktemp("hls"), settings={"envelope": "on"}) as made:
        yield made


@pytest.fixture(scope="module")
def officer(place: Cinema) -> Person:
    return place.hall["officer"]


def played(address: str, person: Person, kind: str) -> Frames:
    """Every picture or block of sound that ffmpeg shows: when, and how bright or loud."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in person.headers.items())
    with av.open(address, "r", options={"headers": lines, "allowed_extensions": "ALL"}) as media:
        stream = next(one for one in media.streams if one.type == kind)
        return _frames(media, stream)


def _frames(media: "av.container.InputContainer", stream: "av.stream.Stream") -> Frames:
    found = []
    for frame in media.decode(stream):
        assert isinstance(frame, av.VideoFrame | av.AudioFrame)
        assert frame.pts is not None
        assert frame.time_base is not None
        found.append((frame.pts * frame.time_base, hash(frame.to_ndarray().tobytes())))
    return found


def of_bytes(data: bytes, kind: str) -> Frames:
    with av.open(io.BytesIO(data), "r") as media:
        return _frames(media, next(one for one in media.streams if one.type == kind))


def test_a_player_sees_the_same_pictures_at_the_same_times_as_in_the_proxy(place: Cinema, officer: Person) -> None:
    given = place.play(officer)
    proxy = place.fetch(officer, given["urls"][1]).content
    address = str(place.hall.nobody.base_url).rstrip("/") + given["urls"][0]

    for kind in ("video", "audio"):
        assert played(address, officer, kind) == of_bytes(proxy, kind)
    assert len(of_bytes(proxy, "video")) == SECONDS * 15


def test_footage_that_rests_encrypted_is_fetched_in_the_clear(place: Cinema, officer: Person) -> None:
    store, given = place.hall.home.ports.store, place.play(officer)
    key = layout.derivative_key(given["sha256"])
    fetched = place.fetch(officer, given["urls"][1], Range="bytes=3-70000").content

    assert isinstance(store, EnvelopedStore)
    assert store.read_range(key, 3, 69_998) == fetched
    assert fetched[:64] not in store.inner.read(key, limit=1 << 30)


def test_segments_begin_with_key_pictures_and_add_up(place: Cinema, officer: Person) -> None:
    given = place.play(officer)
    told = place.fetch(officer, given["urls"][0])
    lengths = [Fraction(one) for one in re.findall(r"#EXTINF:([\d.]+),", told.text)]

    assert told.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert lengths == [6, 6, 2]
    base = given["urls"][0].rpartition("/")[0]
    init = place.fetch(officer, f"{base}/init.mp4").content
    for number in range(3):
        part = place.fetch(officer, f"{base}/{number}.m4s")
        with av.open(io.BytesIO(init + part.content), "r") as media:
            first = next(packet for packet in media.demux(media.streams.video[0]) if packet.size)
        assert first.is_keyframe
    assert place.fetch(officer, f"{base}/3.m4s").status_code == 404


def test_leave_for_a_part_opens_its_segments_alone(place: Cinema, officer: Person) -> None:
    given = place.play(officer, **{"from": "7", "to": "8.5"})
    base = given["urls"][0].rpartition("/")[0]
    lines = place.fetch(officer, given["urls"][0]).text

    assert [url.rpartition("/")[2] for url in given["urls"]] == ["hls.m3u8"]
    assert re.findall(r"^\d+\.m4s", lines, re.MULTILINE) == ["1.m4s"]
    assert "#EXT-X-MEDIA-SEQUENCE:1" in lines
    statuses = [place.fetch(officer, f"{base}/{name}").status_code for name in ("0.m4s", "1.m4s", "2.m4s", "proxy.mp4")]
    assert statuses == [404, 200, 404, 404]


def test_a_part_of_what_is_shown_whole_is_refused(place: Cinema, officer: Person) -> None:
    reply = officer.post(f"/recordings/{place.recording}/playback", {"what": "thumbnails", "from": "0", "to": "1"})
    assert (reply.status_code, reply.json()["code"]) == (400, "bad-input")


# --- a name in every picture ------------------------------------------------------------------


def test_whose_grant_asks_for_it_sees_their_name_in_every_picture_and_never_the_proxy(place: Cinema) -> None:
    admin = place.hall["admin"]
    grant = place.grant(admin, "view", watermark=True)
    given = place.play(admin)
    address = str(place.hall.nobody.base_url).rstrip("/") + given["urls"][0]
    marked = played(address, admin, "video")
    plain = of_bytes(_proxy(place), "video")
    base = given["urls"][0].rpartition("/")[0]
    refused = place.fetch(admin, f"{base}/proxy.mp4").status_code
    place.revoke(grant)

    assert [url.rpartition("/")[2] for url in given["urls"]] == ["hls.m3u8"]
    assert refused == 404
    assert [at for at, _ in marked] == [at for at, _ in plain]
    assert all(one != other for (_, one), (_, other) in zip(marked, plain, strict=True))


def _proxy(place: Cinema) -> bytes:
    officer = place.hall["officer"]
    return place.fetch(officer, place.play(officer)["urls"][1]).content


# --- beside the film --------------------------------------------------------------------------


def test_thumbnails_come_with_the_places_of_each_instant(place: Cinema, officer: Person) -> None:
    given = place.play(officer, "thumbnails")
    picture, index, cues = (place.fetch(officer, url) for url in given["urls"])

    assert picture.headers["content-type"] == "image/jpeg"
    assert index.json()["tiles"] == SECONDS
    assert cues.headers["content-type"].startswith("text/vtt")
    assert "00:00:01.000 --> 00:00:02.000\nthumbnails.jpg#xywh=192,0,192,144" in cues.text


def test_a_waveform_tells_how_loud_each_tenth_of_a_second_is(place: Cinema, officer: Person) -> None:
    whole = place.fetch(officer, place.play(officer, "waveform")["urls"][0]).json()
    part = place.fetch(officer, place.play(officer, "waveform", **{"from": "2", "to": "4"})["urls"][0]).json()

    assert len(whole["peaks"]) == SECONDS * 10
    assert 20 < min(whole["peaks"][1:-2]) <= max(whole["peaks"]) < 60  # a tone at an eighth of full
    assert (part["from"], part["peaks"]) == ("2", whole["peaks"][20:40])


def test_what_a_recording_has_not_is_not_found(place: Cinema, officer: Person) -> None:
    reply = officer.post(f"/recordings/{place.recording}/playback", {"what": "track"})
    assert (reply.status_code, reply.json()["code"]) == (404, "not-found")


def test_a_way_is_told_as_geojson_within_the_part_that_was_asked_for() -> None:
    points = [Point(Fraction(28) + number, Fraction(112), offset=Fraction(number)) for number in range(5)]
    track = Track.of("nmea", points)
    assert track is not None
    whole = json.loads(track_geojson(track.to_json(), None))
    part = json.loads(track_geojson(track.to_json(), Span(Fraction(1), Fraction(3))))
    none = json.loads(track_geojson(track.to_json(), Span(Fraction(9), Fraction(10))))

    assert whole["geometry"]["type"] == "LineString"
    assert part["geometry"]["coordinates"] == [[112.0, 29.0], [112.0, 30.0]]
    assert part["properties"]["offset"] == ["1.000", "2.000"]
    assert none["geometry"] is None


def test_cues_run_over_rows() -> None:
    index = b'{"columns":2,"height":10,"interval":5,"kind":"x","tiles":3,"width":20}'
    assert "00:00:10.000 --> 00:00:15.000\np.jpg#xywh=0,10,20,10" in thumbnails_vtt(index, picture="p.jpg")


# --- what a decoder behind walls may have left --------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return film(tmp_path_factory.mktemp("small") / "film.mp4", seconds=2).read_bytes()


def test_a_film_that_was_cut_or_altered_anywhere_in_its_index_raises_an_error_of_ours(small: bytes) -> None:
    at = small.index(b"moov")
    chance = np.random.default_rng(6)
    for _ in range(300):
        data = bytearray(small)
        for place in chance.integers(at, len(data), size=3):
            data[place] = chance.integers(0, 256)
        try:
            told = hls.plan(in_memory(bytes(data)), len(data), segment_s=1)
            for number in told.numbers():
                part = told.segment(number)
                part.read(0, part.size_bytes, source=in_memory(bytes(data)))
        except Unacceptable:
            continue


def test_tables_that_claim_more_than_there_is_are_refused(small: bytes) -> None:
    at = small.index(b"stsz") + 12
    data = small[:at] + b"\xff\xff\xff\xff" + small[at + 4 :]
    with pytest.raises(Undecodable):
        read_tables(in_memory(data), len(data))
