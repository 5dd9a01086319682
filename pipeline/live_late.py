# SPDX-License-Identifier: Apache-2.0
"""This is where a terminal's signed word is kept that comes after its recording was cut off.

What was recorded is as it was sealed, and no claim of it changes; but who was there, and why, may stand in that word
alone. It is an attachment of the recording, with its signature, and a remark says that it came late.
"""

from datetime import datetime

from evidence.custody import Happening
from evidence.lifecycle import State
from pipeline.attach import Attachment, attach
from pipeline.docking_told import written
from pipeline.live_sidecar import Sidecar
from pipeline.outcome import about
from pipeline.ports import Ports
from pipeline.received import root_of
from storage.register import dock_rows, search

CUT_OFF, LATE_WORD = "cut-off", "late-word"
ROLE, SIGNATURE_ROLE = "late-sidecar", "late-sidecar-signature"


def cut_off_before(identifier: str, *, sender: str, ports: Ports) -> str | None:
    """The Recording that a live one of this sender became when it was cut off, and that rests elsewhere by now.

    None when there is none, when it ended as it should, or when it was disposed of.

    Raises:
        RegisterUnavailable: worth another try.
    """
    with ports.register.view() as connection:
        row = dock_rows.offer_of_root(connection, sender, root_of(identifier))
        if row is None or row["outcome"] == "withdrawn":
            return None
        recording = search.recording(connection, row["recording"])
        codes = {one["code"] for one in dock_rows.remarks_of(connection, recording["id"])}
    is_gone = recording["state"] in (State.DISPOSING, State.DISPOSED)
    return None if is_gone or CUT_OFF not in codes else str(recording["id"])


def keep_late_word(recording: str, word: Sidecar, *, signer: str, ports: Ports, now: datetime) -> bool:
    """Keep a word with a recording that was cut off; False when another came before it, which stays the only one.

    Repeat: changes nothing.

    Raises:
        NotFound: no such recording. StoreUnavailable, RegisterUnavailable: worth another try.
    """
    text = Attachment(ROLE, f"{recording}.late-sidecar.json", word.text.encode(), signer)
    with ports.register.view() as connection:
        kept = {one["sha256"] for one in dock_rows.attachments_of(connection, recording) if one["role"] == ROLE}
    if kept - {text.sha256}:
        return False
    attach(recording, text, ports=ports, now=now)
    signature = Attachment(SIGNATURE_ROLE, f"{recording}.late-sidecar.sig", word.signature, signer)
    attach(recording, signature, ports=ports, now=now)
    why = "the terminal's signed word came after its recording was cut off: it is kept beside it, and changed nothing"
    text_of_remark = f"{why}; it speaks of bytes with the SHA-256 {word.media_sha256[:64]}"
    remark(recording, LATE_WORD, text_of_remark, ports=ports, now=now)
    return True


def remark(recording: str, code: str, text: str, *, ports: Ports, now: datetime) -> None:
    """Remark something of a recording, once of each code. Raises: StoreUnavailable, RegisterUnavailable."""
    said = Happening("remarked", about(recording), facts={"code": code}, detail={"text": written(text)})
    rested = ports.register.rest(said)
    with ports.register.begin() as facts:
        if code not in {one["code"] for one in dock_rows.remarks_of(facts.connection, recording)}:
            facts.record(rested, actor=ports.actor, at=now)
