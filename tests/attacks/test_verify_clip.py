# SPDX-License-Identifier: Apache-2.0
"""This is where clips and their proof files are forged, and checked with nothing but the auditor's keys."""

import base64
import hashlib
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from app import clocks
from evidence.custody import Happening, parse_event
from evidence.errors import NotFound
from evidence.media_time import Span
from evidence.note import sign_note, split_note
from evidence.verdict import CheckReport, Verdict
from pipeline import audit
from pipeline.audit.clip import verify_clip
from pipeline.audit.log import trust_of
from pipeline.audit.proof import LARGEST_PROOF
from pipeline.audit.trust import Trust
from pipeline.clip import clip as cut_clip
from storage import layout
from storage.signing import KeyFile
from tests.support.authorities import NOON, honest
from tests.support.homes import Home, copy_of_home, found
from tests.support.tiny_media import make

SEED = 20261123
Body = dict[str, Any]


class Served:
    """A clip and its proof in a folder of their own, far from any store."""

    def __init__(self, folder: Path, home: Home, trust: Trust) -> None:
        self.folder, self.trust = folder, trust
        self.clip = Path(shutil.copy(home.clip, folder))
        self.proof = Path(shutil.copy(home.proof, folder))

    @property
    def body(self) -> Body:
        told: Body = json.loads(self.proof.read_text())
        return told

    def write(self, body: Body) -> None:
        self.proof.write_text(json.dumps(body, ensure_ascii=False, indent=1) + "\n")

    def change(self, by: Callable[[Body], object]) -> "Served":
        body = self.body
        by(body)
        self.write(body)
        return self

    def check(self, trust: Trust | None = None) -> CheckReport:
        return verify_clip(self.clip, self.proof, trust=self.trust if trust is None else trust)

    def tampered(self) -> str:
        """All that was found, as text; the verdict must be tampered."""
        report = self.check()
        assert report.verdict is Verdict.TAMPERED
        return "\n".join(f"{one.object}: {one.what}: {one.where}" for one in report.findings)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return copy_of_home(tmp_path_factory.mktemp("home") / "home")


@pytest.fixture(scope="module")
def trust(home: Home) -> Trust:
    with home.ports() as ports:
        return trust_of(ports)


@pytest.fixture
def served(tmp_path: Path, home: Home, trust: Trust) -> Served:
    return Served(tmp_path, home, trust)


def test_a_clip_is_proven_by_its_proof_and_two_public_keys_alone(served: Served) -> None:
    report = served.check()
    assert (report.verdict, found(report)) == (Verdict.PROVEN, [])
    assert report.objects == 2
    assert report.size_bytes == served.clip.stat().st_size + served.proof.stat().st_size
    assert ["existed before" in note for note in report.notes] == [True]


def test_without_anchors_tokens_are_said_to_be_unchecked(served: Served) -> None:
    report = served.check(Trust(served.trust.keys))
    assert report.verdict is Verdict.PROVEN
    assert report.notes[0].startswith("not checked: time token of local over the checkpoint of size ")


@pytest.mark.parametrize("kind", ["bframes", "audio_only", "transport"])
def test_clips_of_other_footage_are_proven_too(home: Home, trust: Trust, tmp_path: Path, kind: str) -> None:
    with home.ports() as ports:
        span = Span(Fraction(1, 7), Fraction(13, 9))
        made = cut_clip(home.recordings[kind], span, tmp_path / "a.mp4", ports=ports, now=NOON)
    report = verify_clip(made.file, made.proof, trust=trust)
    assert (report.verdict, found(report)) == (Verdict.PROVEN, [])


# --- keys -----------------------------------------------------------------------------------------


def test_30_keys_beside_a_proof_are_never_trusted(served: Served) -> None:
    report = served.check(Trust(()))
    assert report.verdict is Verdict.UNDECIDABLE
    (finding,) = report.findings
    assert finding.what == "untrusted"
    assert "whose key was not given" in finding.where


def test_keys_of_another_agency_decide_nothing(served: Served, tmp_path: Path) -> None:
    others = [KeyFile.create_or_load(tmp_path / f"{n}.pem", n) for n in ("other.example", "other.example:records")]
    report = served.check(Trust(tuple(key.verifier() for key in others)))
    assert report.verdict is Verdict.UNDECIDABLE


