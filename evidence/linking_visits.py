# SPDX-License-Identifier: Apache-2.0
"""This is where an officer's footage finds the visits the officer was named for: by papers, else by the window."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from evidence.linking import SURE, Kind
from evidence.linking_desk import SECOND, Desk
from evidence.linking_times import Match, Shot, Span, Stretch, Time, Visit

_TIMED = (Kind.OFFICER_PAPER, Kind.OFFICER_WINDOW)


def settle_times(desk: Desk) -> None:
    """Where footage bears out a paper, the window that was entered says nothing more of that visit."""
    for place, visit in enumerate(desk.visits):
        papers = tuple(time for time in visit.times if time.kind is Kind.OFFICER_PAPER)
        if papers and len(papers) < len(visit.times) and _is_borne_out(desk, visit, papers):
            desk.visits[place] = replace(visit, times=papers)


def _is_borne_out(desk: Desk, visit: Visit, papers: Sequence[Time]) -> bool:
    return any(
        desk.is_in(shot, time)
        for officer in sorted(visit.officers)
        for stretch in desk.theirs.near(officer, visit, desk.rules.reach)
        for shot in stretch.shots
        for time in papers
    )


def take(desk: Desk, match: Match) -> None:
    """A stretch and the visit it fits best: all of it that is of the visit, or none."""
    shots, visit = match.stretch.shots, match.visit
    if not any(_met(desk, shot, visit) for shot in shots):
        _near(desk, match)
        return
    others = _beside(desk, match)
    for shot in shots:
        is_rest = shot.footage.id in desk.rests
        time = _carried(desk, shot, match, others) if is_rest else _met(desk, shot, visit)
        if time is not None:
            desk.place(shot, visit, time)
    for shot in shots:
        _take_along(desk, shot, match)


def _beside(desk: Desk, match: Match) -> list[Stretch]:
    """What the visit's other officers filmed while the stretch ran."""
    near = (
        stretch
        for officer in sorted(match.visit.officers - {match.stretch.officer or ""})
        for stretch in desk.theirs.near(officer, match.visit, desk.rules.reach)
    )
    both = Span(max(match.time.span.start, match.stretch.span.start), min(match.time.span.end, match.stretch.span.end))
    return [one for one in near if one.span.shared(both) > 0]


def _take_along(desk: Desk, shot: Shot, match: Match) -> None:
    """A photo made while a placed piece of the same stretch ran, or the short rest that its camera cut off."""
    case = match.visit.work.id
    if case in desk.placed.get(shot.footage.id, {}):
        return
    enough = desk.rules.enough // SECOND
    is_short = shot.span.length <= enough and match.time.span.shared(shot.span) > -enough
    for other in match.stretch.shots:
        is_placed = case in desk.placed.get(other.footage.id, {})
        if is_placed and (_is_during(shot, other) or (is_short and desk.is_rest(shot, other))):
            desk.place(shot, match.visit, match.time)
            return


def _is_during(shot: Shot, other: Shot) -> bool:
    return other.span.start <= shot.span.start and shot.span.end <= other.span.end


def _met(desk: Desk, shot: Shot, visit: Visit) -> Time | None:
    """The first of a visit's times that a shot lies in for the greater part."""
    for time in visit.times:
        if desk.is_in(shot, time):
            return time
    return None


def _carried(desk: Desk, shot: Shot, match: Match, others: Sequence[Stretch]) -> Time | None:
    """The time of a match for a file that its camera began by itself while it filmed the visit.

    The other officers' cameras say how long the visit was; without one the stated time does.
    """
    rule, time, enough = desk.rules.of(match.time.kind), match.time, desk.rules.enough // SECOND
    if rule is None:
        return None
    half = shot.span.length * desk.rules.share // SURE
    shared = time.span.padded(rule.before, rule.after).shared(shot.span)
    if others:
        ran = max(one.span.shared(shot.span) for one in others)
        return time if max(ran, time.span.shared(shot.span)) >= min(enough, half) else None
    is_whole = match.stretch.span.length <= time.span.length + (rule.before + rule.after) // SECOND
    return time if is_whole or shared >= min(enough, half) else None


def _near(desk: Desk, match: Match) -> None:
    rule, time, stretch = desk.rules.of(Kind.OFFICER_NEAR), match.time.span, match.stretch.span
    if rule is None or time.padded(rule.before, rule.after).shared(stretch) < 0:
        return
    # A photo has no length to compare.
    if stretch.length == 0 or stretch.is_like(time, desk.rules.share):
        for shot in match.stretch.shots:
            desk.speak(shot, match.visit.work, rule, officer=match.stretch.officer or "", seconds_off=match.apart)


def within(desk: Desk) -> None:
    """Footage of an officer that lies in a visit's time for the greater part, besides what was matched."""
    for visit in desk.visits:
        near = desk.near_visit(visit)
        held = [one for one in near if desk.placed_at(one, visit)]
        for stretch in near:
            others = [one for one in held if one.officer != stretch.officer]
            for shot in stretch.shots:
                _within(desk, shot, visit, others)


def _within(desk: Desk, shot: Shot, visit: Visit, others: Sequence[Stretch]) -> None:
    if visit.work.id in desk.placed.get(shot.footage.id, {}):
        return
    for time in visit.times:
        if time.kind in _TIMED and desk.is_in(shot, time) and _has_own(desk, shot, time.span):
            # A file that a camera began by itself, after the others' had ended: it was left running.
            is_tail = others and shot.span.start > max(one.span.end for one in others)
            if not (is_tail and shot.footage.id in desk.rests):
                desk.place(shot, visit, time)
            return


def _has_own(desk: Desk, shot: Shot, time: Span) -> bool:
    """True when no other case holds the footage for that time; a case of the same time holds none of it alone."""
    own = min(shot.span.length, time.length) * desk.rules.share
    for other in desk.placed.get(shot.footage.id, {}).values():
        if other.unlike(time) <= desk.rules.alike // SECOND:
            continue
        # What of the footage lies in this time, and before or behind the other.
        inside = Span(max(time.start, shot.span.start), min(time.end, shot.span.end))
        if (inside.length - max(0, other.shared(inside))) * 1000 <= own:
            return False
    return True


def twins(desk: Desk) -> None:
    """Cases of one inspection, entered with the same times and officers, hold the same footage."""
    alike: dict[object, list[Visit]] = defaultdict(list)
    for visit in desk.visits:
        alike[tuple(time.span for time in visit.times), visit.officers].append(visit)
    for visits in (group for group in alike.values() if len(group) > 1):
        cases = {visit.work.id for visit in visits}
        for stretch in (one for visit in visits[:1] for one in desk.near_visit(visit)):
            for shot in stretch.shots:
                if cases & desk.placed.get(shot.footage.id, {}).keys():
                    for visit in visits:
                        desk.place(shot, visit, visit.times[0])
