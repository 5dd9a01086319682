# SPDX-License-Identifier: Apache-2.0
"""This is where a clip is checked alone: with its proof file and the auditor's keys, and nothing else.

No store, no register, no original. The argument, in order: (1) the proof file has its form; (2) its
records were signed by a trusted records key and are leaves under a checkpoint that the trusted log key
signed; (3) they speak of this recording, these bytes, this clip and this span; (4) every packet of the
file is the original's, under the packet root that the `measured` record holds; (5) the file shows as much
as was recorded; (6) time tokens hold over the checkpoint, where anchors were given.

NOT checked: that the log showed others the same checkpoint (a witness would say), and that two checkpoints
of one proof are of one history (the whole log shows that: `verify_all`).
"""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from evidence import media_time
from evidence.clip_proof import ObservedStream, VerifiedClip, verify_packets
from evidence.clip_range import MARK_SIZE
from evidence.errors import (
    BadInput,
    IntegrityError,
    NotFound,
    ProofInvalid,
    SourceUnavailable,
    TokenInvalid,
    Unacceptable,
)
from evidence.merkle import leaf_hash
from evidence.packet_tree import packet_leaf
from evidence.verdict import CheckReport
from pipeline.audit.proof import LARGEST_PROOF, CarriedToken, ClipProofFile, parse_proof, was_a_proof
from pipeline.audit.served import Served, read_served
from pipeline.audit.sheet import Sheet
from pipeline.audit.trust import Trust, is_by_a_stranger
from pipeline.media.clip_file import ObservedClip, observe
from pipeline.ports import Progress, unheard
from pipeline.tsa.port import TrustAnchors
from pipeline.tsa.rfc3161 import verify_response


def verify_clip(path: Path, proof_path: Path, *, trust: Trust, progress: Progress = unheard) -> CheckReport:
    """Check that the clip at `path` is what `proof_path` proves, by the keys of `trust` alone.

    Proven: the file is the clip that was served, all its packets are the sealed original's, and it shows
    the span that was recorded. Undecidable: the proof is in order but signed by nobody of `trust`.

    Raises:
        NotFound, SourceUnavailable: the clip or its proof cannot be read.
    """
    sheet = Sheet()
    clip_sha256, clip_bytes = _digest(path)
    data = _proof_bytes(proof_path)
    sheet.count(clip_bytes)
    sheet.count(len(data))
    try:
        proof = parse_proof(data)
    except IntegrityError as error:
        note = sheet.blame if was_a_proof(data) else sheet.despair
        note(proof_path.name, error.code, error.message)
        return sheet.report()
    progress(0.2)
    served = read_served(proof, name=proof_path.name, trust=trust, sheet=sheet)
    _check_names(proof, served, name=proof_path.name, sheet=sheet)
    _check_digest(proof, served, clip=(path.name, clip_sha256, clip_bytes), sheet=sheet)
    progress(0.3)
    _check_media(path, proof, served, sheet=sheet)
    progress(0.9)
    _check_tokens(proof, served, name=proof_path.name, trust=trust, sheet=sheet)
    return sheet.report()


def _digest(path: Path) -> tuple[str, int]:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}") from error
    except OSError as error:
        raise SourceUnavailable(f"{path} cannot be read: {error.strerror}") from error


def _proof_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST_PROOF + 1)
    except FileNotFoundError as error:
        raise NotFound(f"there is no proof {path}") from error
    except OSError as error:
        raise SourceUnavailable(f"{path} cannot be read: {error.strerror}") from error


# --- what the proof says, against what was signed -------------------------------------------


def _check_names(proof: ClipProofFile, served: Served, *, name: str, sheet: Sheet) -> None:
    """Everything the proof file says in clear must be what the records say."""
    said: list[tuple[str, object, object]] = []
    if (measured := served.measured) is not None:
        said += [
            ("recording", proof.recording, measured.recording),
            ("original.sha256", proof.original_sha256, measured.sha256),
            ("original.size_bytes", proof.original_bytes, measured.size_bytes),
            ("packet_root", proof.packet_root, measured.packet_root),
        ]
    if (sealed := served.sealed) is not None:
        said += [
            ("recording", proof.recording, sealed.recording),
            ("original.sha256", proof.original_sha256, sealed.sha256),
            ("original.size_bytes", proof.original_bytes, sealed.size_bytes),
        ]
    if (clipped := served.clipped) is not None:
        said += [
            ("recording", proof.recording, clipped.recording),
            ("clip.sha256", proof.clip_sha256, clipped.clip_sha256),
            ("clip.size_bytes", proof.clip_bytes, clipped.size_bytes),
            ("asked", proof.asked, clipped.asked),
            ("delivered", proof.delivered, clipped.delivered),
            ("delivered.frames", proof.frames, clipped.frames),
        ]
    for field, stated, recorded in said:
        if stated != recorded:
            sheet.blame(name, "contradicts-record", f"{field} is {stated}; the signed record says {recorded}")


def _check_digest(proof: ClipProofFile, served: Served, *, clip: tuple[str, str, int], sheet: Sheet) -> None:
    name, sha256, size_bytes = clip
    expected = (proof.clip_sha256, proof.clip_bytes)
    if served.clipped is not None:
        expected = (served.clipped.clip_sha256, served.clipped.size_bytes)
    if (sha256, size_bytes) != expected:
        where = f"sha256 {sha256} ({size_bytes} bytes); served was {expected[0]} ({expected[1]} bytes)"
        sheet.blame(name, "altered", where)