def test_29_a_key_of_the_same_name_did_not_sign_this(served: Served, tmp_path: Path) -> None:
    forged = [KeyFile.create_or_load(tmp_path / key.name.replace("/", "-"), key.name) for key in served.trust.keys]
    report = served.check(Trust(tuple(key.verifier() for key in forged)))
    assert report.verdict is Verdict.TAMPERED


@pytest.mark.parametrize("missing", [0, 1])
def test_the_logs_key_does_not_stand_in_for_the_records_key_nor_the_other_way_round(
    served: Served, missing: int
) -> None:
    keys = tuple(key for number, key in enumerate(served.trust.keys) if number != missing)
    assert served.check(Trust(keys)).verdict is Verdict.UNDECIDABLE


# --- the file ---------------------------------------------------------------------------------------


def with_bytes(served: Served, change: Callable[[bytearray], object]) -> Served:
    data = bytearray(served.clip.read_bytes())
    change(data)
    served.clip.write_bytes(data)
    return served


def test_one_flipped_bit_in_a_packet_names_stream_and_packet_of_the_original(served: Served) -> None:
    at = served.clip.read_bytes().index(b"mdat") + 4 + 2000

    def flip(data: bytearray) -> None:
        data[at] ^= 1

    told = with_bytes(served, flip).tampered()
    assert "out.mp4: altered: sha256 " in told
    assert "out.mp4: proof-invalid: stream 0, packet " in told


def test_9_a_free_box_after_the_end_is_found_though_every_packet_holds(served: Served) -> None:
    told = with_bytes(served, lambda data: data.extend(b"\0\0\0\x08free")).tampered()
    assert "out.mp4: altered: sha256 " in told
    assert "proof-invalid" not in told


