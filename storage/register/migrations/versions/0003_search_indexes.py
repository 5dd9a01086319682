# SPDX-License-Identifier: Apache-2.0
"""each list of recordings in an index's own order."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OLD = ("state", "device", "officer", "start_at")
_NEW = {
    "ix_recordings_start": ["start_at", "id"],
    "ix_recordings_state_start": ["state", "start_at", "id"],
    "ix_recordings_state_end": ["state", "end_at", "id"],
    "ix_recordings_officer_start": ["officer", "start_at", "id"],
    "ix_recordings_device_start": ["device", "start_at", "id"],
}
_OVER_MIDNIGHT = {
    "ix_recordings_over_midnight": ["end_at", "start_at"],
    "ix_recordings_officer_over_midnight": ["officer", "end_at", "start_at"],
    "ix_recordings_device_over_midnight": ["device", "end_at", "start_at"],
}
_CONDITION = "substr(start_at, 1, 10) < substr(end_at, 1, 10)"


def upgrade() -> None:
    """Apply the revision."""
    for column in _OLD:
        op.drop_index(f"ix_recordings_{column}", "recordings")
    for name, columns in _NEW.items():
        op.create_index(name, "recordings", columns)
    for name, columns in _OVER_MIDNIGHT.items():
        where = sa.text(_CONDITION)
        op.create_index(name, "recordings", columns, sqlite_where=where, postgresql_where=where)
    op.drop_index("ix_case_links_recording", "case_links")
    op.create_index("ix_case_links_recording_withdrawn", "case_links", ["recording", "withdrawn_at"])
