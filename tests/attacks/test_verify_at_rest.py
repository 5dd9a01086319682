# SPDX-License-Identifier: Apache-2.0
"""This is where everything at rest but the originals is changed, removed or added: the audit must name it."""

import hashlib
import json
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from app import clocks, intake
from app.foreground import drain
from evidence import instant
from evidence.claims import Claims
from evidence.custody import CustodyEvent, Happening, parse_event
from evidence.device import Device
from evidence.errors import StoreUnavailable
from evidence.merkle import leaf_hash
from evidence.note import sign_note, split_note
from evidence.receipt import parse_receipt
from evidence.verdict import CheckReport, Verdict
from pipeline import audit
from pipeline.devices_register import register_device
from storage import layout
from storage.register import search
from storage.register.publisher import publish
from storage.signing import KeyFile
from tests.support.authorities import NOON, honest
from tests.support.homes import Home, copy_of_home, flip, found, write

SEED, FLIPS = 20261123, 200


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return copy_of_home(tmp_path / "home")


def audited(home: Home) -> CheckReport:
    with home.ports() as ports:
        return audit.verify_all(ports)


def tampered(home: Home) -> list[tuple[str, str]]:
    report = audited(home)
    assert report.verdict is Verdict.TAMPERED
    return found(report)


def last(home: Home, prefix: str) -> str:
    return home.keys_at_rest(prefix)[-1]


# --- objects ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["proxy", "fingerprint", "sprite", "sprite-index"])
def test_one_flipped_bit_in_a_derivative_is_found(home: Home, kind: str) -> None:
    key = home.derivative(kind, "plain")
    flip(home, key, 77)
    assert tampered(home) == [(key, "altered")]


def test_a_proxy_that_is_gone_is_missing(home: Home) -> None:
    key = home.derivative("proxy", "plain")
    (home.objects / key).unlink()
    assert tampered(home) == [(key, "missing")]


def test_33_a_detail_with_other_bytes_is_found(home: Home) -> None:
    key = last(home, "details/")
    flip(home, key, -1)
    assert tampered(home) == [(key, "altered")]


def test_33_a_detail_with_another_salt_is_found(home: Home) -> None:
    key = last(home, "details/")
    body = json.loads((home.objects / key).read_bytes())
    write(home, key, json.dumps(body | {"salt": "00" * 16}, separators=(",", ":"), sort_keys=True).encode())
    assert tampered(home) == [(key, "altered")]


def test_a_detail_that_is_gone_is_missing(home: Home) -> None:
    key = last(home, "details/")
    (home.objects / key).unlink()
    assert tampered(home) == [(key, "missing")]


def test_an_object_that_no_record_names_leaves_the_audit_undecided(home: Home) -> None:
    stranger = hashlib.sha256(b"stranger").hexdigest()
    keys = [layout.derivative_key(stranger), layout.original_key(stranger), "something/else"]
    for key in keys:
        write(home, key, b"stranger")
    report = audited(home)
    assert report.verdict is Verdict.UNDECIDABLE
    assert found(report) == [(key, "untracked") for key in sorted(keys)]


def test_a_detail_of_a_transaction_that_was_not_committed_is_no_finding(home: Home) -> None:
    data = b'{"detail":{},"salt":"00"}'
    write(home, layout.detail_key(hashlib.sha256(data).hexdigest()), data)
    report = audited(home)
    assert report.verdict is Verdict.PROVEN
    assert report.notes == ("1 details belong to no event: their transaction was not committed",)


def test_a_token_of_a_stamping_that_was_not_committed_is_no_finding(home: Home) -> None:
    with home.ports() as ports:
        signed = ports.log.newest()
        assert signed is not None
        imprint = hashlib.sha256((signed.note.partition("\n\n")[0] + "\n").encode()).digest()
        token = ports.authorities[0].stamp(imprint, clocks.now())
        ports.store.put_bytes_once(layout.token_key(signed.size, "local", hashlib.sha256(token).hexdigest()), token)
        report = audit.verify_all(ports)
    assert report.verdict is Verdict.PROVEN
    assert report.notes == ("1 time tokens belong to no event: their transaction was not committed",)


