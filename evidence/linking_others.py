# SPDX-License-Identifier: Apache-2.0
"""This is where footage finds its case by other ways than its officer's time: colleagues, numbers, places."""

from collections.abc import Iterator

from evidence.linking import Footage, Kind, Point, Rule, Work, metres_between
from evidence.linking_desk import SECOND, Desk
from evidence.linking_times import Filed, Span, Stretch, Visit, span


def _is_held(desk: Desk, visit: Visit) -> list[Stretch]:
    """The stretches that a visit holds already."""
    return [
        stretch
        for officer in sorted(visit.officers)
        for stretch in desk.theirs.near(officer, visit, desk.rules.reach)
        if any(desk.is_linked(shot, visit.work) for shot in stretch.shots)
    ]


def together(desk: Desk) -> None:
    """Two officers of a visit filmed alike, near a time at which neither filmed."""
    rule = desk.rules.of(Kind.OFFICERS_TOGETHER)
    if rule is None:
        return
    # All pairs first: cases of one inspection share them.
    found = [
        (visit, pair)
        for visit in desk.visits
        if visit.is_wide or not any(desk.placed_at(one, visit) for one in _is_held(desk, visit))
        for pair in _pairs(desk, visit, rule)
    ]
    for visit, (one, other) in found:
        for stretch, beside in ((one, other), (other, one)):
            for shot in stretch.shots:
                desk.speak(shot, visit.work, rule, officer=stretch.officer or "", beside=beside.officer or "")


def _pairs(desk: Desk, visit: Visit, rule: Rule) -> Iterator[tuple[Stretch, Stretch]]:
    free = [
        stretch
        for officer in sorted(visit.officers)
        for stretch in desk.theirs.near(officer, visit, desk.rules.reach)
        if desk.is_free(stretch) and _reaches(desk, stretch.span, visit, rule)
    ]
    for place, one in enumerate(free):
        for other in free[place + 1 :]:
            if one.officer != other.officer and one.span.ran_with(other.span, desk.rules):
                yield one, other


