# SPDX-License-Identifier: Apache-2.0
"""Cases with units, papers, conditions and gaps; catalog versions, holds, disposal, archive; the sweep's answers."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _texts(required: str, optional: str = "") -> list[sa.Column[Any]]:
    columns = [sa.Column(name, _TEXT, nullable=False) for name in required.split()]
    return columns + [sa.Column(name, _TEXT, nullable=True) for name in optional.split()]


def _with_default(name: str, default: str) -> sa.Column[Any]:
    return sa.Column(name, _TEXT, nullable=False, server_default=default)


def _table(name: str, *parts: sa.Column[Any] | sa.Constraint, key: tuple[str, ...]) -> None:
    op.create_table(name, *parts, sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"))


def upgrade() -> None:
    """Apply the revision."""
    _add_columns()
    _make_cases()
    _make_keeping()
    _make_running()


def _add_columns() -> None:
    officers = [_with_default("post", ""), _with_default("types", "[]"), _with_default("area", "")]
    cases = [_with_default("kind", "case"), _with_default("told", "{}")]
    added = {
        "officers": officers + _texts("", "valid_from valid_to"),
        "recordings": _texts("", "end_latest reviewed_at locked_until"),
        "derivatives": _texts("", "removed_at"),
        "cases": cases + _texts("", "type unit file_term source source_key"),
    }
    for table, columns in added.items():
        for column in columns:
            op.add_column(table, column)
    op.drop_index("ix_case_links_recording_withdrawn", table_name="case_links")
    op.create_index("ix_case_links_recording_withdrawn", "case_links", ["recording", "withdrawn_at", "case_id"])
    op.create_index("ix_cases_unit_start", "cases", ["unit", "start_at", "id"])
    op.create_index("ix_cases_source", "cases", ["source", "source_key"])


def _of_case(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=f"fk_{table}_case_id_cases")


def _make_cases() -> None:
    unique = sa.UniqueConstraint("id", name="uq_units_id")
    _table("units", *_texts("code id name registered_at", "parent"), unique, key=("code",))
    papers = _texts("id case_id name", "number link item start_at end_at withdrawn_at")
    _table("case_documents", *papers, _with_default("officers", "[]"), _of_case("case_documents"), key=("id",))
    _table("gaps", *_texts("id case_id start_at end_at how why"), _of_case("gaps"), key=("id",))
    for table in ("case_documents", "gaps"):
        op.create_index(f"ix_{table}_case_id", table, ["case_id"])
    op.create_index("ix_case_documents_start", "case_documents", ["start_at", "end_at"])
    conditions = _texts("noun subject code why set_by set_at", "lifted_at")
    _table("conditions", *conditions, key=("noun", "subject", "code"))
    reports = "id unit above start_at end_at digest body state submitted_by submitted_at"
    _table("unit_reports", *_texts(reports, "decided_by decided_at why"), key=("id",))
    op.create_index("ix_unit_reports_above_state", "unit_reports", ["above", "state", "start_at"])


def _make_keeping() -> None:
    versions = _texts(
        "id sha256 body profile effective_from shortens why effects proposed_by proposed_at",
        "preset approved_by approved_at withdrawn_at",
    )
    _table("catalogs", *versions, _with_default("filing", "{}"), key=("id",))
    holds = _texts("id noun subject why placed_by placed_at", "authority lifted_by lifted_at lifted_why")
    _table("holds", *holds, key=("id",))
    op.create_index("ix_holds_subject_lifted", "holds", ["subject", "lifted_at"])
    _table("appraisals", *_texts("recording decision why appraised_by appraised_at", "until"), key=("recording",))
    lists = _texts(
        "id digest why proposed_by proposed_at",
        "approved_by approved_at grace_until withdrawn_by withdrawn_at finished_at",
    )
    _table("disposals", *lists, sa.Column("count", sa.Integer(), nullable=False), key=("id",))
    listed = sa.ForeignKeyConstraint(["disposal"], ["disposals.id"], name="fk_disposal_entries_disposal_disposals")
    entries = _texts("disposal recording until reasons sha256", "withdrawn_at")
    _table("disposal_entries", *entries, _size(), listed, key=("disposal", "recording"))
    op.create_index("ix_disposal_entries_recording", "disposal_entries", ["recording"])
    stones = _texts("recording disposal sha256 told began_at", "disposed_at")
    _table("tombstones", *stones, _size(), key=("recording",))
    _table(
        "archives",
        *_texts("recording place archived_at", "storage_class hot_removed_at restored_at"),
        key=("recording",),
    )


def _size() -> sa.Column[Any]:
    return sa.Column("size_bytes", sa.BigInteger(), nullable=False)


def _make_running() -> None:
    _table("retention", *_texts("recording outcome swept_at", "until"), key=("recording",))
    op.create_index("ix_retention_outcome_until", "retention", ["outcome", "until", "recording"])
    marks: list[sa.Column[Any]] = [
        sa.Column("id", _COUNTER, autoincrement=True, nullable=False),
        sa.Column("uptime_s", sa.Float(), nullable=False),
        sa.Column("is_confirmed", sa.Integer(), nullable=False, server_default="0"),
    ]
    _table("clock_marks", *marks, *_texts("place boot at"), key=("id",))
