# SPDX-License-Identifier: Apache-2.0
"""Devices with all that is listed of them, docks, dockings, clock readings, series, remarks, attachments."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def _texts(required: str, optional: str = "") -> list[sa.Column[Any]]:
    columns = [sa.Column(name, _TEXT, nullable=False) for name in required.split()]
    return columns + [sa.Column(name, _TEXT, nullable=True) for name in optional.split()]


def _blank(names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, _TEXT, nullable=False, server_default="") for name in names.split()]


def _numbers(required: str, optional: str = "") -> list[sa.Column[Any]]:
    columns = [sa.Column(name, sa.BigInteger(), nullable=False) for name in required.split()]
    return columns + [sa.Column(name, sa.BigInteger(), nullable=True) for name in optional.split()]


def _flag(name: str, default: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default=default)


def _table(name: str, *parts: sa.Column[Any], key: tuple[str, ...]) -> None:
    op.create_table(name, *parts, sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"))


def upgrade() -> None:
    """Apply the revision."""
    _add_columns()
    _make_docks()
    _make_beside_recordings()


def _add_columns() -> None:
    status = sa.Column("status", _TEXT, nullable=False, server_default="in-use")
    listed = _blank("maker model firmware national_id asset unit officer category clock")
    days = _texts("", "bound_at purchased_on")
    added = {
        "devices": [*listed, status, _flag("is_allowed", "1"), *days, *_numbers("", "capacity_bytes")],
        "assignments": _texts("", "due_at") + _blank("issued_by returned_to note"),
        "recordings": _numbers("", "early_ms late_ms") + _texts("", "clock_basis"),
    }
    for table, columns in added.items():
        for column in columns:
            op.add_column(table, column)


def _make_docks() -> None:
    docks = _texts("id kind name state invited_at", "device code_sha256 code_until key enrolled_at revoked_at")
    _table("docks", *docks, *_blank("unit"), _flag("erases", "0"), key=("id",))
    dockings = _texts("id dock port began_at manifest_sha256", "device refusal erasing_at ended_at outcome")
    _table("dockings", *dockings, *_numbers("names taken taken_bytes", "received erased"), key=("id",))
    op.create_index("ix_dockings_device_began", "dockings", ["device", "began_at"])
    op.create_index("ix_dockings_dock_began", "dockings", ["dock", "began_at"])
    readings = _numbers("offset_ms uncertainty_ms", "after_ms")
    _table("clock_readings", *_texts("device at docking"), *readings, key=("device", "at"))
    _table("reconciliations", *_texts("day digest body at"), key=("day",))


def _make_beside_recordings() -> None:
    position = sa.Column("position", sa.Integer(), nullable=False)
    _table("series_parts", *_texts("recording series basis"), position, *_numbers("", "gap_ms"), key=("recording",))
    op.create_index("ix_series_parts_series", "series_parts", ["series", "position"])
    _table("remarks", *_texts("recording code text at"), key=("recording", "code"))
    attached = _texts("recording role sha256 name at", "signer")
    _table("attachments", *attached, *_numbers("size_bytes"), key=("recording", "role", "sha256"))