@pytest.mark.parametrize("key", ["log/tokens/x/local/0.tsr", "log/tokens/x001/local", "log/tokens/a"])
def test_what_only_lies_among_the_tokens_is_untracked(home: Home, key: str) -> None:
    write(home, key, b"stranger")
    report = audited(home)
    assert (report.verdict, found(report)) == (Verdict.UNDECIDABLE, [(key, "untracked")])


def test_a_detail_of_no_event_is_still_not_what_its_name_says(home: Home) -> None:
    key = layout.detail_key(hashlib.sha256(b"one").hexdigest())
    write(home, key, b"another")
    report = audited(home)
    assert (report.verdict, found(report)) == (Verdict.UNDECIDABLE, [(key, "untracked")])


# --- time tokens --------------------------------------------------------------------------------


def test_every_flipped_bit_of_a_token_is_found_also_where_the_token_still_verifies(home: Home) -> None:
    key = last(home, layout.TOKENS_PREFIX)
    bits = 8 * (home.objects / key).stat().st_size
    with home.ports() as ports:
        for bit in random.Random(SEED).sample(range(bits), 25):
            flip(home, key, bit)
            assert found(audit.verify_all(ports)) == [(key, "altered")]
            flip(home, key, bit)


def test_44_the_token_of_another_checkpoint_is_found(home: Home) -> None:
    one, other = home.keys_at_rest(layout.TOKENS_PREFIX)[:2]
    write(home, one, (home.objects / other).read_bytes())
    assert tampered(home) == [(one, "altered")]


def test_45_a_token_of_a_stranger_is_no_token_even_when_a_record_names_it(home: Home) -> None:
    with home.ports() as ports:
        signed, stranger = ports.log.newest(), honest()
        assert signed is not None
        text = signed.note.partition("\n\n")[0] + "\n"
        token = stranger.stamp(hashlib.sha256(text.encode()).digest(), NOON)
        key = layout.token_key(signed.size, "local", hashlib.sha256(token).hexdigest())
        ports.store.put_bytes_once(key, token)
        assert found(audit.verify_all(ports)) == [(key, "untracked")]
        told = {"authority": "local", "gen_time": instant.to_text(NOON), "trust": "self"}
        tokens = [told | {"sha256": hashlib.sha256(token).hexdigest()}]
        facts = {"size": signed.size, "tokens": tokens}
        with ports.register.begin() as writing:
            happening = Happening("stamped", f"recording/{home.recordings['plain']}", facts=facts)
            writing.record(happening, actor="test", at=NOON)
        report = audit.verify_all(ports)
        assert (report.verdict, found(report)) == (Verdict.UNDECIDABLE, [(key, "untrusted")])


def test_44_a_token_over_other_bytes_is_found_even_when_a_record_names_it(home: Home) -> None:
    with home.ports() as ports:
        one, other = home.keys_at_rest(layout.TOKENS_PREFIX)[:2]
        token = (home.objects / other).read_bytes()
        size, sha256 = int(one.split("/")[2]), hashlib.sha256(token).hexdigest()
        ports.store.put_bytes_once(layout.token_key(size, "local", sha256), token)
        tokens = [{"authority": "local", "gen_time": instant.to_text(NOON), "sha256": sha256, "trust": "self"}]
        with ports.register.begin() as writing:
            facts = {"size": size, "tokens": tokens}
            happening = Happening("stamped", f"recording/{home.recordings['plain']}", facts=facts)
            writing.record(happening, actor="test", at=NOON)
        assert found(audit.verify_all(ports)) == [(layout.token_key(size, "local", sha256), "token-invalid")]


