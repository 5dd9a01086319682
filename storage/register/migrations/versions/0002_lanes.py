# SPDX-License-Identifier: Apache-2.0
"""Jobs know their dock, their place and their lease's length; PostgreSQL refuses to change a custody event."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")

# An event is written once. Only its place in the public log is added later, once.
_REFUSE = """
CREATE FUNCTION custody_event_is_written_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.leaf_index IS NULL
        AND (OLD.id, OLD.stream, OLD.seq, OLD.kind, OLD.at, OLD.actor, OLD.note, OLD.leaf_hash)
            = (NEW.id, NEW.stream, NEW.seq, NEW.kind, NEW.at, NEW.actor, NEW.note, NEW.leaf_hash)
        AND OLD.detail_sha256 IS NOT DISTINCT FROM NEW.detail_sha256 THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a custody event is written once' USING ERRCODE = 'insufficient_privilege';
END $$
"""
_WATCH = """
CREATE TRIGGER custody_event_is_written_once BEFORE UPDATE OR DELETE ON custody_events
FOR EACH ROW EXECUTE FUNCTION custody_event_is_written_once()
"""
_WATCH_ALL = """
CREATE TRIGGER custody_events_are_not_truncated BEFORE TRUNCATE ON custody_events
FOR EACH STATEMENT EXECUTE FUNCTION custody_event_is_written_once()
"""


def upgrade() -> None:
    """Apply the revision."""
    op.add_column("jobs", sa.Column("dock", _TEXT, nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("place", _TEXT, nullable=False, server_default=""))
    op.add_column("jobs", sa.Column("lease_s", sa.Float(), nullable=True))
    op.drop_index("ix_jobs_state_due_at", table_name="jobs")
    op.create_index("ix_jobs_state_dock_created_at", "jobs", ["state", "dock", "created_at"])
    # A lease from before this revision has no length: a long one.
    op.execute("UPDATE jobs SET lease_s = 60 WHERE state = 'leased'")
    if op.get_bind().dialect.name == "postgresql":
        for statement in (_REFUSE, _WATCH, _WATCH_ALL):
            op.execute(statement)
