# SPDX-License-Identifier: Apache-2.0
"""This is where a register on PostgreSQL is made ready by its owner, and the service's role gets what it needs.

The service reads all, appends custody events, gives each its place in the public log once, and changes what
follows from events. It cannot change or delete an event, a checkpoint or a time token, nor the tables.
"""

import re

from sqlalchemy import text

from evidence.errors import BadInput, NotFound
from storage.register.engine import as_ours
from storage.register.migrate import migrate, newest_revision
from storage.register.register import open_engine
from storage.register.schema import checkpoints, custody_events, metadata, time_tokens

_ROLE = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.ASCII)
_APPENDED = frozenset({custody_events.name, checkpoints.name, time_tokens.name})


def prepare_register(url: str, *, service: str | None) -> str:
    """Bring the tables to the newest revision as their owner, and grant `service` its part; returns the revision.

    Safe to repeat; it is repeated after each upgrade of evidock, before the service starts.

    Raises:
        BadInput: the URL is of no PostgreSQL, or the role's name is none.
        NotFound: there is no such role.
        RegisterUnavailable: the database cannot be used.
        Conflict: the tables are of a newer version of evidock.
    """
    if service is not None and not _ROLE.fullmatch(service):
        raise BadInput(f"not a role's name: {service[:64]!r} (a-z, 0-9 and _ only)", role=service)
    engine = open_engine(url)
    if not engine.is_shared:
        raise BadInput("only a register on PostgreSQL has roles; an embedded one needs no preparation")
    try:
        with as_ours(), engine.migrating() as connection:
            migrate(connection)
            if service is not None:
                if (
                    connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :r"), {"r": service}).first()
                    is None
                ):
                    raise NotFound(
                        f"there is no role {service}: CREATE ROLE {service} LOGIN PASSWORD '…'", role=service
                    )
                for grant in _grants(service):
                    connection.exec_driver_sql(grant)
    finally:
        engine.sql.dispose()
    return newest_revision()


def _grants(role: str) -> list[str]:
    changed = ", ".join(f'"{name}"' for name in sorted(metadata.tables) if name not in _APPENDED)
    appended = ", ".join(sorted(_APPENDED))
    return [
        "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}",
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"GRANT SELECT ON alembic_version TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {changed} TO {role}",
        f"GRANT SELECT, INSERT ON {appended} TO {role}",
        f"GRANT UPDATE (leaf_index) ON {custody_events.name} TO {role}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
    ]
