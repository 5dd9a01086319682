# SPDX-License-Identifier: Apache-2.0
"""A recording to its end and beyond: what is gone is proven by the log, in every report, and after a lost register."""

import csv
import json
import shutil
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from app import clocks
from app.examination import examine_installation
from evidence.custody import Happening
from evidence.digest import Digest
from evidence.errors import FixityMismatch, Refused, StoreUnavailable, WrongState
from evidence.media_time import Span
from evidence.retention import Outcome
from evidence.term import Term
from evidence.verdict import Verdict
from pipeline import archive, audit, holds, prune
from pipeline.appraise import Wish
from pipeline.clip import clip
from pipeline.ports import Cold
from pipeline.reconcile import open_missing_jobs
from pipeline.tombstone import HOT
from storage import layout
from storage.objects_file import DirectoryStore
from storage.register import schema, search
from storage.s3.address import S3Address
from storage.s3.client import Patience
from storage.s3.store import S3Store
from tests.support.cameras import CAMERA, tiny
from tests.support.command import evidock
from tests.support.ending import LATER, ONE, PAST_GRACE, Ending, ending, tracks
from tests.support.home import open_home, track
from tests.support.lying_service import Asked, Lie, error, lying, versioning
from tests.support.s3 import use_credentials
from tests.support.two_people import lift_hold

QUICK = Patience(total_s=0.5, tries=1, longest_pause_s=0.1, connect_s=1.0, read_s=1.0)
SECOND = Span(Fraction(0), Fraction(1))


def proven(at: Ending) -> tuple[str, ...]:
    """The notes of an audit of everything that found nothing."""
    at.home.publish()
    report = audit.verify_all(at.home.ports)
    assert report.verdict is Verdict.PROVEN, report.findings
    return report.notes


def findings(at: Ending) -> set[tuple[str, str]]:
    at.home.publish()
    return {(one.object, one.what) for one in audit.verify_all(at.home.ports).findings}


def footage(at: Ending) -> str:
    """A video with all its derivatives, indexed."""
    at.home.add_device(CAMERA.serial)
    path = tiny("plain").path
    recording: str = at.home.ingest_one(path)["id"]
    return recording


def object_file(at: Ending, key: str) -> Path:
    return Path(at.home.settings.objects_url.removeprefix("file://")) / key


# --- disposal ---------------------------------------------------------------------------------------


def test_a_video_goes_with_all_that_was_made_of_it_and_the_log_proves_it(
    tmp_path: Path, register_settings: dict[str, str]
) -> None:
    with ending(tmp_path, **register_settings) as at:
        video, [other] = footage(at), tracks(at, tmp_path, 1)
        kinds = {one["kind"] for one in _derivatives(at, video)}
        assert {"proxy", "fingerprint"} <= kinds
        listed = at.approved(video)
        assert audit.verify_recording(at.home.ports, video).verdict is Verdict.PROVEN, "while it is due"
        assert "disposed of" not in " ".join(proven(at))
        at.run(listed)

        assert at.standing(video) == []
        assert at.standing(other)
        assert any("Tombstone" in note for note in proven(at))
        assert audit.verify_recording(at.home.ports, video).verdict is Verdict.PROVEN
        assert open_missing_jobs(ports=at.home.ports, now=clocks.now()) == []
        _, rebuilt = at.home.rebuilt()
        assert rebuilt == at.home.facts()
        with pytest.raises(WrongState, match="was disposed of"):
            clip(video, SECOND, tmp_path / "out.mp4", ports=at.home.ports, now=LATER)
        with at.home.ports.register.leasing() as connection:
            connection.exec_driver_sql("DELETE FROM derivatives WHERE kind = 'fingerprint'")
        assert open_missing_jobs(ports=at.home.ports, now=clocks.now()) == [], "what it never had is not made any more"


def _derivatives(at: Ending, recording: str) -> list[search.Row]:
    with at.home.ports.register.view() as connection:
        return search.derivatives_of(connection, recording)


def test_bytes_that_come_back_after_disposal_are_a_finding(tmp_path: Path) -> None:
    with ending(tmp_path) as at:
        [one] = tracks(at, tmp_path, 1)
        key = at.keys(one)[0]
        kept = tmp_path / "backup"
        shutil.copyfile(object_file(at, key), kept)
        at.run(at.approved(one))
        proven(at)
        at.home.ports.store.put_bytes_once(key, kept.read_bytes())
        assert findings(at) == {(key, "not-gone")}
        listed = at.tombstone(one)["disposal"]
        assert at.run(listed).again == (one,), "a list that was carried out is carried out again"
        assert at.standing(one) == []
        proven(at)
        assert at.run(listed).again == ()


