# SPDX-License-Identifier: Apache-2.0
"""This is where every error of ours is named, in four families by what the caller should do.

| family | meaning | worker | CLI exit |
|---|---|---|---|
| IntegrityError | evidence or a proof does not hold | quarantine, alarm, never retry | 1 |
| Unacceptable | what arrived cannot be taken in | quarantine | 3 |
| Unavailable | the world is down | retry with backoff | 75 |
| Refused | not allowed | stop | 77 |

Codes are chosen strings that scripts and locale files rely on; class names are not.
"""

from evidence.error_families import EvidockError as EvidockError
from evidence.error_families import IntegrityError as IntegrityError
from evidence.error_families import Refused as Refused
from evidence.error_families import Unacceptable as Unacceptable
from evidence.error_families import Unavailable as Unavailable
from evidence.errors_doors import AnswerLost as AnswerLost
from evidence.errors_doors import ChangedMeanwhile as ChangedMeanwhile
from evidence.errors_doors import KeyReused as KeyReused
from evidence.errors_doors import NotAllowed as NotAllowed
from evidence.errors_doors import ProveAgain as ProveAgain
from evidence.errors_doors import SecondFactorNeeded as SecondFactorNeeded
from evidence.errors_doors import TooManyTries as TooManyTries
from evidence.errors_doors import UnderWay as UnderWay


class FixityMismatch(IntegrityError):
    """Bytes at rest are not the bytes that were measured."""

    code = "fixity-mismatch"


class ProofInvalid(IntegrityError):
    """A Merkle proof does not lead to the root it claims."""

    code = "proof-invalid"


class SignatureInvalid(IntegrityError):
    """No trusted key signed this text, or a signature by a trusted key is wrong."""

    code = "signature-invalid"


class TokenInvalid(IntegrityError):
    """A time token does not verify."""

    code = "token-invalid"


class LogInconsistent(IntegrityError):
    """The custody log contradicts itself, its tiles or its checkpoint."""

    code = "log-inconsistent"


class BackupInvalid(IntegrityError):
    """A backup is not whole, or is not what it says it is."""

    code = "backup-invalid"


class RecordMalformed(IntegrityError):
    """A record, note, checkpoint or table is not in its canonical form."""

    code = "record-malformed"


class EmptyFile(Unacceptable):
    """The file has no bytes."""

    code = "empty-file"


class NotMedia(Unacceptable):
    """The bytes are of no media kind we know, whatever the name says."""

    code = "not-media"


class PlaylistRefused(Unacceptable):
    """The bytes are a playlist or a list of other files: it could make a decoder read what it should not."""

    code = "playlist-refused"


class IndexMissing(Unacceptable):
    """A container without its index (an MP4 without moov): the recorder lost power before it finished."""

    code = "index-missing"


class Truncated(Unacceptable):
    """The container promises more bytes than the file has."""

    code = "truncated"


class CodecRefused(Unacceptable):
    """A codec outside the list we are willing to decode."""

    code = "codec-refused"


class Undecodable(Unacceptable):
    """The container reads but its media does not decode, or cannot be handled within limits."""

    code = "undecodable"


class UnknownDevice(Unacceptable):
    """The file claims a device that the register does not know."""

    code = "unknown-device"


class StillChanging(Unacceptable):
    """The file changed while it was read: not taken yet."""

    code = "still-changing"


class BadInput(Unacceptable):
    """An argument, file or setting given by a person cannot be used as it is."""

    code = "bad-input"


class NotFound(Unacceptable):
    """No such thing in the register or the store."""

    code = "not-found"


class ChecksumMismatch(Unacceptable):
    """Bytes came with a checksum that they do not have: they changed on the way."""

    code = "checksum-mismatch"


class TooLarge(Unacceptable):
    """More bytes came than were announced, or than may come."""

    code = "too-large"


class StoreUnavailable(Unavailable):
    """The object store cannot be read or written now."""

    code = "store-unavailable"


class RegisterUnavailable(Unavailable):
    """The register cannot be read or written now."""

    code = "register-unavailable"


class ToolMissing(Unavailable):
    """A program that this step needs is not on the machine."""

    code = "tool-missing"


class ToolKilled(Unavailable):
    """A program that worked on a file was killed from outside, as the kernel does when memory runs out."""

    code = "tool-killed"


class SourceUnavailable(Unavailable):
    """The file or device to read from has gone."""

    code = "source-unavailable"


class AuthorityUnavailable(Unavailable):
    """A timestamp authority did not answer."""

    code = "authority-unavailable"


class NotProtected(Unavailable):
    """The object store was told to lock an object and does not hold the lock: nothing is called sealed there."""

    code = "not-protected"


class SandboxMissing(Unavailable):
    """No sandbox works on this machine, so nothing that came from outside is decoded here."""

    code = "sandbox-missing"


class DiskLow(Unavailable):
    """Too little space is left to take anything in; what waits stays where it is."""

    code = "disk-low"


class Overloaded(Unavailable):
    """More work waits than was set as the limit; what comes next is taken when it has gone down."""

    code = "overloaded"


class ServerUnavailable(Unavailable):
    """The server of a dock or terminal does not answer, or says that it cannot now."""

    code = "server-unavailable"


class LeaseLost(Refused):
    """Another worker holds this job now; nothing of this attempt was recorded."""

    code = "lease-lost"


class Conflict(Refused):
    """The register already holds something that contradicts this."""

    code = "conflict"


class WrongState(Refused):
    """The lifecycle does not allow this step from the state the recording is in."""

    code = "wrong-state"


class StillLocked(Refused):
    """The object store itself keeps these bytes from being removed: a lock that has not ended, or a legal hold."""

    code = "still-locked"


class RegisterLost(Refused):
    """The register is empty beside a custody log that has entries: it must be rebuilt before anything is written."""

    code = "register-lost"


class InUse(Refused):
    """Other processes of this installation are running."""

    code = "in-use"


class OffsetConflict(Refused):
    """Bytes were sent for another place in a file than comes next."""

    code = "offset-conflict"


class NotSignedIn(Refused):
    """Nobody is known by this token, code or signature, or no longer."""

    code = "not-signed-in"


class DeviceRefused(Refused):
    """A dock takes nothing from this device: it is not on the white list, or its binding was altered."""

    code = "device-refused"
