# SPDX-License-Identifier: Apache-2.0
"""The local authority and the openssl program understand each other; HTTP costs us no more than it may."""

import hashlib
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from evidence.errors import AuthorityUnavailable, BadInput, TokenInvalid
from pipeline.tsa.exchange import LARGEST_MESSAGE, build_request, parse_request, refusal_of, refused
from pipeline.tsa.http import HttpAuthority, name_of
from pipeline.tsa.local import POLICY, LocalAuthority
from pipeline.tsa.port import Authority, TrustAnchors
from pipeline.tsa.rfc3161 import verify_response
from storage.layout import token_key
from tests.support.authorities import CA, NOON, STAMPING, Identity, honest, identity, root
from tests.support.footage import missing

MESSAGE = b"evidock.example/log\n7\nroot\n"
SHA = hashlib.sha256(MESSAGE).digest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tsa"


@pytest.fixture
def openssl(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    program = shutil.which("openssl")
    if program is None:
        missing("the openssl program", remedy="install openssl 3.0 or newer")
    assert program is not None

    def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run([program, *arguments], cwd=tmp_path, check=False, capture_output=True)

    return run


# --- the local authority --------------------------------------------------------------------


def test_an_authority_is_made_once_and_loaded_ever_after(folder: Path) -> None:
    first = LocalAuthority.create_or_load(folder, now=NOON)
    again = LocalAuthority.create_or_load(folder, now=NOON + timedelta(days=400))
    assert first.certificate == again.certificate
    assert first.anchors == again.anchors
    assert [entry.name for entry in folder.iterdir()] == ["authority.pem"]
    assert (folder / "authority.pem").stat().st_mode & 0o7777 == 0o600


def test_of_racing_first_callers_all_get_the_same_authority(folder: Path) -> None:
    together = threading.Barrier(4)
    made: list[LocalAuthority] = []

    def make() -> None:
        together.wait()
        made.append(LocalAuthority.create_or_load(folder, now=NOON))

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.certificate for one in made}) == 1
    assert len(made) == 4


def test_what_it_stamps_says_the_digest_the_second_and_who(folder: Path) -> None:
    authority: Authority = LocalAuthority.create_or_load(folder, now=NOON)
    token = authority.verify(authority.stamp(SHA, NOON + timedelta(seconds=5, microseconds=999_999)), SHA)
    assert token.message_sha256 == SHA
    assert token.gen_time == NOON + timedelta(seconds=5)
    assert token.latest == NOON + timedelta(seconds=6)
    assert token.policy == POLICY
    assert token.authority.startswith("CN=evidock self-asserted time ")
    assert (authority.name, authority.trust) == ("local", "self")
    assert token_key(7, authority.name, SHA.hex())


def test_a_time_in_another_zone_is_the_same_instant(folder: Path) -> None:
    authority = LocalAuthority.create_or_load(folder, now=NOON)
    in_china = datetime(2026, 11, 1, 20, tzinfo=timezone(timedelta(hours=8)))
    assert authority.verify(authority.stamp(SHA, in_china), SHA).gen_time == NOON


def test_every_stamp_has_a_serial_of_its_own(folder: Path) -> None:
    authority = LocalAuthority.create_or_load(folder, now=NOON)
    serials = {authority.verify(authority.stamp(SHA, NOON), SHA).serial for _ in range(20)}
    assert len(serials) == 20


def test_another_installation_does_not_vouch_for_ours(tmp_path: Path) -> None:
    ours, theirs = (LocalAuthority.create_or_load(tmp_path / name, now=NOON) for name in ("a", "b"))
    with pytest.raises(TokenInvalid):
        theirs.verify(ours.stamp(SHA, NOON), SHA)
    both = TrustAnchors.all_of([ours.anchors, theirs.anchors])
    for one in (ours, theirs):
        assert verify_response(one.stamp(SHA, NOON), message_sha256=SHA, anchors=both).gen_time == NOON