def test_10_another_edit_list_shows_another_span_and_is_found(served: Served) -> None:
    data = served.clip.read_bytes()
    at = data.index(b"elst") + 4 + 8  # the first entry's duration, in a list of 32-bit numbers
    assert data[at - 8] == 0

    def shorten(data: bytearray) -> None:
        length = int.from_bytes(data[at : at + 4], "big")
        data[at : at + 4] = (length // 2).to_bytes(4, "big")

    told = with_bytes(served, shorten).tampered()
    assert "the clip shows" in told


def test_21_a_clip_that_was_encoded_again_is_not_exact(served: Served, tmp_path: Path) -> None:
    again = make(tmp_path / "again.mp4", "-i", str(served.clip), "-c:v", "libx264", "-c:a", "copy")
    again.replace(served.clip)
    assert "proof-invalid" in served.tampered()


def test_a_clip_cut_short_is_found(served: Served) -> None:
    told = with_bytes(served, lambda data: data.__delitem__(slice(len(data) - 500, None))).tampered()
    assert "out.mp4: altered" in told


def test_15_a_file_that_is_no_clip_at_all_is_not_the_one_that_was_served(served: Served) -> None:
    for data in (b"", b"x", b"#EXTM3U\nhttp://example.org/a.ts\n"):
        served.clip.write_bytes(data)
        assert "out.mp4: altered" in served.tampered()


def test_16_a_clip_beside_the_proof_of_its_neighbour_is_refused(home: Home, served: Served, tmp_path: Path) -> None:
    with home.ports() as ports:
        span = Span(Fraction(1, 2), Fraction(5, 3))
        other = cut_clip(home.recordings["plain"], span, tmp_path / "next.mp4", ports=ports, now=NOON)
    shutil.copy(other.proof, served.proof)
    assert "out.mp4: altered" in served.tampered()


# --- the proof file ------------------------------------------------------------------------------------


def bend(text: str) -> str:
    """Another text of the same length and kind."""
    return text[:-1] + ("0" if text[-1] != "0" else "1")


FIELDS: dict[str, Callable[[Body], object]] = {
    "format": lambda b: b.update(format="evidock/clip-proof/v2"),
    "recording": lambda b: b.update(recording=bend(b["recording"])),
    "original sha256": lambda b: b["original"].update(sha256=bend(b["original"]["sha256"])),
    "original size": lambda b: b["original"].update(size_bytes=b["original"]["size_bytes"] + 1),
    "clip sha256": lambda b: b["clip"].update(sha256=bend(b["clip"]["sha256"])),
    "clip size": lambda b: b["clip"].update(size_bytes=b["clip"]["size_bytes"] + 1),
    "asked": lambda b: b["asked"].update({"from": "2/7"}),
    "delivered from": lambda b: b["delivered"].update({"from": "2/7"}),
    "delivered to": lambda b: b["delivered"].update(to="9/7"),
    "frames": lambda b: b["delivered"].update(frames=b["delivered"]["frames"] + 1),
    "packet root": lambda b: b.update(packet_root=bend(b["packet_root"])),
    "stream line": lambda b: b["streams"].__setitem__(0, b["streams"][0].replace("h264", "hevc")),
    "stream left out": lambda b: b["streams"].pop(),
    "first packet": lambda b: b["ranges"][0].update(first=b["ranges"][0]["first"] + 1),
    "packet count": lambda b: b["ranges"][0].update(count=b["ranges"][0]["count"] + 1),
    "packet time": lambda b: b["ranges"][0]["packets"][3].__setitem__(1, 17),
    "shift": lambda b: b["ranges"][0].update(shift="1/9"),
    "extradata path": lambda b: b["ranges"][0]["extradata_path"].reverse(),
    "left": lambda b: b["ranges"][1]["right"].__setitem__(0, bend(b["ranges"][1]["right"][0])),
    "marks": lambda b: b["ranges"][1].update(marks=bend(b["ranges"][1]["marks"])),
    "marks left out": lambda b: b["ranges"][1].pop("marks"),
    "a range twice": lambda b: b["ranges"].append(b["ranges"][0]),
    "a range less": lambda b: b["ranges"].pop(),
    "record text": lambda b: b["records"][0].update(note=b["records"][0]["note"].replace("video", "audio")),
    "record signature": lambda b: b["records"][1].update(note=bend_signature(b["records"][1]["note"])),
    "record of nobody": lambda b: b["records"][1].update(note="nothing\n"),
    "record left out": lambda b: b["records"].pop(1),
    "record twice": lambda b: b["records"].append(b["records"][1]),
    "log index": lambda b: b["records"][2]["log"].update(index=b["records"][2]["log"]["index"] - 1),
    "log size": lambda b: b["records"][2]["log"].update(size=b["records"][2]["log"]["size"] - 1),
    "log path": lambda b: b["records"][2]["log"]["path"].reverse(),
    "checkpoint": lambda b: b["records"][2]["log"].update(checkpoint=later(b["records"][2]["log"])),
    "origin": lambda b: b["records"][2]["log"].update(
        checkpoint=b["records"][2]["log"]["checkpoint"].replace("evidock.local", "evidock.lokal", 1)
    ),
    "token response": lambda b: b["tokens"][0].update(response=base64.b64encode(b"no token").decode()),
    "token spelling": lambda b: b["tokens"][0].update(response="=" + b["tokens"][0]["response"]),
    "token size": lambda b: b["tokens"][0].update(size=b["tokens"][0]["size"] + 1),
    "token left untold": lambda b: b["tokens"][0].pop("trust"),
    "keys": lambda b: b["keys"].__setitem__(0, bend(b["keys"][0])),
    "keys left out": lambda b: b.pop("keys"),
    "tokens left out": lambda b: b.pop("tokens"),
}


def later(log: Body) -> str:
    """The checkpoint of a log proof, with a greater size in its text."""
    return str(log["checkpoint"]).replace(f"\n{log['size']}\n", f"\n{log['size'] + 1}\n", 1)


def bend_signature(note: str) -> str:
    return note[:-20] + ("A" if note[-20] != "A" else "B") + note[-19:]


@pytest.mark.parametrize("field", FIELDS)
def test_no_part_of_a_proof_can_be_changed_unseen(served: Served, field: str) -> None:
    before = served.body
    assert served.change(FIELDS[field]).body != before
    told = served.tampered()
    assert told.startswith(("out.mp4.proof.json: ", "out.mp4: "))


def test_no_flipped_bit_of_a_proof_is_ever_called_proven(served: Served) -> None:
    dice, data = random.Random(SEED), served.proof.read_bytes()
    response = json.loads(data)["tokens"][0]["response"].encode()
    token = range(data.index(response), data.index(response) + len(response))
    for _ in range(60):
        at, bit = dice.randrange(len(data)), dice.randrange(8)
        changed = bytearray(data)
        changed[at] ^= 1 << bit
        served.proof.write_bytes(changed)
        report = served.check()
        # Some bits of a token are signed by nobody: it is the digest in the log that watches those.
        assert report.verdict is Verdict.TAMPERED or at in token, f"seed {SEED}, byte {at}, bit {bit}"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (b"", Verdict.UNUSABLE),
        (b"{}", Verdict.UNUSABLE),
        (b"[" * 100_000, Verdict.UNUSABLE),
        (b'{"format":"another/v1"}', Verdict.UNUSABLE),
        (b'{"format":"evidock/clip-proof/v1"}', Verdict.TAMPERED),
        (b'{"format":"evidock/clip-proof/v1","format":"evidock/clip-proof/v1"}', Verdict.TAMPERED),
        (b'{"format":"evidock/clip-proof/v1","recording":NaN}', Verdict.TAMPERED),
        (b'{"format":"evidock/clip-proof/v1","recording":' + b"9" * 10_000 + b"}", Verdict.TAMPERED),
        (b'{"format":"evidock/clip-proof/v1","recording":1.5}', Verdict.TAMPERED),
        (b'\xff{"format":"evidock/clip-proof/v1"}', Verdict.TAMPERED),
    ],
)
def test_28_a_proof_of_no_form_is_unusable_and_one_that_lost_its_form_tampered(
    served: Served, text: bytes, verdict: Verdict
) -> None:
    served.proof.write_bytes(text)
    report = served.check()
    assert report.verdict is verdict
    assert [name for name, _ in found(report)] == ["out.mp4.proof.json"]


