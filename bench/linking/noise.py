# SPDX-License-Identifier: Apache-2.0
"""This is where it is said how wrong dispatch, papers, cameras and clocks are in the simulated month.

The figures were set before a rule was tried, from what agencies and vendors tell of their errors, and are not touched
to please the rules. They are shares (0 to 1), minutes, metres or seconds, as the names say.
"""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Noise:
    """How often and how far what is told differs from what happened."""

    # The window of a case as it is entered. What is left over of the three shares is entered well: some minutes off.
    window_rounded: float = 0.30  # both ends to the nearest half hour
    window_from_memory: float = 0.12  # shifted by some 12 minutes, its length some 10 minutes off
    window_wrong: float = 0.03  # shifted by 20 to 60 minutes
    window_whole_case: float = 0.30  # of cases with two visits: from the first to the second, days apart
    two_cases: float = 0.03  # of cases: one inspection ends in two, entered alike
    # Papers that state times (现场检查笔录).
    paper: float = 0.65
    return_untold: float = 0.02  # of second visits: nothing in the register says that there was one
    paper_wrong: float = 0.02  # off by an hour or by a day: the form of another visit, copied
    paper_old_officers: float = 0.10  # names those who were planned, not those who came
    # Who came, and with what.
    swapped: float = 0.04  # of visits: one of the two named handed over to a colleague
    return_others: float = 0.15  # of second visits: by others than those of the first
    pair_mixed: float = 0.10  # of visits: the two are no usual pair, and are entered rightly
    camera_exchanged: float = 0.01  # of officers' days: two of a unit took each other's camera
    # How they film.
    paused: float = 0.08
    left_running: float = 0.03
    patrol: float = 0.25  # of officers' days: footage of no case
    button_test: float = 0.10
    photos: float = 0.25  # of visits
    # Clocks of cameras.
    drift_s_per_day: float = 1.5
    minute_off: float = 0.06  # of cameras: up to a minute, for ever
    zone_wrong: float = 0.005  # of cameras' days: eight hours off
    reset: float = 0.003  # of cameras' days: the clock begins anew at 2000 or 1970
    measured: float = 0.80  # of docks' readings: the offset was measured, to a second
    # Where.
    fix: float = 0.45  # of recordings that know their place
    fix_m: float = 15
    geocoded: float = 0.70  # of cases whose place is told
    geocode_rough: float = 0.15  # some 300 m off
    geocode_wrong: float = 0.05  # kilometres off
    # Numbers that an officer types or picks on a terminal.
    terminal: float = 0.12
    terminal_stale: float = 0.02  # of these: the case before is still picked
    terminal_idle: float = 0.05  # of footage of no case made with one: the case before is still picked
    note: float = 0.05

    def times(self, factor: float) -> "Noise":
        """The same with everything that goes wrong going wrong `factor` times as often, and as far for drift."""
        wrong = {name: min(getattr(self, name) * factor, 1.0) for name in _ERRORS}
        kept = {one.name: getattr(self, one.name) for one in fields(self)}
        return Noise(**(kept | wrong))


_ERRORS = (
    "window_from_memory",
    "window_wrong",
    "window_whole_case",
    "return_untold",
    "paper_wrong",
    "paper_old_officers",
    "swapped",
    "camera_exchanged",
    "paused",
    "left_running",
    "drift_s_per_day",
    "minute_off",
    "zone_wrong",
    "reset",
    "geocode_rough",
    "geocode_wrong",
    "terminal_stale",
    "terminal_idle",
)

REALISTIC = Noise()
HARSH = Noise().times(2)
