# SPDX-License-Identifier: Apache-2.0
"""This is where a timestamp authority is a promise, and where what its word is worth is a value."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from evidence.errors import BadInput

Trust = Literal["self", "third-party"]


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """Certificates believed before any token is seen: an auditor's own, never those beside a token."""

    certificates: tuple[x509.Certificate, ...]

    def __post_init__(self) -> None:
        if not self.certificates:
            raise BadInput("no trust anchor for the timestamp authority: give its root certificate")

    @classmethod
    def from_pem(cls, pem: bytes) -> Self:
        """The certificates of a PEM file, such as `openssl ts -verify -CAfile` takes.

        Raises:
            BadInput: there is none in it.

        """
        try:
            return cls(tuple(x509.load_pem_x509_certificates(pem)))
        except ValueError as error:
            raise BadInput("not a PEM file of certificates") from error

    @classmethod
    def all_of(cls, anchors: Iterable[Self]) -> Self:
        """The anchors of several authorities together."""
        return cls(tuple(certificate for some in anchors for certificate in some.certificates))

    def to_pem(self) -> bytes:
        """The PEM text that `from_pem` reads."""
        return b"".join(one.public_bytes(Encoding.PEM) for one in self.certificates)


@dataclass(frozen=True, slots=True)
class TimeToken:
    """What a verified time-stamp says: the bytes with this SHA-256 existed before `latest`.

    It says nothing of *not before*, of order, or of what is missing. `accuracy` is None when the
    authority states none. `signer_sha256` names the signing certificate.
    """

    message_sha256: bytes
    gen_time: datetime
    accuracy: timedelta | None
    serial: int
    policy: str
    authority: str
    signer_sha256: bytes
    nonce: int | None

    @property
    def latest(self) -> datetime:
        """The latest instant at which, by the authority's own word, it saw the digest."""
        return self.gen_time + (self.accuracy or timedelta())


class Authority(Protocol):
    """Somebody who says when a digest was seen. Speaks RFC 3161, whatever is behind it."""

    @property
    def name(self) -> str:
        """Short name for keys and reports: 1 to 40 of `a-z 0-9 -` (see `storage.layout.token_key`)."""
        ...

    @property
    def trust(self) -> Trust:
        """`self` when we stamp our own: enough to detect accidents, no proof against ourselves."""
        ...

    @property
    def anchors(self) -> TrustAnchors:
        """What its tokens are verified against."""
        ...

    def stamp(self, message_sha256: bytes, now: datetime) -> bytes:
        """A DER TimeStampResp (what a `.tsr` file holds) over this SHA-256, which `verify` accepts.

        Not idempotent: each call gives another serial. `now` is an aware instant, the asker's clock.

        Raises:
            AuthorityUnavailable: it did not answer, will not stamp now, or its clock and ours disagree.
            TokenInvalid: it answered with a token that does not verify.
            BadInput: not 32 bytes, or a time without a zone.

        """
        ...

    def verify(self, response: bytes, message_sha256: bytes) -> TimeToken:
        """What a response of this authority, fresh or long at rest, proves of the message.

        Raises:
            TokenInvalid: any doubt at all.
            BadInput: not 32 bytes.

        """
        ...
