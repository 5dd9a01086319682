# SPDX-License-Identifier: Apache-2.0
"""This is where the S3 service is spoken to: one request at a time, tried again when that can help.

A definite answer that is no success becomes `Said`; the methods of the store know which of them are expected.
What may pass (5xx, SlowDown, a reset, a timeout, a body that ended early or arrived changed, a 200 that holds an
error) is tried again, waiting longer each time and never in step with others, within `Patience`.
"""

import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004
    HTTPClientError,
    IncompleteReadError,
)
from botocore.parsers import ResponseParserError

from evidence.errors import StoreUnavailable
from storage.s3.address import S3Address

_MAKING = threading.Lock()
PASSING = (HTTPClientError, ConnectionError, IncompleteReadError, ResponseParserError)

_CHANCE = random.SystemRandom()
_CLOCK_TOLERANCE_S = 300
_AGAIN = {
    "BadDigest",  # the body was changed on its way: the server compared it with our MD5
    "ConditionalRequestConflict",
    "IncompleteBody",
    "OperationAborted",
    "RequestTimeout",
    "SlowDown",
    "Throttling",
    "TooManyRequests",
    "XAmzContentSHA256Mismatch",
}
_NEVER_AGAIN = {"501", "NotImplemented"}
_ADVICE = {
    "AccessDenied": "these credentials may not do that: give them the rights listed in docs/operate/object-store.md",
    "403": "these credentials may not do that: give them the rights listed in docs/operate/object-store.md",
    "NoSuchBucket": "there is no such bucket: make it, with Object Lock if it is to lock, or correct the URL",
    "InvalidAccessKeyId": "the service does not know this access key: check AWS_ACCESS_KEY_ID or the profile",
    "SignatureDoesNotMatch": "the secret key is wrong, or the region is: check AWS_SECRET_ACCESS_KEY and region=",
    "AuthorizationHeaderMalformed": "the region is wrong: set region= in the URL",
    "PermanentRedirect": "the bucket is elsewhere: set endpoint= and region= in the URL",
    "301": "the bucket is elsewhere: set endpoint= and region= in the URL",
    "ExpiredToken": "the credentials have expired: renew them",
    "NotImplemented": "the service does not know this request",
}


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one request is tried: for `total_s`, and at least `tries` times; limits of one try beside it."""

    total_s: float = 30.0
    tries: int = 4
    longest_pause_s: float = 5.0
    connect_s: float = 5.0
    read_s: float = 20.0


class Said(Exception):
    """A definite answer of the service that is no success: its `code` and HTTP `status`."""

    def __init__(self, error: ClientError) -> None:
        self.response = error.response
        self.code = str(self.response.get("Error", {}).get("Code", ""))
        self.status = int(self.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        super().__init__(f"{self.code} ({self.status})")

    @property
    def is_absent(self) -> bool:
        """The object or version is not there; a bucket that is not there is another matter."""
        return self.status == 404 and self.code != "NoSuchBucket"

    @property
    def is_precondition(self) -> bool:
        """A condition of the request did not hold."""
        return self.status == 412

    @property
    def may_pass(self) -> bool:
        """Another try may have another answer."""
        if self.code in _NEVER_AGAIN:
            return False
        return self.status >= 500 or self.status == 429 or self.code in _AGAIN


class Tries:
    """The tries of one request: `pause` waits before the next, or says that there is none."""

    def __init__(self, doing: str, patience: Patience) -> None:
        self._doing, self._patience = doing, patience
        self._begin()

    def _begin(self) -> None:
        self._made, self._ends = 0, time.monotonic() + self._patience.total_s

    def went_on(self) -> None:
        """Something arrived: count anew."""
        self._begin()

    def pause(self, error: Exception) -> None:
        """Wait a random time whose limit doubles.

        Raises:
            StoreUnavailable: patience is at its end.

        """
        self._made += 1
        if self._made >= self._patience.tries and time.monotonic() >= self._ends:
            raise StoreUnavailable(f"{self._doing}: {_words(error)}; tried {self._made} times") from error
        time.sleep(_CHANCE.uniform(0, min(self._patience.longest_pause_s, 0.05 * 2**self._made)))


class S3Client:
    """Requests to one bucket, from any thread and on both sides of a fork."""

    def __init__(self, address: S3Address, *, patience: Patience | None = None) -> None:
        self.address = address
        self.patience = patience or Patience()
        self._forget()
        _CLIENTS.add(self)

    def _forget(self) -> None:
        self._made: Any = None

    def call(self, operation: str, /, *, unless: Callable[[], bool] | None = None, **request: Any) -> dict[str, Any]:
        """The answer to one request about our bucket, tried again while that may help.

        `unless` is asked before each further try: True when an earlier one got through unheard, and the answer is
        then empty. Bodies are bytes. Raises Said for a definite answer that is no success.

        Raises:
            StoreUnavailable: patience is at its end, or there are no credentials.

        """
        tries = Tries(f"{operation} at {self.address}", self.patience)
        while True:
            try:
                return self.once(operation, **request)
            except Said as error:
                if not error.may_pass:
                    raise
                tries.pause(error)
            except PASSING as error:
                tries.pause(error)
            if unless is not None and unless():
                return {}

    def once(self, operation: str, /, **request: Any) -> dict[str, Any]:
        """One try of `call`; what may pass comes as Said that `may_pass`, or as one of PASSING."""
        try:
            client = self._client()
        except (BotoCoreError, ValueError) as error:
            raise StoreUnavailable(f"the settings for {self.address} cannot be used: {error}") from error
        try:
            answer: dict[str, Any] = getattr(client, operation)(Bucket=self.address.bucket, **request)
        except ClientError as error:
            raise Said(error) from error
        except PASSING as error:
            if "CERTIFICATE_VERIFY_FAILED" not in str(error):
                raise
            advice = "name the authority's certificates in AWS_CA_BUNDLE"
            raise StoreUnavailable(f"{operation} at {self.address}: {error}: {advice}") from error
        except BotoCoreError as error:
            raise StoreUnavailable(f"{operation} at {self.address}: {error}") from error
        return answer

    def tries(self, doing: str) -> Tries:
        """A new count of tries, for a caller that makes them itself."""
        return Tries(f"{doing} at {self.address}", self.patience)

    def _client(self) -> Any:
        if self._made is None:
            with _MAKING:
                if self._made is None:
                    self._made = self._new_client()
        return self._made

    def _new_client(self) -> Any:
        address = self.address
        config = Config(
            # Buckets as part of a host name need DNS for each; only Amazon promises that.
            s3={"addressing_style": "path" if address.endpoint else "auto"},
            retries={"total_max_attempts": 1, "mode": "standard"},
            # Newer checksums make old servers refuse uploads over TLS (411). We send Content-MD5, and compare.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=self.patience.connect_s,
            read_timeout=self.patience.read_s,
            max_pool_connections=64,
            tcp_keepalive=True,
        )
        return _session().client("s3", region_name=address.region, endpoint_url=address.endpoint, config=config)


@cache
def _session() -> Any:
    # One for the process: it reads large files. Clients may be used by many threads, it only by one.
    return boto3.session.Session()


_CLIENTS: "weakref.WeakSet[S3Client]" = weakref.WeakSet()


def _forget_all() -> None:
    global _MAKING
    _MAKING = threading.Lock()
    _session.cache_clear()
    for client in list(_CLIENTS):
        client._forget()


os.register_at_fork(after_in_child=_forget_all)


@contextmanager
def our_errors(doing: str) -> Iterator[None]:
    """Turn every answer that nobody expected into StoreUnavailable, saying what to do.

    Raises:
        StoreUnavailable: with the service's own code as `s3_code`; errors of ours pass through untouched.

    """
    try:
        yield
    except Said as error:
        raise StoreUnavailable(f"{doing}: {_words(error)}", s3_code=error.code) from error
    except PASSING as error:
        raise StoreUnavailable(f"{doing}: {_words(error)}") from error
    except KeyError as error:
        raise StoreUnavailable(f"{doing}: the service's answer says nothing of {error}") from error


def _words(error: Exception) -> str:
    if not isinstance(error, Said):
        return str(error)
    ahead = clock_difference(error.response, now=datetime.now(UTC))
    if error.code == "RequestTimeTooSkewed" or (error.status == 403 and abs(ahead or 0) > _CLOCK_TOLERANCE_S):
        by = "too much" if ahead is None else f"{abs(ahead):.0f} s"
        side = "" if ahead is None else (" (ours is ahead)" if ahead > 0 else " (ours is behind)")
        return f"the clocks of this machine and of the service differ by {by}{side}: set the clock, by NTP"
    told = str(error.response.get("Error", {}).get("Message") or "").strip()
    advice = _ADVICE.get(error.code)
    return f"the service says {error}{f', {told}' if told else ''}{f': {advice}' if advice else ''}"


def clock_difference(response: dict[str, Any], *, now: datetime) -> float | None:
    """Seconds by which `now` is ahead of the clock that stamped an answer; None when it bears no time."""
    text = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return None if text is None else (now - parsedate_to_datetime(text).astimezone(UTC)).total_seconds()
    except ValueError:
        return None
