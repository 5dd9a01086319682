# SPDX-License-Identifier: Apache-2.0
"""Disposal refuses whatever was not agreed on by two people, for these very bytes and reasons, in time."""

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from evidence.custody import Happening
from evidence.disposal import Entry, digest_of, is_same_person
from evidence.errors import BadInput, Conflict, LogInconsistent, NotFound, Refused, WrongState
from pipeline.appraise import Wish
from pipeline.spool import spooled
from pipeline.tombstone import HOT
from storage import layout
from storage.register import ends, search
from storage.removal import Removed, Remover
from tests.support.ending import LATER, ONE, OTHER, PAST_GRACE, Ending, ending, tracks

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A home with three recordings, all due in 2040."""
    folder = tmp_path_factory.mktemp("prepared")
    with ending(folder) as at:
        return folder, tracks(at, folder, 3)


@pytest.fixture
def three(prepared: tuple[Path, list[str]]) -> list[str]:
    return prepared[1]


@pytest.fixture
def at(prepared: tuple[Path, list[str]], tmp_path: Path) -> Iterator[Ending]:
    shutil.copytree(prepared[0], tmp_path, dirs_exist_ok=True)
    with ending(tmp_path) as opened:
        yield opened


def record(at: Ending, kind: str, stream: str, detail: dict[str, Any] | None = None, /, **facts: Any) -> None:
    """Record an event as a command of somebody else would."""
    with at.home.ports.register.begin() as writing:
        writing.record(Happening(kind, stream, facts=facts, detail=detail), actor="cli:wang", at=LATER)


def hold(at: Ending, recording: str) -> None:
    record(at, "hold-placed", "hold/hol-1", {"why": "court", "authority": None}, noun="recording", subject=recording)


def sql(at: Ending, statement: str, **values: object) -> None:
    """Write into the register as its administrator can."""
    with at.home.ports.register.leasing() as connection:
        assert connection.execute(text(statement), values).rowcount == 1


# --- two people -------------------------------------------------------------------------------------


def test_what_two_people_agreed_on_goes_and_nothing_else(at: Ending, three: list[str]) -> None:
    one, two, other = three
    listed = at.approved(one, two)
    assert [at.state(each) for each in three] == ["due", "due", "indexed"]
    ran = at.run(listed)
    assert ran.disposed == tuple(sorted((one, two)))
    assert ran.is_finished
    assert [at.state(each) for each in three] == ["disposed", "disposed", "indexed"]
    assert at.standing(one) == at.standing(two) == []
    assert at.standing(other)


@pytest.mark.parametrize("approver", [ONE, "cli:ZHANG", "web:zhang", "cli: zhang ", "cli:ｚｈａｎｇ"])
def test_who_proposed_a_list_cannot_approve_it(at: Ending, three: list[str], approver: str) -> None:
    at.appraise(*three)
    listed = at.propose(*three)
    with pytest.raises(Refused, match="another person"):
        at.approve(listed, by=approver)
    assert [at.state(one) for one in three] == ["indexed"] * 3


def test_nothing_goes_that_nobody_approved(at: Ending, three: list[str]) -> None:
    at.appraise(*three)
    listed = at.propose(*three)
    with pytest.raises(Refused, match="nobody has approved"):
        at.run(listed)
    assert all(at.standing(one) for one in three)


def test_an_approval_that_only_a_row_tells_of_is_none(at: Ending, three: list[str]) -> None:
    at.appraise(three[0])
    listed = at.propose(three[0])
    sql(
        at,
        "UPDATE disposals SET approved_by = 'cli:li', approved_at = proposed_at, grace_until = proposed_at "
        "WHERE id = :id",
        id=listed,
    )
    sql(at, "UPDATE recordings SET state = 'due' WHERE id = :id", id=three[0])
    with pytest.raises(Refused, match="nobody has approved"):
        at.run(listed)
    assert at.standing(three[0])


def test_a_recording_that_only_a_row_puts_on_the_list_is_not_touched(at: Ending, three: list[str]) -> None:
    one, two, _ = three
    listed = at.approved(one)
    sql(at, "UPDATE disposal_entries SET recording = :two WHERE disposal = :id", two=two, id=listed)
    sql(at, "UPDATE recordings SET state = 'due' WHERE id = :id", id=two)
    at.run(listed)
    assert at.standing(two)
    assert at.standing(one) == []


def test_a_disposal_that_only_a_row_says_was_begun_was_not(at: Ending, three: list[str]) -> None:
    one, two, _ = three
    listed = at.approved(one, two)
    hold(at, one)
    sql(at, "UPDATE recordings SET state = 'disposing' WHERE id = :id", id=one)
    with pytest.raises(NotFound, match="disposing"):
        at.run(listed)
    assert at.standing(one)


def test_a_recording_that_a_row_says_is_due_no_more_is_looked_at_all_the_same(at: Ending, three: list[str]) -> None:
    listed = at.approved(three[0])
    hold(at, three[0])
    sql(at, "UPDATE recordings SET state = 'indexed' WHERE id = :id", id=three[0])
    with pytest.raises(Conflict, match="held"):
        at.run(listed)
    assert at.standing(three[0])


def test_other_bytes_that_a_row_names_for_what_was_begun_are_not_touched(at: Ending, three: list[str]) -> None:
    one, two, _ = three
    listed = at.approved(one)
    with at.home.ports.register.begin() as facts:
        happening = Happening("disposing", f"recording/{one}", facts={"disposal": listed}, detail={"found": {}})
        facts.record(happening, actor=ONE, at=PAST_GRACE)
    with at.home.ports.register.view() as connection:
        other = search.original(connection, two)["sha256"]
    sql(at, "DELETE FROM originals WHERE recording = :id", id=two)
    sql(at, "UPDATE originals SET sha256 = :other WHERE recording = :id", other=other, id=one)
    with pytest.raises(LogInconsistent, match="other bytes"):
        at.run(listed)
    assert at.home.ports.store.exists(layout.original_key(other))


def test_a_list_is_approved_once(at: Ending, three: list[str]) -> None:
    listed = at.approved(three[0])
    with pytest.raises(WrongState, match="does not wait"):
        at.approve(listed, by="cli:wang")


# --- in time ----------------------------------------------------------------------------------------


def test_nothing_goes_within_the_grace(at: Ending, three: list[str]) -> None:
    listed = at.approved(three[0])
    for now in (LATER, PAST_GRACE - timedelta(seconds=2)):
        with pytest.raises(Refused, match="can be undone until"):
            at.run(listed, now=now)
    assert at.standing(three[0])
    assert at.state(three[0]) == "due"


def test_what_is_not_due_is_not_appraised_for_disposal_and_on_no_list(at: Ending, three: list[str]) -> None:
    decision = at.decision(three[0])
    assert decision.until is not None
    early = decision.until - DAY
    at.appraise(three[0])
    with pytest.raises(WrongState, match="not due"):
        at.propose(three[0], now=early)
    hold(at, three[1])
    with pytest.raises(WrongState, match="held"):
        at.appraise(three[1])


def test_what_nobody_appraised_for_disposal_is_on_no_list(at: Ending, three: list[str]) -> None:
    with pytest.raises(WrongState, match="not appraised"):
        at.propose(three[0])
    at.appraise(three[0], wish=Wish.ARCHIVE)
    with pytest.raises(WrongState, match="not appraised"):
        at.propose(three[0])
    at.appraise(three[0])
    at.appraise(three[0], wish=Wish.KEEP, until=LATER + 365 * DAY)
    with pytest.raises(WrongState, match="not appraised"):
        at.propose(three[0])


# --- what changed -----------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before approval", "after approval"])
def test_a_hold_stops_the_whole_list_and_is_named(at: Ending, three: list[str], when: str) -> None:
    one, two = sorted(three)[:2]
    at.appraise(one, two)
    listed = at.propose(one, two)
    if when == "after approval":
        at.approve(listed)
    hold(at, two)
    with pytest.raises(Conflict, match=two) as refused:
        at.approve(listed) if when == "before approval" else at.run(listed)
    changed = refused.value.values["changed"]
    assert isinstance(changed, dict)
    assert set(changed) == {two}
    assert at.state(one) == at.state(two) == ("indexed" if when == "before approval" else "due"), "nothing was begun"
    assert at.standing(one)
    assert at.standing(two)


class _Meanwhile:
    """A door at which something happens while it is asked for locks: after the first look, before the last."""

    def __init__(self, door: Remover, happens: Callable[[], object]) -> None:
        self._door, self._happens = door, happens

    def check_free(self, key: str, *, now: datetime) -> None:
        self._happens()
        self._happens = lambda: None

    def remove(self, key: str, *, now: datetime) -> Removed:
        return self._door.remove(key, now=now)

    def traces(self, key: str) -> tuple[str, ...]:
        return self._door.traces(key)


def test_a_hold_that_is_placed_while_the_run_looks_is_in_time(at: Ending, three: list[str]) -> None:
    one = three[0]
    listed = at.approved(one)
    with pytest.raises(Conflict, match="held"):
        at.run(listed, places={HOT: _Meanwhile(at.places[HOT], lambda: hold(at, one))})
    assert at.state(one) == "due"
    assert at.standing(one)


def test_an_undo_while_the_run_looks_is_in_time(at: Ending, three: list[str]) -> None:
    one = three[0]
    listed = at.approved(one)
    with pytest.raises(Conflict, match="meanwhile"):
        at.run(listed, places={HOT: _Meanwhile(at.places[HOT], lambda: at.undo(listed))})
    assert at.state(one) == "indexed"
    assert at.standing(one)


def test_an_entry_that_was_held_can_be_taken_back_and_the_rest_goes(at: Ending, three: list[str]) -> None:
    one, two, _ = three
    listed = at.approved(one, two)
    hold(at, two)
    at.undo(listed, [two])
    assert at.state(two) == "indexed"
    assert at.run(listed).is_finished
    assert at.standing(one) == []
    assert at.standing(two)


def test_a_case_that_is_open_stops_the_list(at: Ending, three: list[str]) -> None:
    one = three[0]
    listed = at.approved(one)
    told: dict[str, Any] = {"number": "2040-1", "title": "", "item": None, "officers": []}
    record(at, "case-opened", "case/cas-1", told | {"start_at": "2026-01-01", "end_at": "2026-01-02"})
    reason = {"rule": "person", "why": "found"}
    record(at, "case-linked", "case/cas-1", {"segments": [f"{one}.00000"], "reason": reason}, segments=1)
    with pytest.raises(Conflict, match="waits"):
        at.run(listed)
    record(at, "case-closed", "case/cas-1", closed_at="2026-02-01T00:00:00.000000Z")
    assert at.run(listed).is_finished, "no date and no reason is another than was agreed on"


def test_other_bytes_than_were_proposed_are_refused(at: Ending, three: list[str]) -> None:
    listed = at.approved(three[0])
    sql(at, "UPDATE originals SET sha256 = :sha256 WHERE recording = :id", sha256="0" * 64, id=three[0])
    with pytest.raises(Conflict, match="bytes"):
        at.run(listed)


def test_a_recording_that_is_worked_on_is_refused(at: Ending, three: list[str]) -> None:
    listed = at.approved(three[0])
    with at.home.ports.register.begin() as facts:
        facts.revive("transcode", three[0], now=LATER)
    with pytest.raises(Conflict, match="under way"):
        at.run(listed)


def test_a_list_whose_detail_was_exchanged_is_refused(at: Ending, three: list[str]) -> None:
    at.appraise(three[0])
    listed = at.propose(three[0])
    detail = next(e["detail_sha256"] for e in at.home.events(f"disposal/{listed}"))
    path = Path(at.home.settings.objects_url.removeprefix("file://")) / layout.detail_key(detail)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"over", b"oven"))
    with pytest.raises(Exception, match="other bytes") as refused:
        at.approve(listed)
    assert refused.value.code == "record-malformed"  # type: ignore[attr-defined]


# --- undo -------------------------------------------------------------------------------------------


def test_undoing_a_list_makes_everything_as_it_was(at: Ending, three: list[str]) -> None:
    listed = at.approved(*three)
    at.undo(listed)
    assert [at.state(one) for one in three] == ["indexed"] * 3
    with pytest.raises(WrongState, match="withdrawn"):
        at.run(listed)
    again = at.propose(*three)
    assert again != listed


def test_a_list_all_of_whose_recordings_were_taken_back_carries_out_nothing(at: Ending, three: list[str]) -> None:
    listed = at.approved(three[0])
    at.undo(listed, [three[0]])
    ran = at.run(listed)
    assert ran.disposed == ()
    assert at.standing(three[0])


def test_what_is_gone_cannot_be_undone(at: Ending, three: list[str]) -> None:
    one, two, _ = three
    listed = at.approved(one, two)
    with at.home.ports.register.begin() as facts:
        happening = Happening("disposing", f"recording/{one}", facts={"disposal": listed}, detail={"found": {}})
        facts.record(happening, actor=ONE, at=PAST_GRACE)
    for what in (None, [one]):
        with pytest.raises(WrongState, match="no way back"):
            at.undo(listed, what)
    at.undo(listed, [two])
    assert at.run(listed).disposed == (one,)


def test_undoing_needs_a_reason_and_a_recording_that_is_on_the_list(at: Ending, three: list[str]) -> None:
    listed = at.approved(three[0])
    with pytest.raises(NotFound):
        at.undo(listed, [three[1]])
    with pytest.raises(NotFound):
        at.undo("dis-none")


# --- lists ------------------------------------------------------------------------------------------


def test_a_recording_is_on_one_list_at_a_time(at: Ending, three: list[str]) -> None:
    listed = at.approved(three[0])
    with pytest.raises(WrongState, match="due"):
        at.propose(three[0])
    at.undo(listed)
    waiting = at.propose(three[0])
    with pytest.raises(Conflict, match=waiting):
        at.propose(three[0])
    with pytest.raises(Conflict, match=waiting):
        at.appraise(three[0], wish=Wish.KEEP, until=LATER + DAY)


def test_a_list_has_recordings_each_once_and_not_too_many(at: Ending, three: list[str]) -> None:
    at.appraise(*three)
    for wanted in ((), (three[0], three[0])):
        with pytest.raises(BadInput):
            at.propose(*wanted)
    with pytest.raises(NotFound):
        at.propose("rec-none")
    assert at.state(three[0]) == "indexed"


def test_every_decision_needs_a_reason(at: Ending, three: list[str]) -> None:
    for why in ("", "  \n"):
        with pytest.raises(BadInput, match="say why"):
            at.appraise(three[0], why=why)


def test_a_date_belongs_to_keeping_and_is_to_come(at: Ending, three: list[str]) -> None:
    for wish, until in ((Wish.KEEP, None), (Wish.DISPOSE, LATER + DAY), (Wish.KEEP, LATER), (Wish.ARCHIVE, LATER)):
        with pytest.raises(BadInput):
            at.appraise(three[0], wish=wish, until=until)


def test_the_due_list_asks_once_and_again_when_the_time_has_come(at: Ending, three: list[str]) -> None:
    one, two, three_ = three
    with at.home.ports.register.leasing() as connection:
        for recording in three:
            row = {"id": recording, "until": "2030-01-01T00:00:00.000000Z"}
            wanted = "INSERT INTO retention (recording, outcome, until, swept_at) VALUES (:id, 'due', :until, :until)"
            connection.execute(text(wanted), row)

    def asked(now: str) -> set[str]:
        with at.home.ports.register.view() as connection:
            return {row["id"] for row in ends.to_appraise(connection, at=now, limit=None)}

    assert asked("2040-01-01T00:00:00.000000Z") == set(three)
    at.appraise(one)
    at.appraise(two, wish=Wish.KEEP, until=LATER + 10 * DAY)
    assert asked("2040-01-02T00:00:00.000000Z") == {three_}
    assert asked("2040-02-01T00:00:00.000000Z") == {two, three_}


# --- what goes, and what stays ----------------------------------------------------------------------


def test_the_receipt_the_details_and_the_events_stay(at: Ending, three: list[str]) -> None:
    one = three[0]
    with at.home.ports.register.view() as connection:
        sha256 = search.original(connection, one)["sha256"]
    details = set(at.home.ports.store.keys("details/"))
    at.run(at.approved(one))
    assert at.home.ports.store.exists(layout.receipt_key(sha256))
    assert details <= set(at.home.ports.store.keys("details/"))
    assert at.home.story(one)[:3] == ["arrived", "measured", "sealed"]
    assert at.home.story(one)[-3:] == ["appraised", "disposing", "disposed"]


def test_the_tombstone_tells_what_it_was_why_it_went_and_that_it_is_gone(at: Ending, three: list[str]) -> None:
    one = three[0]
    with at.home.ports.register.view() as connection:
        original = search.original(connection, one)
    listed = at.approved(one)
    at.run(listed)
    stone = at.told(one)
    told = ("sha256", "size_bytes", "chunk_root", "packet_root", "receipt_sha256")
    assert {name: stone[name] for name in told} == {name: original[name] for name in told}
    assert (stone["proposed_by"], stone["approved_by"], stone["disposal"]) == (ONE, OTHER, listed)
    assert [one["code"] for one in stone["reasons"]] == [r.code for r in at.decision(one).reasons]
    removed = {one["key"]: one for one in stone["removed"]}
    gone = removed[layout.original_key(original["sha256"])]
    assert [version["size_bytes"] for version in gone["versions"]] == [original["size_bytes"]]
    assert all(one["answer"].startswith(("not there", "0")) for one in gone["asked"])


def test_a_derivative_that_another_recording_has_too_stays(at: Ending, three: list[str]) -> None:
    one, two, _ = three
    at.home.ports.store.put_bytes_once(layout.derivative_key("a" * 64), b"shared")
    for recording in (one, two):
        facts = {"kind": "proxy", "sha256": "a" * 64, "size_bytes": 6, "recipe": {}, "sandbox": "off"}
        record(at, "derived", f"recording/{recording}", None, **facts)
    at.run(at.approved(one))
    assert at.home.ports.store.exists(layout.derivative_key("a" * 64))
    assert at.told(one)["kept_for_others"] == {layout.derivative_key("a" * 64): [two]}
    at.run(at.approved(two))
    assert not at.home.ports.store.exists(layout.derivative_key("a" * 64))


def test_the_second_name_that_the_spool_kept_goes_too(at: Ending, three: list[str]) -> None:
    one = three[0]
    objects = Path(at.home.settings.objects_url.removeprefix("file://"))
    left = spooled(at.home.ports.spool, one).original
    left.hardlink_to(objects / at.keys(one)[0])
    at.run(at.approved(one))
    assert not left.exists()
    assert not any(one["traces"] for one in at.told(one)["removed"])


def test_another_name_of_the_same_file_is_told_in_the_tombstone(at: Ending, three: list[str], tmp_path: Path) -> None:
    one = three[0]
    objects = Path(at.home.settings.objects_url.removeprefix("file://"))
    (tmp_path / "elsewhere").hardlink_to(objects / at.keys(one)[0])
    at.run(at.approved(one))
    assert any(one["traces"] for one in at.told(one)["removed"])


def test_a_list_that_is_carried_out_is_carried_out(at: Ending, three: list[str]) -> None:
    listed = at.approved(three[0])
    assert at.run(listed).disposed == (three[0],)
    before = at.home.story(three[0])
    ran = at.run(listed)
    assert (ran.disposed, ran.is_finished) == ((), True)
    assert at.home.story(three[0]) == before


def test_of_two_runs_at_once_each_recording_is_disposed_of_once(at: Ending, three: list[str]) -> None:
    listed = at.approved(*three)
    with ThreadPoolExecutor(2) as pool:
        ran = list(pool.map(lambda _: at.run(listed), range(2)))
    assert all(one.is_finished for one in ran)
    for recording in three:
        assert at.home.times(recording, "disposing") == at.home.times(recording, "disposed") == 1
        assert at.standing(recording) == []
    assert [e["kind"] for e in at.home.events(f"disposal/{listed}")].count("disposal-finished") == 1


# --- values -----------------------------------------------------------------------------------------


def test_the_digest_of_a_list_is_of_its_entries_in_one_order() -> None:
    entries = [Entry(f"rec-{n}", "2030", ({"code": "term"},), "0" * 64, n) for n in range(3)]
    assert digest_of(entries) == digest_of(reversed(entries))
    assert digest_of(entries[:2]) != digest_of(entries)
    assert all(Entry.from_json(one.to_json()) == one for one in entries)


@pytest.mark.parametrize(
    "look_alike", ["zhang\u200b", "zha\u00adng", "\u2068zhang\u2069", "zhang\ufe0f", "\uff3ahang", "zh ang"]
)
def test_what_is_not_seen_in_a_name_makes_no_other_person(look_alike: str) -> None:
    assert is_same_person("cli:zhang", f"cli:{look_alike}")


def test_a_person_is_the_same_through_every_door() -> None:
    assert is_same_person("cli:a", "web:A")
    assert not is_same_person("cli:a", "cli:b")
    assert not is_same_person("a", "cli:b")
