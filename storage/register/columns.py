# SPDX-License-Identifier: Apache-2.0
"""This is where the column types of the register's tables, and the names of keys and indexes, are settled for all."""

from sqlalchemy import BigInteger, Integer, MetaData
from sqlalchemy import Text as AnyText
from sqlalchemy.dialects import postgresql

# Ordered by bytes on every engine: pages and prefixes mean the same everywhere.
Text = AnyText().with_variant(postgresql.TEXT(collation="C"), "postgresql")

# Thousands of cameras make two thousand million events within a few years. On SQLite an Integer is the row's number.
Counter = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