# --- the packets ------------------------------------------------------------------------------


def _check_media(path: Path, proof: ClipProofFile, served: Served, *, sheet: Sheet) -> None:
    """Demux the file and hold every packet against the original's packet tree."""
    indexes = [claim.stream for claim in proof.ranges]
    try:
        with tempfile.TemporaryDirectory(prefix="evidock-verify-") as scratch:
            seen = observe(path, indexes=indexes, scratch=Path(scratch))
        offsets = None if served.measured is None else served.measured.shifts
        verified = verify_packets(proof.body, seen.streams, source_offsets=offsets)
        _check_marks(proof, seen.streams)
        _check_shown(proof, seen)
        if offsets is not None:
            _check_start(proof, verified, seen)
    except (ProofInvalid, BadInput) as error:
        place = {key: error.values[key] for key in ("stream", "packet") if key in error.values}
        told = ", ".join(f"{key} {value}" for key, value in place.items())
        sheet.blame(path.name, error.code, f"{told}: {error.message}" if told else error.message)
    except IntegrityError as error:
        sheet.blame(path.name, error.code, error.message)
    except Unacceptable as error:
        sheet.despair(path.name, error.code, error.message)


def _check_marks(proof: ClipProofFile, observed: Sequence[ObservedStream]) -> None:
    """Marks prove nothing, yet they are part of a proof that nobody changed."""
    for claim, seen in zip(proof.ranges, observed, strict=True):
        leaves = [
            leaf_hash(packet_leaf(*times, packet[3], packet[4]))
            for times, packet in zip(claim.times, seen.packets, strict=True)
        ]
        if claim.marks not in (b"", b"".join(leaf[:MARK_SIZE] for leaf in leaves)):
            raise ProofInvalid("the marks of the proof are not those of its packets", stream=claim.stream)


def _check_shown(proof: ClipProofFile, seen: ObservedClip) -> None:
    """A player must show as long a span, and as many pictures, as the record says was delivered.

    The first track leads. Its time 0 stands for the first instant delivered.
    """
    claim, main = proof.ranges[0], seen.streams[0]
    start, end = (media_time.from_text(proof.delivered[one]) for one in ("from", "to"))
    # The clip's own clock cannot say more exactly than one tick of its main track when it ends.
    if abs(seen.shown.length - (end - start)) > main.time_base:
        shown = media_time.show(seen.shown.length)
        raise ProofInvalid(f"the clip shows {shown}, recorded is {media_time.show(end - start)}")
    shown_at = [main.time_base * (pts or 0) + main.shown_offset for _, pts, *_ in main.packets]
    frames = sum(0 <= at < end - start for at in shown_at)
    is_sound = _media_type(proof, claim.stream) != "video"
    if frames != proof.frames and not is_sound:
        raise ProofInvalid(f"the clip shows {frames} pictures, recorded are {proof.frames}")


def _check_start(proof: ClipProofFile, verified: VerifiedClip, seen: ObservedClip) -> None:
    """What a player shows first is the instant of the recording that was recorded as delivered."""
    start = media_time.from_text(proof.delivered["from"])
    tick = max(stream.time_base for stream in seen.streams)
    for stream in verified.streams:
        if abs(stream.origin - start) > tick:
            begins, told = media_time.show(stream.origin), media_time.show(start)
            raise ProofInvalid(f"the clip begins at {begins} of the recording, recorded is {told}", stream=stream.index)


def _media_type(proof: ClipProofFile, stream: int) -> str:
    lines = [str(line).split() for line in proof.body["streams"]]
    return next((line[2] for line in lines if line[1] == str(stream)), "")


# --- time ---------------------------------------------------------------------------------------


def _check_tokens(proof: ClipProofFile, served: Served, *, name: str, trust: Trust, sheet: Sheet) -> None:
    carried = {record.log.size for record in proof.records}
    for token in proof.tokens:
        text = served.checkpoints.get(token.size)
        who = f"time token of {token.authority} over the checkpoint of size {token.size}"
        if token.size not in carried:
            sheet.blame(name, "token-invalid", f"{who}: no record of the proof is under it")
        elif text is None:
            sheet.remark(f"not checked: {who}: the checkpoint itself is not trusted")
        elif trust.anchors is None:
            sheet.remark(f"not checked: {who}: no trust anchor was given")
        else:
            _check_token(token, text, who, name=name, anchors=trust.anchors, sheet=sheet)


def _check_token(token: CarriedToken, text: str, who: str, *, name: str, anchors: TrustAnchors, sheet: Sheet) -> None:
    imprint = hashlib.sha256(text.encode()).digest()
    try:
        stamped = verify_response(token.response, message_sha256=imprint, anchors=anchors)
    except TokenInvalid as error:
        if not is_by_a_stranger(error):
            sheet.blame(name, error.code, f"{who}: {error.message}")
        elif token.trust == "self":
            # It would prove nothing against whoever made it: without its anchor it is as if it were not there.
            sheet.remark(f"not checked: {who}: no anchor vouches for it, and it calls itself self-asserted")
        else:
            sheet.doubt(name, "untrusted", f"{who}: no trust anchor vouches for its signer")
        return
    sheet.remark(f"existed before {stamped.latest.isoformat()}, says {token.authority} ({token.trust})")