def test_a_file_of_disposed_footage_that_is_offered_again_is_noted_and_not_kept(tmp_path: Path) -> None:
    with ending(tmp_path) as at:
        [one] = tracks(at, tmp_path, 1)
        at.run(at.approved(one))
        again = track(tmp_path / "other card", "again.gpx", number=0)
        at.home.ingest(again)
        assert at.home.story(one)[-1] == "offered-again"
        assert at.standing(one) == []
        proven(at)


def test_a_disposal_that_was_begun_is_no_loss_and_is_named(tmp_path: Path) -> None:
    with ending(tmp_path) as at:
        [one] = tracks(at, tmp_path, 1)
        listed = at.approved(one)
        happening = Happening(
            "disposing",
            f"recording/{one}",
            facts={"disposal": listed},
            detail={"found": {HOT: {at.keys(one)[0]: ["x"]}}},
        )
        with at.home.ports.register.begin() as facts:
            facts.record(happening, actor=ONE, at=PAST_GRACE)
        assert any("not finished" in note for note in proven(at))
        advice = {one.name: one.advice for one in examine_installation(at.home.settings)}
        assert f"dispose run {listed}" in str(advice["disposal"])
        object_file(at, at.keys(one)[0]).unlink()
        assert any(f"dispose run {listed}" in note for note in proven(at))
        at.run(listed)
        assert any("Tombstone" in note for note in proven(at))


FORGERIES: dict[str, dict[str, Any]] = {
    # Under the very same name the database takes no approval at all.
    "by one person": {"approver": f"user:{ONE.partition(':')[2].upper()}"},
    "within its grace": {"at": LATER + timedelta(days=1)},
    "for another recording": {"other": True},
    "that nobody approved": {"approver": None},
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_disposal_recorded_past_the_rules_is_a_finding(tmp_path: Path, forgery: str) -> None:
    told = FORGERIES[forgery]
    with ending(tmp_path) as at:
        one, two = tracks(at, tmp_path, 2)
        victim = two if told.get("other") else one
        listed = _forged(at, one, approver=told.get("approver", "cli:li"))
        with at.home.ports.register.begin() as facts:
            for state in ("due",) if told.get("other") or told.get("approver", 1) is None else ():
                facts.connection.exec_driver_sql("UPDATE recordings SET state = ? WHERE id = ?", (state, victim))
            for kind, part in (("disposing", "found"), ("disposed", "tombstone")):
                happening = Happening(kind, f"recording/{victim}", facts={"disposal": listed}, detail={part: {}})
                facts.record(happening, actor=ONE, at=told.get("at", PAST_GRACE))
        assert (f"disposal of {victim}", "not-agreed") in findings(at)


def _forged(at: Ending, recording: str, *, approver: str | None) -> str:
    """A list recorded by somebody who has the records key, and does not ask our rules."""
    at.appraise(recording)
    listed = at.propose(recording)
    if approver is None:
        return listed
    digest = json.loads(at.home.events(f"disposal/{listed}")[0]["note"].split("\n")[1])["facts"]["digest"]
    facts = {"digest": digest, "grace_until": "2040-01-31T00:00:00.000000Z"}
    with at.home.ports.register.begin() as writing:
        happening = Happening("disposal-approved", f"disposal/{listed}", facts=facts)
        writing.record(happening, actor=approver, at=LATER)
    return listed


SPOKEN: dict[str, tuple[str, str]] = {
    "a hold that is lifted in its row": ("holds", "UPDATE holds SET lifted_at = '2030-01-01T00:00:00.000000Z'"),
    "a hold whose row is gone": ("holds", "DELETE FROM holds"),
    "a case that is closed in its row": ("cases", "UPDATE cases SET closed_at = '2030-01-01T00:00:00.000000Z'"),
    "a case whose file is kept shorter in its row": ("cases", "UPDATE cases SET file_term = 'P1D'"),
    "a link that is withdrawn in its row": (
        "case_links",
        "UPDATE case_links SET withdrawn_at = '2030-01-01T00:00:00.000000Z'",
    ),
    "a link whose row is gone": ("case_links", "DELETE FROM case_links"),
    "a catalog that shortens in its row": ("catalogs", """UPDATE catalogs SET shortens = '["JC-01"]'"""),
    "a condition whose row is gone": ("conditions", "DELETE FROM conditions"),
    **{
        f"{column} that is another in its row": (
            "recordings",
            f"UPDATE recordings SET {column} = '2001-01-01T00:00:00.000000Z'",  # noqa: S608  # our own words
        )
        for column in ("arrived_at", "end_latest", "reviewed_at", "locked_until")
    },
    "an appraisal that says dispose in its row": ("appraisals", "UPDATE appraisals SET decision = 'dispose'"),
    "an item that is another in its row": ("recordings", "UPDATE recordings SET item = 'XC-01'"),
}


@pytest.mark.parametrize("attack", SPOKEN)
def test_what_speaks_for_keeping_and_is_taken_out_of_the_register_is_found(tmp_path: Path, attack: str) -> None:
    table, statement = SPOKEN[attack]
    with ending(tmp_path) as at:
        [one] = tracks(at, tmp_path, 1)
        case: dict[str, Any] = {
            "number": "1",
            "title": "",
            "item": None,
            "officers": [],
            "start_at": "2026",
            "end_at": "2027",
        }
        told: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...] = (
            ("hold-placed", "hold/hol-1", {"noun": "recording", "subject": one}, {"why": "court", "authority": None}),
            ("case-opened", "case/cas-1", {}, case),
            ("case-linked", "case/cas-1", {"segments": 1}, {"segments": [f"{one}.00000"], "reason": {}}),
            ("condition-set", f"recording/{one}", {"code": "PC-EVID"}, {"why": "court"}),
            (
                "appraised",
                f"recording/{one}",
                {"decision": "keep", "until": "2041-01-01T00:00:00.000000Z"},
                {"why": "?"},
            ),
        )
        with at.home.ports.register.begin() as facts:
            for kind, stream, said, detail in told:
                facts.record(Happening(kind, stream, facts=said, detail=detail), actor=ONE, at=LATER)
        proven(at)
        with at.home.ports.register.leasing() as connection:
            assert connection.exec_driver_sql(statement).rowcount == 1
        assert {name for name, _ in findings(at)} == {f"register/{table}"}


