# SPDX-License-Identifier: Apache-2.0
"""This is where it is told which certificate of the server a dock or terminal pins when it enrols."""

from pathlib import Path

from app.settings import Settings


def fingerprint_of(settings: Settings) -> str | None:
    """SHA-256 of the certificate that `evidock serve` shows here; None while it has made none.

    Raises:
        BadInput: the certificate of the settings cannot be read. StoreUnavailable.
    """
    from web.server.certificate import brought, made_before

    if settings.tls_cert is not None:
        return brought(settings.tls_cert, settings.tls_key or Path()).fingerprint
    made = made_before(settings.home / "tls")
    return None if made is None else made.fingerprint


def pinned(fingerprint: str | None) -> str:
    """What to type over there, in words."""
    if fingerprint is None:
        return "its certificate is made when `evidock serve` first starts, which prints the fingerprint to pin"
    return f"SHA-256 of the server's certificate, for --fingerprint over there: {fingerprint}"
