# SPDX-License-Identifier: Apache-2.0
"""This is where a recording gets its catalog item (事项), with the rule that gave it and the catalog version.

Rules in order: what the terminal or the operator said; the item of the one case its officer was
on; the agency's default. An item whose modes do not ask for this kind of media is never given. What no
rule reaches stays unclassified, for a person.
"""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from evidence.catalog import Catalog
from evidence.claims import Claims
from evidence.custody import Happening
from pipeline.catalogs.in_force import in_force, remember
from pipeline.index import cases_of
from pipeline.outcome import Done, about
from pipeline.ports import Ports, Progress
from pipeline.protect import lock_classified
from storage.register import search


def classify(recording: str, *, ports: Ports, now: datetime, progress: Progress) -> Done:
    """Name the catalog item of a recording, and lock it for its floor; repeat: the same, a lock only grows.

    Raises:
        NotProtected, StoreUnavailable: worth another try.
    """
    with ports.register.view() as connection:
        row = search.recording(connection, recording)
        originals = search.originals_of(connection, recording)
        cases = cases_of(connection, row)
        catalog = in_force(connection, now, default=ports.catalog)
    # From now on this version rules the recording: its text must outlive the settings file it may come from.
    remember(catalog, ports=ports, now=now)
    for item, reason in _candidates(row, cases, ports):
        known = catalog.items.get(item)
        if known is not None and row["kind"] in (*known.kinds, "document"):
            lock_classified(row, originals, known.floor, ports=ports, now=now)
            return Done((_classified(recording, item, reason, catalog),))
    return Done((_classified(recording, None, {"rule": "none"}, catalog),))


def _candidates(row: search.Row, cases: list[search.Row], ports: Ports) -> Iterator[tuple[str, dict[str, Any]]]:
    for claim in Claims.from_json(json.loads(row["claims"])).of("item"):
        yield claim.value, {"rule": "claimed", "source": claim.source.value}
    items = {case["item"] for case in cases if case["item"] is not None}
    if len(items) == 1:
        yield items.pop(), {"rule": "case-of-officer"}
    if ports.default_item is not None:
        yield ports.default_item, {"rule": "default"}


def _classified(recording: str, item: str | None, reason: dict[str, Any], catalog: Catalog) -> Happening:
    facts = {"catalog": catalog.id, "item": item, "reason": reason}
    return Happening("classified", about(recording), facts=facts)