# --- the archive ------------------------------------------------------------------------------------


def cold_settings(folder: Path) -> dict[str, str]:
    return {"cold_url": f"file://{folder / 'cold'}"}


def archived(at: Ending, recording: str) -> None:
    at.appraise(recording, wish=Wish.ARCHIVE)
    archive.archive(recording, judge=at.judge(), ports=at.home.ports, now=LATER)
    assert archive.leave(recording, at.places[HOT], ports=at.home.ports, now=LATER) is None


def restored(at: Ending, recording: str) -> None:
    archive.restore(recording, why="court", recall=None, judge=at.judge(), ports=at.home.ports, now=LATER)


def test_archived_footage_is_measured_there_and_comes_back_byte_for_byte(
    tmp_path: Path, register_settings: dict[str, str]
) -> None:
    with ending(tmp_path, **cold_settings(tmp_path), **register_settings) as at:
        video = footage(at)
        key = at.keys(video)[0]
        data = object_file(at, key).read_bytes()
        archived(at, video)
        assert at.state(video) == "archived"
        assert not object_file(at, key).exists()
        assert (tmp_path / "cold" / key).read_bytes() == data
        proven(at)
        with pytest.raises(WrongState, match="archive restore"):
            clip(video, SECOND, tmp_path / "out.mp4", ports=at.home.ports, now=LATER)

        restored(at, video)
        assert at.state(video) == "indexed"
        assert object_file(at, key).read_bytes() == data
        proven(at)
        assert clip(video, SECOND, tmp_path / "out.mp4", ports=at.home.ports, now=clocks.now()).cut.frames
        _, rebuilt = at.home.rebuilt()
        assert rebuilt == at.home.facts()


def test_one_flipped_bit_in_the_archive_is_found_and_does_not_come_back(tmp_path: Path) -> None:
    with ending(tmp_path, **cold_settings(tmp_path)) as at:
        [one] = tracks(at, tmp_path, 1)
        archived(at, one)
        path = tmp_path / "cold" / at.keys(one)[0]
        path.chmod(0o644)
        path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
        assert findings(at) == {(f"file://{tmp_path / 'cold'}: {at.keys(one)[0]}", "altered")}
        with pytest.raises(FixityMismatch):
            restored(at, one)
        assert at.state(one) == "archived"


