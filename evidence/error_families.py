# SPDX-License-Identifier: Apache-2.0
"""This is where the four families stand that every error of ours is one of; `evidence.errors` names them all."""

from typing import ClassVar


class EvidockError(Exception):
    """An error of ours; `code` is stable, the message is for people, `values` name what was met."""

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 2

    def __init__(self, message: str, **values: object) -> None:
        # A hostile program's last words may hold it, and no register takes it.
        message = message.replace("\0", "\N{REPLACEMENT CHARACTER}")
        super().__init__(message)
        self.message = message
        self.values = values


class IntegrityError(EvidockError):
    """Evidence or a proof does not hold. Never retried."""

    code = "integrity"
    exit_status = 1


class Unacceptable(EvidockError):
    """What arrived cannot be taken in; the bytes are kept and a person decides."""

    code = "unacceptable"
    exit_status = 3


class Unavailable(EvidockError):
    """The world is down; worth another try."""

    code = "unavailable"
    exit_status = 75


class Refused(EvidockError):
    """Not allowed as things stand."""

    code = "refused"
    exit_status = 77
