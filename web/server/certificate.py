# SPDX-License-Identifier: Apache-2.0
"""This is where a server without a certificate makes its own, once; docks pin it by its SHA-256."""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from evidence.errors import BadInput
from storage.durable import store_errors
from storage.private_file import create_private, read_private

# Docks pin it, so that it does not run out under them; who wants it renewed brings one of an authority.
_DAYS = 3650
_SKEW = timedelta(days=1)

_FILE = "tls.pem"


@dataclass(frozen=True, slots=True)
class Identity:
    """Where certificate chain and key of a server are, PEM; `fingerprint`: SHA-256 of the first certificate's DER."""

    certificate: Path
    key: Path
    fingerprint: str

    def context(self) -> ssl.SSLContext:
        """What speaks TLS 1.2 or newer with it.

        Raises:
            BadInput: certificate and key do not fit, or cannot be read.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise BadInput(f"{self.certificate} and {self.key} cannot be used for TLS: {error}") from error
        return context


def brought(certificate: Path, key: Path) -> Identity:
    """The identity that an operator brought.

    Raises:
        BadInput: it cannot be read, or holds no certificate.
    """
    try:
        return Identity(certificate, key, _fingerprint(certificate.read_bytes()))
    except (OSError, ValueError) as error:
        raise BadInput(f"{certificate} holds no certificate that can be read: {error}") from error


def own(folder: Path, *, host: str, now: datetime) -> Identity:
    """The identity in `folder`, made at the first start (mode 0600) for the name or address `host`.

    Safe to race. Certificate and key are one file: of two that race, no halves are mixed.

    Raises:
        BadInput: others can use the file. StoreUnavailable: it cannot be made or read.
    """
    known = made_before(folder)
    if known is not None:
        return known
    path = folder / _FILE
    create_private(path, _made(host, now))
    return Identity(path, path, _fingerprint(read_private(path)))


def made_before(folder: Path) -> Identity | None:
    """The identity that `own` made in `folder`, or None.

    Raises:
        BadInput: others can use the file. StoreUnavailable: it cannot be read.
    """
    path = folder / _FILE
    with store_errors(f"cannot read {path}"):
        is_there = path.exists()
    return Identity(path, path, _fingerprint(read_private(path))) if is_there else None


def _fingerprint(pem: bytes) -> str:
    found = x509.load_pem_x509_certificates(pem)[0]
    return sha256(found.public_bytes(serialization.Encoding.DER)).hexdigest()


def _made(host: str, now: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "evidock")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    certificate = builder.sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _names(host: str) -> list[x509.GeneralName]:
    local: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")),
        x509.IPAddress(ipaddress.IPv6Address("::1")),
    ]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return local if host == "localhost" else [x509.DNSName(host), *local]
    return local if address.is_loopback or address.is_unspecified else [x509.IPAddress(address), *local]
