# SPDX-License-Identifier: Apache-2.0
"""This is where an investigator's clip is served: exact to the frame, with a proof that stands alone.

(1) The packets are copied from the original as they are, each compared with its digest. (2) The
serving is a custody event that names the clip's own digest. (3) The proof ties the clip's packets
to the recording's packet root, and that root, the seal and the serving to signed checkpoints.
"""

import base64
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from evidence import media_time
from evidence.custody import Happening
from evidence.errors import BadInput, NotFound, StoreUnavailable
from evidence.media_time import Span
from evidence.note import VerifierKey
from pipeline.inside import table_seal_of
from pipeline.media.boxes import ReadRange
from pipeline.media.cut import Cut, cut
from pipeline.outcome import about
from pipeline.ports import Ports
from pipeline.reach import check_readable
from storage import layout
from storage.custody_log import SignedCheckpoint
from storage.durable import kept_durably
from storage.register import search
from storage.register.publisher import publish
from storage.register.search import Connection

FORM = "evidock/clip-proof/v1"
# The events a clip's proof carries: what the recording is, that it was sealed, that this clip was served.
_PROVEN = ("measured", "sealed")
_TOKEN_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip and its proof on disk."""

    recording: str
    file: Path
    proof: Path
    asked: Span
    cut: Cut


def clip(
    recording: str,
    span: Span,
    out: Path,
    *,
    ports: Ports,
    now: datetime,
    keys: tuple[VerifierKey, ...] = (),
) -> Clip:
    """Cut `span` of a recording into `out` and write its proof beside it, as `out` + `.proof.json`.

    `span` is in media time of the recording. `keys` are named in the proof for orientation; no
    verifier trusts them.

    Raises:
        NotFound: no such recording. BadInput: it has no media to cut, or none in this span.
        WrongState: its bytes are not here: it was disposed of, or is archived.
        FixityMismatch, ProofInvalid: what rests is not what was measured; no clip is left behind.
        StoreUnavailable, RegisterUnavailable: worth another try.
    """
    with ports.register.view() as connection:
        check_readable(connection, recording)
        original = search.original(connection, recording)
    if original["packet_root"] is None or original["sealed_at"] is None:
        raise BadInput(f"{recording} has no media that can be cut (see `evidock show {recording}`)")
    proof = out.with_name(out.name + ".proof.json")
    with drafts(out, proof) as (clip_draft, proof_draft):
        made = _cut(original, span, clip_draft, ports)
        with kept_durably(clip_draft):
            sha256 = _sha256(clip_draft)
            _record(recording, span, sha256, made, name=out.name, ports=ports, now=now)
            told = _proof(recording, original, span=span, sha256=sha256, made=made, ports=ports, keys=keys)
        proof_draft.write_text(_in_lines(told))
    return Clip(recording, out, proof, span, made)


@contextmanager
def drafts(out: Path, proof: Path) -> Iterator[tuple[Path, Path]]:
    """Drafts of a clip and its proof, which get their names when the block ends well: the proof first.

    A clip without its proof could be taken for one that never had any.

    Raises:
        StoreUnavailable: they cannot be written.
    """
    made = tuple(path.with_name(f".{path.name}.draft{path.suffix}") for path in (out, proof))
    try:
        yield made[0], made[1]
        for draft in made:
            with draft.open("rb") as file:
                os.fsync(file.fileno())
        made[1].replace(proof)
        made[0].replace(out)
    except OSError as error:
        raise StoreUnavailable(f"the clip or its proof cannot be written: {error.strerror}") from error
    finally:
        for draft in made:
            draft.unlink(missing_ok=True)


def _cut(original: search.Row, span: Span, out: Path, ports: Ports) -> Cut:
    return cut(
        table_read=_reader(ports, layout.packets_key(original["sha256"])),
        media_read=_reader(ports, layout.original_key(original["sha256"])),
        packet_root=original["packet_root"],
        seal=table_seal_of(original),
        span=span,
        out=out,
    )


def _reader(ports: Ports, key: str) -> ReadRange:
    return lambda start, length: ports.store.read_range(key, start, length)


def _record(recording: str, span: Span, sha256: str, made: Cut, *, name: str, ports: Ports, now: datetime) -> None:
    facts = {
        "asked": _told(span),
        "clip_sha256": sha256,
        "delivered": _told(made.delivered),
        "frames": made.frames,
        "size_bytes": made.size_bytes,
    }
    happening = Happening("clipped", about(recording), facts=facts, detail={"name": name})
    with ports.register.begin() as writing:
        writing.record(happening, actor=ports.actor, at=now)


def _proof(
    recording: str,
    original: search.Row,
    *,
    span: Span,
    sha256: str,
    made: Cut,
    ports: Ports,
    keys: tuple[VerifierKey, ...],
) -> dict[str, Any]:
    newest = publish(ports.register, ports.log)
    if newest is None:
        raise NotFound("the custody log has no checkpoint")
    with ports.register.view() as connection:
        row = search.recording(connection, recording)
        stamped = newest if row["stamped_size"] is None else ports.log.checkpoint(row["stamped_size"])
        records = [_proven(connection, recording, kind, stamped, ports) for kind in _PROVEN]
        records.append(_proven(connection, recording, "clipped", newest, ports))
        tokens = [_token(token, ports) for token in search.tokens_of(connection, stamped.size)]
    return {
        "format": FORM,
        "recording": recording,
        "original": {"sha256": original["sha256"], "size_bytes": original["size_bytes"]},
        "clip": {"sha256": sha256, "size_bytes": made.size_bytes},
        "asked": _told(span),
        "delivered": {**_told(made.delivered), "frames": made.frames},
        **made.packet_part,
        "records": records,
        "tokens": tokens,
        "keys": [key.to_text() for key in keys],
    }


def _proven(
    connection: Connection, recording: str, kind: str, checkpoint: SignedCheckpoint, ports: Ports
) -> dict[str, Any]:
    event = search.event_of_kind(connection, about(recording), kind)
    proof = ports.log.proof(event["leaf_index"], checkpoint)
    return {"note": event["note"], "log": proof.to_json()}


def _token(token: search.Row, ports: Ports) -> dict[str, Any]:
    key = layout.token_key(token["size"], token["authority"], token["sha256"])
    response = ports.store.read(key, limit=_TOKEN_LIMIT)
    return {
        "authority": token["authority"],
        "response": base64.b64encode(response).decode(),
        "size": token["size"],
        "trust": token["trust"],
    }


def _told(span: Span) -> dict[str, str]:
    return {"from": media_time.to_text(span.start), "to": media_time.to_text(span.end)}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _in_lines(proof: dict[str, Any]) -> str:
    """The proof as JSON, a line for each of its parts: json's own indenting is slower than the cut."""
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(part, ensure_ascii=False)}" for key, part in proof.items())
    return f"{{\n{lines}\n}}\n"
