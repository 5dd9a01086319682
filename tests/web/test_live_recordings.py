# SPDX-License-Identifier: Apache-2.0
"""Footage that is still recorded: it grows by fragments, lasts, and becomes a Recording when it ends or is cut off."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app import clocks
from evidence import media_time
from evidence.claims import Claim, Claims, Source
from evidence.errors import (
    BadInput,
    ChecksumMismatch,
    Conflict,
    NotFound,
    OffsetConflict,
    Overloaded,
    SignatureInvalid,
    TooLarge,
    WrongState,
)
from evidence.media_time import Span
from pipeline import live, live_closing, receive
from pipeline.clip import clip
from pipeline.linking import suggestions
from pipeline.live import Sender
from pipeline.live_closing import Quiet
from pipeline.live_figures import figures, load_live
from pipeline.received import ReceivedFiles
from storage import layout
from storage.register import dock_rows, search
from tests.support.cameras import shown
from tests.support.command import evidock
from tests.support.home import Home, open_home
from tests.support.live_footage import (
    BEGAN,
    KEY,
    SERIAL,
    TERMINAL,
    Word,
    announced,
    begin,
    ended,
    footage,
    put,
    sha256_of,
    word,
)

STRANGER = Sender("dck-zzzzzzzzzz234567", "OTHER")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as made:
        made.add_device(SERIAL)
        yield made


def end(home: Home, identifier: str, *, told: dict[str, Any] | None = None) -> str:
    said = ended(footage(), **(told or {}))
    return live_closing.end(identifier, said, sender=TERMINAL, ports=home.ports, now=clocks.now())


def sweep(home: Home, quiet: Quiet, *, at: float) -> list[str]:
    return live_closing.sweep(quiet, at=at, ports=home.ports, now=clocks.now())


def cut_off(home: Home) -> list[str]:
    """Everything that is open is not heard of for a minute."""
    quiet = Quiet()
    assert sweep(home, quiet, at=0.0) == []
    return sweep(home, quiet, at=float(figures().cut_off_s))


def remarks(home: Home, recording: str) -> list[str]:
    with home.ports.register.view() as connection:
        return [row["code"] for row in dock_rows.remarks_of(connection, recording)]


def claims(home: Home, recording: str, field: str) -> list[str]:
    told = Claims.from_json(json.loads(home.recording(recording)["claims"]))
    return [claim.value for claim in told.of(field)]


# --- growing ---------------------------------------------------------------------------------------


def test_fragments_become_one_sealed_recording_that_is_clipped_to_the_frame(home: Home, tmp_path: Path) -> None:
    recording = end(home, begin(home.ports, footage()))
    home.drain(recording)

    row = home.recording(recording)
    assert (row["state"], row["problem_code"], row["device"]) == ("indexed", None, SERIAL)
    assert home.holds(b"".join(footage()), sha256_of(footage()))
    assert home.story(recording)[:3] == ["arrived", "measured", "sealed"]
    made = clip(
        recording, Span(Fraction(1, 2), Fraction(3, 2)), tmp_path / "cut.mp4", ports=home.ports, now=clocks.now()
    )
    numbers = [number for number, _ in shown(made.file)]
    assert {15, 16, 44} <= set(numbers)


def test_the_same_fragment_again_changes_nothing(home: Home) -> None:
    parts = footage()
    identifier = begin(home.ports, parts[:2])
    for number in (0, 1, 1):
        put(identifier, number, parts[number], ports=home.ports)

    assert live.look(identifier, sender=TERMINAL, files=ReceivedFiles(home.ports.received)).next == 2


def test_other_bytes_under_the_number_of_a_fragment_are_refused_and_the_first_stay(home: Home) -> None:
    parts = footage()
    identifier = begin(home.ports, parts[:2])
    with pytest.raises(Conflict):
        put(identifier, 1, parts[2], ports=home.ports)

    assert ReceivedFiles(home.ports.received).path(identifier).read_bytes() == parts[0] + parts[1]


def test_a_fragment_beyond_the_next_is_refused_and_told_which_comes_next(home: Home) -> None:
    identifier = begin(home.ports, footage()[:1])
    with pytest.raises(OffsetConflict) as refused:
        put(identifier, 2, footage()[2], ports=home.ports)

    assert refused.value.values["next"] == 1


def test_a_fragment_that_changed_on_the_way_leaves_nothing(home: Home) -> None:
    identifier, data = begin(home.ports), footage()[0]
    with pytest.raises(ChecksumMismatch):
        live.take(identifier, 0, data, sha256=bytes(32), sender=TERMINAL, ports=home.ports)

    assert live.look(identifier, sender=TERMINAL, files=ReceivedFiles(home.ports.received)).next == 0


@pytest.mark.parametrize(("size", "error"), [(0, BadInput), (figures().fragment_bytes + 1, TooLarge)])
def test_a_fragment_of_nothing_or_of_too_much_is_refused(home: Home, size: int, error: type[Exception]) -> None:
    identifier = begin(home.ports)
    with pytest.raises(error):
        put(identifier, 0, bytes(size), ports=home.ports)


def test_a_recording_has_so_many_fragments_and_no_more_and_the_next_begins_a_new_one(home: Home) -> None:
    most, files = figures().recording_fragments, ReceivedFiles(home.ports.received)
    identifier = begin(home.ports, footage()[:1])
    first, last = len(footage()[0]), f" {'00' * 32}\n"
    ledger = files.path(identifier).with_name("ledger")
    ledger.write_text(ledger.read_text() + "".join(f"{first + more}{last}" for more in range(1, most - 1)), "ascii")
    os.truncate(files.path(identifier), first + most - 2)
    assert live.look(identifier, sender=TERMINAL, files=files).next == most - 1

    put(identifier, most - 1, footage()[1], ports=home.ports)
    with pytest.raises(WrongState, match=f"at most {most} fragments"):
        put(identifier, most, footage()[2], ports=home.ports)
    put(identifier, most - 1, footage()[1], ports=home.ports)  # what lasts is acknowledged again
    later = begin(home.ports, footage()[:1], path="live/two.mp4", continues=identifier)
    assert later != identifier


@pytest.mark.parametrize("number", [-1, -2])
def test_a_negative_number_names_no_fragment(home: Home, number: int) -> None:
    identifier = begin(home.ports, footage()[:2])
    with pytest.raises(BadInput):
        put(identifier, number, footage()[1], ports=home.ports)


def test_nobody_else_sees_or_feeds_a_live_recording(home: Home) -> None:
    identifier = begin(home.ports, footage()[:1])
    with pytest.raises(NotFound):
        put(identifier, 1, footage()[1], ports=home.ports, sender=STRANGER)
    with pytest.raises(NotFound):
        live_closing.end(identifier, ended(footage()[:1]), sender=STRANGER, ports=home.ports, now=clocks.now())


def test_a_terminal_opens_only_so_many_recordings_at_once(home: Home) -> None:
    for number in range(figures().open_at_once):
        begin(home.ports, path=f"live/{number}.mp4")
    with pytest.raises(Overloaded):
        begin(home.ports, path="live/more.mp4")

    live.announce(announced(path="live/others.mp4"), sender=STRANGER, ports=home.ports)


@pytest.mark.parametrize("path", ["../one.mp4", "/etc/one.mp4", "a//b", ""])
def test_a_path_that_leaves_the_device_is_refused(home: Home, path: str) -> None:
    with pytest.raises(BadInput):
        begin(home.ports, path=path)


def test_a_terminal_does_not_speak_as_an_operator(home: Home) -> None:
    said = replace(announced(), claims=Claims([Claim("device", "OTHER", Source.OPERATOR)]))
    with pytest.raises(BadInput):
        live.announce(said, sender=TERMINAL, ports=home.ports)


# --- its end ---------------------------------------------------------------------------------------


def test_what_the_terminal_signed_stands_as_claims_and_is_kept_with_its_signature(home: Home) -> None:
    marks = [{"at": "2026-06-19T12:00:01+08:00", "text": "抵达"}]
    told: dict[str, Any] = {"case": "2026-017", "officer": "000001", "place": "28.2,112.9", "marks": marks}
    recording = end(home, begin(home.ports, footage()), told=told)

    for field in ("case", "officer", "place"):
        assert claims(home, recording, field) == [told[field]]
    assert claims(home, recording, "mark") == ["2026-06-19T12:00:01+08:00 抵达"]
    signed = word(footage(), **told)
    with home.ports.register.view() as connection:
        kept = {row["role"]: row for row in dock_rows.attachments_of(connection, recording)}
    assert {row["signer"] for row in kept.values()} == {TERMINAL.id}
    at_rest = {
        role: home.ports.store.read(layout.attachment_key(row["sha256"]), limit=9999) for role, row in kept.items()
    }
    assert at_rest == {"sidecar": signed.text.encode(), "sidecar-signature": signed.signature}


def test_the_case_number_and_the_officer_chosen_on_the_terminal_link_the_recording(home: Home) -> None:
    now = clocks.now()
    home.add_officer("000009")
    home.open_case("2026-017", "000009", start=now - timedelta(minutes=10), end=now)
    identifier = begin(home.ports, footage(), began=now - timedelta(minutes=2))
    said = ended(footage(), officer="000009", case="2026-017")
    recording = live_closing.end(identifier, said, sender=TERMINAL, ports=home.ports, now=now)
    home.drain(recording)

    with home.ports.register.view() as connection:
        [link] = search.links_of_recording(connection, recording)
    assert link["case"] == "2026-017"
    assert "case-number" in link["reason"]


def test_a_case_number_alone_may_be_mistyped_and_is_put_before_a_person(home: Home) -> None:
    now = clocks.now()
    home.add_officer("000009")
    home.open_case("2026-017", "000009", start=now - timedelta(minutes=30), end=now - timedelta(minutes=5))
    identifier = begin(home.ports, footage(), began=now)
    said = ended(footage(), case="2026-017")
    recording = live_closing.end(identifier, said, sender=TERMINAL, ports=home.ports, now=now)
    home.drain(recording)

    assert home.cases_of(recording) == set()
    with home.ports.register.view() as connection:
        [(case, score)] = suggestions(connection, recording)
    assert (case["number"], [reason.rule for reason in score.reasons]) == ("2026-017", ["case-number"])


def test_the_catalog_item_chosen_on_the_terminal_classifies_the_recording(home: Home) -> None:
    item = next(name for name, one in home.ports.catalog.items.items() if "video" in one.kinds)
    recording = end(home, begin(home.ports, footage()), told={"item": item})
    home.drain(recording)

    assert home.recording(recording)["item"] == item


def test_a_device_that_the_terminal_is_not_is_a_contradiction_that_shows(home: Home) -> None:
    recording = end(home, begin(home.ports, footage()), told={"device": "STOLEN"})

    assert home.recording(recording)["device"] == SERIAL
    assert claims(home, recording, "device") == [SERIAL, "STOLEN"]


def test_a_word_signed_by_another_key_is_refused_and_the_recording_stays_open(home: Home) -> None:
    identifier = begin(home.ports, footage())
    with pytest.raises(SignatureInvalid):
        word(footage(), key=Ed25519PrivateKey.generate(), case="2026-017").read()

    assert live.look(identifier, sender=TERMINAL, files=ReceivedFiles(home.ports.received)).closed is None


def test_a_word_that_was_altered_after_it_was_signed_is_refused() -> None:
    signed = word(footage(), case="2026-017")
    with pytest.raises(SignatureInvalid):
        replace(signed, text=signed.text.replace("017", "018")).read()


def test_a_word_on_other_media_is_refused(home: Home) -> None:
    identifier = begin(home.ports, footage())
    other = replace(ended(footage()), sidecar=word(footage()[:2], case="2026-017").read())
    with pytest.raises(ChecksumMismatch):
        live_closing.end(identifier, other, sender=TERMINAL, ports=home.ports, now=clocks.now())


def test_an_end_before_all_is_there_is_told_what_comes_next(home: Home) -> None:
    identifier = begin(home.ports, footage()[:2])
    with pytest.raises(OffsetConflict) as refused:
        end(home, identifier)

    assert refused.value.values["next"] == 2


def test_an_end_whose_sha256_is_another_is_refused(home: Home) -> None:
    identifier = begin(home.ports, footage())
    said = replace(ended(footage()), sha256="0" * 64)
    with pytest.raises(ChecksumMismatch):
        live_closing.end(identifier, said, sender=TERMINAL, ports=home.ports, now=clocks.now())


def test_an_end_that_is_told_twice_is_one_recording_with_one_of_each(home: Home) -> None:
    identifier = begin(home.ports, footage())
    recordings = {end(home, identifier, told={"case": "2026-017"}) for _ in range(3)}

    assert len(recordings) == 1
    recording = recordings.pop()
    assert home.story(recording) == ["arrived", "attached", "attached"]


MALFORMED_WORDS = {
    "no JSON": "case 7",
    "a list": "[]",
    "without the media's digest": '{"case":"7"}',
    "a case that is a number": '{"sha256":"00","case":7}',
    "marks that are no list": '{"sha256":"00","marks":{}}',
    "a mark that is text": '{"sha256":"00","marks":["SOS"]}',
    "too many marks": '{"sha256":"00","marks":[' + ",".join(['{"text":"x"}'] * 1001) + "]}",
    "a text that turns the line": '{"sha256":"00","case":"\u202e7"}',
    "deep nesting": "[" * 50_000,
}


@pytest.mark.parametrize("text", MALFORMED_WORDS.values(), ids=MALFORMED_WORDS.keys())
def test_a_signed_word_that_says_nothing_we_can_read_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        Word(text, KEY.sign(b"evidock-sidecar-v1\n" + text.encode())).read()


def test_a_word_of_a_megabyte_is_refused() -> None:
    with pytest.raises(TooLarge):
        word(footage(), note="x" * (1 << 20)).read()


# --- cut off ---------------------------------------------------------------------------------------


def test_what_is_not_heard_of_for_a_minute_becomes_a_sealed_recording_as_it_is(home: Home) -> None:
    begin(home.ports, footage()[:2])
    [recording] = cut_off(home)
    home.drain(recording)

    assert home.holds(b"".join(footage()[:2]), sha256_of(footage()[:2]))
    assert home.recording(recording)["state"] == "indexed"
    assert remarks(home, recording) == ["cut-off"]


def test_each_fragment_gives_a_minute_more(home: Home) -> None:
    quiet, wait = Quiet(), float(figures().cut_off_s)
    identifier = begin(home.ports, footage()[:1])
    assert sweep(home, quiet, at=0.0) == []
    put(identifier, 1, footage()[1], ports=home.ports)
    assert sweep(home, quiet, at=wait) == []
    assert sweep(home, quiet, at=2 * wait - 1) == []
    assert len(sweep(home, quiet, at=2 * wait)) == 1


def test_a_server_that_was_started_again_waits_the_whole_minute(home: Home) -> None:
    begin(home.ports, footage()[:1])
    assert sweep(home, Quiet(), at=10_000.0) == []


def test_a_torn_last_fragment_does_not_count(home: Home) -> None:
    identifier = begin(home.ports, footage()[:2])
    with ReceivedFiles(home.ports.received).path(identifier).open("ab") as file:
        file.write(footage()[2][:1000])
    [recording] = cut_off(home)
    home.drain(recording)

    assert home.holds(b"".join(footage()[:2]), sha256_of(footage()[:2]))


def test_what_was_announced_and_never_came_is_forgotten(home: Home) -> None:
    identifier = begin(home.ports)
    assert cut_off(home) == []

    assert ReceivedFiles(home.ports.received).ids() == []
    with pytest.raises(NotFound):
        put(identifier, 0, footage()[0], ports=home.ports)


def test_an_init_segment_without_footage_is_kept_and_a_person_decides(home: Home) -> None:
    begin(home.ports, footage()[:1])
    [recording] = cut_off(home)
    home.drain(recording)

    assert home.recording(recording)["state"] == "quarantined"
    assert home.holds(footage()[0], sha256_of(footage()[:1]))


def test_a_terminal_that_comes_back_later_goes_on_in_a_new_recording_that_names_the_first(
    home: Home, tmp_path: Path
) -> None:
    parts = footage()
    identifier = begin(home.ports, parts[:2])
    [first] = cut_off(home)
    put(identifier, 1, parts[1], ports=home.ports)  # what lasts is acknowledged again
    with pytest.raises(WrongState):
        put(identifier, 2, parts[2], ports=home.ports)
    with pytest.raises(WrongState):
        end(home, identifier)

    rest = (parts[0], *parts[2:])
    later = begin(
        home.ports, rest, path="live/two.mp4", continues=identifier, began=BEGAN + timedelta(milliseconds=333)
    )
    second = live_closing.end(later, ended(rest), sender=TERMINAL, ports=home.ports, now=clocks.now())
    home.drain(first, second)

    assert claims(home, second, "note") == [f"continues {first}"]
    assert home.recording(second)["state"] == "indexed"
    assert remarks(home, second) == []
    numbers = [number for number, _ in shown(_clip(home, second, tmp_path / "rest.mp4"))]
    assert {10, 25, 39} <= set(numbers)


def late_words(home: Home, recording: str) -> list[bytes]:
    with home.ports.register.view() as connection:
        rows = dock_rows.attachments_of(connection, recording)
    keys = [layout.attachment_key(row["sha256"]) for row in rows if row["role"] == "late-sidecar"]
    return [home.ports.store.read(key, limit=1 << 20) for key in keys]


@pytest.mark.parametrize("rests_elsewhere", [False, True])
def test_a_signed_word_that_comes_after_the_cut_is_kept_beside_the_recording_once(
    home: Home, rests_elsewhere: bool
) -> None:
    identifier = begin(home.ports, footage()[:2])
    [recording] = cut_off(home)
    if rests_elsewhere:
        home.drain(recording)
        receive.forget(recording, ports=home.ports)
        assert ReceivedFiles(home.ports.received).ids() == []
    for _ in range(2):
        with pytest.raises(WrongState, match="with the signed word"):
            end(home, identifier, told={"case": "2026-017", "officer": "430407"})
    with pytest.raises(WrongState, match="came before"):
        end(home, identifier, told={"case": "2026-018"})

    assert late_words(home, recording) == [word(footage(), case="2026-017", officer="430407").text.encode()]
    assert sorted(remarks(home, recording)) == ["cut-off", "late-word"]
    assert claims(home, recording, "case") == [], "what was sealed does not change"


def test_nobody_elses_word_and_no_word_on_other_media_is_kept_after_a_cut(home: Home) -> None:
    identifier = begin(home.ports, footage()[:2])
    [recording] = cut_off(home)
    home.drain(recording)
    receive.forget(recording, ports=home.ports)
    said = ended(footage(), case="1")
    with pytest.raises(NotFound):
        live_closing.end(identifier, said, sender=STRANGER, ports=home.ports, now=clocks.now())
    with pytest.raises(WrongState):
        live_closing.end(
            identifier, replace(said, sha256="00" * 32), sender=TERMINAL, ports=home.ports, now=clocks.now()
        )
    assert late_words(home, recording) == []
    assert remarks(home, recording) == ["cut-off"]


def _clip(home: Home, recording: str, out: Path) -> Path:
    segments = home.segments(recording)
    assert segments
    start = media_time.from_text(segments[0]["start"])
    made = clip(recording, Span(start, start + 1), out, ports=home.ports, now=clocks.now())
    return made.file


# --- deaths of the server --------------------------------------------------------------------------


def test_killed_after_it_was_closed_the_next_sweep_makes_the_recording_with_its_word(home: Home) -> None:
    files = ReceivedFiles(home.ports.received)
    identifier = begin(home.ports, footage())
    said = ended(footage(), case="2026-017")
    size = sum(map(len, footage()))
    claimed = word(footage(), case="2026-017").read().claims
    live_closing.close(identifier, said.told_by(TERMINAL), claims=claimed, size_bytes=size, files=files)

    [recording] = sweep(home, Quiet(), at=0.0)
    assert home.story(recording) == ["arrived", "attached", "attached"]
    assert claims(home, recording, "case") == ["2026-017"]
    assert sweep(home, Quiet(), at=0.0) == []


def test_killed_between_the_arrival_and_the_remark_the_next_sweep_adds_it_once(home: Home) -> None:
    identifier = begin(home.ports, footage()[:2])
    [recording] = cut_off(home)
    files = ReceivedFiles(home.ports.received)
    files.tell(identifier, replace(files.told(identifier), length=None))  # as if its length had not been told yet

    assert sweep(home, Quiet(), at=0.0) == [recording]
    assert home.story(recording) == ["arrived", "remarked"]


def test_an_audit_proves_remarks_and_attachments_and_the_record_alone_brings_them_back(home: Home) -> None:
    end(home, begin(home.ports, footage()), told={"case": "2026-017"})
    begin(home.ports, footage()[:2], path="live/two.mp4")
    cut_off(home)
    home.publish()

    said = evidock("verify", "--all", home=home.settings.home)
    assert said.status == 0, said
    _, remade = home.rebuilt()
    live_rows = home.facts()
    assert len(live_rows["attachments"]) == 2
    assert len(live_rows["remarks"]) == 1
    assert (remade["attachments"], remade["remarks"]) == (live_rows["attachments"], live_rows["remarks"])


# --- figures ---------------------------------------------------------------------------------------

BROKEN_FIGURES = {
    "nothing": "",
    "a figure too few": "live: {cut_off_s: 60}",
    "a figure of nothing": "live: {cut_off_s: 0, fragment_bytes: 1, recording_bytes: 1, open_at_once: 1, "
    "longest_fragment_s: 1, sidecar_bytes: 1}",
    "a list": "- live",
}


@pytest.mark.parametrize("text", BROKEN_FIGURES.values(), ids=BROKEN_FIGURES.keys())
def test_figures_that_cannot_be_used_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "live.yaml").write_text(text)
    with pytest.raises(BadInput):
        load_live(tmp_path / "live.yaml")
