# SPDX-License-Identifier: Apache-2.0
"""This is where the signer of a time-stamp is found, and its right to stamp time is checked.

Everything raises TokenInvalid, or whatever the libraries raise at hostile bytes: the caller
(`rfc3161.verify_response`) turns both into "does not verify".
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store

from evidence.errors import TokenInvalid
from pipeline.tsa.port import TrustAnchors

DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_MOST_CERTIFICATES = 32
_LEAST_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class Signer:
    """The certificate that signed, exactly as the token carries it, and the others beside it."""

    der: bytes
    certificate: x509.Certificate
    beside: tuple[bytes, ...]


def find_signer(signed: Any, signer_info: Any, signing_certificate: Any) -> Signer:
    """The one certificate with the signer's issuer and serial, whose digest the signed attribute holds.

    Never by position, by subject, or by "the leaf": certificates in a token are unsigned and anyone
    may add some.

    Source: RFC 5652 §5.3, RFC 5816 §2.2.1, RFC 5035 §4.

    """
    if signer_info["sid"].name != "issuer_and_serial_number":
        raise TokenInvalid("the signer is not named by issuer and serial number")
    named = signer_info["sid"].chosen
    choices = [choice for choice in signed["certificates"] if choice.name == "certificate"]
    if len(choices) > _MOST_CERTIFICATES:
        raise TokenInvalid(f"the token carries {len(choices)} certificates")
    certificates = [choice.chosen for choice in choices]
    found = [one for one in certificates if _is_named(one, named)]
    if len(found) != 1:
        raise TokenInvalid(f"{len(found)} certificates have the signer's issuer and serial, wanted is one")
    der = found[0].dump()
    _check_reference(signing_certificate["certs"][0], der, named)
    beside = tuple(one.dump() for one in certificates if one is not found[0])
    return Signer(der, x509.load_der_x509_certificate(der), beside)


def check_signature(signer_info: Any, certificate: x509.Certificate) -> None:
    """The certificate's key signed the attributes, with a digest and a key that are strong enough.

    Source: RFC 5652 §5.4: what is signed is the attributes as a SET OF.

    """
    name = signer_info["digest_algorithm"]["algorithm"].native
    algorithm, signature = signer_info["signature_algorithm"], signer_info["signature"].native
    message = signer_info["signed_attrs"].untag().dump()
    # Plain rsaEncryption names no digest of its own; every other algorithm does, and must agree.
    if algorithm["algorithm"].native != "rsassa_pkcs1v15" and algorithm.hash_algo != name:
        raise TokenInvalid(f"signed with {algorithm.hash_algo}, while the content's digest is {name}")
    key = certificate.public_key()
    if isinstance(key, ec.EllipticCurvePublicKey) and algorithm.signature_algo == "ecdsa":
        key.verify(signature, message, ec.ECDSA(DIGESTS[name]))
    elif isinstance(key, rsa.RSAPublicKey) and key.key_size >= _LEAST_RSA_BITS:
        key.verify(signature, message, _rsa_padding(algorithm, DIGESTS[name]), DIGESTS[name])
    else:
        raise TokenInvalid(f"a signature or key of a kind we do not accept: {algorithm.signature_algo}")


def check_purpose(certificate: x509.Certificate) -> None:
    """The certificate is for stamping time and for nothing else, and says so critically.

    Source: RFC 3161 §2.3.

    """
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    if not usage.critical or list(usage.value) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise TokenInvalid("the signer's certificate is not for time-stamping alone, stated critically")
    try:
        may = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not (may.digital_signature or may.content_commitment):
        raise TokenInvalid("the signer's certificate is not for signatures")


def check_chain(signer: Signer, anchors: TrustAnchors, *, at: datetime) -> None:
    """A path of certificates, all valid `at` the token's time, leads from an anchor to the signer.

    Source: RFC 5280 §6.1, by the cryptography package's path builder.

    """
    # Validity, names, signatures, cA and path length are the path builder's own; what follows is beyond them.
    authority = (
        ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
        .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign_certificates)
    )
    # The signer's own extensions were judged by `check_purpose`; unknown critical ones are still refused.
    policy = PolicyBuilder().store(Store(list(anchors.certificates))).time(at)
    verifier = policy.extension_policies(ca_policy=authority, ee_policy=ExtensionPolicy.permit_all())
    beside = [x509.load_der_x509_certificate(der) for der in signer.beside]
    verifier.build_client_verifier().verify(signer.certificate, beside)


def _is_named(certificate: Any, named: Any) -> bool:
    same_issuer: bool = certificate.issuer.dump() == named["issuer"].dump()
    same_serial: bool = certificate.serial_number == named["serial_number"].native
    return same_issuer and same_serial


def _check_reference(reference: Any, der: bytes, named: Any) -> None:
    """ESSCertIDv2: the digest of the very certificate is among what was signed."""
    digest = DIGESTS[reference["hash_algorithm"]["algorithm"].native]
    if reference["cert_hash"].native != hashlib.new(digest.name, der).digest():
        raise TokenInvalid("the certificate is not the one that the signature names")
    stated = reference["issuer_serial"]
    if isinstance(stated, core.Void):
        return
    issuers = [name.chosen.untag().dump() for name in stated["issuer"] if name.name == "directory_name"]
    serials = [stated["serial_number"].native]
    if issuers != [named["issuer"].dump()] or serials != [named["serial_number"].native]:
        raise TokenInvalid("the signature names a certificate of another issuer or serial")


def _rsa_padding(algorithm: Any, digest: hashes.HashAlgorithm) -> padding.AsymmetricPadding:
    if algorithm.signature_algo == "rsassa_pkcs1v15":
        return padding.PKCS1v15()
    if algorithm.signature_algo != "rsassa_pss":
        raise TokenInvalid(f"an RSA key with a {algorithm.signature_algo} signature")
    parameters = algorithm["parameters"]
    mask = parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native
    return padding.PSS(padding.MGF1(DIGESTS[mask]), parameters["salt_length"].native)


def _may_sign_certificates(_: Policy, __: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("an authority's certificate on the way may not sign certificates")
