# SPDX-License-Identifier: Apache-2.0
"""This is where tests get a custody log that is sound, and the hands to damage it."""

from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from evidence.note import Signer, Verifier, ed25519_key_hash
from evidence.verdict import Verdict
from storage.custody_log import CustodyLog, SignedCheckpoint
from storage.log_check import LogReport, check_log
from storage.objects_file import DirectoryStore

ORIGIN = "example.org/evidock/log"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32))
SIZE = 600  # two full bundles and an open one; published at 100, 256, 400 and 600


def keys(private: Ed25519PrivateKey, name: str = ORIGIN) -> tuple[Signer, Verifier]:
    public = private.public_key()
    key_hash = ed25519_key_hash(name, public.public_bytes_raw())

    def verify(message: bytes, signature: bytes) -> bool:
        try:
            public.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return Signer(name, key_hash, private.sign), Verifier(name, key_hash, verify)


SIGNER, VERIFIER = keys(KEY)


def opened(store: DirectoryStore) -> CustodyLog:
    return CustodyLog(store, ORIGIN, signers=[SIGNER], verifiers=[VERIFIER])


def entries(count: int, *, start: int = 0) -> list[bytes]:
    return [b"entry %d" % number for number in range(start, start + count)]


def published(root: Path, *sizes: int) -> DirectoryStore:
    store, at = DirectoryStore(root), 0
    for size in sizes or (100, 256, 400, SIZE):
        opened(store).publish(entries(size - at, start=at), at=at)
        at = size
    return store


def change(store: DirectoryStore, key: str, by: Callable[[bytes], bytes]) -> None:
    with store.local_file(key) as path:
        path.chmod(0o644)
        path.write_bytes(by(path.read_bytes()))


def put_back(store: DirectoryStore, key: str, data: bytes) -> None:
    change(store, key, lambda _: data)


def remove(store: DirectoryStore, *names: str) -> None:
    for key in names:
        with store.local_file(key) as path:
            path.unlink()


def flip(at: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def at_rest(store: DirectoryStore) -> dict[str, bytes]:
    return {key: store.read(key, limit=1 << 20) for key in store.keys("log/")}


def check(store: DirectoryStore, *known: SignedCheckpoint) -> LogReport:
    return check_log(store, [VERIFIER], origin=ORIGIN, known=known)


def found(store: DirectoryStore, *known: SignedCheckpoint) -> list[tuple[str, str, str]]:
    report = check(store, *known)
    assert all(finding.verdict is Verdict.TAMPERED for finding in report.findings)
    return [(finding.object, finding.what, finding.where) for finding in report.findings]
