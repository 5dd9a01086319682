# SPDX-License-Identifier: Apache-2.0
"""F3. Every system call of an ingest fails once: it is never said to be done when it is not, and the next run does it.

The calls are those on the home and the card, of the process itself, of SQLite in it, and of its children.
"""

import contextlib
import errno
import json
import os
import random
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import app.cli.ingest
import app.cli.main
from evidence.verdict import Verdict
from pipeline.audit import verify_all
from tests.support import cameras
from tests.support.chaos import is_long, seeded, times
from tests.support.home import open_home
from tests.support.oracle import assert_each_once, assert_nothing_promised_is_lost, assert_whole, receipts
from tests.support.quick_folder import quick_folder
from tests.support.syscalls import FILLS, Call, Outcome, need_notification, run_struck

pytestmark = pytest.mark.timeout(4 * 3600)

_OFTEN = 10
# Done, and the world is down. Nothing else is a true answer to one call that failed.
_DONE, _LATER = 0, 75
# A defect by its status: words of Python or of a library instead of ours. Nothing false is said then, either,
# and the next run does it all the same; yet it should not be. Take a line out when its engine speaks our words.
_FOREIGN = frozenset(
    {
        ("openat", "home/evidock.toml"),  # told in our words, but as a bad setting
    }
)
_FAULT, _BAD_SETTING = 70, 3
Kind = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Stand:
    """A card with one file, and a home that knows its camera, copied for every try."""

    folder: Path
    source: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def said(self) -> str:
        return (self.folder / "said").read_text("utf-8", "replace")

    def ingest(self) -> int:
        """`evidock ingest` as the process that is looked at; the exit status."""
        out = os.open(self.folder / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
        os.environ["EVIDOCK_WORKERS"] = "1"  # steps one after another: each run makes the same calls, nearly
        sys.argv = ["evidock", "ingest", str(self.source.parent), "--json", "--home", str(self.home)]
        try:
            app.cli.main.run()
        except SystemExit as ended:
            return int(ended.code or 0)
        except BaseException:
            sys.excepthook(*sys.exc_info())
            return _FAULT
        return 0

    def run(self, fails: Callable[[Call], int | None]) -> Outcome:
        """An ingest into a new copy of the home, one call of which fails."""
        shutil.rmtree(self.home, ignore_errors=True)
        shutil.copytree(self.folder / "before", self.home)
        return run_struck(self.ingest, (self.home, self.source.parent), fails=fails)

    def kind(self, call: Call) -> Kind:
        """What is called on what sort of thing; numbers, digests and chance names do not matter."""
        path = call.path.removeprefix(f"{self.folder}/")
        path = re.sub(r"rec-[a-z0-9]{20}|[0-9a-f]{8,}|\.ask-\w+|tmp\w{8}", "#", path)
        return call.name, re.sub(r"(?<=/)(?:x?\d{3}|[0-9a-f]{2}|\d+)(?=[/.]|$)", "#", path)

    def kinds(self) -> tuple[dict[Kind, int], int]:
        """Every kind of call with how many there are, and the number of all, of an ingest that nothing befalls."""
        met: dict[Kind, int] = {}

        def note(call: Call) -> None:
            met[self.kind(call)] = met.get(self.kind(call), 0) + 1

        outcome = self.run(note)
        assert outcome.status == _DONE, self.said
        return met, outcome.calls


@pytest.fixture
def stand(request: pytest.FixtureRequest) -> Iterator[Stand]:
    need_notification()
    film = cameras.tiny(request.param).path
    with quick_folder("evd-calls-") as folder:
        card = folder / "card"
        card.mkdir()
        shutil.copy2(film, card / film.name)
        with open_home(folder / "before") as home:
            home.add_device(cameras.CAMERA.serial)
            home.publish()
        yield Stand(folder, card / film.name)


def answer(stand: Stand, outcome: Outcome, *, thoroughly: bool) -> None:
    """Nothing false was said; and what was not done is done by the next run."""
    context = f"{outcome.struck}\n{stand.said}"
    is_foreign = outcome.struck is not None and stand.kind(outcome.struck) in _FOREIGN
    assert outcome.status in ((_DONE, _LATER, _FAULT, _BAD_SETTING) if is_foreign else (_DONE, _LATER)), context
    with open_home(stand.home) as home:
        if thoroughly:
            assert_nothing_promised_is_lost(home)
        said = told_as_done(stand.said)
        # A file that cannot be looked at is named as skipped, and the rest of the card goes on.
        assert (bool(said) or '"reason": "unreadable"' in stand.said) == (outcome.status == _DONE), context
        assert said <= receipts(home), context
        home.ingest(stand.source.parent)
        if thoroughly:
            assert_whole(home, [stand.source])
            return
        assert_each_once(home, [stand.source])
        report = verify_all(home.ports)
        assert report.verdict is Verdict.PROVEN, (context, report.findings)


def told_as_done(said: str) -> set[str]:
    """Digests of the originals that an ingest said it has."""
    for line in said.splitlines():
        with contextlib.suppress(ValueError):
            body = json.loads(line)
            return {one["sha256"] for row in body.get("recordings", []) for one in row["originals"]}
    return set()


def errors_for(call_name: str, chance: random.Random) -> list[int]:
    """How a call may fail: all ways in a long run, one of them otherwise."""
    both = [errno.EIO, errno.ENOSPC] if call_name in FILLS else [errno.EIO]
    return both if is_long() else [chance.choice(both)]


@pytest.mark.parametrize(("stand", "landing"), [("photo", 24), ("silent", 8)], indirect=["stand"])
def test_a_call_of_each_kind_that_fails_is_told_and_the_next_run_makes_it_whole(stand: Stand, landing: int) -> None:
    chance = seeded("test_a_call_of_each_kind")
    kinds, calls = stand.kinds()
    tried = sorted(kinds) if is_long() else chance.sample(sorted(kinds), min(landing, len(kinds)))
    struck = 0
    for kind in tried:
        for error in errors_for(kind[0], chance):
            place = chance.randint(1, kinds[kind])
            outcome = stand.run(the_nth(stand, kind, place, error))
            struck += outcome.struck is not None
            answer(stand, outcome, thoroughly=struck % _OFTEN == 0)
    print(f"{calls} calls of {len(kinds)} kinds; {struck} failed, of {len(tried)} kinds")
    assert struck >= 0.9 * len(tried)


def the_nth(stand: Stand, kind: Kind, place: int, error: int) -> Callable[[Call], int | None]:
    """Lets the call of this kind fail that is the `place`th of them."""
    met = 0

    def fails(call: Call) -> int | None:
        nonlocal met
        if stand.kind(call) == kind:
            met += 1
        return error if met == place and stand.kind(call) == kind else None

    return fails


@pytest.mark.parametrize("stand", ["photo"], indirect=True)
def test_the_nth_call_fails_for_every_n(stand: Stand) -> None:
    """All of them in a long run; a few otherwise, chosen by chance."""
    chance = seeded("test_the_nth_call_fails")
    calls = stand.kinds()[1]
    numbers = times(6, calls + 20)
    tried = range(1, numbers + 1) if is_long() else sorted(chance.sample(range(1, calls), numbers))
    struck = 0
    for number in tried:
        for error in errors_for("write", chance):
            outcome = stand.run(lambda call, number=number, error=error: error if call.number == number else None)  # type: ignore[misc]
            if outcome.struck is None:
                continue
            struck += 1
            answer(stand, outcome, thoroughly=struck % _OFTEN == 0)
    print(f"{struck} failures at {len(tried)} of {calls} calls")
    assert struck
