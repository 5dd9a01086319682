# SPDX-License-Identifier: Apache-2.0
"""This is where the codes that cases use are taken out of the catalog that counts now."""

from datetime import datetime

from evidence.case import Codes
from evidence.catalog import Catalog
from pipeline.catalogs.in_force import in_force
from pipeline.ports import Ports
from storage.register.search import Connection


def codes_now(connection: Connection, *, ports: Ports, now: datetime) -> Codes:
    """The codes of the catalog in force, asked of the register in the same transaction as what is checked with them."""
    return codes_of(in_force(connection, now, default=ports.catalog))


def codes_of(catalog: Catalog) -> Codes:
    """The items, types, links and conditions of a catalog, with their Chinese names."""
    items = {item.id: (item.type, item.link) for item in catalog.items.values()}
    conditions = {code: one.name_zh for code, one in catalog.conditions.items()}
    return Codes(catalog.id, items, catalog.types, catalog.links, conditions)