@pytest.mark.parametrize("key", ["recording", "packet_root", "sha256", "note", "index"])
def test_28_a_key_that_stands_twice_is_refused_also_with_equal_values(served: Served, key: str) -> None:
    line = next(line for line in served.proof.read_text().splitlines() if f'"{key}": ' in line)
    doubled = served.proof.read_text().replace(line, f"{line.rstrip(',')},\n{line}", 1)
    served.proof.write_text(doubled)
    assert "twice" in served.tampered()


def test_63_a_proof_without_end_costs_no_more_than_its_limit(served: Served) -> None:
    with served.proof.open("r+b") as file:
        file.truncate(LARGEST_PROOF + 1)
    assert "a proof of more than" in served.tampered()


def test_a_time_that_would_fill_the_memory_is_refused_unread(served: Served) -> None:
    served.change(lambda body: body["delivered"].update({"from": "1e999999999"}))
    assert "not a rational number" in served.tampered()


# --- true parts in a false place -----------------------------------------------------------------------


def test_20_the_records_of_another_recording_do_not_carry_this_clip(home: Home, served: Served, tmp_path: Path) -> None:
    with home.ports() as ports:
        span = Span(Fraction(1, 3), Fraction(5, 3))
        other = cut_clip(home.recordings["bframes"], span, tmp_path / "b.mp4", ports=ports, now=NOON)
    records = json.loads(other.proof.read_text())["records"]
    told = served.change(lambda body: body.update(records=records)).tampered()
    assert "contradicts-record: recording is " in told
    assert "contradicts-record: packet_root is " in told
    assert "contradicts-record: clip.sha256 is " in told


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_single_record_of_another_recording_is_out_of_place(
    home: Home, served: Served, tmp_path: Path, place: int
) -> None:
    with home.ports() as ports:
        span = Span(Fraction(1, 3), Fraction(5, 3))
        other = cut_clip(home.recordings["bframes"], span, tmp_path / "b.mp4", ports=ports, now=NOON)
    record = json.loads(other.proof.read_text())["records"][place]
    told = served.change(lambda body: body["records"].__setitem__(place, record)).tampered()
    assert "contradicts-record: recording is " in told


