# SPDX-License-Identifier: Apache-2.0
"""Users, roles, approvals, grants, accesses, keys, webhooks, exports; sessions, tokens; two people where it matters."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _texts(required: str, optional: str = "") -> list[sa.Column[Any]]:
    columns = [sa.Column(name, _TEXT, nullable=False) for name in required.split()]
    return columns + [sa.Column(name, _TEXT, nullable=True) for name in optional.split()]


def _text(name: str, default: str) -> sa.Column[Any]:
    return sa.Column(name, _TEXT, nullable=False, server_default=default)


def _flag(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default="0")


def _table(name: str, *parts: sa.Column[Any] | sa.Constraint, key: tuple[str, ...] = ("id",)) -> None:
    op.create_table(name, *parts, sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"))


def _to(table: str, column: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}_{other}")


def _agreed(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["approval", "approval_decision"], ["approvals.id", "approvals.decision"], name=f"fk_{table}_approved"
    )


def upgrade() -> None:
    """Apply the revision."""
    op.add_column("cases", _flag("restricted"))
    for column in (_flag("needs_two"), *_texts("", "approval approval_decision")):
        op.add_column("holds", column)
    _make_users()
    _make_agreements()
    _make_beside_cases()
    _make_doors()
    _make_tokens()
    _make_deliveries()
    _ask_for_two()


def _make_users() -> None:
    _table(
        "users",
        *_texts("id login name state registered_at", "officer unit issuer subject disabled_at"),
        sa.UniqueConstraint("login", name="uq_users_login"),
        sa.UniqueConstraint("issuer", "subject", name="uq_users_issuer_subject"),
    )
    _table(
        "approvals",
        *_texts("id act noun subject params digest why requested_by requested_at expires_at"),
        *_texts("", "unit decision decided_by decided_at decided_why used_at"),
        sa.UniqueConstraint("id", "decision", name="uq_approvals_id_decision"),
        sa.CheckConstraint(
            "decision IS NULL OR decision <> 'approved' OR (decided_by IS NOT NULL AND decided_at IS NOT NULL "
            "AND decided_by <> requested_by AND decided_at <= expires_at)",
            name="ck_approvals_two_people",
        ),
        sa.CheckConstraint(
            "used_at IS NULL OR (decision IS NOT NULL AND decision = 'approved')", name="ck_approvals_used"
        ),
    )
    op.create_index("ix_approvals_decision_requested", "approvals", ["decision", "requested_at", "id"])


def _make_agreements() -> None:
    _table(
        "user_roles",
        *_texts("user role since", "approval approval_decision"),
        _flag("is_founding"),
        _to("user_roles", "user", "users"),
        _agreed("user_roles"),
        sa.CheckConstraint(
            "role NOT IN ('admin', 'approver', 'auditor') OR is_founding = 1 "
            "OR (approval IS NOT NULL AND approval_decision IS NOT NULL AND approval_decision = 'approved')",
            name="ck_user_roles_two_people",
        ),
        key=("user", "role"),
    )
    _table(
        "grants",
        *_texts("id user noun subject what from_at until_at why approval approval_decision granted_at"),
        *_texts("", "revoked_at revoked_by"),
        _flag("watermark"),
        _to("grants", "user", "users"),
        _agreed("grants"),
        sa.CheckConstraint("approval_decision = 'approved'", name="ck_grants_two_people"),
    )
    op.create_index("ix_grants_user", "grants", ["user"])
    op.create_index("ix_grants_subject_until", "grants", ["subject", "until_at"])


def _make_beside_cases() -> None:
    _table(
        "case_members",
        *_texts("case_id user since", "until"),
        _to("case_members", "case_id", "cases"),
        _to("case_members", "user", "users"),
        key=("case_id", "user"),
    )
    op.create_index("ix_case_members_user", "case_members", ["user"])
    size = sa.Column("size_bytes", sa.BigInteger(), nullable=True)
    told = _texts("id case_id wanted asked_by asked_at", "approval made_at manifest_sha256 problem_code")
    _table("exports", *told, size)
    op.create_index("ix_exports_case_id", "exports", ["case_id"])


def _make_doors() -> None:
    unique = sa.UniqueConstraint("sha256", name="uq_api_keys_sha256")
    _table("api_keys", *_texts("id sha256 name acts made_by made_at until_at", "unit revoked_at"), unique)
    seq = sa.Column("seq", sa.Integer(), nullable=False)
    _table("accesses", *_texts("stream at act noun subject outcome told", "code"), seq, key=("stream", "seq"))
    op.create_index("ix_accesses_subject_at", "accesses", ["subject", "at", "stream", "seq"])
    op.create_index("ix_accesses_stream_at", "accesses", ["stream", "at", "seq"])
    op.create_index("ix_accesses_at", "accesses", ["at", "stream", "seq"])
    _table("webhooks", *_texts("id url kinds made_by made_at", "removed_at"))
    counter = sa.Column("counter", sa.BigInteger(), nullable=False, server_default="0")
    _table("credentials", *_texts("id user kind secret made_at", "used_at"), _text("label", ""), counter)
    op.create_index("ix_credentials_user", "credentials", ["user"])
    sessions = _texts("sha256 user how made_at seen_at until_at proved_at", "ended_at")
    _table("sessions", *sessions, key=("sha256",))
    op.create_index("ix_sessions_user", "sessions", ["user"])
    _table("one_time", *_texts("sha256 purpose subject told until_at", "used_at"), key=("sha256",))
    number = sa.Column("id", _COUNTER, autoincrement=True, nullable=False)
    _table("sign_in_failures", number, *_texts("name at"))
    op.create_index("ix_sign_in_failures_name_at", "sign_in_failures", ["name", "at"])


def _make_tokens() -> None:
    _table(
        "media_tokens",
        *_texts("sha256 id holder actor recording what object stream made_at until_at"),
        *_texts("", "first last watermark grant folded_at"),
        _text("served", "[]"),
        _text("watched", "[]"),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.UniqueConstraint("id", name="uq_media_tokens_id"),
        key=("sha256",),
    )
    op.create_index("ix_media_tokens_folded_until", "media_tokens", ["folded_at", "until_at"])
    status = sa.Column("status", sa.Integer(), nullable=True)
    _table("idempotency", *_texts("actor key request_sha256 at", "body headers"), status, key=("actor", "key"))


def _make_deliveries() -> None:
    tries = sa.Column("tries", sa.Integer(), nullable=False)
    status = sa.Column("status", sa.Integer(), nullable=True)
    _table("deliveries", *_texts("id webhook body state due_at at", "error"), tries, status)
    op.create_index("ix_deliveries_webhook", "deliveries", ["webhook"])
    op.create_index("ix_deliveries_state_due", "deliveries", ["state", "due_at"])
    read_to = sa.Column("read_to", sa.BigInteger(), nullable=False)
    _table("webhook_secrets", *_texts("webhook secret"), read_to, key=("webhook",))


# Tables that stand already get their rule as a trigger: SQLite adds no constraint to a table.
_RULES = {
    "holds": (
        (
            "NEW.lifted_at IS NOT NULL AND NEW.needs_two = 1 AND NOT EXISTS (SELECT 1 FROM approvals "
            "WHERE approvals.id = NEW.approval AND approvals.decision = 'approved' AND approvals.subject = NEW.id)"
        ),
        "a hold is lifted by two people",
    ),
    "disposals": ("NEW.approved_by = NEW.proposed_by", "a disposal is approved by a second person"),
    "catalogs": ("NEW.approved_by = NEW.proposed_by AND NEW.shortens <> '[]'", "a shorter rule needs a second person"),
}


def _ask_for_two() -> None:
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for table, (broken, words) in _RULES.items():
        for when in ("INSERT", "UPDATE"):
            name = f"two_people_{table}_{when.lower()}"
            if is_sqlite:
                op.execute(
                    f"CREATE TRIGGER {name} BEFORE {when} ON {table} WHEN {broken} "
                    f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
                )
                continue
            if when == "INSERT":
                op.execute(
                    f"CREATE FUNCTION two_people_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                    f"IF {broken} THEN RAISE EXCEPTION '{words}' USING ERRCODE = 'check_violation'; END IF; "
                    "RETURN NEW; END $$"
                )
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {when} ON {table} FOR EACH ROW EXECUTE FUNCTION two_people_{table}()"
            )
