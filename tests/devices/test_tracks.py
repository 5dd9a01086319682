# SPDX-License-Identifier: Apache-2.0
"""This is where what cameras say of time, place and themselves is read from real files, beside values read by hand."""

import json
import struct
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from evidence.claims import Claims
from pipeline.inside import Inside, look_inside
from pipeline.media.examination import Examination
from pipeline.media.tracks import gpmf, texts
from pipeline.media.tracks.klv import streams
from pipeline.media.tracks.reading import track_of
from pipeline.media.tracks.track import Point, Track
from pipeline.spool import spooled
from storage import layout
from storage.register import search
from tests.support.footage import shared_media
from tests.support.home import open_home
from tests.support.tiny_media import stairs

MP4 = Examination("video", "mp4", "mov", Fraction(1))
TEXT = Examination("document", "text-track", "", Fraction(0))


def inside(tmp_path: Path, file: Path) -> Inside:
    files = spooled(tmp_path, "rec-a")
    files.original.parent.mkdir(parents=True, exist_ok=True)
    files.original.write_bytes(file.read_bytes())
    return look_inside(files, name=file.name)


def values(claims: Claims, *fields: str) -> dict[str, str | None]:
    return {field: claims.value(field) for field in fields}


# --- real files ---------------------------------------------------------------------------------

# What each file says, read by hand from its bytes.
#
# gopro-karma-gpmf.mp4: `moov/mvhd` bytes 12-15 d51ac7bd = 3575302077 s since 1904-01-01 = 2017-04-17T19:27:57Z. First
#   payload of the `gpmd` track (file offset 0x4ef35): SYST 0x08bc169b us since power-on = 0x15b7d62ca30 ms since 1970,
#   GPRI first element: time 0x08b26f99 us, latitude 0x13be87b0 = 331253680, longitude 0xba10b34f = -1173310641 (both
#   1e-7 degrees), altitude 0x3c55 = 15445 mm, speed 0x3b = 59 cm/s, course 0x829b = 33435 (1/100 degree), fix 3.
#   1492457278000 ms - 146544.283 ms + 145911.705 ms after power-on = 19:27:57.367422Z. Track 1: timecode 19:26:48:04.
# phone-edit-list.mp4: mvhd e1d6d426 = 3788952614 = 2024-01-24T14:50:14Z; its metadata tracks hold no place.
# axis-signed-h264.mp4: mvhd e3cf95a3 = 3822032291 = 2025-02-10T11:38:11Z.
# dashcam-5s.mp4: mvhd 0, which is no time; nothing of place or device is in it.
# h265-metadata-track.mp4: `udta/(c)xyz` +51.5932-0.2431/.
# photos: EXIF DateTimeOriginal, OffsetTimeOriginal, GPS degrees.
REAL = [
    (
        "gopro-karma-gpmf.mp4",
        {
            "start": "2017-04-17T19:27:57.367422Z",
            "place": "33.125368,-117.331064",
            "timecode": "19:26:48:04@30000/1001",
            "device": None,
        },
    ),
    ("phone-edit-list.mp4", {"start": "2024-01-24T14:50:14.000000Z", "place": None, "device": None}),
    ("axis-signed-h264.mp4", {"start": "2025-02-10T11:38:11.000000Z", "place": None}),
    ("dashcam-5s.mp4", {"start": None, "place": None, "device": None}),
    ("h265-metadata-track.mp4", {"start": "2023-04-28T17:52:17.000000Z", "place": "51.593200,-0.243100"}),
    ("photos/DSC00001.JPG", {"start": "2018-06-08T13:24:10-07:00", "place": "45.516903,-122.572765"}),
    ("photos/test_exif.jpg", {"start": "2018-06-26T17:46:33", "place": "35.912517,14.498806"}),
    ("photos/track-sf-30km-h.gpx", {"place": "37.793585,-122.461396"}),
]


