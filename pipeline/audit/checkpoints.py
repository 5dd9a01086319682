# SPDX-License-Identifier: Apache-2.0
"""This is where what is tied to a checkpoint is held against it: anchors of records, and time tokens.

An anchor proves *not before*, a token *not after*.
"""

import hashlib
from collections.abc import Sequence

from evidence import instant
from evidence.errors import BadInput, IntegrityError, NotFound, TokenInvalid
from evidence.note import split_note
from pipeline.audit.ledger import Told
from pipeline.audit.log import trust_of
from pipeline.audit.records import Stamped
from pipeline.audit.sheet import StoreSheet
from pipeline.audit.trust import is_by_a_stranger
from pipeline.ports import Ports
from pipeline.tsa.port import TimeToken
from pipeline.tsa.rfc3161 import verify_response
from storage import layout
from storage.custody_log import SignedCheckpoint

_LARGEST_TOKEN = 1 << 20


class Checkpoints:
    """The checkpoints that were kept, opened by the log's own key, each read once."""

    def __init__(self, ports: Ports, sheet: StoreSheet) -> None:
        self._log = ports.log
        self._sheet = sheet
        self._opened: dict[int, SignedCheckpoint | None] = {}

    def at(self, size: int, *, why: str) -> SignedCheckpoint | None:
        """The checkpoint of `size`; None, and noted, when there is none that holds.

        Raises:
            StoreUnavailable: nothing can be said.
        """
        if size not in self._opened:
            self._opened[size] = self._open(size, why)
        return self._opened[size]

    def _open(self, size: int, why: str) -> SignedCheckpoint | None:
        try:
            return self._log.checkpoint(size)
        except (NotFound, BadInput):
            self._sheet.blame(f"checkpoint of size {size}", "missing", why)
        except IntegrityError as error:
            key = layout.checkpoint_key(size)
            if not self._sheet.is_blamed(key):
                self._sheet.blame(key, error.code, f"{why}: {error.message}")
        return None


def check_anchors(told: Told, checkpoints: Checkpoints, *, sheet: StoreSheet) -> None:
    """Every anchor names a checkpoint that the log signed: the record is not older than it says."""
    for (size, root), name in told.anchors.items():
        signed = checkpoints.at(size, why=f"{name} is anchored to it")
        if signed is not None and signed.root.hex() != root:
            where = f"anchored to root {root} at size {size}; the log signed {signed.root.hex()}"
            sheet.blame(name, "another-root", where)


def check_tokens(told: Told, checkpoints: Checkpoints, *, ports: Ports, sheet: StoreSheet) -> None:
    """Every recorded time token is there, is the one recorded, and holds over its checkpoint."""
    for stamped in told.stamped.values():
        _check_token(stamped, checkpoints, ports=ports, sheet=sheet)


def _check_token(stamped: Stamped, checkpoints: Checkpoints, *, ports: Ports, sheet: StoreSheet) -> None:
    key = layout.token_key(stamped.size, stamped.authority, stamped.sha256)
    token = sheet.take(key, _LARGEST_TOKEN, why="a record names it")
    signed = checkpoints.at(stamped.size, why=f"{key} is over it")
    if token is None:
        return
    found = hashlib.sha256(token).hexdigest()
    if found != stamped.sha256:
        # Parts of a token are unsigned: one that still verifies may have other bytes all the same.
        sheet.blame(key, "altered", f"its bytes have the digest {found}")
    elif signed is not None:
        verified = _verified(token, signed, key, ports=ports, sheet=sheet)
        if verified is not None and instant.to_text(verified.gen_time) != stamped.gen_time:
            where = f"it says {instant.to_text(verified.gen_time)}, recorded is {stamped.gen_time}"
            sheet.blame(key, "another-time", where)


def _verified(token: bytes, signed: SignedCheckpoint, key: str, *, ports: Ports, sheet: StoreSheet) -> TimeToken | None:
    anchors = trust_of(ports).anchors
    if anchors is None:
        sheet.doubt(key, "unverified", "no timestamp authority is set, so there is no anchor to trust")
        return None
    imprint = hashlib.sha256(split_note(signed.note)[0].encode()).digest()
    try:
        return verify_response(token, message_sha256=imprint, anchors=anchors)
    except TokenInvalid as error:
        if is_by_a_stranger(error):
            # As after a change of authorities: the token is the recorded one, its anchor is not here.
            sheet.doubt(key, "untrusted", "no anchor of the authorities that are set vouches for its signer")
        else:
            sheet.blame(key, error.code, error.message)
        return None


def spare_tokens(
    told: Told, keys: Sequence[str], checkpoints: Checkpoints, *, ports: Ports, sheet: StoreSheet
) -> set[str]:
    """Keys of tokens that no record names and that hold over their checkpoint all the same.

    They are normal: a token rests before it is recorded, and that stamping may have been killed.

    Raises:
        StoreUnavailable: nothing can be said.
    """
    recorded = {layout.token_key(one.size, one.authority, one.sha256) for one in told.stamped.values()}
    unnamed = [key for key in keys if key.startswith(layout.TOKENS_PREFIX) and key not in recorded]
    spare = {key for key in unnamed if _holds(key, checkpoints, ports=ports, sheet=sheet)}
    if spare:
        sheet.remark(f"{len(spare)} time tokens belong to no event: their transaction was not committed")
    return spare


def _holds(key: str, checkpoints: Checkpoints, *, ports: Ports, sheet: StoreSheet) -> bool:
    anchors, size = trust_of(ports).anchors, _size_in(key)
    token = None if anchors is None or size is None else sheet.take(key, _LARGEST_TOKEN, why="a time token")
    if anchors is None or size is None or token is None:
        return False
    signed = checkpoints.at(size, why=f"{key} is over it")
    if signed is None or hashlib.sha256(token).hexdigest() not in key:
        return False
    imprint = hashlib.sha256(split_note(signed.note)[0].encode()).digest()
    try:
        verify_response(token, message_sha256=imprint, anchors=anchors)
    except TokenInvalid:
        return False
    return True


def _size_in(key: str) -> int | None:
    """The size of the checkpoint that a token's key speaks of; None for what is no key of a token."""
    try:
        *groups, authority, name = key.removeprefix(layout.TOKENS_PREFIX).split("/")
        size = int("".join(group.removeprefix("x") for group in groups))
        return size if layout.token_key(size, authority, name.removesuffix(".tsr")) == key else None
    except (ValueError, BadInput):
        return None
