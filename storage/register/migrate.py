# SPDX-License-Identifier: Apache-2.0
"""This is where the register's tables are brought from any earlier revision to the newest (Alembic)."""

from functools import cache
from pathlib import Path

from sqlalchemy import Connection

from evidence.errors import Conflict

_MIGRATIONS = Path(__file__).parent / "migrations"
_VERSIONS = _MIGRATIONS / "versions"


@cache
def newest_revision() -> str:
    """The revision this code is written for: the highest numbered file, without loading Alembic."""
    return max(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*.py"))


def migrate(connection: Connection) -> None:
    """Upgrade the tables to the newest revision, within the caller's transaction: all of it or nothing.

    Raises:
        Conflict: the tables are of a revision this code does not know.
    """
    # Alembic costs a fifth of a second to import: only those who need a migration pay.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise Conflict(f"the register is of another version of evidock: {error}") from error
