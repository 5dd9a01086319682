# SPDX-License-Identifier: Apache-2.0
"""This is where uploads are spoken: tus 1.0 with creation, checksum and termination, as docs/upload-protocol.md says.

Source: tus resumable upload protocol 1.0.0, "Core protocol", "Creation", "Checksum", "Termination".
"""

import base64
import json

from devices.agent.pieces import Sent, blocks
from devices.agent.session import Session
from devices.agent.spool_rows import SpoolFile
from evidence.errors import NotFound, ServerUnavailable
from evidence.offer import raw

_UPLOADS = "/v1/uploads"
_TUS = {"Tus-Resumable": "1.0.0"}
_BYTES = {**_TUS, "Content-Type": "application/offset+octet-stream"}


def create(session: Session, file: SpoolFile) -> str:
    """Announce a file; the path of its upload. Again, it is announced again: what nobody goes on with expires.

    Raises:
        ServerUnavailable, NotSignedIn, Unacceptable, Refused: as `Session.ask`.
    """
    headers = {**_TUS, "Upload-Length": str(file.size_bytes), "Upload-Metadata": _metadata(file)}
    answer = session.ask("POST", _UPLOADS, headers=headers)
    return session.own_path(answer.headers.get("location", ""), of=_UPLOADS)


def offset_of(session: Session, path: str) -> int | None:
    """How many bytes of an upload the server has for good; None when it knows no such upload (any more).

    Raises:
        ServerUnavailable, NotSignedIn, Unacceptable, Refused: as `Session.ask`.
    """
    try:
        answer = session.ask("HEAD", path, headers=_TUS)
    except NotFound:
        return None
    return _offset(answer.headers.get("upload-offset", ""))


def send_piece(session: Session, path: str, *, descriptor: int, at: int, end: int, digest: bytes, sent: Sent) -> int:
    """Send the bytes from `at` to `end` with their SHA-256; where the next piece begins.

    Raises:
        ChecksumMismatch: other bytes came. OffsetConflict, InUse: ask for the offset. NotFound: no such upload.
        ServerUnavailable, NotSignedIn, Unacceptable, Refused: as `Session.ask`.
    """
    headers = {
        **_BYTES,
        "Upload-Offset": str(at),
        "Upload-Checksum": f"sha256 {base64.b64encode(digest).decode()}",
        "Content-Length": str(end - at),
    }
    answer = session.ask("PATCH", path, headers=headers, body=lambda: blocks(descriptor, at, end, sent))
    return _offset(answer.headers.get("upload-offset", ""))


def _offset(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise ServerUnavailable("what answers there does not speak as the server does")
    return int(text)


def _metadata(file: SpoolFile) -> str:
    said = {
        "filename": raw(file.name),
        "path": raw(file.path),
        "mtime_ns": str(file.mtime_ns).encode(),
        "docking": file.docking.encode(),
        "claims": json.dumps(file.claims.to_json(), ensure_ascii=False, separators=(",", ":")).encode(),
    }
    if file.sha256 is not None:
        said["sha256"] = file.sha256.encode()
    return ",".join(f"{key} {base64.b64encode(value).decode()}" for key, value in said.items())