def test_a_clock_outside_the_life_of_the_certificate_stamps_nothing(folder: Path) -> None:
    authority = LocalAuthority.create_or_load(folder, now=NOON)
    for year in (1970, 2025, 2047):
        with pytest.raises(AuthorityUnavailable, match="clock"):
            authority.stamp(SHA, datetime(year, 1, 1, tzinfo=UTC))
    for year in (2027, 2038, 2046):
        late = datetime(year, 1, 20, tzinfo=UTC)
        assert authority.verify(authority.stamp(SHA, late), SHA).gen_time == late


def test_a_time_without_a_zone_or_a_digest_of_another_length_is_refused(folder: Path) -> None:
    authority = LocalAuthority.create_or_load(folder, now=NOON)
    with pytest.raises(BadInput):
        authority.stamp(SHA, NOON.replace(tzinfo=None))
    with pytest.raises(BadInput):
        authority.stamp(SHA[:31], NOON)
    response = authority.stamp(SHA, NOON)
    with pytest.raises(BadInput):
        authority.verify(response, SHA[:31])
    with pytest.raises(BadInput):
        verify_response(response, message_sha256=SHA, anchors=authority.anchors, not_after=NOON.replace(tzinfo=None))


@pytest.mark.parametrize("data", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_authority_is_refused_and_kept(folder: Path, data: bytes) -> None:
    folder.mkdir()
    path = folder / "authority.pem"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(BadInput):
        LocalAuthority.create_or_load(folder, now=NOON)
    assert path.read_bytes() == data


def test_a_key_that_does_not_fit_its_certificate_is_refused(folder: Path) -> None:
    LocalAuthority.create_or_load(folder, now=NOON)
    path = folder / "authority.pem"
    _, end, rest = path.read_bytes().partition(b"-----END PRIVATE KEY-----\n")
    assert end
    path.write_bytes(_pem_of_key(ec.generate_private_key(ec.SECP256R1())) + rest)
    with pytest.raises(BadInput, match="does not fit"):
        LocalAuthority.create_or_load(folder, now=NOON)
    path.write_bytes(_pem_of_key(ec.generate_private_key(ec.SECP256R1())))
    with pytest.raises(BadInput):
        LocalAuthority.create_or_load(folder, now=NOON)


def test_an_authority_that_others_can_use_is_refused_in_words(folder: Path) -> None:
    LocalAuthority.create_or_load(folder, now=NOON)
    (folder / "authority.pem").chmod(0o640)
    with pytest.raises(BadInput, match="chmod 600"):
        LocalAuthority.create_or_load(folder, now=NOON)


def test_anchors_are_written_and_read_as_pem_and_none_is_refused(folder: Path) -> None:
    anchors = LocalAuthority.create_or_load(folder, now=NOON).anchors
    assert TrustAnchors.from_pem(anchors.to_pem()) == anchors
    for pem in (b"", b"not a certificate"):
        with pytest.raises(BadInput):
            TrustAnchors.from_pem(pem)


# --- requests -------------------------------------------------------------------------------


def test_a_request_is_parsed_as_it_was_built() -> None:
    asked = parse_request(build_request(SHA, nonce=12))
    assert (asked.message_sha256, asked.nonce, asked.wants_certificate, asked.policy) == (SHA, 12, True, None)
    assert parse_request(build_request(SHA, nonce=None)).nonce is None


def test_requests_that_cannot_be_answered_get_the_reason() -> None:
    tsa = honest()
    good = build_request(SHA, nonce=12)
    for request, failure in (
        (b"", "bad_data_format"),
        (good[:-1], "bad_data_format"),
        (good + b"\0", "bad_data_format"),
        (good.replace(b"\x65\x03\x04\x02\x01", b"\x65\x03\x04\x02\x08"), "bad_alg"),
        (good.replace(b"\2\1\1", b"\2\1\2", 1), "bad_request"),
    ):
        assert refusal_of(tsa.answer(request, now=NOON)) == f"rejection, {failure}"
    assert refusal_of(tsa.answer(good, now=NOON)) is None


# --- the openssl program --------------------------------------------------------------------


def test_openssl_verifies_what_we_stamp_and_refuses_it_for_another_message(
    folder: Path, tmp_path: Path, openssl: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    now = datetime.now(UTC)  # openssl checks certificates at its own clock
    authority = LocalAuthority.create_or_load(folder, now=now)
    files = {"message": MESSAGE, "r.tsr": authority.stamp(SHA, now), "root.pem": authority.anchors.to_pem()}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    verify = ("ts", "-verify", "-data", "message", "-in", "r.tsr", "-CAfile", "root.pem")
    assert b"Verification: OK" in openssl(*verify).stdout
    (tmp_path / "message").write_bytes(MESSAGE + b"\n")
    assert openssl(*verify).returncode != 0


def test_openssl_reads_what_we_stamp(
    folder: Path, tmp_path: Path, openssl: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    (tmp_path / "r.tsr").write_bytes(LocalAuthority.create_or_load(folder, now=NOON).stamp(SHA, NOON))
    text = openssl("ts", "-reply", "-in", "r.tsr", "-text").stdout.decode()
    for line in (
        "Status: Granted.",
        f"Policy OID: {POLICY}",
        "Hash Algorithm: sha256",
        "Time stamp: Nov  1 12:00:00 2026 GMT",
        "Accuracy: 0x01 seconds",
        "TSA: DirName:/CN=evidock self-asserted time ",
    ):
        assert line in text


def test_we_answer_what_openssl_asks_and_it_finds_its_nonce(
    folder: Path, tmp_path: Path, openssl: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    now = datetime.now(UTC)
    authority = LocalAuthority.create_or_load(folder, now=now)
    (tmp_path / "message").write_bytes(MESSAGE)
    (tmp_path / "root.pem").write_bytes(authority.anchors.to_pem())
    openssl("ts", "-query", "-data", "message", "-sha256", "-cert", "-tspolicy", POLICY, "-out", "q.tsq")
    (tmp_path / "r.tsr").write_bytes(authority.answer((tmp_path / "q.tsq").read_bytes(), now=now))
    verify = ("ts", "-verify", "-queryfile", "q.tsq", "-in", "r.tsr", "-CAfile", "root.pem")
    assert b"Verification: OK" in openssl(*verify).stdout
    openssl("ts", "-query", "-data", "message", "-sha256", "-cert", "-out", "q.tsq")
    assert openssl(*verify).returncode != 0, "an old token does not fit a new question"
    openssl("ts", "-query", "-data", "message", "-sha256", "-tspolicy", "1.2.3", "-out", "q.tsq")
    assert refusal_of(authority.answer((tmp_path / "q.tsq").read_bytes(), now=now)) == ("rejection, unaccepted_policy")
    openssl("ts", "-query", "-data", "message", "-sha1", "-out", "q.tsq")
    assert refusal_of(authority.answer((tmp_path / "q.tsq").read_bytes(), now=now)) == "rejection, bad_alg"


_CONFIG = """
[tsa]
default_tsa = it
[it]
serial = serial
crypto_device = builtin
signer_cert = signer.pem
signer_key = key.pem
signer_digest = {digest}
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1, millisecs:500
ordering = yes
tsa_name = yes
ess_cert_id_alg = {digest}
{certs}
"""


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("is_chained", [False, True])
def test_we_verify_what_openssl_stamps(
    tmp_path: Path,
    openssl: Callable[..., subprocess.CompletedProcess[bytes]],
    digest: str,
    is_chained: bool,
) -> None:
    life = (datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1))
    anchor = root(life=life)
    above = identity("middle", above=anchor, extensions=[CA], life=life) if is_chained else anchor
    signer = identity("signer", above=above, extensions=[STAMPING], life=life)
    _write_authority(tmp_path, signer, above, digest=digest, is_chained=is_chained)
    (tmp_path / "q.tsq").write_bytes(build_request(SHA, nonce=77))
    made = openssl("ts", "-reply", "-queryfile", "q.tsq", "-out", "r.tsr", "-config", "tsa.cnf")
    assert made.returncode == 0, made.stderr
    response = (tmp_path / "r.tsr").read_bytes()
    anchors = TrustAnchors((anchor.certificate,))
    token = verify_response(response, message_sha256=SHA, anchors=anchors, nonce=77)
    assert token.policy == "1.2.3.4.1"
    assert token.accuracy == timedelta(seconds=1, milliseconds=500)
    assert life[0] < token.gen_time < life[1]
    with pytest.raises(TokenInvalid):
        verify_response(response, message_sha256=SHA[::-1], anchors=anchors)
    with pytest.raises(TokenInvalid):
        verify_response(response, message_sha256=SHA, anchors=honest().anchors)


def test_we_verify_an_rsa_token_by_openssl(
    tmp_path: Path, openssl: Callable[..., subprocess.CompletedProcess[bytes]]
) -> None:
    (tmp_path / "ext").write_text("extendedKeyUsage=critical,timeStamping\n")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out root.pem -subj /CN=root -days 2",
        "req -new -newkey rsa:2048 -nodes -keyout key.pem -out csr.pem -subj /CN=tsa",
        "x509 -req -in csr.pem -CA root.pem -CAkey ca.key -set_serial 5 -days 2 -extfile ext -out signer.pem",
    ):
        assert openssl(*command.split()).returncode == 0
    (tmp_path / "tsa.cnf").write_text(_CONFIG.format(digest="sha256", certs=""))
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "q.tsq").write_bytes(build_request(SHA, nonce=77))
    made = openssl("ts", "-reply", "-queryfile", "q.tsq", "-out", "r.tsr", "-config", "tsa.cnf")
    assert made.returncode == 0, made.stderr
    anchors = TrustAnchors.from_pem((tmp_path / "root.pem").read_bytes())
    response = (tmp_path / "r.tsr").read_bytes()
    assert verify_response(response, message_sha256=SHA, anchors=anchors).authority == "CN=tsa"
    at = response.rindex(b"\x04\x82\x01\x00") + 100  # inside the signature
    flipped = response[:at] + bytes([response[at] ^ 1]) + response[at + 1 :]
    with pytest.raises(TokenInvalid, match="InvalidSignature"):
        verify_response(flipped, message_sha256=SHA, anchors=anchors)


def _write_authority(folder: Path, signer: Identity, above: Identity, *, digest: str, is_chained: bool) -> None:
    (folder / "key.pem").write_bytes(_pem_of_key(signer.key))
    (folder / "signer.pem").write_bytes(signer.certificate.public_bytes(Encoding.PEM))
    (folder / "above.pem").write_bytes(above.certificate.public_bytes(Encoding.PEM))
    (folder / "serial").write_text("01\n")
    certs = "certs = above.pem" if is_chained else ""
    (folder / "tsa.cnf").write_text(_CONFIG.format(digest=digest, certs=certs))


def _pem_of_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


# --- over HTTP ------------------------------------------------------------------------------

Answer = Callable[[bytes], tuple[int, dict[str, str], bytes]]
REPLY = {"Content-Type": "application/timestamp-reply"}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    """A real HTTP server on loopback that answers every POST with `answer`; gives its URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, body = answer(asked)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsa"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_stamp_over_http_verifies_and_asks_with_a_fresh_nonce() -> None:
    tsa, asked = honest(), list[bytes]()

    def answer(request: bytes) -> tuple[int, dict[str, str], bytes]:
        asked.append(request)
        return 200, REPLY, tsa.answer(request, now=NOON)

    with served(answer) as url:
        authority: Authority = HttpAuthority("over-http", url, tsa.anchors)
        responses = [authority.stamp(SHA, NOON + timedelta(minutes=5)) for _ in range(2)]
    assert [authority.verify(response, SHA).gen_time for response in responses] == [NOON, NOON]
    nonces = {parse_request(request).nonce for request in asked}
    assert len(nonces) == 2
    assert None not in nonces
    assert (authority.name, authority.trust) == ("over-http", "third-party")


def test_an_old_answer_replayed_over_http_is_refused() -> None:
    tsa = honest()
    old = tsa.answer(build_request(SHA, nonce=1), now=NOON)
    with served(lambda _: (200, REPLY, old)) as url, pytest.raises(TokenInvalid, match="nonce"):
        HttpAuthority("x", url, tsa.anchors).stamp(SHA, NOON)


def test_an_authority_under_another_root_is_refused_over_http() -> None:
    tsa = honest()
    with (
        served(lambda request: (200, REPLY, tsa.answer(request, now=NOON))) as url,
        pytest.raises(TokenInvalid),
    ):
        HttpAuthority("x", url, honest().anchors).stamp(SHA, NOON)


@pytest.mark.parametrize("offset", [timedelta(hours=-1), timedelta(hours=1)])
def test_clocks_that_disagree_put_the_stamp_off_in_words(offset: timedelta) -> None:
    tsa = honest()
    with (
        served(lambda request: (200, REPLY, tsa.answer(request, now=NOON + offset))) as url,
        pytest.raises(AuthorityUnavailable, match="one of the clocks is wrong"),
    ):
        HttpAuthority("x", url, tsa.anchors).stamp(SHA, NOON)


BAD_ANSWERS: dict[str, tuple[tuple[int, dict[str, str], bytes], str]] = {
    "server error": ((500, {}, b"<html>"), "HTTP 500"),
    "not found": ((404, {}, b""), "HTTP 404"),
    "redirect": ((302, {"Location": "http://127.0.0.1:1/"}, b""), "HTTP 302"),
    "redirect to a file": ((301, {"Location": "file:///etc/passwd"}, b""), "HTTP 301"),
    "another content type": ((200, {"Content-Type": "text/html"}, b"<html>"), "text/html"),
    "too long": ((200, REPLY, b"\0" * (LARGEST_MESSAGE + 1)), "bytes of application"),
    "cut short": ((200, {**REPLY, "Content-Length": "5000"}, b"\x30"), "1 bytes came"),
    "absurd length": ((200, {**REPLY, "Content-Length": "9" * 5000}, b"\x30"), "did not answer"),
    "refusal": ((200, REPLY, refused("time_not_available")), "time_not_available"),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_an_answer_that_is_none_is_worth_another_try(case: str) -> None:
    answer, words = BAD_ANSWERS[case]
    with served(lambda _: answer) as url, pytest.raises(AuthorityUnavailable, match=words):
        HttpAuthority("x", url, honest().anchors).stamp(SHA, NOON)


def test_garbage_with_the_right_content_type_is_no_token() -> None:
    with served(lambda _: (200, REPLY, b"garbage")) as url, pytest.raises(TokenInvalid):
        HttpAuthority("x", url, honest().anchors).stamp(SHA, NOON)


def test_a_silent_or_absent_authority_is_unavailable_in_time() -> None:
    silence = threading.Event()

    def wait(_: bytes) -> tuple[int, dict[str, str], bytes]:
        silence.wait(10)
        return 200, REPLY, b""

    with served(wait) as url:
        with pytest.raises(AuthorityUnavailable, match="did not answer"):
            HttpAuthority("x", url, honest().anchors, timeout_s=0.2).stamp(SHA, NOON)
        silence.set()
    with pytest.raises(AuthorityUnavailable, match="did not answer"):
        HttpAuthority("x", "http://127.0.0.1:1/", honest().anchors).stamp(SHA, NOON)


@pytest.mark.parametrize("url", ["", "tsa.example.org", "file:///etc/passwd", "ftp://x/", "http://", "http://["])
def test_what_is_no_address_of_an_authority_is_refused(url: str) -> None:
    with pytest.raises(BadInput):
        HttpAuthority("x", url, honest().anchors)
    with pytest.raises(BadInput):
        name_of(url)


def test_the_name_of_an_address_fits_into_keys() -> None:
    assert name_of("https://TSA.Example.org:8080/path") == "tsa-example-org"
    assert name_of("http://[::1]/") == "1"
    assert token_key(1, name_of(f"http://{'a.' * 60}example/"), SHA.hex())