def test_a_record_that_tells_another_time_than_its_token_is_found(home: Home) -> None:
    key = home.keys_at_rest(layout.TOKENS_PREFIX)[0]
    with home.ports() as ports, ports.register.begin() as writing:
        sha256 = key.rpartition("/")[2].removesuffix(".tsr")
        tokens = [{"authority": "local", "gen_time": instant.to_text(NOON), "sha256": sha256, "trust": "self"}]
        facts = {"size": int(key.split("/")[2]), "tokens": tokens}
        happening = Happening("stamped", f"recording/{home.recordings['plain']}", facts=facts)
        writing.record(happening, actor="test", at=NOON)
    assert (key, "another-time") in tampered(home)


def test_a_token_that_is_gone_is_missing(home: Home) -> None:
    key = last(home, layout.TOKENS_PREFIX)
    (home.objects / key).unlink()
    assert tampered(home) == [(key, "missing")]


# --- the log ----------------------------------------------------------------------------------------


def newest_tile(home: Home, prefix: str) -> str:
    """The widest partial tile below a prefix: the one that the newest checkpoint needs."""
    return max(home.keys_at_rest(prefix), key=lambda key: int(key.rpartition("/")[2]))


@pytest.mark.parametrize("prefix", ["log/tile/entries/", "log/tile/0/"])
def test_one_flipped_bit_in_a_tile_or_bundle_of_the_log_is_found(home: Home, prefix: str) -> None:
    key = newest_tile(home, prefix)
    flip(home, key, 8 * 700 + 2)
    # Where an entry is lost, the register's copy of it stands in: nothing else looks wrong.
    assert {name for name, _ in tampered(home)} == {key}


@pytest.mark.parametrize("place", ["log/checkpoint", "kept"])
def test_a_changed_checkpoint_is_found(home: Home, place: str) -> None:
    key = last(home, layout.CHECKPOINTS_PREFIX) if place == "kept" else place
    with home.ports() as ports:
        flip(home, key, 8 * 20)
        report = audit.verify_all(ports)
    assert report.verdict is Verdict.TAMPERED
    assert key in {name for name, _ in found(report)}


def test_a_kept_checkpoint_that_is_gone_is_missed(home: Home) -> None:
    key = home.keys_at_rest(layout.CHECKPOINTS_PREFIX)[0]
    (home.objects / key).unlink()
    assert (key, "missing") in tampered(home)


def test_35_a_log_that_was_rolled_back_as_a_whole_is_told_by_what_the_register_remembers(
    home: Home, tmp_path: Path
) -> None:
    before = tmp_path / "yesterday"
    shutil.copytree(home.objects / "log", before)
    with home.ports() as ports:
        register_device(Device("NEW-1"), ports=ports, now=NOON)
        publish(ports.register, ports.log)
    shutil.rmtree(home.objects / "log")
    shutil.copytree(before, home.objects / "log")
    assert ("log/checkpoint", "rolled-back") in tampered(home)


def test_34_a_register_that_was_rolled_back_lacks_what_the_log_has(home: Home, tmp_path: Path) -> None:
    shutil.copy(home.path / "register.db", tmp_path / "register.db")
    with home.ports() as ports:
        register_device(Device("NEW-1"), ports=ports, now=NOON)
        publish(ports.register, ports.log)
    for name in ("register.db-wal", "register.db-shm"):
        (home.path / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "register.db", home.path / "register.db")
    assert tampered(home) == [("register/custody_events", "missing"), ("register/devices", "missing")]


def test_a_log_that_is_gone_is_not_an_empty_log(home: Home) -> None:
    with home.ports() as ports:
        shutil.rmtree(home.objects / "log")
        assert audit.verify_all(ports).verdict is Verdict.TAMPERED


