# SPDX-License-Identifier: Apache-2.0
"""This is where an archived original is measured in the archive."""

from evidence.errors import IntegrityError, NotFound, StoreUnavailable
from pipeline.audit.endings import Archived
from pipeline.audit.records import Measured
from pipeline.audit.sheet import StoreSheet
from pipeline.ports import Cold
from storage import layout

_ASLEEP = "InvalidObjectState"


def check_cold(measured: Measured, archived: Archived, cold: Cold | None, *, sheet: StoreSheet) -> None:
    """The bytes in the archive are those that were measured; undecidable where it cannot be looked at from here.

    Raises:
        StoreUnavailable: the archive is down; nothing was decided.
    """
    key = layout.original_key(measured.sha256)
    name = f"{archived.place}: {key}"
    if cold is None or cold.place != archived.place:
        sheet.doubt(name, "elsewhere", f"{measured.recording} is archived there: set EVIDOCK_COLD_URL to look at it")
        return
    try:
        found = cold.store.measure(key)
    except NotFound:
        sheet.blame(name, "missing", f"archived as {measured.recording}")
        return
    except IntegrityError as error:
        sheet.blame(name, "unreadable", f"archived as {measured.recording}: {error.message}")
        return
    except StoreUnavailable as error:
        if error.values.get("s3_code") != _ASLEEP:
            raise
        sheet.doubt(
            name, "asleep", f"the archive cannot read it at once: `evidock archive restore {measured.recording}`"
        )
        return
    sheet.count(found.size_bytes)
    if (found.hex, found.size_bytes) != (measured.sha256, measured.size_bytes):
        sheet.blame(name, "altered", f"archived as {measured.recording}: found {found}")


def check_cold_gone(measured: Measured, archived: Archived | None, cold: Cold | None, *, sheet: StoreSheet) -> None:
    """Nothing is left in the archive of what was disposed of; where it cannot be looked at from here, that is said.

    Raises:
        StoreUnavailable: the archive is down; nothing was decided.
    """
    if archived is None:
        return
    if cold is None or cold.place != archived.place:
        sheet.remark(f"whether all that was disposed of is gone from {archived.place} still was not looked at")
        return
    for key_of in (layout.original_key, layout.chunks_key, layout.packets_key):
        if cold.store.exists(key := key_of(measured.sha256)):
            name = f"{archived.place}: {key}"
            sheet.blame(name, "not-gone", f"{measured.recording} was disposed of, and this is still there, or again")