def test_rotten_footage_is_not_archived_and_stays_where_it_is(tmp_path: Path) -> None:
    with ending(tmp_path, **cold_settings(tmp_path)) as at:
        [one] = tracks(at, tmp_path, 1)
        path = object_file(at, at.keys(one)[0])
        path.chmod(0o644)
        path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
        with pytest.raises(FixityMismatch):
            archived(at, one)
        assert path.exists()
        assert at.state(one) == "indexed"


def test_a_slow_archive_is_asked_to_bring_it_up_and_that_is_said(tmp_path: Path) -> None:
    use_credentials()
    place = f"file://{tmp_path / 'cold'}"

    def say(asked: Asked) -> Lie:
        if asked.what == "versioning" or "restore" in asked.query:
            return versioning()
        told = {"ETag": '"x"', "Content-Length": "167", "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        return error("InvalidObjectState", 403) if asked.method == "GET" else Lie(headers=told)

    with ending(tmp_path, **cold_settings(tmp_path)) as at, lying(say) as service:
        [one] = tracks(at, tmp_path, 1)
        archived(at, one)
        asleep = S3Store(S3Address.parse(f"s3://bucket?endpoint={service.endpoint}"), journal=tmp_path, patience=QUICK)
        slow = at.home.with_ports(cold=Cold(asleep, place)).ports
        with pytest.raises(StoreUnavailable, match="hours"):
            archive.restore(
                one,
                why="court",
                recall=lambda key: asleep.recall(key, days=7),
                judge=at.judge(),
                ports=slow,
                now=LATER,
            )
        assert any("restore" in asked.query and asked.method == "POST" for asked in service.asked)
        assert at.state(one) == "archived"
        at.home.publish()
        found = audit.verify_all(slow)
        assert {one.what for one in found.findings} == {"asleep"}


class _Forgetful(DirectoryStore):
    """A store that takes what it is given, and keeps something else."""

    def put_once(self, key: str, source: Path, *, digest: Digest, give: bool = False) -> None:
        super().put_once(key, source, digest=digest, give=give)
        with self.local_file(key) as path:
            path.chmod(0o644)
            path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])


def test_what_an_archive_took_is_read_back_before_it_is_called_archived(tmp_path: Path) -> None:
    with ending(tmp_path, **cold_settings(tmp_path)) as at:
        [one] = tracks(at, tmp_path, 1)
        forgetful = Cold(_Forgetful(tmp_path / "cold"), f"file://{tmp_path / 'cold'}")
        at.appraise(one, wish=Wish.ARCHIVE)
        with pytest.raises(FixityMismatch, match="arrived as"):
            archive.archive(one, judge=at.judge(), ports=at.home.with_ports(cold=forgetful).ports, now=LATER)
        assert at.state(one) == "indexed"


def test_an_archive_that_is_not_set_here_makes_an_audit_undecidable_and_a_disposal_refused(tmp_path: Path) -> None:
    with ending(tmp_path, **cold_settings(tmp_path)) as at:
        [one] = tracks(at, tmp_path, 1)
        archived(at, one)
        listed = at.approved(one)
    with ending(tmp_path) as at:
        assert {what for _, what in findings(at)} == {"elsewhere"}
        with pytest.raises(Refused, match="EVIDOCK_COLD_URL"):
            at.run(listed)
        with pytest.raises(Refused, match="EVIDOCK_COLD_URL"):
            restored(at, one)


@pytest.mark.parametrize(
    ("is_back", "envelope"), [(False, "off"), (True, "off"), (True, "on")], ids=["archived", "restored", "in envelopes"]
)
def test_archived_footage_is_disposed_of_in_both_stores(tmp_path: Path, is_back: bool, envelope: str) -> None:
    with ending(tmp_path, **cold_settings(tmp_path), envelope=envelope) as at:
        [one] = tracks(at, tmp_path, 1)
        archived(at, one)
        proven(at)
        if is_back:
            restored(at, one)
        at.run(at.approved(one))
        assert at.standing(one) == []
        assert not [path for path in (tmp_path / "cold").rglob("*") if path.is_file()]
        assert {one["place"] for one in at.told(one)["removed"]} == {HOT, f"file://{tmp_path / 'cold'}"}
        proven(at)


