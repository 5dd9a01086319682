# SPDX-License-Identifier: Apache-2.0
"""This is where `python -m bench.linking` lists every recording of a month that was left unfiled, and why it may be."""

import sys

from bench.linking.measure import month
from bench.linking.noise import REALISTIC
from evidence.linking_decision import decide
from pipeline.linking_rules import built_in


def main() -> int:
    """Print one line for each: the recording, its officer and time, the likeliest case, and the truth."""
    told, rules = month(int(sys.argv[1]) if len(sys.argv) > 1 else 1, REALISTIC), built_in()
    scores = decide(told.footages, told.works, rules)
    filed = {film for (film, _), score in scores.items() if score.permille >= rules.link_at}
    best: dict[str, tuple[int, str]] = {}
    for (film, case), score in scores.items():
        best[film] = max(best.get(film, (0, "")), (score.permille, case))
    true = dict(sorted(told.true))
    for one in (one for one in told.footages if one.id not in filed):
        permille, case = best.get(one.id, (0, "-"))
        when = "-" if one.start is None else one.start.isoformat(timespec="seconds")
        likeliest = f"likeliest {case} {permille}, truth {true.get(one.id, '-')}"
        sys.stdout.write(f"{one.id} {one.officer} {when} {likeliest}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
