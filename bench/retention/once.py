# SPDX-License-Identifier: Apache-2.0
"""This is where one sweep is done by a process that does nothing else: HOME REGISTER-URL NOW ANSWER."""

import hashlib
import json
import resource
import sys
import time
from pathlib import Path

from app.settings import load_settings
from app.wiring import wired
from bench.retention.filling import BYTES
from evidence import instant
from pipeline.retain import sweep
from storage import layout


def main(arguments: list[str]) -> None:
    """Sweep, and write seconds, memory and what was found to ANSWER."""
    home, url, now, answer = arguments
    settings = load_settings({"EVIDOCK_HOME": home, "EVIDOCK_REGISTER_URL": url})
    with wired(settings, actor="bench") as ports:
        ports.store.put_bytes_once(layout.original_key(hashlib.sha256(BYTES).hexdigest()), BYTES)
        resident = peak_bytes()
        before = resource.getrusage(resource.RUSAGE_SELF)
        began = time.perf_counter()
        swept = sweep(ports, instant.from_text(now))
        seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "seconds": seconds,
        "processor_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "memory_before": resident,
        "memory": peak_bytes(),
        "changed": swept.changed,
        "outcomes": {outcome.value: count for outcome, count in sorted(swept.outcomes.items())},
    }
    Path(answer).write_text(json.dumps(told))


def peak_bytes() -> int:
    """The most this program had resident, as the kernel kept it since it was started."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    main(sys.argv[1:])