# --- the register -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("originals", "UPDATE originals SET size_bytes = size_bytes + 1 WHERE recording = ?"),
        ("originals", "UPDATE originals SET packet_root = NULL WHERE recording = ?"),
        ("originals", "UPDATE originals SET chunk_root = 'ff' WHERE recording = ?"),
        ("originals", "UPDATE originals SET receipt_sha256 = NULL WHERE recording = ?"),
        ("originals", "DELETE FROM originals WHERE recording = ?"),
        ("derivatives", "UPDATE derivatives SET sha256 = 'ff' WHERE kind = 'proxy' AND recording = ?"),
        ("derivatives", "UPDATE derivatives SET recipe = '{}' WHERE kind = 'proxy' AND recording = ?"),
        ("derivatives", "DELETE FROM derivatives WHERE kind = 'proxy' AND recording = ?"),
        ("recordings", "UPDATE recordings SET state = 'quarantined' WHERE id = ?"),
        ("recordings", "DELETE FROM recordings WHERE id = ?"),
    ],
)
def test_a_changed_row_of_the_register_names_its_table_and_key(home: Home, table: str, change: str) -> None:
    recording, sha256 = home.recordings["plain"], home.sha256("plain")
    home.sql(change, recording)
    report = audited(home)
    assert report.verdict is Verdict.TAMPERED
    (finding,) = report.findings
    assert finding.object == f"register/{table}"
    assert recording in finding.where or sha256 in finding.where


def test_a_row_that_no_record_made_is_found(home: Home) -> None:
    home.sql(
        "INSERT INTO derivatives (recording, kind, sha256, size_bytes, recipe, made_at) "
        "VALUES (?, 'proxy-2', 'ff', 1, '{}', '2026-01-01T00:00:00.000000Z')",
        home.recordings["plain"],
    )
    assert tampered(home) == [("register/derivatives", "unrecorded")]


@pytest.mark.parametrize("column", ["kind", "actor", "at", "detail_sha256", "leaf_hash", "stream"])
def test_a_changed_column_beside_an_events_note_is_found(home: Home, column: str) -> None:
    home.sql(f"UPDATE custody_events SET {column} = 'another' WHERE leaf_index = 3")  # noqa: S608
    assert tampered(home) == [("register/custody_events", "altered")]


def test_an_event_whose_note_is_another_than_the_logs_is_found(home: Home) -> None:
    home.sql("UPDATE custody_events SET note = replace(note, 'evidock/record', 'evidock/recard') WHERE leaf_index = 3")
    assert tampered(home) == [("register/custody_events", "altered")]


def test_an_event_that_the_register_has_lost_is_found(home: Home) -> None:
    home.sql("DELETE FROM custody_events WHERE leaf_index = 3")
    report = audited(home)
    assert found(report) == [("register/custody_events", "missing")]
    assert report.findings[0].where == "the register has lost entry 3 of the log"


@pytest.mark.parametrize("change", ["root = 'ff'", "note = 'none'", "note = replace(note, 'a', 'b')"])
def test_a_changed_checkpoint_row_is_found(home: Home, change: str) -> None:
    home.sql(f"UPDATE checkpoints SET {change} WHERE size = (SELECT max(size) FROM checkpoints)")  # noqa: S608
    assert tampered(home) == [("register/checkpoints", "altered")]


@pytest.mark.parametrize("change", ["sha256 = 'ff'", "gen_time = '2020'", "trust = 'third-party'"])
def test_a_changed_token_row_is_found(home: Home, change: str) -> None:
    home.sql(f"UPDATE time_tokens SET {change} WHERE size = (SELECT max(size) FROM time_tokens)")  # noqa: S608
    assert tampered(home) == [("register/time_tokens", "altered")]


# --- events that are not published yet ------------------------------------------------------------------


def with_news(home: Home) -> None:
    """Two events that wait for the next publication: numbers 0 and 1 of a new stream."""
    with home.ports() as ports:
        for label in ("old", "new"):
            device = Device("NEW-1", label=label)
            register_device(device, ports=ports, now=NOON)


def test_events_that_wait_for_publication_are_counted_and_no_finding(home: Home) -> None:
    with_news(home)
    report = audited(home)
    assert report.verdict is Verdict.PROVEN
    assert report.notes == ("2 events wait for the next publication of the log",)