@pytest.mark.parametrize(("name", "said"), REAL, ids=[name for name, _ in REAL])
def test_a_real_file_says_when_where_and_by_what(tmp_path: Path, name: str, said: dict[str, str | None]) -> None:
    found = inside(tmp_path, shared_media() / name)

    assert found.problem is None
    assert values(found.claims, *said) == said
    assert "start" not in found.claims.conflicts()


def test_the_telemetry_of_a_real_gopro_is_a_track() -> None:
    track = track_of(shared_media() / "gopro-karma-gpmf.mp4", MP4)

    assert track is not None
    assert (track.source, len(track.points)) == ("gpmf", 12)
    first = track.points[0]
    assert (first.latitude, first.longitude) == (Fraction(331253680, 10**7), Fraction(-1173310641, 10**7))
    assert (first.altitude, first.speed, first.course, first.fix) == (
        Fraction(15445, 1000),
        Fraction(59, 100),
        Fraction(33435, 100),
        3,
    )
    # 13 payloads of 1001/1000 s; one holds no place.
    assert [point.offset for point in track.points[:3]] == [0, Fraction(1001, 1000), Fraction(2002, 1000)]
    moments = [point.at for point in track.points]
    assert moments == sorted(moments, key=lambda at: at or datetime.max.replace(tzinfo=UTC))


def test_a_real_gopro_says_its_firmware_and_no_serial() -> None:
    data = (shared_media() / "gopro-karma-gpmf.mp4").read_bytes()

    assert gpmf.identity(lambda at, length: data[at : at + length], len(data)) == {"firmware": "HD5.02.02.00.00"}


def test_a_track_is_kept_beside_the_proxy_and_says_how_it_was_made(tmp_path: Path) -> None:
    with open_home(tmp_path / "home") as home:
        made = home.ingest_one(shared_media() / "gopro-karma-gpmf.mp4")
        assert "track" in made["derivatives"]
        with home.ports.register.view() as connection:
            row = next(one for one in search.derivatives_of(connection, made["id"]) if one["kind"] == "track")
        body = json.loads(home.ports.store.read(layout.derivative_key(row["sha256"]), limit=1 << 20))

    assert (body["form"], body["source"], len(body["points"])) == ("evidock-track/v1", "gpmf", 12)
    assert body["points"][0] == {
        "alt": "15.445",
        "at": "2017-04-17T19:27:57.367422Z",
        "course": "334.35",
        "fix": 3,
        "lat": "33.1253680",
        "lon": "-117.3310641",
        "offset": "0.000",
        "speed": "0.590",
    }


def test_a_real_gpx_has_every_point() -> None:
    track = track_of(shared_media() / "photos/track-sf-30km-h.gpx", TEXT)

    assert track is not None
    assert len(track.points) == 49
    assert track.points[0].at == datetime(2025, 3, 14, 7, tzinfo=UTC)


# --- forms of which we have no real file: made by the description -------------------------------


