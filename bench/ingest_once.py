# SPDX-License-Identifier: Apache-2.0
"""This is where one recording is taken in to its receipt by a process that does nothing else: FILE HOME ANSWER."""

import json
import sys
import time
from pathlib import Path

from bench.installation import installed


def main(arguments: list[str]) -> None:
    """Take FILE into a fresh installation at HOME, and write the seconds of each step to ANSWER."""
    file, home, answer = (Path(argument) for argument in arguments)
    with installed(home) as installation:
        marks = [time.perf_counter()]
        recording = installation.arrive(file)
        marks.append(time.perf_counter())
        for step in ("fixity", "seal"):
            installation.run(step, recording)
            marks.append(time.perf_counter())
    steps = zip(("arrive", "fixity", "seal"), marks, marks[1:], strict=False)
    answer.write_text(json.dumps({name: end - begin for name, begin, end in steps}))


if __name__ == "__main__":
    main(sys.argv[1:])
