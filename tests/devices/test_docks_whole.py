# SPDX-License-Identifier: Apache-2.0
"""A station with many devices, a server that restarts and a network that is cut: every byte once."""

import random
import signal
import time
from pathlib import Path

import pytest

from devices.agent.spool import PIECE_BYTES
from tests.support.chaos import is_long, seeded, times
from tests.support.dock_hall import MIB, Hall, hall
from tests.support.oracle import assert_whole
from tests.support.servers import until

MOST_MEMORY = 300 * MIB
PATIENCE_S = 60.0


def all_removable(made: Hall, ports: int) -> bool:
    return list(made.station.phases().values()) == ["removable"] * ports


@pytest.mark.timeout(3600 if is_long() else 300)
def test_many_devices_lose_nothing_while_the_server_restarts_and_the_network_is_cut(tmp_path: Path) -> None:
    """64 devices for ten minutes under `make chaos`."""
    chance = seeded("test_many_devices_lose_nothing")
    devices, seconds, size = times(8, 64), times(10, 600), times(16, 64) * MIB
    with hall(tmp_path) as made:
        cards = [made.card(number, (size, MIB)) for number in range(devices)]
        made.wire.bytes_a_second = devices * (size + MIB) // seconds
        made.start_worker()
        for number, card in enumerate(cards):
            made.plug_in(card, f"p{number:02d}")
        until(lambda: len(made.station.uploaded()) == devices, "every device is being copied", timeout_s=PATIENCE_S)
        half = _weather(made, chance, seconds=seconds, half=devices * size // 2)
        made.wire.bytes_a_second = 0
        until(lambda: all_removable(made, devices), "every device may be taken out", timeout_s=times(60, 600))

        until(lambda: not _waits(made), "nothing waits any more")
        told = made.station.network()
        resent = told["sent_bytes"] - told["acknowledged_bytes"]
        print(f"{devices} devices, {told['sent_bytes'] / MIB:.0f} MiB sent, {resent / MIB:.1f} MiB of it again, "
              f"{told['cuts']} pieces cut, {made.wire.broken} connections broken, "
              f"memory {made.station.memory() / MIB:.0f} MiB, at half {_spread(half):.2f} of the fastest")  # fmt: skip
        # Of a file whose last answer was lost, and which the server then calls decided, the agent never hears more.
        assert told["acknowledged_bytes"] <= sum(path.stat().st_size for path in made.sources)
        assert told["cuts"] > 0
        # Counted by the wire and by the agent: what either calls a cut has not cost more than a piece.
        assert resent <= PIECE_BYTES * min(told["cuts"], made.wire.broken)
        assert made.station.memory() < MOST_MEMORY
        assert max(half.values()) - min(half.values()) <= max(0.2 * max(half.values()), PIECE_BYTES + MIB), half
        until(made.jobs_are_done, "every job is done", timeout_s=times(60, 900))
        assert made.station.send(signal.SIGTERM) == 0
        assert_whole(made.home, made.sources)


def _waits(made: Hall) -> bool:
    told = made.station.network()
    return bool(told["waiting_files"] or told["untold"])


def _spread(half: dict[str, int]) -> float:
    return (max(half.values()) - min(half.values())) / max(half.values())


def _weather(made: Hall, chance: random.Random, *, seconds: int, half: int) -> dict[str, int]:
    """Bad weather for so long; what each port had sent when half of all was."""
    end, seen = time.monotonic() + seconds, dict[str, int]()
    while time.monotonic() < end:
        time.sleep(chance.uniform(0.3, times(2, 4)))
        if not seen and sum((now := made.station.uploaded()).values()) >= half:
            seen = now
        draw = chance.random()
        if draw < 0.7:
            made.wire.cut()
        elif draw < 0.85:
            made.wire.shut()
            time.sleep(chance.uniform(0.1, 1.0))
            made.wire.is_open = True
        else:
            made.server.kill() if draw < 0.95 else made.server.stop()
            made.server.start()
    until(lambda: seen or sum(made.station.uploaded().values()) >= half, "half of it is sent", timeout_s=times(60, 900))
    return seen or made.station.uploaded()
