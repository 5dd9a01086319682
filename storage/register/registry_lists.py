# SPDX-License-Identifier: Apache-2.0
"""This is where the registries are listed for whoever reaches them: devices, officers, units, docks; and jobs.

Where a parameter is called `sight`, rows are those within the reach of whoever asks. Lists are in the order of what
names a row, so that their places have no time.
"""

from typing import Any

from sqlalchemy import Connection, Select, Table, select

from evidence.errors import NotFound
from storage.register.answers import Page, Place, Row, Stretch, one_row, page_of
from storage.register.reach import Sight
from storage.register.schema import devices, docks, jobs, officers, units


def devices_page(
    connection: Connection,
    sight: Sight,
    *,
    status: str | None,
    unit: str | None,
    limit: int | None,
    after: Place | None,
) -> Page:
    """Devices by serial."""
    wanted = _where(select(devices).where(sight.unit(devices.c.unit)), devices, status=status, unit=unit)
    return page_of(connection, [Stretch(wanted, None, devices.c.serial)], limit=limit, after=after)


def officers_page(
    connection: Connection, sight: Sight, *, unit: str | None, limit: int | None, after: Place | None
) -> Page:
    """Officers by the number of their certificate."""
    wanted = _where(select(officers).where(sight.unit(officers.c.unit)), officers, unit=unit)
    return page_of(connection, [Stretch(wanted, None, officers.c.number)], limit=limit, after=after)


def units_page(connection: Connection, *, limit: int | None, after: Place | None) -> Page:
    """Units by code; everybody knows all of them."""
    return page_of(connection, [Stretch(select(units), None, units.c.code)], limit=limit, after=after)


def docks_page(
    connection: Connection,
    sight: Sight,
    *,
    state: str | None,
    unit: str | None,
    limit: int | None,
    after: Place | None,
) -> Page:
    """Docks by id."""
    wanted = _where(select(docks).where(sight.unit(docks.c.unit)), docks, state=state, unit=unit)
    return page_of(connection, [Stretch(wanted, None, docks.c.id)], limit=limit, after=after)


def jobs_page(
    connection: Connection,
    *,
    state: str | None,
    step: str | None,
    subject: str | None,
    limit: int | None,
    after: Place | None,
) -> Page:
    """Jobs by id."""
    wanted = _where(select(jobs), jobs, state=state, step=step, subject=subject)
    return page_of(connection, [Stretch(wanted, None, jobs.c.id)], limit=limit, after=after)


def device(connection: Connection, serial: str, sight: Sight) -> Row:
    """The device of this serial, if it is within reach.

    Raises:
        NotFound: it is not, or there is none.
    """
    return _one(connection, select(devices).where(devices.c.serial == serial, sight.unit(devices.c.unit)), "device")


def officer(connection: Connection, number: str, sight: Sight) -> Row:
    """The officer of this certificate, if they are within reach.

    Raises:
        NotFound: they are not, or there is none.
    """
    return _one(connection, select(officers).where(officers.c.number == number, sight.unit(officers.c.unit)), "officer")


def dock(connection: Connection, identifier: str, sight: Sight) -> Row:
    """The dock of this id, if it is within reach.

    Raises:
        NotFound: it is not, or there is none.
    """
    return _one(connection, select(docks).where(docks.c.id == identifier, sight.unit(docks.c.unit)), "dock")


def job(connection: Connection, identifier: str) -> Row:
    """The job of this id.

    Raises:
        NotFound: there is none.
    """
    return _one(connection, select(jobs).where(jobs.c.id == identifier), "job")


def _where(wanted: Select[Any], table: Table, **told: str | None) -> Select[Any]:
    return wanted.where(*(table.c[name] == value for name, value in told.items() if value is not None))


def _one(connection: Connection, wanted: Select[Any], noun: str) -> Row:
    row = one_row(connection, wanted)
    if row is None:
        raise NotFound(f"no such {noun}, or none within your reach", noun=noun)
    return row
