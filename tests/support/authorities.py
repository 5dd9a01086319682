# SPDX-License-Identifier: Apache-2.0
"""This is where tests get timestamp authorities, honest and rogue, and tokens changed and signed again."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from asn1crypto import cms, core, tsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pipeline.tsa.exchange import Response, granted
from pipeline.tsa.local import LocalAuthority
from pipeline.tsa.port import TrustAnchors

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
STAMPING = x509.Extension(
    x509.ExtendedKeyUsage.oid, critical=True, value=x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
)
CA = x509.Extension(x509.BasicConstraints.oid, critical=True, value=x509.BasicConstraints(ca=True, path_length=None))


@dataclass(frozen=True, slots=True)
class Identity:
    """A key and the certificate over it."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def usage_of(*purposes: x509.ObjectIdentifier, critical: bool = True) -> x509.Extension[Any]:
    return x509.Extension(x509.ExtendedKeyUsage.oid, critical=critical, value=x509.ExtendedKeyUsage(purposes))


def identity(
    name: str,
    *,
    above: Identity | None = None,
    extensions: Sequence[x509.Extension[Any]] = (),
    serial: int | None = None,
    life: tuple[datetime, datetime] = (NOON - DAY, NOON + DAY),
) -> Identity:
    """A new key, certified by `above` or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer = above.key if above else key
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.certificate.subject if above else subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(life[0])
        .not_valid_after(life[1])
    )
    for extension in extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return Identity(key, builder.sign(signer, hashes.SHA256()))


def root(
    name: str = "root",
    *,
    serial: int | None = None,
    life: tuple[datetime, datetime] = (NOON - DAY, NOON + DAY),
) -> Identity:
    return identity(name, extensions=[CA], serial=serial, life=life)


def authority_by(signer: Identity, anchor: Identity) -> LocalAuthority:
    """An authority that signs with `signer`, whoever that is."""
    return LocalAuthority("test", TrustAnchors((anchor.certificate,)), signer.certificate, signer.key)


def honest() -> LocalAuthority:
    anchor = root()
    return authority_by(identity("tsa", above=anchor, extensions=[STAMPING]), anchor)


# --- tokens taken apart -------------------------------------------------------------------

Change = Callable[[Any], object]


def signed_data(response: bytes) -> Any:
    return Response.load(response, strict=True)["time_stamp_token"]["content"]


def info_of(response: bytes) -> Any:
    return tsp.TSTInfo.load(bytes(signed_data(response)["encap_content_info"]["content"]))


def rebuilt(
    response: bytes,
    authority: LocalAuthority,
    *,
    content: bytes | None = None,
    attributes: Change | None = None,
    signer_info: Change | None = None,
    signed: Change | None = None,
) -> bytes:
    """`response` with parts exchanged and the signature made again by `authority`'s key.

    `content`: other bytes of TSTInfo (the digest attribute follows). `attributes` changes the list of
    signed attributes before, `signer_info` and `signed` change their structures after signing.
    """
    old = signed_data(response)
    content = bytes(old["encap_content_info"]["content"]) if content is None else content
    listed = [attribute.copy() for attribute in old["signer_infos"][0]["signed_attrs"]]
    for attribute in listed:
        if attribute["type"].native == "message_digest":
            attribute["values"] = [hashlib.sha256(content).digest()]
    if attributes:
        attributes(listed)
    new_attributes = cms.CMSAttributes(listed)
    info = {name: old["signer_infos"][0][name] for name in ("version", "sid", "digest_algorithm")}
    info["signature_algorithm"] = old["signer_infos"][0]["signature_algorithm"]
    info["signed_attrs"] = new_attributes
    info["signature"] = authority._key.sign(new_attributes.dump(), ec.ECDSA(hashes.SHA256()))
    fields = {
        "version": "v3",
        "digest_algorithms": old["digest_algorithms"],
        "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(content)},
        "certificates": [choice.chosen for choice in old["certificates"]],
        "signer_infos": [info],
    }
    if signer_info:
        signer_info(info)
    if signed:
        signed(fields)
    return granted(cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(fields)}))


def with_info(response: bytes, authority: LocalAuthority, changes: Mapping[str, Any]) -> bytes:
    """`response` whose TSTInfo says something else, signed again."""
    old = info_of(response)
    fields = {name: old[name] for name in ("version", "policy", "message_imprint", "serial_number", "gen_time")}
    fields |= {name: old[name] for name in ("accuracy", "tsa") if not isinstance(old[name], core.Void)}
    kept = {name: value for name, value in {**fields, **changes}.items() if value is not None}
    return rebuilt(response, authority, content=tsp.TSTInfo(kept).dump())


def with_certificates(response: bytes, *injected: x509.Certificate, first: bool = False) -> bytes:
    """`response` with certificates added beside the signer's; nothing that is signed changes."""
    parsed = Response.load(response, strict=True)
    token = parsed["time_stamp_token"]
    signed = token["content"]
    added = [as_asn1(certificate) for certificate in injected]
    own = [choice.chosen for choice in signed["certificates"]]
    fields = {name: signed[name] for name in ("version", "digest_algorithms", "encap_content_info", "signer_infos")}
    fields["certificates"] = added + own if first else own + added
    return granted(cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(fields)}))


def as_asn1(certificate: x509.Certificate) -> Any:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
