# SPDX-License-Identifier: Apache-2.0
"""This is where a bucket is named: the text in the settings, read once and checked."""

import re
from dataclasses import dataclass
from typing import Any, Literal, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from evidence.errors import BadInput
from storage.objects import check_key, check_prefix

LockMode = Literal["compliance", "governance"]
SPELLING = "s3://BUCKET/PREFIX?endpoint=URL&region=REGION&lock=compliance|governance|none&class=CLASS"

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|[0-9a-f:.]+", re.ASCII)
_FOLDER = re.compile(r"[a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*", re.ASCII)
_LONGEST_PREFIX = 200
_KNOWN = {"endpoint", "region", "lock", "class"}
_CLASS = re.compile(r"[A-Z][A-Z0-9_-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class S3Address:
    """One bucket, the place in it that is ours, and the lock that is expected of it.

    `prefix` is empty or ends with a slash. `endpoint` None is Amazon's. Credentials are no part of it: they come
    from where boto3 looks (AWS_ACCESS_KEY_ID, a profile, the machine's role), so that an address can be shown.
    """

    bucket: str
    prefix: str
    endpoint: str | None
    region: str
    lock: LockMode | None
    storage_class: str | None = None
    """What the service keeps new objects in, such as GLACIER_IR; None: what the bucket says."""

    @classmethod
    def parse(cls, url: str) -> "S3Address":
        """The address that `url` spells, see `SPELLING`.

        Raises:
            BadInput: it spells none; the message says what to write. Nothing of a password is repeated.

        """
        try:
            parts = urlsplit(url)
        except ValueError:
            raise _bad("it must have the form", SPELLING) from None
        if parts.scheme != "s3" or parts.username is not None or parts.password is not None or parts.fragment:
            raise _bad("it must have the form", SPELLING + ", without credentials")
        prefix = unquote(parts.path).strip("/")
        if not _BUCKET.fullmatch(parts.netloc) or ".." in parts.netloc:
            raise _bad(f"{parts.netloc!r} is no name of a bucket", SPELLING)
        if prefix and (len(prefix) > _LONGEST_PREFIX or not _FOLDER.fullmatch(prefix)):
            raise _bad(f"{prefix!r} is no prefix; it takes", "a-z 0-9 . _ - and / only")
        told = _options(parts.query)
        return cls(
            bucket=parts.netloc,
            prefix=f"{prefix}/" if prefix else "",
            endpoint=_endpoint(told.get("endpoint", "")),
            region=_region(told.get("region", "us-east-1")),
            lock=_lock(told.get("lock", "none")),
            storage_class=_class(told.get("class", "")),
        )

    def name(self, key: str) -> str:
        """The name in the bucket of the object under `key`.

        Raises:
            BadInput: it is no key.

        """
        return self.prefix + check_key(key)

    def names(self, prefix: str) -> str:
        """What the names in the bucket begin with whose keys begin with `prefix`.

        Raises:
            BadInput: no key begins so.

        """
        return self.prefix + check_prefix(prefix)

    def placing(self) -> dict[str, Any]:
        """What a request that makes an object says of the class it is kept in."""
        return {} if self.storage_class is None else {"StorageClass": self.storage_class}

    def __str__(self) -> str:
        where = f" at {self.endpoint}" if self.endpoint else f" in {self.region}"
        return f"s3://{self.bucket}/{self.prefix}{where}, lock {self.lock or 'none'}"


def _options(query: str) -> dict[str, str]:
    told = parse_qsl(query, keep_blank_values=True)
    names = [name for name, _ in told]
    if len(names) != len(set(names)) or set(names) - _KNOWN:
        raise _bad("its options are endpoint, region, lock and class, each once", SPELLING)
    return dict(told)


def _endpoint(text: str) -> str | None:
    if not text:
        return None
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in ("http", "https") and _HOST.fullmatch(parts.hostname or "") and parts.port != 0
    except ValueError:
        is_good = False
        parts = urlsplit("")
    if not is_good or parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment:
        raise _bad("its endpoint must look like", "https://HOST:PORT (quoted: https%3A%2F%2FHOST%3APORT)")
    return f"{parts.scheme}://{parts.netloc}"


def _region(text: str) -> str:
    if not _REGION.fullmatch(text):
        raise _bad(f"{text!r} is no region", "region=us-east-1, or what the service's manual says")
    return text


def _lock(text: str) -> LockMode | None:
    if text not in ("compliance", "governance", "none"):
        raise _bad(f"it cannot lock {text!r}", "lock=compliance, lock=governance or lock=none")
    return None if text == "none" else cast("LockMode", text)


def _class(text: str) -> str | None:
    if text and not _CLASS.fullmatch(text):
        raise _bad(f"{text!r} is no storage class", "class=STANDARD_IA, or what the service's manual says")
    return text or None


def _bad(what: str, write: str) -> BadInput:
    return BadInput(f"the object store's URL cannot be used: {what} (write {write})")