def _reaches(desk: Desk, one: Span, visit: Visit, rule: Rule) -> bool:
    """True when footage is within a rule's reach of a visit's time; of a wide window, within that of its ends."""
    if not visit.is_wide:
        return any(time.span.padded(rule.before, rule.after).shared(one) > 0 for time in visit.times)
    wide, window = desk.rules.of(Kind.OFFICER_WIDE), visit.times[0].span
    ends = (window.start, one.start), (window.end, one.end)
    return wide is not None and any(abs(told - seen) <= wide.before // SECOND for told, seen in ends)


def siblings(desk: Desk) -> None:
    """A colleague's camera that ran with a linked one, where an officer of the case has no footage."""
    rule = desk.rules.of(Kind.SIBLING)
    for visit in desk.visits if rule is not None else ():
        held = _is_held(desk, visit)
        if not held or len({one.officer for one in held}) >= len(visit.officers):
            continue
        for stretch in desk.units.near(held[0].unit, visit, desk.rules.reach):
            beside = next((one for one in held if _is_sibling(desk, stretch, one, rule)), None)
            if beside is None or stretch.officer in visit.officers or not desk.is_free(stretch):
                continue
            for shot in stretch.shots:
                desk.speak(shot, visit.work, rule, officer=stretch.officer or "", beside=beside.officer or "")


def _is_sibling(desk: Desk, stretch: Stretch, held: Stretch, rule: Rule | None) -> bool:
    if rule is None or not stretch.span.ran_with(held.span, desk.rules):
        return False
    ours, theirs = _points_of(desk, stretch), _points_of(desk, held)
    return not (ours and theirs) or min(metres_between(a, b) for a in ours for b in theirs) <= rule.metres


def unit_times(desk: Desk) -> None:
    """Footage of the unit that fits a visit which nothing is placed at."""
    rule = desk.rules.of(Kind.UNIT_TIME)
    for visit in desk.visits if rule is not None else ():
        if visit.is_wide or _is_held(desk, visit) or rule is None:
            continue
        for stretch in desk.units.near(visit.work.unit, visit, desk.rules.reach):
            fits = min(stretch.span.unlike(time.span) for time in visit.times)
            if desk.is_free(stretch) and fits <= (rule.before + rule.after) // SECOND:
                for shot in stretch.shots:
                    desk.speak(shot, visit.work, rule, seconds_off=fits, unit=visit.work.unit or "")


def wide(desk: Desk) -> None:
    """Footage of an officer within a window that says little, where nothing else places it.

    A case with papers says by them when work was done; of its window only the two ends say more.
    """
    rule = desk.rules.of(Kind.OFFICER_WIDE)
    for visit in (one for one in desk.visits if one.is_wide and rule is not None):
        for stretch in desk.near_visit(visit):
            is_told = not visit.work.papers or (rule is not None and _reaches(desk, stretch.span, visit, rule))
            if is_told and desk.is_free(stretch) and visit.times[0].span.shared(stretch.span) > 0:
                for shot in stretch.shots:
                    desk.speak(shot, visit.work, rule, officer=stretch.officer or "")


def numbers(desk: Desk) -> None:
    """Footage whose terminal, mark or note names the case."""
    works = {work.number: work for work in desk.works}
    for film in desk.films:
        for number in film.numbers:
            if number in works:
                _number(desk, film, works[number], desk.rules.of(Kind.CASE_NUMBER))
        for work in desk.works if film.notes else ():
            if any(work.number in note for note in film.notes):
                _number(desk, film, work, desk.rules.of(Kind.NOTE_NUMBER))


def _number(desk: Desk, film: Footage, work: Work, rule: Rule | None) -> None:
    if rule is None:
        return
    spans = [(paper.start, paper.end) for paper in work.papers] + [(work.start, work.end)]
    is_near = film.start is None or any(
        span(*one).padded(rule.before, rule.after).shared(span(film.start, film.end)) >= 0 for one in spans
    )
    desk.speak(film, work, rule if is_near else desk.rules.of(Kind.NUMBER_FAR), number=work.number)


def places(desk: Desk) -> None:
    """Footage filmed where a case took place, at about its time."""
    rule = desk.rules.of(Kind.PLACE)
    everywhere = Filed(desk.stretches, lambda one: "")
    for visit in desk.visits if rule is not None else ():
        if visit.work.area is not None and not visit.is_wide and rule is not None:
            for stretch in everywhere.near("", visit, max(rule.before, rule.after)):
                for shot in stretch.shots:
                    _place(desk, shot.footage, visit, rule)


def _place(desk: Desk, film: Footage, visit: Visit, rule: Rule) -> None:
    area = visit.work.area
    if area is None or film.start is None or not film.points:
        return
    if not _reaches(desk, span(film.start, film.end), visit, rule):
        return
    metres = min(metres_between(point, area.at) for point in film.points)
    if metres <= area.radius_m + rule.metres:
        desk.speak(film, visit.work, rule, metres=metres)


def revisits(desk: Desk) -> None:
    """Footage of an officer of a case, made where it took place on another day, that nothing else places."""
    rule = desk.rules.of(Kind.OFFICER_PLACE)
    free = [one for one in desk.stretches if rule is not None and _points_of(desk, one) and desk.is_free(one)]
    for work in desk.works if rule is not None else ():
        if work.area is None or rule is None:
            continue
        around = span(work.start, work.end).padded(rule.before, rule.after)
        for stretch in free:
            if stretch.officer in work.officers and around.shared(stretch.span) > 0:
                metres = min(metres_between(point, work.area.at) for point in _points_of(desk, stretch))
                if metres <= work.area.radius_m + rule.metres:
                    for shot in stretch.shots:
                        desk.speak(shot, work, rule, metres=metres, officer=stretch.officer or "")


def _points_of(desk: Desk, stretch: Stretch) -> tuple[Point, ...]:
    return tuple(point for shot in stretch.shots for point in shot.footage.points)