def test_an_older_serving_does_not_carry_a_newer_clip(home: Home, served: Served, tmp_path: Path) -> None:
    with home.ports() as ports:
        span = Span(Fraction(1, 3), Fraction(5, 3))
        again = cut_clip(home.recordings["plain"], span, tmp_path / "b.mp4", ports=ports, now=NOON)
    # The same span gives the same bytes, so the first serving's record carries the second clip, too.
    assert again.file.read_bytes() == served.clip.read_bytes()
    record = json.loads(again.proof.read_text())["records"][2]
    served.change(lambda body: body["records"].__setitem__(2, record))
    assert served.check().verdict is Verdict.PROVEN


def test_a_record_that_is_signed_but_not_in_the_log_is_refused(home: Home, served: Served) -> None:
    with home.ports() as ports, ports.register.begin() as writing:
        facts = {
            "asked": {"from": "0", "to": "1"},
            "clip_sha256": hashlib.sha256(b"").hexdigest(),
            "delivered": {"from": "0", "to": "1"},
            "frames": 1,
            "size_bytes": 0,
        }
        clipped = Happening("clipped", f"recording/{home.recordings['plain']}", facts=facts)
        event = writing.record(clipped, actor="test", at=NOON)
        note = sign_note(event.to_text(), [ports.signer])
    told = served.change(lambda body: body["records"][2].update(note=note)).tampered()
    assert "proof-invalid: clipped record" in told


def in_log(home: Home, notes: list[str]) -> list[Body]:
    """The notes as records of a proof: leaves of the log under a true checkpoint, whoever signed them."""
    with home.ports() as ports:
        newest = ports.log.newest()
        assert newest is not None
        signed = ports.log.publish([note.encode() for note in notes], at=newest.size)
        places = enumerate(notes, start=newest.size)
        return [{"note": note, "log": ports.log.proof(at, signed).to_json()} for at, note in places]


def test_a_record_in_the_log_that_the_logs_own_key_signed_is_no_record(served: Served, tmp_path: Path) -> None:
    home = copy_of_home(tmp_path / "home")
    text = served.body["records"][0]["note"].rpartition("\n\n")[0] + "\n"
    (record,) = in_log(home, [sign_note(text, [home.keys().log.signer()])])
    told = served.change(lambda body: body["records"].__setitem__(0, record)).tampered()
    assert "signature-invalid: measured record" in told


def test_26_true_records_in_another_order_than_things_happen_are_refused(served: Served, tmp_path: Path) -> None:
    home = copy_of_home(tmp_path / "home")
    events = [parse_event(split_note(record["note"])[0]) for record in served.body["records"]]
    for seqs in ((1, 0, 2), (0, 2, 2)):
        moved = [replace(event, seq=seq) for event, seq in zip(events, seqs, strict=True)]
        notes = [sign_note(event.to_text(), [home.keys().records.signer()]) for event in moved]
        records = in_log(home, notes)
        told = served.change(lambda body: body.update(records=records)).tampered()  # noqa: B023
        assert told.splitlines()[0].startswith("out.mp4.proof.json: record-malformed: ")


def resigned(served: Served, home: Home, delivered: Body) -> Served:
    """The proof as a server would make it that records another delivery than the clip it has cut."""
    event = parse_event(split_note(served.body["records"][2]["note"])[0])
    frames = delivered.pop("frames", event.facts["frames"])
    facts = {**event.facts, "delivered": {**event.facts["delivered"], **delivered}, "frames": frames}
    text = replace(event, facts=facts).to_text()
    (record,) = in_log(home, [sign_note(text, [home.keys().records.signer()])])

    def change(body: Body) -> None:
        body["records"][2] = record
        body["delivered"] = {**facts["delivered"], "frames": frames}

    return served.change(change)


