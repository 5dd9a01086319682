# SPDX-License-Identifier: Apache-2.0
"""This is where the tables of who may do what are named: users, their roles, agreements of two, grants, accesses.

All of them follow from events of the custody log. That two people agreed is not left to a step: a row that needs an
approval names it, and refers to it *as approved*, which an approval by its own requester can never be.
"""

from sqlalchemy import BigInteger, CheckConstraint, Column, ForeignKey, ForeignKeyConstraint, Index, Integer, Table
from sqlalchemy import UniqueConstraint as Unique

from storage.register.columns import Text, metadata

APPROVED = "approved"
PRIVILEGED = ("admin", "approver", "auditor")
"""Roles that one person alone can give to nobody."""

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),  # usr-…
    Column("login", Text, nullable=False, unique=True),  # as evidence.people folds it
    Column("name", Text, nullable=False),
    Column("officer", Text),  # the number of their certificate, of those who film
    Column("unit", Text),  # what they may see is of this unit and those below it; null: of the whole agency
    Column("state", Text, nullable=False),  # active, disabled
    Column("issuer", Text),  # of who signs in elsewhere: the OpenID provider, and who they are there
    Column("subject", Text),
    Column("registered_at", Text, nullable=False),
    Column("disabled_at", Text),
    Unique("issuer", "subject", name="uq_users_issuer_subject"),
)

# What two people agreed on, or are to: `act` on a noun with `params`; the digest is over all of it.
# Each check says IS NOT NULL: what is unknown would pass for true.
approvals = Table(
    "approvals",
    metadata,
    Column("id", Text, primary_key=True),  # apv-…
    Column("act", Text, nullable=False),
    Column("noun", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("unit", Text),  # whose approvers may decide
    Column("params", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("requested_by", Text, nullable=False),  # an actor, as in events
    Column("requested_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("decision", Text),  # approved, refused, withdrawn
    Column("decided_by", Text),
    Column("decided_at", Text),
    Column("decided_why", Text),
    Column("used_at", Text),  # when what was agreed on was done: once
    CheckConstraint(
        "decision IS NULL OR decision <> 'approved' OR (decided_by IS NOT NULL AND decided_at IS NOT NULL "
        "AND decided_by <> requested_by AND decided_at <= expires_at)",
        name="ck_approvals_two_people",
    ),
    CheckConstraint("used_at IS NULL OR (decision IS NOT NULL AND decision = 'approved')", name="ck_approvals_used"),
    # What refers to an approval as approved refers to these two columns.
    Unique("id", "decision", name="uq_approvals_id_decision"),
    Index("ix_approvals_decision_requested", "decision", "requested_at", "id"),
)


def _agreed(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["approval", "approval_decision"], ["approvals.id", "approvals.decision"], name=f"fk_{table}_approved"
    )


user_roles = Table(
    "user_roles",
    metadata,
    Column("user", Text, ForeignKey("users.id"), primary_key=True),
    Column("role", Text, primary_key=True),
    # The first of each privileged role comes from whoever installs; of each there is one for ever.
    Column("is_founding", Integer, nullable=False, server_default="0"),
    Column("approval", Text),
    Column("approval_decision", Text),
    Column("since", Text, nullable=False),
    _agreed("user_roles"),
    CheckConstraint(
        "role NOT IN ('admin', 'approver', 'auditor') OR is_founding = 1 "
        "OR (approval IS NOT NULL AND approval_decision IS NOT NULL AND approval_decision = 'approved')",
        name="ck_user_roles_two_people",
    ),
)

# Leave for a person to see or take what their roles do not show them, until a time (调阅许可).
grants = Table(
    "grants",
    metadata,
    Column("id", Text, primary_key=True),  # gra-…
    Column("user", Text, ForeignKey("users.id"), nullable=False, index=True),
    Column("noun", Text, nullable=False),  # recording or case
    Column("subject", Text, nullable=False),
    Column("what", Text, nullable=False),  # view, original, export, break-glass
    Column("watermark", Integer, nullable=False, server_default="0"),
    Column("from_at", Text, nullable=False),
    Column("until_at", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("approval", Text, nullable=False),
    Column("approval_decision", Text, nullable=False),
    Column("granted_at", Text, nullable=False),
    Column("revoked_at", Text),
    Column("revoked_by", Text),
    _agreed("grants"),
    CheckConstraint("approval_decision = 'approved'", name="ck_grants_two_people"),
    Index("ix_grants_subject_until", "subject", "until_at"),
)

# Who belongs to a case, beside its officers. Closed, never edited.
case_members = Table(
    "case_members",
    metadata,
    Column("case_id", Text, ForeignKey("cases.id"), primary_key=True),
    Column("user", Text, ForeignKey("users.id"), primary_key=True, index=True),
    Column("since", Text, nullable=False),
    Column("until", Text),
)

# What programs of others sign in with: `sha256` of a secret of 256 bits.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),  # key-…
    Column("sha256", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("acts", Text, nullable=False),  # a list: what it may do, of what the role `service` may
    Column("unit", Text),
    Column("made_by", Text, nullable=False),
    Column("made_at", Text, nullable=False),
    Column("until_at", Text, nullable=False),
    Column("revoked_at", Text),
)

# Every view, search, export and refusal, as its event told it.
accesses = Table(
    "accesses",
    metadata,
    Column("stream", Text, primary_key=True),  # user/usr-…, key/key-…, door/… of who is not signed in
    Column("seq", Integer, primary_key=True),
    Column("at", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("noun", Text, nullable=False),
    Column("subject", Text, nullable=False),  # empty: a list
    Column("outcome", Text, nullable=False),  # allowed, refused
    Column("code", Text),  # why it was refused
    Column("told", Text, nullable=False),  # the event's other facts
    Index("ix_accesses_subject_at", "subject", "at", "stream", "seq"),
    Index("ix_accesses_stream_at", "stream", "at", "seq"),
    Index("ix_accesses_at", "at", "stream", "seq"),
)

# What goes to programs of others when something happens; what was delivered is in `deliveries`.
webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),  # whk-…
    Column("url", Text, nullable=False),
    Column("kinds", Text, nullable=False),  # a list of kinds of events
    Column("made_by", Text, nullable=False),
    Column("made_at", Text, nullable=False),
    Column("removed_at", Text),
)

# Packs that an outsider can check alone.
exports = Table(
    "exports",
    metadata,
    Column("id", Text, primary_key=True),  # exp-…
    Column("case_id", Text, nullable=False, index=True),
    Column("wanted", Text, nullable=False),  # whole originals or exact clips, of which links
    Column("asked_by", Text, nullable=False),
    Column("asked_at", Text, nullable=False),
    Column("approval", Text),  # null: made at the machine itself
    Column("made_at", Text),
    Column("manifest_sha256", Text),  # of the pack's manifest of files: what was handed over
    Column("size_bytes", BigInteger),
    Column("problem_code", Text),
)
