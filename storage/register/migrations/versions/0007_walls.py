# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: S608 - every part of these texts is a constant of this file
"""Row-level security on PostgreSQL: a question that forgot its condition shows nobody more than they may see.

What is read depends on settings of the transaction (`storage.register.walls`); without them every row is shown.
A case shows itself to its officers and members, by grant, and to its unit unless it is restricted; a link is shown
with its case; a recording by who filmed it, by unit, and by links that are shown, unless it stands in a restricted
case; segments and derivatives are shown with their recording.

Source: PostgreSQL, "Row Security Policies" and CREATE POLICY.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = ("recordings", "segments", "derivatives", "cases", "case_links", "accesses")


def _told(name: str) -> str:
    """A setting, read once for a whole question."""
    return f"(SELECT coalesce(current_setting('evidock.{name}', true), ''))"


_ACTOR, _REACH, _OFFICER, _UNITS, _NOW, _GRANTS = map(_told, ("actor", "reach", "officer", "units", "now", "grants"))
_ANYBODY = f"{_ACTOR} = '' OR {_REACH} = 'all'"
_OWN = f"{_REACH} IN ('own', 'unit')"
_UNIT = f"{_REACH} = 'unit'"
_SOME = f"{_REACH} IN ('granted', 'own', 'unit')"
_WHOLE_AGENCY = f"{_UNITS} = '*'"
_OF_UNITS = f"IN (SELECT unnest(string_to_array({_UNITS}, E'\\x1f')))"


def _granted(noun: str) -> str:
    return (
        f"SELECT g.subject FROM grants g WHERE g.\"user\" = {_ACTOR} AND g.noun = '{noun}' AND g.revoked_at IS NULL "
        f"AND g.from_at <= {_NOW} AND g.until_at > {_NOW} "
        f"AND g.what IN (SELECT unnest(string_to_array({_GRANTS}, E'\\x1f')))"
    )


_MINE = (
    f'cases.id IN (SELECT m.case_id FROM case_members m WHERE m."user" = {_ACTOR} AND m.until IS NULL) '
    f"OR cases.id IN (SELECT o.case_id FROM case_officers o WHERE o.officer = {_OFFICER} AND {_OFFICER} <> '')"
)

_CASE = (
    f"{_ANYBODY} OR ({_SOME} AND cases.id IN ({_granted('case')})) OR ({_OWN} AND ({_MINE})) "
    f"OR ({_UNIT} AND cases.restricted = 0 AND ({_WHOLE_AGENCY} OR cases.unit {_OF_UNITS}))"
)

# The case of a link is looked up under its own policy: what is hidden is not found.
_LINK = f"{_ANYBODY} OR EXISTS (SELECT 1 FROM cases c WHERE c.id = case_links.case_id)"

_STANDING = "SELECT 1 FROM case_links l WHERE l.recording = recordings.id AND l.withdrawn_at IS NULL"
_UNIT_OF = (
    "coalesce((SELECT nullif(o.unit, '') FROM officers o WHERE o.number = recordings.officer), "
    "(SELECT nullif(d.unit, '') FROM devices d WHERE d.serial = recordings.device), "
    "(SELECT nullif(k.unit, '') FROM docks k WHERE k.id = recordings.dock))"
)
_CLOSED = f"SELECT evidock_closed({_ACTOR}, {_OFFICER})"
_RECORDING = (
    f"{_ANYBODY} "
    f"OR ({_SOME} AND (recordings.id IN ({_granted('recording')}) "
    f"OR EXISTS ({_STANDING} AND l.case_id IN ({_granted('case')})))) "
    f"OR ({_OWN} AND recordings.id NOT IN ({_CLOSED}) AND ("
    f"(recordings.officer = {_OFFICER} AND {_OFFICER} <> '') OR EXISTS ({_STANDING}) "
    f"OR ({_UNIT} AND ({_WHOLE_AGENCY} OR {_UNIT_OF} {_OF_UNITS}))))"
)

# With OWN a link is shown by a case that is one's own, or by grant: the case's policy says so.
_POLICIES = {
    "cases": _CASE,
    "case_links": _LINK,
    "recordings": _RECORDING,
    "segments": f"{_ANYBODY} OR EXISTS (SELECT 1 FROM recordings r WHERE r.id = segments.recording)",
    "derivatives": f"{_ANYBODY} OR EXISTS (SELECT 1 FROM recordings r WHERE r.id = derivatives.recording)",
    "accesses": f"{_ANYBODY} OR accesses.stream IN ('user/' || {_ACTOR}, 'key/' || {_ACTOR})",
}

# It looks behind the wall, for it must know what stands there: its own actor is nobody.
_CLOSED_FUNCTION = """
CREATE FUNCTION evidock_closed(who text, certificate text) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET evidock.actor = '' AS $$
    SELECT l.recording FROM case_links l JOIN cases c ON c.id = l.case_id
    WHERE c.restricted = 1 AND l.withdrawn_at IS NULL
    EXCEPT
    SELECT l.recording FROM case_links l JOIN cases c ON c.id = l.case_id
    WHERE c.restricted = 1 AND l.withdrawn_at IS NULL
    AND (EXISTS (SELECT 1 FROM case_members m WHERE m.case_id = c.id AND m."user" = who AND m.until IS NULL)
    OR EXISTS (SELECT 1 FROM case_officers o WHERE o.case_id = c.id AND o.officer = certificate))
$$
"""


def upgrade() -> None:
    """Apply the revision."""
    # Only the few restricted cases are asked for, in each question about recordings.
    op.execute("CREATE INDEX ix_cases_restricted ON cases (id) WHERE restricted = 1")
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute(_CLOSED_FUNCTION)
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY seen ON {table} USING ({_POLICIES[table]}) WITH CHECK (true)")
