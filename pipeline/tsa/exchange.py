# SPDX-License-Identifier: Apache-2.0
"""This is where asker and authority speak: RFC 3161 requests, and the status of responses."""

from dataclasses import dataclass
from typing import Any

from asn1crypto import cms, core, tsp

from evidence.errors import BadInput

LARGEST_MESSAGE = 65_536
_GRANTED = ("granted", "granted_with_mods")


class Response(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types
    """TimeStampResp, in which the token is absent when the authority refuses (RFC 3161 §2.4.2)."""

    _fields = [  # noqa: RUF012  # asn1crypto's own way
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


@dataclass(frozen=True, slots=True)
class TimeRequest:
    """A request that an authority can answer: SHA-256 imprint only."""

    message_sha256: bytes
    nonce: int | None
    wants_certificate: bool
    policy: str | None = None


class RequestRefusedError(Exception):
    """Why an authority will not stamp: one of the PKIFailureInfo names of RFC 3161 §2.4.2."""

    def __init__(self, failure: str) -> None:
        super().__init__(failure)
        self.failure = failure


def check_sha256(message_sha256: bytes) -> bytes:
    """Return the digest when it is 32 bytes.

    Raises:
        BadInput: it is not.

    """
    if len(message_sha256) != 32:
        raise BadInput(f"a SHA-256 has 32 bytes, not {len(message_sha256)}")
    return message_sha256


def build_request(message_sha256: bytes, *, nonce: int | None) -> bytes:
    """DER TimeStampReq for this SHA-256, asking for the signer's certificate.

    Raises:
        BadInput: the digest is not 32 bytes.

    Source: RFC 3161 §2.4.1.

    """
    imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": check_sha256(message_sha256)}
    fields = {"version": 1, "message_imprint": imprint, "cert_req": True}
    der: bytes = tsp.TimeStampReq(fields if nonce is None else {**fields, "nonce": nonce}).dump()
    return der


def parse_request(der: bytes) -> TimeRequest:
    """What a DER TimeStampReq asks.

    Raises:
        RequestRefusedError: it cannot be answered; `failure` is the word for the asker.

    Source: RFC 3161 §2.4.1.

    """
    try:
        request = tsp.TimeStampReq.load(der, strict=True)
        algorithm = request["message_imprint"]["hash_algorithm"]["algorithm"].native
        has_extensions = bool(request["extensions"].native)
        parsed = TimeRequest(
            message_sha256=request["message_imprint"]["hashed_message"].native,
            nonce=request["nonce"].native,
            wants_certificate=request["cert_req"].native,
            policy=request["req_policy"].native,
        )
        is_version_1 = int(request["version"]) == 1
    except Exception as error:  # whatever a parser raises at hostile bytes
        raise RequestRefusedError("bad_data_format") from error
    if algorithm != "sha256":
        raise RequestRefusedError("bad_alg")
    if has_extensions:
        raise RequestRefusedError("unaccepted_extensions")
    if not is_version_1 or len(parsed.message_sha256) != 32:
        raise RequestRefusedError("bad_request")
    return parsed


def granted(token: Any) -> bytes:
    """DER TimeStampResp around a token."""
    der: bytes = Response({"status": {"status": "granted"}, "time_stamp_token": token}).dump()
    return der


def refused(failure: str) -> bytes:
    """DER TimeStampResp that says why there is no token."""
    der: bytes = Response({"status": {"status": "rejection", "fail_info": {failure}}}).dump()
    return der


def token_of(response: bytes) -> Any:
    """The token (ContentInfo) in a response that grants one.

    Raises ValueError, or whatever the parser raises, when there is none: the caller makes it TokenInvalid.
    """
    if len(response) > LARGEST_MESSAGE:
        raise ValueError(f"a response of {len(response)} bytes")
    parsed = Response.load(response, strict=True)
    if parsed["status"]["status"].native not in _GRANTED:
        raise ValueError(f"the authority did not grant it: {_words(parsed)}")
    if isinstance(parsed["time_stamp_token"], core.Void):
        raise ValueError("granted, but without a token")
    return parsed["time_stamp_token"]


def refusal_of(response: bytes) -> str | None:
    """The authority's words when it refuses; None when it grants, or when the bytes are no response."""
    try:
        parsed = Response.load(response, strict=True)
        return None if parsed["status"]["status"].native in _GRANTED else _words(parsed)
    except Exception:  # not for this function to judge: verifying says what is wrong
        return None


def _words(parsed: Any) -> str:
    status = parsed["status"]
    parts = [str(status["status"].native), *sorted(status["fail_info"].native or ())]
    return ", ".join([*parts, *(status["status_string"].native or ())])[:300]