def test_an_archiving_that_was_killed_is_gone_on_with(tmp_path: Path) -> None:
    with ending(tmp_path, **cold_settings(tmp_path)) as at:
        [one] = tracks(at, tmp_path, 1)
        at.appraise(one, wish=Wish.ARCHIVE)
        archive.archive(one, judge=at.judge(), ports=at.home.ports, now=LATER)
        proven(at)
        at.places[HOT].remove(at.keys(one)[0], now=LATER)  # killed before that was recorded
        proven(at)
        assert archive.leave(one, at.places[HOT], ports=at.home.ports, now=LATER) is None
        assert at.home.times(one, "hot-removed") == 1
        proven(at)


# --- proxies ----------------------------------------------------------------------------------------


def test_proxies_go_before_their_originals_by_rule_and_no_sooner(tmp_path: Path) -> None:
    year = Term(months=12)
    with ending(tmp_path) as at:
        video = footage(at)
        proxy = next(one for one in _derivatives(at, video) if one["kind"] == "proxy")
        key = layout.derivative_key(proxy["sha256"])

        def pruned(term: Term | None, *, later: timedelta = timedelta(0)) -> int:
            now = clocks.now() + later
            return prune.prune(term, at.places[HOT], ports=at.home.ports, now=now).removed

        assert pruned(None, later=timedelta(days=9999)) == 0
        assert pruned(year, later=timedelta(days=364)) == 0
        assert at.home.ports.store.exists(key)
        assert pruned(year, later=timedelta(days=400)) == 1
        assert not at.home.ports.store.exists(key)
        assert at.standing(video), "the original and the rest stay"
        proven(at)
        assert pruned(year, later=timedelta(days=400)) == 0
        at.home.ports.store.put_bytes_once(key, b"left by a kill")
        assert findings(at) == {(key, "not-gone")}
        pruned(year, later=timedelta(days=401))
        proven(at)


# --- by command -------------------------------------------------------------------------------------


