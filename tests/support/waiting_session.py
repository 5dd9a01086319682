# SPDX-License-Identifier: Apache-2.0
"""This is where a process waits for an answer of the register's database, with little patience.

python -m tests.support.waiting_session URL SECONDS
"""

import sys

from sqlalchemy import text
from sqlalchemy.engine import make_url

from storage.register.engine_postgres import PostgresEngine
from tests.support.hasty_process import hurry


def main() -> None:
    url, seconds = sys.argv[1:]
    hurry()
    with PostgresEngine(make_url(url)).sql.connect() as connection:
        connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": float(seconds)})


if __name__ == "__main__":
    main()
