# SPDX-License-Identifier: Apache-2.0
"""This is where a server is given what it signs people in with: figures, its own address, secrets' box, a provider."""

import time

from app import clocks
from app.settings import Settings
from evidence.errors import BadInput
from storage.private_file import read_private
from storage.secret_box import SecretBox
from web.oidc.provider import Provider, Registration
from web.outbound.allowed import Allowed
from web.outbound.client import Outbound
from web.outbound.transport import Gate
from web.signin.means import Means


def means_of(settings: Settings) -> Means:
    """What people sign in with, as the settings say.

    Raises:
        BadInput: a setting cannot be used. StoreUnavailable: a key of the home cannot be made or read.
    """
    box = SecretBox.create_or_load(settings.keys, chance=clocks.chance)
    return Means(
        public_url=settings.public_url,
        box=box,
        oidc=provider_of(settings),
        is_second_factor_asked=settings.second_factor,
    )


def provider_of(settings: Settings) -> Provider | None:
    """The OpenID provider that the settings name; None when they name none.

    Raises:
        BadInput: it is named, and where browsers reach this server is not; or its secret cannot be read.
    """
    if not settings.oidc_issuer:
        return None
    if not settings.public_url:
        raise BadInput("EVIDOCK_OIDC_ISSUER is set: set EVIDOCK_PUBLIC_URL too, for people must come back from there")
    path = settings.oidc_secret_file
    secret = None if path is None else read_private(path).decode("utf-8", "replace").strip()
    registration = Registration(settings.oidc_issuer, settings.oidc_client_id, secret)
    return Provider(registration, outbound_of(settings), time.monotonic)


def outbound_of(settings: Settings) -> Outbound:
    """What the server asks others with."""
    return Outbound(Gate(Allowed.of(settings.outbound_allow)))