def test_two_people_dispose_of_footage_by_command(
    tmp_path: Path, register_settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ending(tmp_path, **register_settings) as at:
        [one, two] = tracks(at, tmp_path, 2)
    monkeypatch.setattr(clocks, "now", lambda: LATER)
    figures = tmp_path / "keeping.yaml"
    text = (Path(prune.__file__).parent / "data" / "keeping.yaml").read_text("utf-8")
    figures.write_text(text.replace("grace_days: 30", "grace_days: 0"), "utf-8")
    home = tmp_path / "home"
    shared = {f"EVIDOCK_{name.upper()}": value for name, value in register_settings.items()}

    def said(*words: str, by: str, grace: bool = False) -> Any:
        more = {} if grace else {"EVIDOCK_KEEPING": str(figures)}
        return evidock(*words, home=home, LOGNAME=by, **shared, **more)

    assert said("appraise", "dispose", one, two, "--why", "over", by="zhang").status == 0
    proposed = said("dispose", "propose", "--why", "terms are over", "--json", by="zhang")
    listed = proposed.json["id"]
    assert len(proposed.json["entries"]) == 2
    assert said("dispose", "approve", listed, by="Zhang").status == 77
    assert said("dispose", "approve", listed, by="li", grace=True).status == 0
    early = said("dispose", "run", listed, by="li")
    assert (early.status, "can be undone until" in early.err) == (77, True)
    assert said("dispose", "undo", listed, "--why", "a complaint", by="li").status == 0
    again = said("dispose", "propose", one, "--why", "terms are over", "--json", by="li").json["id"]
    assert said("dispose", "approve", again, by="zhang").status == 0
    done = said("dispose", "run", again, "--json", by="li")
    assert done.json["disposed"] == [one]
    for ending_ in ("csv", "json"):
        file = tmp_path / f"register.{ending_}"
        assert said("dispose", "register", again, "-o", str(file), by="li").status == 0
        data = file.read_bytes().decode("utf-8-sig")
        lines = json.loads(data) if ending_ == "json" else list(csv.DictReader(data.splitlines()))
        assert [(line["recording"], line["approved_by"]) for line in lines] == [(one, "cli:zhang")]
    shown = said("show", one, "--json", by="li").json
    assert shown["tombstone"]["disposal"] == again
    assert "disposed of" in said("show", one, by="li").out
    stands = {row["id"]: row["stands"] for row in said("dispose", "list", "--json", by="li").json["lists"]}
    assert stands == {listed: "withdrawn", again: "finished"}
    assert said("verify", "--all", by="li").status == 0
    assert said("verify", one, by="li").status == 0
    with open_home(home, **register_settings) as opened:
        assert opened.recording(two)["state"] == "indexed"


def test_a_clock_that_jumps_ends_no_grace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ending(tmp_path) as at:
        [one] = tracks(at, tmp_path, 1)
        assert at.decision(one).outcome is Outcome.DUE
    home = tmp_path / "home"
    monkeypatch.setattr(clocks, "now", lambda: LATER)
    evidock("appraise", "dispose", one, "--why", "over", home=home, LOGNAME="zhang")
    listed = evidock("dispose", "propose", "--why", "over", "--json", home=home, LOGNAME="zhang").json["id"]
    assert evidock("dispose", "approve", listed, home=home, LOGNAME="li").status == 0
    monkeypatch.setattr(clocks, "now", lambda: LATER + timedelta(days=60))
    assert evidock("dispose", "run", listed, home=home, LOGNAME="li").status == 77
    with open_home(home) as opened:
        assert opened.recording(one)["state"] == "due"


# --- what is not there -------------------------------------------------------------------------------


def test_footage_that_left_a_copy_in_one_archive_goes_to_no_second(tmp_path: Path) -> None:
    with ending(tmp_path, cold_url=f"file://{tmp_path / 'first'}") as at:
        [one] = tracks(at, tmp_path, 1)
        archived(at, one)
        archive.restore(one, why="asked for", recall=None, judge=at.judge(), ports=at.by(ONE), now=LATER)
    with ending(tmp_path, cold_url=f"file://{tmp_path / 'second'}") as at, pytest.raises(Refused, match="first"):
        archived(at, one)


def test_an_archive_whose_disk_is_not_mounted_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    cold, disk = tmp_path / "cold", tmp_path / "disk"
    with ending(tmp_path, cold_url=f"file://{cold}") as at:
        [one] = tracks(at, tmp_path, 1)
        archived(at, one)
        listed = at.approved(one)
        cold.rename(disk)
        cold.mkdir()
        with pytest.raises(WrongState, match="where they should rest"):
            at.run(listed)
        assert at.state(one) == "due"
        shutil.rmtree(cold)
        disk.rename(cold)
        at.run(listed)
        assert at.standing(one) == []
        proven(at)


def test_a_lawful_disposal_covers_up_nothing_that_somebody_took_away_before(tmp_path: Path) -> None:
    with ending(tmp_path) as at:
        [one] = tracks(at, tmp_path, 1)
        listed = at.approved(one)
        object_file(at, at.keys(one)[0]).unlink()
        with pytest.raises(WrongState, match="where they should rest"):
            at.run(listed)
        assert (at.keys(one)[0], "missing") in findings(at)
        begun = Happening("disposing", f"recording/{one}", facts={"disposal": listed}, detail={"found": {HOT: {}}})
        with at.home.ports.register.begin() as facts:
            facts.record(begun, actor=ONE, at=PAST_GRACE)
        at.run(listed)
        assert findings(at) == {(f"Tombstone of {one}", "gone-before")}


def test_a_copy_that_comes_back_to_the_archive_after_disposal_is_a_finding(tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    with ending(tmp_path, cold_url=f"file://{cold}") as at:
        [one] = tracks(at, tmp_path, 1)
        archived(at, one)
        key = at.keys(one)[0]
        kept = (cold / key).read_bytes()
        at.run(at.approved(one))
        proven(at)
        (cold / key).parent.mkdir(parents=True, exist_ok=True)
        (cold / key).write_bytes(kept)
        assert findings(at) == {(f"file://{cold}: {key}", "not-gone")}


def test_a_tombstone_that_was_rewritten_in_the_register_is_found(tmp_path: Path) -> None:
    with ending(tmp_path) as at:
        [one] = tracks(at, tmp_path, 1)
        at.run(at.approved(one))
        with at.home.ports.register.leasing() as connection:
            connection.execute(update(schema.tombstones).values(told="{}"))
        assert findings(at) == {("register/tombstones", "altered")}


def test_proxies_stay_while_a_hold_stands(tmp_path: Path) -> None:
    with ending(tmp_path) as at:
        video = footage(at)
        held = holds.place(holds.Target(video), why="a court asked", authority=None, ports=at.by(ONE), now=LATER)
        assert prune.prune(Term(days=1), at.places[HOT], ports=at.by(ONE), now=LATER).removed == 0
        lift_hold(at.by(ONE), held.id, now=LATER)
        assert prune.prune(Term(days=1), at.places[HOT], ports=at.by(ONE), now=LATER).removed == 1