def klv(key: str, kind: str, size: int, value: bytes) -> bytes:
    head = key.encode() + (b"\0" if not kind else kind.encode()) + bytes((size,))
    return head + struct.pack(">H", len(value) // size) + value + b"\0" * (-len(value) % 4)


def nested(key: str, *inner: bytes) -> bytes:
    return klv(key, "", 1, b"".join(inner))


GPS5 = nested(
    "DEVC",
    klv("DVNM", "c", 1, b"Hero9 Black"),
    nested(
        "STRM",
        klv("GPSF", "L", 4, struct.pack(">L", 3)),
        klv("GPSU", "U", 16, b"260619040000.500"),
        klv("SCAL", "l", 4, struct.pack(">5l", 10**7, 10**7, 1000, 1000, 100)),
        klv("GPS5", "l", 20, struct.pack(">10l", 282000000, 1129000000, 44500, 1500, 150, *[0] * 5)),
    ),
)


def test_gps5_is_read_by_its_scale_with_its_time_and_its_fix() -> None:
    (point,) = gpmf._of_payload(GPS5, Fraction(2))

    assert (point.latitude, point.longitude, point.altitude) == (
        Fraction(282, 10),
        Fraction(1129, 10),
        Fraction(445, 10),
    )
    assert (point.speed, point.fix, point.offset) == (Fraction(3, 2), 3, Fraction(2))
    assert point.at == datetime(2026, 6, 19, 4, 0, 0, 500_000, tzinfo=UTC)


def test_gps9_is_read_with_days_since_2000() -> None:
    row = struct.pack(">7lHH", 282000000, 1129000000, 44500, 1500, 150, 9666, 14_400_500, 120, 3)
    scales = struct.pack(">9l", 10**7, 10**7, 1000, 1000, 100, 1, 1000, 100, 1)
    parts = [klv("SCAL", "l", 4, scales), klv("TYPE", "c", 1, b"lllllllSS"), klv("GPS9", "?", len(row), row)]
    (point,) = gpmf._of_payload(nested("DEVC", nested("STRM", *parts)), Fraction(0))

    assert point.at == datetime(2026, 6, 19, 4, 0, 0, 500_000, tzinfo=UTC)
    assert (point.place, point.fix) == ("28.200000,112.900000", 3)


@pytest.mark.parametrize("cut", range(0, len(GPS5), 3))
def test_telemetry_that_is_cut_anywhere_says_less_and_never_fails(cut: int) -> None:
    whole, less = (list(gpmf._of_payload(data, Fraction(0))) for data in (GPS5, GPS5[:cut]))
    assert whole
    assert less == whole[: len(less)]


def test_telemetry_nested_without_end_is_left() -> None:
    deep = GPS5
    for _ in range(500):
        deep = nested("DEVC", deep) if len(deep) < 60_000 else deep
    assert len(list(streams(deep))) < 20


def with_box(path: Path, *parts: bytes) -> bytes:
    """A film whose `moov` has further boxes at its end; its sample tables do not notice, for `moov` comes last."""
    data = path.read_bytes()
    at = data.index(b"moov") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    assert at + size == len(data)
    more = b"".join(parts)
    return data[:at] + (size + len(more)).to_bytes(4, "big") + data[at + 4 :] + more


def box(kind: bytes, body: bytes) -> bytes:
    return (len(body) + 8).to_bytes(4, "big") + kind + body


def novatek_block(second: int, *, mark: bytes = b"ANE\0") -> bytes:
    """10:03:`second` of 2026-06-19, 28°12.000' N 112°54.000' E, 10 knots, course 90."""
    body = struct.pack("<6I4s4f", 10, 3, second, 26, 6, 19, mark, 2812.0, 11254.0, 10.0, 90.0)
    return (b"freeGPS " + b"\0" * 36 + body).ljust(200, b"\0")


def dashcam(tmp_path: Path, *blocks: bytes) -> Path:
    film = stairs(tmp_path / "plain.mp4", 2)
    size = film.stat().st_size
    whole = [(len(block) + 4).to_bytes(4, "big") + block for block in blocks]
    tail = box(b"skip", b"".join(whole))
    listing, at = b"\0" * 8, size + 24 + 8 * len(blocks) + 8
    for one in whole:
        listing += struct.pack(">II", at, len(one))
        at += len(one)
    path = tmp_path / "2026_0619_100300_001.MP4"
    path.write_bytes(with_box(film, box(b"gps ", listing)) + b"\0\0\0\x08free" + tail)
    return path


def test_the_places_of_a_novatek_camera_are_a_track(tmp_path: Path) -> None:
    path = dashcam(tmp_path, novatek_block(0), novatek_block(1, mark=b"VNE\0"), novatek_block(2, mark=b"ASW\0"))
    track = track_of(path, MP4)

    assert track is not None
    assert track.source == "novatek"
    assert [point.place for point in track.points] == ["28.200000,112.900000", "-28.200000,-112.900000"]
    assert [point.offset for point in track.points] == [0, 2]
    assert (track.points[0].speed, track.points[0].course) == (Fraction(18520, 3600), Fraction(90))
    found = inside(tmp_path / "spool", path)
    assert found.problem is None
    assert values(found.claims, "place") == {"place": "28.200000,112.900000"}


def test_a_serial_in_the_settings_of_a_gopro_names_the_device(tmp_path: Path) -> None:
    told = nested("DEVC", klv("MINF", "c", 1, b"HERO9 Black"), klv("CASN", "c", 1, b"C3461000000001"))
    path = tmp_path / "GX010001.MP4"
    path.write_bytes(with_box(stairs(tmp_path / "plain.mp4", 1), box(b"udta", box(b"GPMF", told))))
    claims = inside(tmp_path / "spool", path).claims

    assert values(claims, "device") == {"device": "C3461000000001"}
    assert "model=HERO9 Black" in [claim.value for claim in claims.of("note")]


def sentence(body: str) -> str:
    checked = 0
    for char in body.encode():
        checked ^= char
    return f"${body}*{checked:02X}\r\n"


RMC = "GPRMC,040000.50,A,2812.0000,N,11254.0000,E,10.0,90.0,190626,,,A"


def test_nmea_is_a_track_with_time_speed_course_and_height() -> None:
    text = sentence("GPGGA,040000.50,2812.0000,N,11254.0000,E,1,08,0.9,44.5,M,,M,,") + sentence(RMC)
    (point,) = texts.nmea(text)

    assert point == Point(
        Fraction(282, 10),
        Fraction(1129, 10),
        at=datetime(2026, 6, 19, 4, 0, 0, 500_000, tzinfo=UTC),
        altitude=Fraction(89, 2),
        speed=Fraction(18520, 3600),
        course=Fraction(90),
    )


def test_a_sentence_with_a_wrong_checksum_or_without_a_fix_is_no_point() -> None:
    assert list(texts.nmea(sentence(RMC).replace("2812", "2813"))) == []
    assert list(texts.nmea(sentence(RMC.replace(",A,", ",V,", 1)))) == []


# Were entities followed, each of these would give a place on Earth.
POINT = b"<trkpt lat='28' lon='112'></trkpt>"
BOMB = b'<!DOCTYPE gpx [<!ENTITY a "' + POINT + b'"><!ENTITY b "&a;&a;&a;&a;">]><gpx>&b;</gpx>'


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        b'<!DOCTYPE gpx [<!ENTITY x SYSTEM "file:///etc/passwd">]><gpx>&x;</gpx>',
        b"<gpx><trkpt lat='28' lon=",
        b"<gpx>" + b"<a>" * 20_000,
        b"<gpx><trkpt lat='1e400' lon='nan'/><trkpt lat='91' lon='0'/><trkpt lat='0' lon='0'/></gpx>",
    ],
    ids=["entities", "outside", "cut", "deep", "nowhere"],
)
def test_a_hostile_gpx_is_no_track_and_no_error(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "a.gpx").write_bytes(text)

    assert track_of(tmp_path / "a.gpx", TEXT) is None


def test_the_canonical_form_of_a_track_is_exactly_this() -> None:
    point: dict[str, Any] = {"latitude": Fraction(-1, 3), "longitude": Fraction(100)}
    track = Track.of("nmea", [Point(**point), Point(Fraction(0), Fraction(0)), Point(Fraction(91), Fraction(0))])
    assert track is not None

    assert track.to_json() == (
        b'{"form":"evidock-track/v1","points":[{"alt":null,"at":null,"course":null,"fix":null,'
        b'"lat":"-0.3333333","lon":"100.0000000","offset":null,"speed":null}],"source":"nmea"}'
    )


def test_a_dav_that_nothing_plays_is_kept_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "09.30.12-10.00.00[R][0@0][0].dav"
    path.write_bytes(b"DHAV" + bytes(4096))
    with open_home(tmp_path / "home") as home:
        (aside,) = home.ingest(path)["quarantined"]
        claims = Claims.from_json(json.loads(home.recording(aside["id"])["claims"]))
        assert "sealed" in home.story(aside["id"])

    assert (aside["code"], claims.value("playable")) == ("not-media", "no")