@pytest.mark.parametrize(
    ("delivered", "told"),
    [
        ({"from": "1/6", "to": "3/2"}, "the clip begins at 00:00:00.333 of the recording, recorded is 00:00:00.167"),
        ({"to": "3/2"}, "the clip shows 00:00:01.333, recorded is 00:00:01.167"),
        ({"frames": 39}, "the clip shows 40 pictures, recorded are 39"),
    ],
)
def test_the_servers_own_word_for_what_a_clip_shows_is_held_against_the_clip(
    served: Served, tmp_path: Path, delivered: Body, told: str
) -> None:
    home = copy_of_home(tmp_path / "home")
    assert resigned(served, home, {}).check().verdict is Verdict.PROVEN
    assert resigned(served, home, dict(delivered)).tampered().endswith(told)


def test_a_token_has_one_spelling(served: Served) -> None:
    told = served.change(lambda body: body["tokens"][0].update(response="eB==")).tampered()
    assert "a time token of the proof is not in its own spelling" in told


def test_37_a_checkpoint_that_the_records_key_signed_is_no_checkpoint(home: Home, served: Served) -> None:
    text = served.body["records"][2]["log"]["checkpoint"].rpartition("\n\n")[0] + "\n"
    forged = sign_note(text, [home.keys().records.signer()])
    told = served.change(lambda body: body["records"][2]["log"].update(checkpoint=forged)).tampered()
    assert "signature-invalid" in told


def imprint_of(served: Served) -> bytes:
    note = served.body["records"][0]["log"]["checkpoint"]
    return hashlib.sha256((note.rpartition("\n\n")[0] + "\n").encode()).digest()


def with_token(served: Served, token: bytes, trust: str) -> Served:
    told = {"response": base64.b64encode(token).decode(), "trust": trust}
    return served.change(lambda body: body["tokens"][0].update(told))


def test_44_a_token_over_other_bytes_is_refused(served: Served, home: Home) -> None:
    with home.ports() as ports:
        token = ports.authorities[0].stamp(bytes(32), clocks.now())
    assert "token-invalid: time token of local" in with_token(served, token, "self").tampered()


def test_45_a_token_of_a_stranger_leaves_the_time_undecided(served: Served) -> None:
    report = with_token(served, honest().stamp(imprint_of(served), NOON), "third-party").check()
    assert (report.verdict, [what for _, what in found(report)]) == (Verdict.UNDECIDABLE, ["untrusted"])


def test_a_self_asserted_token_without_its_anchor_is_said_to_be_unchecked(served: Served) -> None:
    report = with_token(served, honest().stamp(imprint_of(served), NOON), "self").check()
    assert report.verdict is Verdict.PROVEN
    assert [note.startswith("not checked: time token of local") for note in report.notes] == [True]


# --- a file that somebody holds ----------------------------------------------------------------------------


def test_a_file_with_a_proof_beside_it_is_checked_as_a_clip_whichever_of_both_is_named(
    home: Home, served: Served
) -> None:
    with home.ports() as ports:
        for path in (served.clip, served.proof):
            report = audit.verify_file(path, ports)
            assert (report.verdict, report.objects) == (Verdict.PROVEN, 2)


def test_bytes_that_are_an_original_or_a_derivative_of_ours_are_known(home: Home, tmp_path: Path) -> None:
    keys = [layout.original_key(home.sha256("photo")), home.derivative("thumbnail", "photo")]
    with home.ports() as ports:
        for key, what in zip(keys, ("original", "thumbnail"), strict=True):
            path = Path(shutil.copy(home.objects / key, tmp_path / "renamed"))
            report = audit.verify_file(path, ports)
            assert report.verdict is Verdict.PROVEN
            assert isinstance(report, CheckReport)
            assert report.notes[0] == f"renamed is the {what} of {home.recordings['photo']}, byte for byte"
            path.chmod(0o644)


def test_bytes_that_nobody_knows_decide_nothing(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "stranger.mp4"
    path.write_bytes(b"stranger")
    with home.ports() as ports:
        report = audit.verify_file(path, ports)
        assert report.verdict is Verdict.UNDECIDABLE
        with pytest.raises(NotFound):
            audit.verify_file(tmp_path / "nothing", ports)
    assert audit.to_json(report)["checked"] == {"objects": 1, "bytes": 8}
