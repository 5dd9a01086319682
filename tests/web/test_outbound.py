# SPDX-License-Identifier: Apache-2.0
"""The server connects to nothing inside on somebody's word, however names are resolved."""

import ipaddress
import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

from evidence.errors import BadInput, EvidockError, NotAllowed, ServerUnavailable
from web.outbound.allowed import Allowed
from web.outbound.client import Outbound
from web.outbound.transport import Gate

INSIDE = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",  # noqa: S104
    "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.0.8", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1",
    "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "2002:a00:1::", "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1", "2001:0:7f00:1::", "2001:db8::1",
]  # fmt: skip
OUTSIDE = ["1.1.1.1", "9.9.9.9", "2606:4700:4700::1111", "64:ff9b::101:101"]


@dataclass
class Listener:
    """A port that answers 200 to everything, and counts who came."""

    port: int
    met: int = 0


@contextmanager
def listener(address: str, port: int = 0) -> Iterator[Listener]:
    with socket.create_server((address, port)) as server:
        told = Listener(server.getsockname()[1])

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    told.met += 1
                    with client, suppress(OSError):
                        client.recv(65536)
                        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield told
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_inside_is_reached(address: str) -> None:
    with pytest.raises(NotAllowed):
        Outbound(Gate(Allowed(), lambda host, port: [address])).ask("GET", "https://hook.example.org/")


@pytest.mark.parametrize("address", OUTSIDE)
def test_addresses_of_the_internet_may_be_reached(address: str) -> None:
    assert Allowed().may("hook.example.org", ipaddress.ip_address(address))


def test_one_address_inside_among_several_is_enough_to_refuse() -> None:
    asked = Outbound(Gate(Allowed(), lambda host, port: ["1.1.1.1", "127.0.0.1"]))
    with pytest.raises(NotAllowed):
        asked.ask("GET", "https://hook.example.org/")


def test_a_name_that_is_rebound_a_thousand_times_leads_nowhere_inside() -> None:
    chance = random.Random(7)
    with listener("127.0.0.2") as ours, listener("127.0.0.1", ours.port) as forbidden:
        answers = (["127.0.0.2"], ["127.0.0.1"], ["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"])
        outbound = Outbound(
            Gate(Allowed.of(["127.0.0.2/32"]), lambda host, port: chance.choice(answers)), timeout_s=2.0
        )
        answered = 0
        for _ in range(1000):
            with suppress(EvidockError):
                answered += outbound.ask("GET", f"http://hook.example.org:{ours.port}/").body == b"ok"
        assert answered == ours.met > 100
        assert forbidden.met == 0


def test_a_redirect_is_told_and_not_followed() -> None:
    with listener("127.0.0.2") as ours:
        asked = Outbound(Gate(Allowed.of(["127.0.0.2"]), lambda host, port: ["127.0.0.2"]))
        assert asked.ask("GET", f"http://a.example.org:{ours.port}/").status == 200


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "gopher://a/", "https://", "https://u:p@example.org/", "http://example.org/", "//a", "a\nb"],
)
def test_only_https_without_a_password_is_asked(url: str) -> None:
    with pytest.raises(NotAllowed):
        Outbound(Gate(Allowed(), lambda host, port: ["1.1.1.1"])).ask("GET", url)


@pytest.mark.parametrize(
    "url", ["https://127.1/", "https://2130706433/", "https://0x7f.1/", "https://[::ffff:7f00:1]/"]
)
def test_no_spelling_of_loopback_is_reached(url: str) -> None:
    with pytest.raises(EvidockError) as met:
        Outbound(Gate(Allowed())).ask("GET", url)
    assert met.type in (NotAllowed, ServerUnavailable)


def test_a_name_without_an_address_is_told() -> None:
    def nobody(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    with pytest.raises(ServerUnavailable, match="resolved"):
        Outbound(Gate(Allowed(), nobody)).ask("GET", "https://hook.example.org/")


def test_what_is_allowed_is_a_host_an_address_or_a_network() -> None:
    told = Allowed.of(["OIDC.example.org", "10.1.0.0/16", "::1"])
    assert told.hosts == {"oidc.example.org"}
    assert [str(one) for one in told.networks] == ["10.1.0.0/16", "::1/128"]
    with pytest.raises(BadInput):
        Allowed.of(["10.1.0.0/33"])
