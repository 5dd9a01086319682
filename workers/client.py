# SPDX-License-Identifier: Apache-2.0
"""This is where connections to a broker are made: impatient ones, because a hint is not worth waiting for."""

from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from evidence.errors import BadInput

_ANSWER_S = 5.0
_SCHEMES = ("redis", "rediss", "unix")


def over_socket(path: str, *, answer_s: float = _ANSWER_S) -> redis.Redis:
    """A client of the server behind a unix socket. Nothing is connected yet."""
    return redis.Redis(unix_socket_path=path, **_manner(answer_s))


def over_url(url: str) -> redis.Redis:
    """A client of the server at `redis://`, `rediss://` or `unix://`. Nothing is connected yet.

    Raises:
        BadInput: the URL cannot be used; the message does not repeat it, as it may hold a password.
    """
    try:
        if urlsplit(url).scheme not in _SCHEMES:
            raise ValueError("it begins with none of redis://, rediss://, unix://")
        return redis.Redis.from_url(url, **_manner(_ANSWER_S))
    except ValueError as error:
        raise BadInput(f"EVIDOCK_BROKER_URL cannot be used (embedded: or redis://HOST:PORT): {error}") from error


def _manner(answer_s: float) -> dict[str, Any]:
    # No retries: the library's own would send a command twice, and hold its thread while the server is away.
    return {
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": answer_s,
        "socket_connect_timeout": answer_s,
        "client_name": "evidock",
    }
