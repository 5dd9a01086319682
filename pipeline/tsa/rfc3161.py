# SPDX-License-Identifier: Apache-2.0
"""This is where a time-stamp is believed, or not: every check of RFC 3161 §2.2 and §2.4.2, in order.

Bytes that nobody signed stay changeable: "granted" or "granted with modifications", a certificate added
beside the signer's, unsigned attributes. So the bytes of a token are no identity, while digest, time and
signer are sound. NOT checked here: revocation (no CRL or OCSP is asked), and that a stolen key of an
expired authority does not backdate: that is what a second authority and the log are for.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from asn1crypto import core, tsp

from evidence.errors import BadInput, TokenInvalid
from pipeline.tsa.exchange import check_sha256, token_of
from pipeline.tsa.port import TimeToken, TrustAnchors
from pipeline.tsa.signer import DIGESTS, Signer, check_chain, check_purpose, check_signature, find_signer

_GEN_TIME = re.compile(r"(\d{14})(?:\.(\d{0,8}[1-9]))?Z", re.ASCII)
_NO_PARAMETERS = (b"", b"\x05\x00")  # absent or NULL: both are in use
_WORST_ACCURACY = timedelta(hours=1)


def verify_response(
    response: bytes,
    *,
    message_sha256: bytes,
    anchors: TrustAnchors,
    nonce: int | None = None,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
) -> TimeToken:
    """What the DER TimeStampResp `response` proves of the message with this SHA-256.

    `nonce`: when given, the token must echo it (only the asker knows it; an auditor has none).
    `not_before`, `not_after`: aware instants between which the token's time must lie, give or take its
    accuracy: the time of the checkpoint before, the clock of the asker.

    Raises:
        TokenInvalid: any doubt at all, including bytes that cannot be parsed; the message says which.
        BadInput: the digest is not 32 bytes, or an instant has no zone.

    Source: RFC 3161 §2.2 and §2.4.2, RFC 5816 §2.2, RFC 5652 §5.4 and §5.6.

    """
    check_sha256(message_sha256)
    _check_zones(not_before, not_after)
    with _doubt_is_invalid():
        signed = _signed_data(token_of(response))
        content = bytes(signed["encap_content_info"]["content"])
        info = tsp.TSTInfo.load(content, strict=True)

        # (1) It is about this message, and about nothing under another algorithm.
        _check_imprint(info, message_sha256)

        # (2) The signed attributes bind the content and name one certificate.
        signer_info = _only(signed["signer_infos"], "signer")
        _check_frame(signed, signer_info)
        attributes = signer_info["signed_attrs"]
        digest = DIGESTS[signer_info["digest_algorithm"]["algorithm"].native]
        _check_content(attributes, content, digest)
        signer = find_signer(signed, signer_info, _attribute(attributes, "signing_certificate_v2"))

        # (3) That certificate's key signed them, (4) may stamp time, (5) and is vouched for at that time.
        check_signature(signer_info, signer.certificate)
        check_purpose(signer.certificate)
        token = _token(info, message_sha256, signer)
        check_chain(signer, anchors, at=token.gen_time)

        # (6) What it says fits what else is known.
        _check_extensions(info)
        _check_nonce(token, nonce)
        _check_window(token, not_before, not_after)
        return token


@contextmanager
def _doubt_is_invalid() -> Iterator[None]:
    try:
        yield
    except TokenInvalid:
        raise
    except Exception as error:  # parsers and crypto libraries raise much more than they document
        raise TokenInvalid(f"the time token does not verify: {type(error).__name__}: {error}") from error


def _check_zones(*instants: datetime | None) -> None:
    if any(instant is not None and instant.tzinfo is None for instant in instants):
        raise BadInput("a time without a zone is not an instant")


def _signed_data(token: Any) -> Any:
    if token["content_type"].native != "signed_data":
        raise TokenInvalid("the time token is not CMS signed data")
    signed = token["content"]
    if signed["encap_content_info"]["content_type"].native != "tst_info":
        raise TokenInvalid("the signed data is not a time-stamp")
    return signed


def _check_frame(signed: Any, signer_info: Any) -> None:
    """Unsigned fields that carry no meaning must at least be what RFC 5652 §5.1 and §5.3 ask of them."""
    if signed["version"].native not in ("v3", "v4", "v5") or signer_info["version"].native != "v1":
        raise TokenInvalid("CMS versions that no time-stamp has")
    named = signer_info["digest_algorithm"]
    if named.dump() not in [one.dump() for one in signed["digest_algorithms"]]:
        raise TokenInvalid("the signer's digest algorithm is not among those announced")
    if named["parameters"].dump() not in _NO_PARAMETERS:
        raise TokenInvalid("a digest algorithm with parameters")


def _check_imprint(info: Any, message_sha256: bytes) -> None:
    imprint = info["message_imprint"]
    algorithm = imprint["hash_algorithm"]
    if algorithm["algorithm"].native != "sha256" or algorithm["parameters"].dump() not in _NO_PARAMETERS:
        raise TokenInvalid(f"the token's digest is {algorithm['algorithm'].native}, wanted is SHA-256")
    if imprint["hashed_message"].native != message_sha256:
        raise TokenInvalid(
            f"the token is over {imprint['hashed_message'].native.hex()[:64]}, "
            f"not over {message_sha256.hex()}: it belongs to another message"
        )


def _check_content(attributes: Any, content: bytes, digest: Any) -> None:
    if _attribute(attributes, "content_type").native != "tst_info":
        raise TokenInvalid("the signature is over another kind of content")
    if _attribute(attributes, "message_digest").native != hashlib.new(digest.name, content).digest():
        raise TokenInvalid("the content is not the content that was signed")


def _attribute(attributes: Any, name: str) -> Any:
    """The one value of the one signed attribute of this name; twice would leave it open which one counts."""
    values = [attribute["values"] for attribute in attributes if attribute["type"].native == name]
    return _only(_only(values, f"signed attribute {name}"), f"value of {name}")


def _only(things: Any, what: str) -> Any:
    if len(things) != 1:
        raise TokenInvalid(f"the token has {len(things)} of {what}, wanted is one")
    return things[0]


def _token(info: Any, message_sha256: bytes, signer: Signer) -> TimeToken:
    if int(info["version"]) != 1:
        raise TokenInvalid("a time-stamp of an unknown version")
    return TimeToken(
        message_sha256=message_sha256,
        gen_time=_instant(info["gen_time"].contents),
        accuracy=_accuracy(info["accuracy"]),
        serial=info["serial_number"].native,
        policy=info["policy"].dotted,
        authority=signer.certificate.subject.rfc4514_string(),
        signer_sha256=hashlib.sha256(signer.der).digest(),
        nonce=info["nonce"].native,
    )


def _instant(contents: bytes) -> datetime:
    """RFC 3161 §2.4.2: UTC, seconds always, a fraction without trailing zeros. Cut to microseconds."""
    match = _GEN_TIME.fullmatch(contents.decode("ascii"))
    if match is None:
        raise TokenInvalid(f"not a time as RFC 3161 writes it: {contents[:40]!r}")
    whole = datetime.strptime(match[1], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return whole + timedelta(microseconds=int((match[2] or "0")[:6].ljust(6, "0")))


def _accuracy(stated: Any) -> timedelta | None:
    if isinstance(stated, core.Void):
        return None
    seconds, millis, micros = (stated[unit].native or 0 for unit in ("seconds", "millis", "micros"))
    if not (seconds >= 0 and 0 <= millis <= 999 and 0 <= micros <= 999):
        raise TokenInvalid("an accuracy that RFC 3161 does not know")
    accuracy = timedelta(seconds=seconds, milliseconds=millis, microseconds=micros)
    if accuracy > _WORST_ACCURACY:
        raise TokenInvalid(f"an accuracy of {accuracy} says nothing")
    return accuracy


def _check_extensions(info: Any) -> None:
    if any(extension["critical"].native for extension in info["extensions"]):
        raise TokenInvalid("the token has a critical extension that we do not understand")


def _check_nonce(token: TimeToken, nonce: int | None) -> None:
    if nonce is not None and token.nonce != nonce:
        raise TokenInvalid(f"the token's nonce is {token.nonce}, asked was {nonce}: another's")


def _check_window(token: TimeToken, not_before: datetime | None, not_after: datetime | None) -> None:
    margin = token.accuracy or timedelta()
    if not_before is not None and token.gen_time + margin < not_before:
        raise TokenInvalid(f"the token says {token.gen_time}, which is before {not_before}", at=token.gen_time)
    if not_after is not None and token.gen_time - margin > not_after:
        raise TokenInvalid(f"the token says {token.gen_time}, which is after {not_after}", at=token.gen_time)