def test_a_waiting_event_with_another_text_than_was_signed_is_found(home: Home) -> None:
    with_news(home)
    home.sql(
        "UPDATE custody_events SET note = replace(note, 'bodycam', 'nobody!') WHERE seq = 1 AND stream = 'device/NEW-1'"
    )
    assert tampered(home) == [("register/custody_events device/NEW-1 number 1", "signature-invalid")]


def test_23_a_waiting_event_taken_out_of_its_stream_is_missed(home: Home) -> None:
    with_news(home)
    home.sql("DELETE FROM custody_events WHERE seq = 0 AND stream = 'device/NEW-1'")
    assert tampered(home) == [("register/custody_events device/NEW-1 number 1", "out-of-sequence")]


def test_29_a_waiting_event_signed_by_another_key_is_found(home: Home) -> None:
    with_news(home)
    with home.ports() as ports, ports.register.view() as connection:
        note = str(search.events_of(connection, "device/NEW-1")[1]["note"])
    stranger = KeyFile.create_or_load(home.path / "stranger.pem", home.keys().records.name)
    forged = sign_note(note.rpartition("\n\n")[0] + "\n", [stranger.signer()])
    home.sql(
        "UPDATE custody_events SET note = ?, leaf_hash = ? WHERE seq = 1 AND stream = 'device/NEW-1'",
        forged,
        leaf_hash(forged.encode()).hex(),
    )
    assert tampered(home) == [("register/custody_events device/NEW-1 number 1", "signature-invalid")]


# --- at large -----------------------------------------------------------------------------------------------


def test_no_flipped_bit_anywhere_at_rest_is_ever_called_proven(home: Home) -> None:
    dice = random.Random(SEED)
    keys = home.keys_at_rest()
    missed, unnamed = [], []
    with home.ports() as ports:
        for _ in range(FLIPS):
            key = dice.choice(keys)
            bit = dice.randrange(8 * (home.objects / key).stat().st_size)
            flip(home, key, bit)
            report = audit.verify_all(ports)
            flip(home, key, bit)
            if report.verdict is not Verdict.TAMPERED:
                missed.append((key, bit, report.verdict))
            elif key not in {finding.object for finding in report.findings}:
                unnamed.append((key, bit, found(report)))
        assert (missed, unnamed) == ([], []), f"seed {SEED}"
        assert audit.verify_all(ports).verdict is Verdict.PROVEN


def test_a_store_that_cannot_be_read_decides_nothing(home: Home) -> None:
    with home.ports() as ports:
        home.objects.rename(home.path / "aside")
        home.objects.mkdir()  # as when a disk was unmounted: the folder is there, and is another
        with pytest.raises(StoreUnavailable):
            audit.verify_all(ports)


@pytest.mark.parametrize("folder", ["log", "log/checkpoints", "log/tile", "originals", "details", "derivatives"])
def test_a_link_in_the_place_of_a_folder_is_a_finding(home: Home, folder: str) -> None:
    with home.ports() as ports:
        (home.objects / folder).rename(home.path / "aside")
        (home.objects / folder).symlink_to(home.path / "aside")
        assert audit.verify_all(ports).verdict is Verdict.TAMPERED


