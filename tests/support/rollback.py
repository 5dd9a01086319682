# SPDX-License-Identifier: Apache-2.0
"""This is where a register is set back to how it was, as by a restored disk or dump, on either engine."""

import shutil
from collections.abc import Callable

from sqlalchemy.engine import make_url

from tests.support.home import Home
from tests.support.postgres import shared_postgres


def keep(home: Home) -> Callable[[], None]:
    """Keep the register as it is now; calling what is returned brings it back. Both close the home's connections."""
    home.ports.register.close()
    url = make_url(home.settings.register_url)
    if url.get_backend_name() == "sqlite":
        path = home.settings.home / "register.db"
        kept = home.settings.home.parent / "kept.db"
        shutil.copyfile(path, kept)

        def bring_back() -> None:
            home.ports.register.close()
            shutil.copyfile(kept, path)

        return bring_back
    server, database = shared_postgres(), str(url.database)
    server.execute(f"CREATE DATABASE {database}_kept TEMPLATE {database}")

    def bring_database_back() -> None:
        home.ports.register.close()
        server.execute(f"DROP DATABASE {database}")
        server.execute(f"CREATE DATABASE {database} TEMPLATE {database}_kept")

    return bring_database_back
