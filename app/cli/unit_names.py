# SPDX-License-Identifier: Apache-2.0
"""This is where a unit that a person names, by code or by name, is found, with the units below it."""

from evidence.agency import below
from pipeline.units import parents_of
from storage.register import casebook
from storage.register.search import Connection


def unit_code(connection: Connection, told: str) -> str:
    """The code of the unit of this code or name.

    Raises:
        NotFound: no unit is registered by it, or several are by this name.
    """
    return str(casebook.unit(connection, casebook.unit_told(connection, told) or told)["code"])


def codes_below(connection: Connection, told: str) -> list[str]:
    """The codes of this unit and all units below it.

    Raises:
        NotFound: no unit is registered by it, or several are by this name.
    """
    return below(unit_code(connection, told), parents_of(connection))


def words_below(connection: Connection, told: str) -> list[str]:
    """The codes and names of this unit and all below it: officers may be registered with either, before the unit is.

    Raises:
        NotFound: no unit is registered by it, and no officer is registered with it.
    """
    if casebook.unit_told(connection, told) is None and told in casebook.units_of_officers(connection):
        return [told]
    codes = codes_below(connection, told)
    names = [row["name"] for row in casebook.every_unit(connection) if row["code"] in codes]
    return [*codes, *names]