def test_what_is_laid_down_and_recorded_while_the_audit_runs_is_no_finding(home: Home, tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    (card / "note.gpx").write_bytes(b"<gpx></gpx>")

    def ingest(_: float) -> None:
        for offered in intake.find_files(card):
            assert isinstance(offered, intake.Found)
            arrival = intake.take_in(offered, said=Claims(), ports=ports, now=clocks.now())
            drain([arrival.recording], ports=ports, lease_s=30, at_once=1)

    with home.ports() as ports:
        before = len(list(ports.store.keys()))
        report = audit.verify_all(ports, progress=ingest)
        assert len(list(ports.store.keys())) > before
    assert (report.verdict, found(report)) == (Verdict.PROVEN, [])


def append(home: Home, event: CustodyEvent) -> None:
    """Lay a signed event into the register as it would wait for publication, past all its rules."""
    note = sign_note(event.to_text(), [home.keys().records.signer()])
    home.sql(
        "INSERT INTO custody_events (stream, seq, kind, at, actor, note, leaf_hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
        *(event.stream, event.seq, event.kind, instant.to_text(event.at), event.actor),
        *(note, leaf_hash(note.encode()).hex()),
    )


def test_an_anchor_that_the_log_never_signed_is_found(home: Home) -> None:
    with home.ports() as ports:
        newest = ports.log.newest()
        assert newest is not None
    append(home, CustodyEvent("device/N", 0, None, "noted", NOON, "test", {}, None, (newest.size, "ab" * 32)))
    assert tampered(home) == [("register/custody_events device/N number 0", "another-root")]


def test_a_seal_that_contradicts_what_was_measured_is_found(home: Home) -> None:
    stream = f"recording/{home.recordings['plain']}"
    with home.ports() as ports, ports.register.view() as connection:
        last = search.events_of(connection, stream)[-1]
        sealed = parse_event(split_note(search.event_of_kind(connection, stream, "sealed")["note"])[0])
    facts = {**sealed.facts, "size_bytes": 1}
    append(home, replace(sealed, seq=last["seq"] + 1, prev=last["leaf_hash"], facts=facts))
    assert (f"records of {home.recordings['plain']}", "contradictory") in tampered(home)


def test_a_receipt_of_ours_that_says_other_things_than_the_records_is_found(home: Home) -> None:
    keys = {kind: layout.receipt_key(home.sha256(kind)) for kind in ("plain", "photo")}
    ours, other = (parse_receipt(split_note((home.objects / key).read_bytes())[0]) for key in keys.values())
    for forged, told in (
        (replace(ours, size_bytes=1), "it speaks of "),
        (replace(ours, facts=other.facts), "it carries events that the records of "),
    ):
        note = sign_note(forged.to_text(), [home.keys().records.signer()])
        write(home, keys["plain"], note.encode())
        report = audited(home)
        assert {finding.object for finding in report.findings} == {keys["plain"]}
        assert any(finding.where.startswith(told) for finding in report.findings)


def test_one_recording_is_checked_alone_and_its_damage_is_not_anothers(home: Home) -> None:
    key = home.derivative("proxy", "plain")
    flip(home, key, 77)
    with home.ports() as ports:
        theirs, other = (audit.verify_recording(ports, home.recordings[kind]) for kind in ("plain", "bframes"))
    assert (theirs.verdict, found(theirs)) == (Verdict.TAMPERED, [(key, "altered")])
    assert (other.verdict, found(other)) == (Verdict.PROVEN, [])


@pytest.mark.parametrize("prefix", ["log/tile/entries/", "log/tile/0/", "log/checkpoint"])
def test_a_recording_whose_place_in_the_log_does_not_hold_is_not_proven(home: Home, prefix: str) -> None:
    key = prefix if prefix == "log/checkpoint" else newest_tile(home, prefix)
    data = (home.objects / key).read_bytes()
    with home.ports() as ports:
        write(home, key, bytes(byte ^ 1 for byte in data))
        report = audit.verify_recording(ports, home.recordings["plain"])
    assert report.verdict is Verdict.TAMPERED


def test_an_entry_of_a_recording_that_was_changed_where_it_rests_is_found_from_the_recording(home: Home) -> None:
    key = newest_tile(home, "log/tile/entries/")
    at = (home.objects / key).read_bytes().index(home.recordings["plain"].encode())
    flip(home, key, 8 * at)
    with home.ports() as ports:
        report = audit.verify_recording(ports, home.recordings["plain"])
    ((name, what),) = found(report)
    assert (name.startswith("log entry "), what) == (True, "altered")
