# SPDX-License-Identifier: Apache-2.0
"""This is where every secret is entered at the real server, and then looked for everywhere it must not be.

Lines are written without being told which secrets there are, so that nothing is cut out: what is not there was never
said. Beside them, everything that any library says at any level is kept with its values.
"""

import io
import json
import logging
import re
import secrets
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app import clocks
from app.operate.lines import Lines
from evidence.access import Role
from pipeline.docks import Invitation, invite
from pipeline.sign_in_links import issue_link
from storage.secret_box import SecretBox
from tests.support.command import evidock
from tests.support.home import Home, open_home
from tests.support.people import Hall, add_user, hall_of_people
from tests.support.servers import until
from tests.support.sign_in import quick_figures
from web.oidc.provider import Provider, Registration
from web.outbound.allowed import Allowed
from web.outbound.client import Outbound
from web.outbound.transport import Gate
from web.signin.means import Means
from web.signin.passwords import Passwords

NOWHERE = "127.0.0.1:9"
FORGED = 'hall\n{"event":"forged"}\r\x1b[2Jforged\u2028forged'


def marker(kind: str) -> str:
    return f"planted {kind} {secrets.token_hex(12)}"


class Everything(logging.Handler):
    """What libraries say at any level, with values and traces; not what the tests' own client says."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(("httpx2", "httpcore2")):
            self.heard.append(logging.Formatter("%(name)s %(message)s").format(record))


@dataclass(slots=True)
class Watched:
    """A server, all that it says, and all that was planted."""

    hall: Hall
    said: tuple[io.StringIO, io.StringIO]
    libraries: Everything
    planted: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def plant(self, kind: str, secret: str = "") -> str:
        self.planted[kind] = secret or marker(kind)
        return self.planted[kind]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """What is answered; refusals are kept to be looked through."""
        origin = str(self.hall.nobody.base_url).rstrip("/")
        told = {"Origin": origin, **{name.replace("_", "-"): value for name, value in headers.items()}}
        self.hall.nobody.cookies.clear()
        answer = self.hall.nobody.request(method, f"/v1{path}", json=body, headers=told)
        if answer.status_code >= 400:
            self.problems.append(f"{answer.text} {answer.headers}")
        return answer

    def places(self) -> dict[str, str]:
        """Everything that was said or kept, by where."""
        home = self.hall.home.settings
        files = [path for path in home.home.rglob("*") if path.is_file() and home.keys not in path.parents]
        return {
            "json lines": self.said[0].getvalue(),
            "plain lines": self.said[1].getvalue(),
            "libraries": "\n".join(self.libraries.heard),
            "problems": "\n".join(self.problems),
            # The register with its events and their details, tiles, receipts, whatever lies there.
            **{str(path.relative_to(home.home)): path.read_bytes().decode("latin-1") for path in files},
        }


@contextmanager
def watched(home: Home) -> Iterator[Watched]:
    said, libraries, root = (io.StringIO(), io.StringIO()), Everything(), logging.getLogger()
    lines = [Lines(out, as_json=as_json) for out, as_json in zip(said, (True, False), strict=True)]

    def note(event: str, sentence: str, **ids: Any) -> None:
        for one in lines:
            one.note(event, sentence, **ids)

    box, figures = SecretBox.create_or_load(home.settings.keys, chance=clocks.chance), quick_figures()
    outbound, secret = Outbound(Gate(Allowed.of(("127.0.0.1",)))), marker("secret of the provider's client")
    provider = Provider(Registration(f"http://{NOWHERE}", "evidock", secret), outbound, time.monotonic)
    means = Means(figures=figures, box=box, passwords=Passwords(figures), oidc=provider)
    level = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(libraries)
    try:
        with (
            lines[0].heard(),
            lines[1].heard(),
            hall_of_people(home, is_filled=False, note=note, sign_in=means, outbound=outbound) as hall,
        ):
            yield Watched(hall, said, libraries, {"secret of the provider's client": secret})
    finally:
        root.removeHandler(libraries)
        root.setLevel(level)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with open_home(tmp_path_factory.mktemp("secret") / "home") as home, watched(home) as made:
        yield made


def a_person(here: Watched) -> None:
    """Link, passwords right and wrong, cookie, codes right and wrong, passkey."""
    ports = replace(here.hall.home.ports, actor="cli:root")
    user = add_user(ports, "li", Role.LEGAL)
    link = here.plant("link", issue_link(user, lasts=timedelta(hours=1), ports=ports, now=clocks.now()).token)
    password = here.plant("password")
    assert here.ask("POST", "/session/link", {"link": here.plant("wrong link"), "password": password}).is_client_error
    assert here.ask("POST", "/session/link", {"link": link, "password": "short"}).is_client_error
    assert here.ask("POST", "/session/link", {"link": link, "password": password}).status_code == 201
    assert here.ask("POST", "/session", {"login": "li", "password": here.plant("wrong password")}).is_client_error
    assert here.ask("POST", "/session", {"login": here.plant("password as login"), "password": "x"}).is_client_error
    assert here.ask("POST", "/session", {"login": "li", "password": [here.plant("malformed")]}).is_client_error
    came = here.ask("POST", "/session", {"login": "li", "password": password})
    cookie = f"evidock={here.plant('session', came.cookies['evidock'])}"
    offer = here.ask("POST", "/me/totp", Cookie=cookie).json()
    secret = here.plant("secret of codes", offer["secret"])
    here.plant("offer of codes", offer["offer"])
    wrong = {"offer": offer["offer"], "code": here.plant("wrong code", "no-code-9713")}
    assert here.ask("POST", "/me/totp/confirm", wrong, Cookie=cookie).is_client_error
    code = here.plant("code", pyotp.TOTP(secret).at(clocks.now()))
    assert here.ask("POST", "/me/totp/confirm", {"offer": offer["offer"], "code": code}, Cookie=cookie).is_success
    assert here.ask("GET", "/me", Cookie=f"evidock={here.plant('wrong session', secrets.token_urlsafe(32))}").is_error
    assert here.ask("POST", "/session/passkey", {"passkey": {"id": here.plant("passkey")}}).is_client_error


def programs(here: Watched) -> None:
    """Keys right and wrong, webhooks, media leave."""
    admin = here.hall["admin"]
    until = (clocks.now() + timedelta(days=9)).isoformat()
    made = admin.post("/keys", {"name": "p", "acts": ["case.read"], "until_at": until}, Idempotency_Key="secret-1")
    key = here.plant("key", made.json()["key"])
    assert here.ask("GET", "/cases", Authorization=f"Bearer {key}").is_success
    assert here.ask("GET", "/users", Authorization=f"Bearer {key}").is_client_error
    for kind in ("evk_", "", "evk"):
        wrong = here.plant(f"wrong key {kind}", kind + secrets.token_urlsafe(32))
        assert here.ask("GET", "/cases", Authorization=f"Bearer {wrong}").is_client_error
    hook = {"url": f"http://{NOWHERE}/hook", "kinds": ["case-opened"]}
    here.plant("webhook", admin.post("/webhooks", hook, Idempotency_Key="secret-2").json()["secret"])
    leave = here.plant("media leave", "evm_" + secrets.token_urlsafe(48))
    for path in (f"/media/{leave}/proxy.mp4", f"/media/{leave}/index.m3u8"):
        assert here.ask("GET", path).is_client_error
    assert here.ask("GET", "/oidc/start").is_error


def docks(here: Watched) -> None:
    """Codes right and wrong; tokens."""
    key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    told = {"key": b64encode(key).decode(), "name": "hall"}
    code = here.plant("dock's code", invite(Invitation("hall"), ports=here.hall.home.ports, now=clocks.now()).code)
    assert here.ask("POST", "/enrolments", {**told, "code": here.plant("wrong code of a dock")}).is_client_error
    assert here.ask("POST", "/enrolments", {**told, "code": code}).status_code == 201
    token = here.plant("wrong token of a dock", secrets.token_urlsafe(32))
    assert here.ask("GET", "/uploads", Authorization=f"Bearer {token}").is_client_error


def test_no_secret_that_was_entered_is_in_any_line_event_answer_or_output(here: Watched) -> None:
    for enter in (a_person, programs, docks):
        enter(here)
    places = here.places()

    assert "dock-enrolled" in places["json lines"], "lines are written"
    assert here.libraries.heard, "libraries are heard"
    assert len(here.problems) > 12
    assert len(here.planted) > 18
    for kind, secret in here.planted.items():
        alone = re.compile(rf"(?<![\w.]){re.escape(secret)}(?![\w.])" if secret.isdigit() else re.escape(secret))
        found = [where for where, text in places.items() if alone.search(text)]
        assert not found, f"{kind} is in {found}"


def test_a_defect_whose_words_hold_a_secret_says_where_and_not_what(here: Watched) -> None:
    secret = marker("crash")

    def break_down() -> None:
        raise RuntimeError(f"cannot use {secret}")

    here.hall.app.add_api_route("/v1/broken", break_down)
    try:
        answer = here.hall.nobody.get("/v1/broken")
    finally:
        here.hall.app.router.routes.pop()
    assert answer.status_code == 500
    assert secret not in answer.text
    # The server says it after the answer.
    until(lambda: all("RuntimeError" in out.getvalue() for out in here.said), "the defect is told", timeout_s=5)
    for out in here.said:
        assert secret not in out.getvalue()


def test_a_name_with_new_lines_and_escapes_forges_no_line(here: Watched) -> None:
    key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    code = invite(Invitation("hall two"), ports=here.hall.home.ports, now=clocks.now()).code
    here.ask("POST", "/enrolments", {"code": code, "key": b64encode(key).decode(), "name": FORGED})
    here.ask("POST", "/session", {"login": FORGED, "password": FORGED})
    here.ask("GET", "/cases", Authorization="Bearer evk_{forged}", User_Agent="a\t{forged}")
    note = here.hall.app.state.context.note
    note("dock-enrolled", f"dock {FORGED} is enrolled", dock=FORGED)

    as_json, plain = (out.getvalue() for out in here.said)
    for line in as_json.splitlines():
        assert json.loads(line)["event"] != "forged"
    assert "\x1b" not in as_json + plain
    assert "\u2028" not in as_json + plain
    assert not [line for line in plain.split("\n") if line.startswith(("forged", "{"))]


@pytest.mark.parametrize("words", [("doctor",), ("doctor", "--json"), ("case", "list")])
def test_passwords_in_addresses_of_engines_are_in_no_output(tmp_path: Path, words: tuple[str, ...]) -> None:
    planted = {name: f"planted{secrets.token_hex(8)}" for name in ("register", "broker", "feed", "objects")}
    said = evidock(
        *words,
        home=tmp_path / "home",
        EVIDOCK_REGISTER_URL=f"postgresql://evidock:{planted['register']}@{NOWHERE}/evidock",
        EVIDOCK_BROKER_URL=f"redis://:{planted['broker']}@{NOWHERE}/0",
        EVIDOCK_CASE_FEED_URL=f"https://feed:{planted['feed']}@{NOWHERE}/cases",
        AWS_SECRET_ACCESS_KEY=planted["objects"],
    )

    assert said.status != 0
    assert said.out + said.err
    for name, secret in planted.items():
        assert secret not in said.out + said.err, name
