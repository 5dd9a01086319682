# SPDX-License-Identifier: Apache-2.0
"""Programs that listen are told what happened: signed, in order, until they hear; nobody is told of inside."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from app import clocks
from pipeline.people import Officer, register_officer
from storage.secret_box import SecretBox
from tests.support.home import open_home
from tests.support.people import Hall, hall_of_people
from web.outbound.allowed import Allowed
from web.outbound.client import Outbound
from web.outbound.telling import Teller, signature
from web.outbound.transport import Gate
from web.signin.means import Means


@dataclass
class Program:
    """A program of somebody else: what it heard, and what it answers."""

    port: int = 0
    answers: list[int] = field(default_factory=list)
    heard: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in"


@contextmanager
def program() -> Iterator[Program]:
    told = Program()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            names = ("webhook-id", "webhook-timestamp", "webhook-signature")
            told.heard.append({name: self.headers[name] for name in names} | {"body": body})
            self.send_response(told.answers.pop(0) if told.answers else 204)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield told
        server.shutdown()
        thread.join()


@dataclass
class Office:
    """A server whose administrator lists programs, and the round that tells them, at a time of the test's."""

    hall: Hall
    outbound: Outbound
    box: SecretBox
    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def tell(self) -> int:
        def note(event: str, sentence: str, **ids: Any) -> None:
            """Nobody listens."""

        return Teller(self.hall.home.ports, self.outbound, self.box, self.now, note).once()

    def add(self, url: str, *kinds: str) -> dict[str, Any]:
        answer = self.hall["admin"].post("/webhooks", {"url": url, "kinds": list(kinds)})
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def register(self, *numbers: str) -> None:
        for number in numbers:
            register_officer(Officer(number, "Li", "01"), ports=self.hall.home.ports, now=clocks.now())

    def deliveries(self, webhook: str) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = self.hall["admin"].get(f"/webhooks/{webhook}/deliveries").json()["items"]
        return told


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    with open_home(folder) as home:
        box = SecretBox.create_or_load(folder / "keys", chance=home.ports.chance)
        outbound = Outbound(Gate(Allowed.of(["127.0.0.1"])))
        with hall_of_people(home, is_filled=False, outbound=outbound, sign_in=Means(box=box)) as hall:
            yield Office(hall, outbound, box)


@pytest.fixture(autouse=True)
def _as_before(office: Office) -> Iterator[None]:
    yield
    office.ahead = timedelta()
    admin = office.hall["admin"]
    for one in admin.get("/webhooks").json()["items"]:
        assert admin.ask("DELETE", f"/webhooks/{one['id']}").status_code == 204


def test_what_happened_is_told_signed_and_says_little(office: Office) -> None:
    with program() as heard:
        made = office.add(heard.url, "officer-registered")
        office.register("100001")
        assert office.tell() == 1
    told = heard.heard[0]
    body = json.loads(told["body"])
    assert body["type"] == "officer-registered"
    assert set(body["data"]) == {"stream", "seq"}
    assert "Li" not in told["body"]
    secret = base64.b64decode(made["secret"].removeprefix("whsec_"))
    at = datetime.fromtimestamp(int(told["webhook-timestamp"]), UTC)
    assert told["webhook-signature"] == signature(secret, identifier=told["webhook-id"], at=at, body=told["body"])


def test_only_kinds_that_were_asked_for_are_told_and_only_from_then_on(office: Office) -> None:
    office.register("100002")
    with program() as heard:
        office.add(heard.url, "case-opened")
        office.register("100003")
        assert office.tell() == 0
    assert heard.heard == []


def test_one_that_does_not_hear_is_told_again_in_order_and_under_the_same_id(office: Office) -> None:
    with program() as heard:
        heard.answers = [500, 302]
        made = office.add(heard.url, "officer-registered")
        office.register("100004", "100005")
        assert office.tell() == 0
        assert office.tell() == 0, "it is not time yet"
        assert len(heard.heard) == 1
        office.ahead = timedelta(minutes=1)
        assert office.tell() == 0, "a redirect is no yes"
        office.ahead = timedelta(minutes=5)
        assert office.tell() == 2
    sent = [one["webhook-id"] for one in heard.heard]
    assert sent[0] == sent[1] == sent[2] < sent[3]
    assert [one["state"] for one in office.deliveries(made["id"])] == ["delivered", "delivered"]


def test_one_that_does_not_hear_keeps_nobody_else_waiting(office: Office) -> None:
    with program() as deaf, program() as heard:
        deaf.answers = [500] * 10
        office.add(deaf.url, "officer-registered")
        office.add(heard.url, "officer-registered")
        office.register("100006")
        assert office.tell() == 1
        assert len(heard.heard) == 1


def test_one_that_is_gone_is_given_up_after_days(office: Office) -> None:
    with program() as heard:
        url = heard.url
    made = office.add(url, "officer-registered")
    office.register("100007")
    for _ in range(26):
        office.tell()
        office.ahead += timedelta(hours=6, minutes=5)
    assert [(one["state"], one["tries"]) for one in office.deliveries(made["id"])] == [("failed", 25)]


@pytest.mark.parametrize("url", ["https://127.0.0.2/", "https://[::1]/", "https://169.254.169.254/latest/meta-data/"])
def test_no_program_is_listed_that_is_somewhere_inside(office: Office, url: str) -> None:
    answer = office.hall["admin"].post("/webhooks", {"url": url, "kinds": ["sealed"]})
    assert answer.status_code == 403
    assert office.hall["admin"].get("/webhooks").json()["items"] == []


@pytest.mark.parametrize("kind", ["accessed", "signed-in", "nothing-such"])
def test_nobody_is_told_who_looked_or_signed_in(office: Office, kind: str) -> None:
    answer = office.hall["admin"].post("/webhooks", {"url": "https://1.1.1.1/", "kinds": [kind]})
    assert answer.status_code == 400


def test_its_secret_is_shown_once_and_rests_sealed(office: Office) -> None:
    with program() as heard:
        made = office.add(heard.url, "sealed")
    assert "secret" not in office.hall["admin"].get(f"/webhooks/{made['id']}").json()
    for path in Path(office.hall.home.settings.home).rglob("*"):
        if path.is_file():
            assert made["secret"].removeprefix("whsec_").encode() not in path.read_bytes(), path


def test_a_test_message_tells_whether_somebody_listens(office: Office) -> None:
    with program() as heard:
        made = office.add(heard.url, "sealed")
        answer = office.hall["admin"].post(f"/webhooks/{made['id']}/test")
        assert answer.status_code == 202
        assert office.tell() == 1
    assert json.loads(heard.heard[0]["body"])["type"] == "test"


@pytest.mark.parametrize("role", ["officer", "investigator", "legal", "approver", "service"])
def test_only_an_administrator_lists_programs(office: Office, role: str) -> None:
    assert office.hall[role].post("/webhooks", {"url": "https://1.1.1.1/", "kinds": ["sealed"]}).status_code == 403
