# SPDX-License-Identifier: Apache-2.0
"""This is where an authority is asked over HTTP (RFC 3161 §3.4), with everything it may cost us bounded."""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from evidence.errors import AuthorityUnavailable, BadInput
from pipeline.tsa.exchange import LARGEST_MESSAGE, build_request, refusal_of
from pipeline.tsa.port import TimeToken, Trust, TrustAnchors
from pipeline.tsa.rfc3161 import verify_response

_ASKED = "application/timestamp-query"
_ANSWERED = "application/timestamp-reply"


@dataclass(frozen=True, slots=True)
class HttpAuthority:
    """An Authority at a URL. See `pipeline.tsa.port.Authority` for its promises.

    `timeout_s` bounds each wait for the network; `largest_offset` is how far its clock and the asker's
    may be apart before a stamp is put off until somebody has looked at the clocks.
    """

    name: str
    url: str
    anchors: TrustAnchors
    timeout_s: float = 10.0
    largest_offset: timedelta = timedelta(minutes=10)

    def __post_init__(self) -> None:
        _host_of(self.url)

    @property
    def trust(self) -> Trust:
        """Always `third-party`: that the anchors are not our own is for whoever configures them."""
        return "third-party"

    def stamp(self, message_sha256: bytes, now: datetime) -> bytes:
        """As the port says. The nonce makes an old answer useless."""
        nonce = secrets.randbits(64) | 1 << 63
        response = stamp_over_http(self.url, build_request(message_sha256, nonce=nonce), timeout_s=self.timeout_s)
        token = verify_response(response, message_sha256=message_sha256, anchors=self.anchors, nonce=nonce)
        if abs(token.gen_time - now) > self.largest_offset + (token.accuracy or timedelta()):
            raise AuthorityUnavailable(
                f"{self.name} says it is {token.gen_time}, our clock says {now}: one of the clocks is wrong",
                authority=self.name,
            )
        return response

    def verify(self, response: bytes, message_sha256: bytes) -> TimeToken:
        """As the port says."""
        return verify_response(response, message_sha256=message_sha256, anchors=self.anchors)


def name_of(url: str) -> str:
    """A short name for the authority at `url`, fit for keys: its host, in `a-z 0-9 -`, at most 40.

    Raises:
        BadInput: the URL names no host.

    """
    name = re.sub(r"[^a-z0-9]+", "-", _host_of(url).lower())[:40].strip("-")
    if not name:
        raise BadInput(f"no name can be made of {url[:200]!r}", url=url)
    return name


def stamp_over_http(url: str, request: bytes, *, timeout_s: float) -> bytes:
    """POST a DER TimeStampReq and return the DER TimeStampResp, NOT YET VERIFIED, that grants a token.

    At most 64 KiB are read; redirects are not followed; proxies are taken from the environment.

    Raises:
        AuthorityUnavailable: no answer in time, an HTTP error, another content type, too long an
            answer, or an answer that refuses; the message has the authority's own words.

    Source: RFC 3161 §3.4.

    """
    asked = Request(url, data=request, headers={"Content-Type": _ASKED, "Accept": _ANSWERED}, method="POST")  # noqa: S310
    try:
        with _opener().open(asked, timeout=timeout_s) as answer:
            kind = answer.headers.get_content_type()
            body: bytes = answer.read(LARGEST_MESSAGE + 1)
            # A line that broke is no bad token; reading a stated number of bytes does not notice by itself.
            is_whole = len(body) == int(answer.headers.get("Content-Length") or len(body))
    except HTTPError as error:
        error.close()
        raise AuthorityUnavailable(f"{url} answered HTTP {error.code} {error.reason}", url=url) from error
    except (OSError, HTTPException, ValueError) as error:
        raise AuthorityUnavailable(f"{url} did not answer: {error}", url=url) from error
    if kind != _ANSWERED or len(body) > LARGEST_MESSAGE:
        raise AuthorityUnavailable(f"{url} answered {len(body)} bytes of {kind}: not a time-stamp", url=url)
    if not is_whole:
        raise AuthorityUnavailable(f"{url} did not answer whole: {len(body)} bytes came", url=url)
    refusal = refusal_of(body)
    if refusal is not None:
        raise AuthorityUnavailable(f"{url} will not stamp: {refusal}", url=url)
    return body


def _host_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise BadInput(f"not the address of a timestamp authority: {url[:200]!r}", url=url)
    return host


def _opener() -> OpenerDirector:
    # Only these: no file: or ftp:, and no redirect that could lead to an address nobody configured.
    opener = OpenerDirector()
    for handler in (ProxyHandler, HTTPHandler, HTTPSHandler, HTTPErrorProcessor, HTTPDefaultErrorHandler):
        opener.add_handler(handler())
    return opener
