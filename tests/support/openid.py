# SPDX-License-Identifier: Apache-2.0
"""This is where tests get an OpenID provider: a certified one as a process, and one that lies.

`Browser` follows redirects and fills in forms, with a jar of cookies for each host.
"""

import base64
import hashlib
import hmac
import html
import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.support.footage import missing
from tests.support.nursery import ROOT
from tests.support.servers import until

_JS = ROOT / "tests" / "web" / "oidc_provider"
CLIENT, SECRET = "evidock", "a-secret-of-the-test"


def provider_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script of the certified provider, beside its installed packages."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing("node and npm", remedy="apt-get install nodejs npm")
    lock = hashlib.sha256((_JS / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = ROOT / ".venv" / "oidc-provider" / lock
    if not (folder / "done").exists():
        draft = tmp_path_factory.mktemp("npm") / lock
        shutil.copytree(_JS, draft)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=draft, check=True, capture_output=True, timeout=180)
        (draft / "done").touch()
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(draft, folder, dirs_exist_ok=True)
    shutil.copy(_JS / "provider.mjs", folder)
    return folder / "provider.mjs"


def free_port() -> int:
    """A port that nobody listened at a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def provider_process(script: Path, *, redirect: str) -> Iterator[str]:
    """The certified provider, running; its issuer."""
    port = free_port()
    process = subprocess.Popen(
        ["node", str(script), str(port), redirect],  # noqa: S607
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: _answers(port), "the identity provider answers")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@dataclass(slots=True)
class Browser:
    """A browser of one person: keeps cookies by host and port, follows redirects, fills in forms."""

    cookies: dict[str, dict[str, str]] = field(default_factory=dict)
    visited: list[str] = field(default_factory=list)

    def get(self, url: str) -> httpx2.Response:
        """One page, without following."""
        return self._ask("GET", url)

    def follow(self, url: str, *, login: str, until_host: str, limit: int = 15) -> httpx2.Response:
        """Go from page to page, signing in as `login` where a form asks, until a host answers that is asked for."""
        answer = self.get(url)
        for _ in range(limit):
            if answer.is_redirect:
                where = urljoin(str(answer.url), answer.headers["location"])
                if urlsplit(where).netloc == until_host and urlsplit(str(answer.url)).netloc == until_host:
                    return answer
                answer = self.get(where)
            elif urlsplit(str(answer.url)).netloc == until_host:
                return answer
            else:
                answer = self._submit(answer, login)
        raise AssertionError(f"led in circles: {self.visited}")

    def _submit(self, page: httpx2.Response, login: str) -> httpx2.Response:
        form = re.search(r'<form[^>]*action="([^"]+)"', page.text)
        assert form, page.text
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
        told = hidden | ({"login": login, "password": "any"} if 'name="login"' in page.text else {})
        return self._ask("POST", urljoin(str(page.url), html.unescape(form[1])), told)

    def _ask(self, method: str, url: str, form: Mapping[str, str] | None = None) -> httpx2.Response:
        self.visited.append(url)
        jar = self.cookies.setdefault(urlsplit(url).netloc, {})
        headers = {"cookie": "; ".join(f"{name}={value}" for name, value in jar.items())} if jar else {}
        answer = httpx2.request(method, url, data=form, headers=headers, trust_env=False)
        for told in answer.headers.get_list("set-cookie"):
            name, _, value = told.partition(";")[0].partition("=")
            jar[name] = value
            if "max-age=0" in told.lower() or not value.strip('"'):
                jar.pop(name)
        return answer


# --- one that lies -----------------------------------------------------------------------------

Lie = Callable[["LyingProvider", dict[str, Any]], str | None]
"""Makes the ID token for right claims; None: as an honest one would."""


@dataclass(slots=True)
class LyingProvider:
    """A provider whose answers a test chooses: `lie` makes its tokens."""

    issuer: str
    key: RSAKey
    lie: Lie = lambda _, __: None
    iss_told: str | None = None
    nonces: dict[str, str] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def token(self, claims: dict[str, Any]) -> str:
        """An honest token."""
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)

    def by_nobody(self, claims: dict[str, Any]) -> str:
        """A token with `alg` none."""
        return ".".join(_text(json.dumps(one).encode()) for one in ({"alg": "none"}, claims)) + "."

    def by_public_key(self, claims: dict[str, Any]) -> str:
        """A token whose HMAC was made with the public key as the secret; by hand, for the library refuses to."""
        head = {"alg": "HS256", "kid": self.key.kid}
        signed = ".".join(_text(json.dumps(one).encode()) for one in (head, claims))
        mac = hmac.digest(self.key.as_pem(private=False), signed.encode(), "sha256")
        return f"{signed}.{_text(mac)}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def lying_provider() -> Iterator[LyingProvider]:
    """One that runs while the block does."""
    key = RSAKey.generate_key(2048, auto_kid=True)
    told = LyingProvider("", key)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path.endswith("/openid-configuration"):
                names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
                where = {name: f"{told.issuer}/{name}" for name in names}
                self._json({"issuer": told.issuer, **where})
            elif parts.path == "/jwks_uri":
                self._json(KeySet([key]).as_dict(private=False))
            else:
                asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                code = f"code-{len(told.nonces)}"
                told.nonces[code] = asked["nonce"]
                iss = "" if told.iss_told is None else f"&iss={told.iss_told}"
                self.send_response(302)
                self.send_header("Location", f"{asked['redirect_uri']}?code={code}&state={asked['state']}{iss}")
                self.end_headers()

        def do_POST(self) -> None:
            body = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            code = body["code"][0]
            if code in told.used or code not in told.nonces:
                self._json({"error": "invalid_grant"}, 400)
                return
            told.used.add(code)
            now = int(time.time())
            claims = {
                "iss": told.issuer, "aud": CLIENT, "sub": "subject-of-li", "preferred_username": "li",
                "iat": now, "exp": now + 60, "nonce": told.nonces[code],
            }  # fmt: skip
            token = told.lie(told, claims)
            self._json({"access_token": "a", "token_type": "Bearer", "id_token": token or told.token(claims)})

        def _json(self, body: Mapping[str, Any], status: int = 200) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.issuer = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield told
        server.shutdown()
        thread.join()
