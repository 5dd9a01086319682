# SPDX-License-Identifier: Apache-2.0
"""This is where we stamp our own time: a small RFC 3161 authority for a machine without a network.

Its trust is *self*: it shows accidents and outsiders, and proves nothing against whoever holds the machine.
One file holds its key and certificates. The certificate authority above it signs once, when both are
made, and its key is forgotten: nobody can issue a second signer under the same anchor.

Policy `2.25.97966470747180822399578882774395921355.1`: time is the clock of the machine, cut to the
second, good to one second if that clock is. The arc is under a UUID (ITU-T X.667), which needs no registry.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from asn1crypto import algos, cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from evidence.errors import AuthorityUnavailable, BadInput, NotFound
from pipeline.tsa.exchange import (
    RequestRefusedError,
    TimeRequest,
    build_request,
    granted,
    parse_request,
    refused,
)
from pipeline.tsa.port import TimeToken, Trust, TrustAnchors
from pipeline.tsa.rfc3161 import verify_response
from storage.private_file import create_private, read_private

POLICY = "2.25.97966470747180822399578882774395921355.1"
_FILE = "authority.pem"
_GOOD_FOR = timedelta(days=365 * 20)
_BACK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LocalAuthority:
    """An Authority whose word is our own. See `pipeline.tsa.port.Authority` for its promises."""

    name: str
    anchors: TrustAnchors
    certificate: x509.Certificate
    _key: ec.EllipticCurvePrivateKey

    @classmethod
    def create_or_load(cls, folder: Path, *, now: datetime, name: str = "local") -> Self:
        """The authority in `folder`, made there (mode 0600, durably) when there is none yet.

        Safe to race: of several first callers one makes it and all get it. `now` starts its certificate,
        which is good for twenty years.

        Raises:
            BadInput: the file can be used by others, or is no authority of ours.
            StoreUnavailable: it cannot be read or written now.

        """
        path = folder / _FILE
        try:
            pem = read_private(path)
        except NotFound:
            create_private(path, _new_pem(now))
            pem = read_private(path)
        return cls._parsed(pem, path, name)

    @classmethod
    def _parsed(cls, pem: bytes, path: Path, name: str) -> Self:
        try:
            key = load_pem_private_key(pem, password=None)
            certificate, *above = x509.load_pem_x509_certificates(pem)
        except (ValueError, TypeError) as error:
            raise BadInput(f"{path} holds no authority of ours", path=str(path)) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise BadInput(f"the key in {path} does not fit its certificate", path=str(path))
        return cls(name, TrustAnchors(tuple(above)), certificate, key)

    @property
    def trust(self) -> Trust:
        """Always `self`."""
        return "self"

    def stamp(self, message_sha256: bytes, now: datetime) -> bytes:
        """As the port says.

        Raises:
            AuthorityUnavailable: `now` is outside the life of our certificate: the clock is wrong.

        """
        return granted(self._token(parse_request(build_request(message_sha256, nonce=None)), now))

    def verify(self, response: bytes, message_sha256: bytes) -> TimeToken:
        """As the port says."""
        return verify_response(response, message_sha256=message_sha256, anchors=self.anchors)

    def answer(self, request: bytes, *, now: datetime) -> bytes:
        """The DER TimeStampResp to a DER TimeStampReq: a token, or the reason for none.

        Raises:
            AuthorityUnavailable: as `stamp`.

        Source: RFC 3161 §2.4.2.

        """
        try:
            asked = parse_request(request)
            if asked.policy not in (None, POLICY):
                return refused("unaccepted_policy")
        except RequestRefusedError as error:
            return refused(error.failure)
        return granted(self._token(asked, now))

    def _token(self, asked: TimeRequest, now: datetime) -> Any:
        content = self._info(asked, self._checked(now))
        attributes = _signed_attributes(content, self.certificate)
        signature = self._key.sign(attributes.dump(), ec.ECDSA(hashes.SHA256()))
        signed = {
            "version": "v3",
            "digest_algorithms": [_SHA256],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(content)},
            "signer_infos": [_signer_info(self.certificate, attributes, signature)],
        }
        if asked.wants_certificate:
            signed["certificates"] = [_as_asn1(self.certificate)]
        return cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)})

    def _info(self, asked: TimeRequest, at: datetime) -> bytes:
        imprint = {"hash_algorithm": _SHA256, "hashed_message": asked.message_sha256}
        fields = {
            "version": 1,
            "policy": POLICY,
            "message_imprint": imprint,
            "serial_number": secrets.randbits(127) | 1 << 126,
            "gen_time": at,
            "accuracy": {"seconds": 1},
            "tsa": asn1_x509.GeneralName("directory_name", _as_asn1(self.certificate).subject),
        }
        if asked.nonce is not None:
            fields["nonce"] = asked.nonce
        der: bytes = tsp.TSTInfo(fields).dump()
        return der

    def _checked(self, now: datetime) -> datetime:
        if now.tzinfo is None:
            raise BadInput("a time without a zone is not an instant")
        at = now.astimezone(UTC).replace(microsecond=0)
        start, end = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        if not start <= at <= end:
            raise AuthorityUnavailable(f"the clock says {at}; our certificate is good from {start} to {end}")
        return at


_SHA256 = {"algorithm": "sha256"}


def _signed_attributes(content: bytes, certificate: x509.Certificate) -> Any:
    """What the signature is over: a DER SET OF, sorted by asn1crypto when it is written.

    Source: RFC 5652 §5.3 and §11, RFC 5816 §2.2.1 (ESSCertIDv2, SHA-256 by default).

    """
    reference = {
        "cert_hash": certificate.fingerprint(hashes.SHA256()),
        "issuer_serial": {
            "issuer": [asn1_x509.GeneralName("directory_name", _as_asn1(certificate).issuer)],
            "serial_number": certificate.serial_number,
        },
    }
    return cms.CMSAttributes(
        [
            {"type": "content_type", "values": ["tst_info"]},
            {"type": "message_digest", "values": [hashlib.sha256(content).digest()]},
            {"type": "signing_certificate_v2", "values": [{"certs": [reference]}]},
        ]
    )


def _signer_info(certificate: x509.Certificate, attributes: Any, signature: bytes) -> Any:
    named = {"issuer": _as_asn1(certificate).issuer, "serial_number": certificate.serial_number}
    return cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier("issuer_and_serial_number", cms.IssuerAndSerialNumber(named)),
            "digest_algorithm": _SHA256,
            "signed_attrs": attributes,
            "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": "sha256_ecdsa"}),
            "signature": signature,
        }
    )


def _as_asn1(certificate: x509.Certificate) -> Any:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))


def _new_pem(now: datetime) -> bytes:
    """Key, certificate and anchor of a new authority. The anchor's key exists in this call only."""
    tag = secrets.token_hex(4)
    anchor_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    anchor_name = _name(f"evidock self-asserted time, anchor {tag}")
    anchor = (
        _certificate(anchor_name, anchor_name, anchor_key, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True), critical=True)
        .sign(anchor_key, hashes.SHA256())
    )
    signer = (
        _certificate(_name(f"evidock self-asserted time {tag}"), anchor_name, key, now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(anchor_key.public_key()), critical=False)
        .sign(anchor_key, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + signer.public_bytes(Encoding.PEM) + anchor.public_bytes(Encoding.PEM)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACK)
        .not_valid_after(now + _GOOD_FOR)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
