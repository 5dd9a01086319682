# SPDX-License-Identifier: Apache-2.0
"""This is where tests put a machine of ours behind a link that loses packets, is slow, or is cut.

The machine is a network namespace; its only way out is a pair of virtual cards. What it sends to the near end reaches
the servers on this machine's loopback with their own ports, packet for packet: no proxy ends a connection
half-way, so that both ends see what a network does to them. Packets are lost by chance where they arrive.
"""

import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.footage import missing
from tests.support.servers import until

ROOT = Path(__file__).parents[2]
MTU, JUMBO = 1500, 9000
# The kernel sends again after 200 ms at the earliest, which suits a continent. These ends are micro-seconds apart.
_RTO_MIN = "10ms"
_ADDRESSES = random.SystemRandom()


def need_networks() -> None:
    """Skip, or fail in CI, where no network can be made."""
    if os.geteuid() != 0:
        pytest.skip("only root makes networks")
    for program, package in (("ip", "iproute2"), ("tc", "iproute2"), ("nft", "nftables"), ("nsenter", "util-linux")):
        if shutil.which(program) is None:
            missing(program, remedy=f"apt-get install {package}")


class Link:
    """A machine behind a link: `near` is where it finds the servers of this machine's loopback."""

    def __init__(self) -> None:
        self.name = f"evd{secrets.token_hex(3)}"
        # 198.18.0.0/15 is for tests of networks (RFC 2544): nobody's real address.
        number = _ADDRESSES.randrange(1, (1 << 17) // 4)
        self.near, self.far = (
            f"198.{18 + (n >> 16)}.{n >> 8 & 255}.{n & 255}" for n in (number * 4 + 1, number * 4 + 2)
        )
        self._card, self._far_card = f"{self.name}a", f"{self.name}b"
        self._inside = ("nsenter", f"--net=/run/netns/{self.name}")
        self._started: list[subprocess.Popen[bytes]] = []

    # --- the weather ------------------------------------------------------------------------

    def lose(self, *, out: int = 0, back: int = 0) -> None:
        """Lose so many of a hundred packets from the machine (`out`) and to it (`back`), by chance."""
        _nft(_losing(self._card, out))
        _nft(_losing(self._far_card, back), *self._inside)

    def cut(self) -> None:
        """Lose everything, and tell nobody: as a pulled cable behind a switch."""
        self.lose(out=100, back=100)

    def mend(self) -> None:
        """Lose nothing any more."""
        self.lose()

    def limit(self, mbit: int) -> None:
        """Let no more than that pass in a second, each way."""
        rule = f"root tbf rate {mbit}mbit burst 32kb latency 50ms".split()
        _run("tc", "qdisc", "replace", "dev", self._card, *rule)
        _run(*self._inside, "tc", "qdisc", "replace", "dev", self._far_card, *rule)

    def lost(self) -> int:
        """Packets lost since it was last asked to lose some."""
        return _counter(self._card, "lost") + _counter(self._far_card, "lost", *self._inside)

    def arrived(self) -> int:
        """Bytes of all packets of the machine that got through, from the beginning."""
        return _counter(self._card, "arrived", field="bytes")

    def congestion_control(self) -> str:
        """How the machine's kernel decides how fast to send."""
        return _run(*self._inside, "cat", "/proc/sys/net/ipv4/tcp_congestion_control").strip()

    # --- the machine ------------------------------------------------------------------------

    def reached(self, settings: Mapping[str, str]) -> dict[str, str]:
        """Settings as the machine must have them: servers of our loopback are at the near end."""
        return {name: value.replace("127.0.0.1", self.near) for name, value in settings.items()}

    def start(
        self, module: str, *words: str | Path, environment: Mapping[str, str], log: Path
    ) -> "subprocess.Popen[bytes]":
        """A process of the machine: `python -m MODULE WORDS`; it ends with the link."""
        command = [*self._inside, sys.executable, "-m", module, *map(str, words)]
        with log.open("ab") as told:
            started = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=told, stderr=told
            )
        self._started.append(started)
        return started

    # --- making and removing it -------------------------------------------------------------

    def make(self, mtu: int) -> None:
        """Lay the link; it loses nothing yet."""
        _run("ip", "netns", "add", self.name)
        pair = f"{self._card} mtu {mtu} type veth peer name {self._far_card} mtu {mtu} netns {self.name}"
        _run("ip", "link", "add", *pair.split())
        _run(*self._inside, "ip", "link", "set", "lo", "up")
        for inside, card, own in (((), self._card, self.near), (self._inside, self._far_card, self.far)):
            # Packets as a wire has them, not the large ones that the kernel hands from card to card.
            _run(*inside, "ip", "link", "set", "dev", card, "gso_max_segs", "1", "up")
            _run(*inside, "ip", "address", "add", f"{own}/30", "dev", card)
            route = f"{_net(self.near)} dev {card} proto kernel scope link src {own} rto_min {_RTO_MIN}"
            _run(*inside, "ip", "route", "replace", *route.split())
        Path(f"/proc/sys/net/ipv4/conf/{self._card}/route_localnet").write_text("1")
        _nft(_table(self._card, nat=f'iifname "{self._card}" dnat to 127.0.0.1'))
        _nft(_table(self._far_card), *self._inside)
        self.mend()

    def remove(self) -> None:
        """End what runs on the machine, and take all of it away, however much of it was made."""
        for started in self._started:
            started.kill()
            started.wait()
        with suppress(AssertionError):
            until(self._is_empty, "nothing runs on the machine", timeout_s=10)
        for words in (
            ("nft", "delete", "table", "ip", self._card),
            ("ip", "link", "delete", self._card),
            ("ip", "netns", "delete", self.name),
        ):
            subprocess.run(words, capture_output=True, check=False)

    def _is_empty(self) -> bool:
        found = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False)  # noqa: S607
        for pid in found.stdout.split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        return not found.stdout.strip()


@contextmanager
def link(*, mtu: int = MTU) -> Iterator[Link]:
    """A machine behind a link, gone at the end with all that ran on it."""
    need_networks()
    made = Link()
    try:
        made.make(mtu)
        yield made
    finally:
        made.remove()


def _net(address: str) -> str:
    start, _, last = address.rpartition(".")
    return f"{start}.{int(last) & ~3}/30"


def _table(card: str, *, nat: str = "") -> str:
    return f"""table ip {card} {{
        counter lost {{}}
        counter arrived {{}}
        chain losing {{ type filter hook prerouting priority -300; }}
        chain counting {{
            type filter hook prerouting priority -290;
            iifname "{card}" counter name "arrived"
        }}
        chain leading {{
            type nat hook prerouting priority -100;
            {nat}
        }}
    }}
    """


def _losing(card: str, percent: int) -> str:
    chance = "" if percent == 100 else f"numgen random mod 100 < {percent}"
    rule = f'add rule ip {card} losing iifname "{card}" {chance} counter name "lost" drop' if percent else ""
    return f"flush chain ip {card} losing\nreset counter ip {card} lost\n{rule}\n"


def _counter(card: str, name: str, *inside: str, field: str = "packets") -> int:
    words = _run(*inside, "nft", "list", "counter", "ip", card, name).split()
    return int(words[words.index(field) + 1])


def _nft(text: str, *inside: str) -> None:
    _run(*inside, "nft", "-f", "-", told=text)


def _run(*command: str, told: str = "") -> str:
    done = subprocess.run(command, input=told, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout
