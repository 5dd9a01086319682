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


def _told_list(name: str) -> str:
    return f"(SELECT string_to_array(coalesce(current_setting('evidock.{name}', true), ''), E'\\x1f'))"


_ANYBODY = f"{_told('actor')} = '' OR {_told('reach')} = 'all'"
_SETTINGS = ", ".join(
    [_told(name) for name in ("actor", "reach", "officer", "now")] + [_told_list(name) for name in ("units", "grants")]
)
_POLICIES = {
    "cases": f"evidock_sees_case(cases.id, cases.restricted, cases.unit, {_SETTINGS})",
    "case_links": f"evidock_sees_link(case_links.case_id, {_SETTINGS})",
    "recordings": (
        f"evidock_sees_recording(recordings.id, recordings.officer, recordings.device, recordings.dock, {_SETTINGS})"
    ),
    "segments": f"evidock_sees_part(segments.recording, {_SETTINGS})",
    "derivatives": f"evidock_sees_part(derivatives.recording, {_SETTINGS})",
    "accesses": f"accesses.stream IN ('user/' || {_told('actor')}, 'key/' || {_told('actor')})",
}

# Functions, so that a question's plan stays its own, and theirs are made once a connection. They look behind the
# wall, for they must know what stands there: within them the actor is nobody.
_TAKES = "actor text, reach text, certificate text, at text, units text[], kinds text[]"
_HOW = (
    "RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp SET evidock.actor = ''"
)
_GIVEN = "actor, reach, certificate, at, units, kinds"
_GRANTED = (
    'g."user" = actor AND g.revoked_at IS NULL AND g.from_at <= at AND g.until_at > at AND g.what = ANY (kinds) '
    "AND g.noun ="
)
_MINE = (
    '(EXISTS (SELECT 1 FROM case_members m WHERE m.case_id = c.id AND m."user" = actor AND m.until IS NULL) '
    "OR (certificate <> '' AND EXISTS "
    "(SELECT 1 FROM case_officers o WHERE o.case_id = c.id AND o.officer = certificate)))"
)
_STANDING = "case_links l JOIN cases c ON c.id = l.case_id WHERE l.recording = thing AND l.withdrawn_at IS NULL"
_FUNCTIONS = (
    f"""
CREATE FUNCTION evidock_sees_case(thing text, restricted integer, unit text, {_TAKES}) {_HOW} AS $$
BEGIN
    IF reach NOT IN ('granted', 'own', 'unit') THEN RETURN false; END IF;
    IF reach = 'unit' AND restricted = 0 AND ('*' = ANY (units) OR unit = ANY (units)) THEN RETURN true; END IF;
    IF reach <> 'granted' AND EXISTS (SELECT 1 FROM cases c WHERE c.id = thing AND {_MINE}) THEN RETURN true; END IF;
    RETURN EXISTS (SELECT 1 FROM grants g WHERE {_GRANTED} 'case' AND g.subject = thing);
END $$
""",
    f"""
CREATE FUNCTION evidock_sees_link(thing text, {_TAKES}) {_HOW} AS $$
DECLARE met cases%ROWTYPE;
BEGIN
    SELECT * INTO met FROM cases c WHERE c.id = thing;
    RETURN FOUND AND evidock_sees_case(thing, met.restricted, met.unit, {_GIVEN});
END $$
""",
    f"""
CREATE FUNCTION evidock_sees_recording(thing text, officer text, device text, dock text, {_TAKES}) {_HOW} AS $$
DECLARE place text; is_near boolean;
BEGIN
    IF reach NOT IN ('granted', 'own', 'unit') THEN RETURN false; END IF;
    IF EXISTS (SELECT 1 FROM grants g WHERE {_GRANTED} 'recording' AND g.subject = thing)
        OR EXISTS (SELECT 1 FROM grants g JOIN case_links l ON l.case_id = g.subject
            WHERE {_GRANTED} 'case' AND l.recording = thing AND l.withdrawn_at IS NULL)
    THEN RETURN true; END IF;
    IF reach = 'granted' THEN RETURN false; END IF;
    is_near := certificate <> '' AND officer IS NOT DISTINCT FROM certificate;
    IF NOT is_near AND reach = 'unit' THEN
        is_near := '*' = ANY (units);
        IF NOT is_near THEN
            place := coalesce((SELECT nullif(o.unit, '') FROM officers o WHERE o.number = officer),
                (SELECT nullif(d.unit, '') FROM devices d WHERE d.serial = device),
                (SELECT nullif(k.unit, '') FROM docks k WHERE k.id = dock));
            is_near := coalesce(place = ANY (units), false);
        END IF;
    END IF;
    IF NOT is_near THEN
        is_near := EXISTS (SELECT 1 FROM {_STANDING}
            AND ({_MINE} OR (reach = 'unit' AND c.unit = ANY (units))));
    END IF;
    IF NOT is_near THEN RETURN false; END IF;
    RETURN NOT EXISTS (SELECT 1 FROM {_STANDING} AND c.restricted = 1)
        OR EXISTS (SELECT 1 FROM {_STANDING} AND c.restricted = 1 AND {_MINE});
END $$
""",
    f"""
CREATE FUNCTION evidock_sees_part(thing text, {_TAKES}) {_HOW} AS $$
DECLARE met recordings%ROWTYPE;
BEGIN
    SELECT * INTO met FROM recordings r WHERE r.id = thing;
    RETURN FOUND AND evidock_sees_recording(thing, met.officer, met.device, met.dock, {_GIVEN});
END $$
""",
)


def upgrade() -> None:
    """Apply the revision."""
    # Restricted cases are few, and asked for in each question about recordings.
    op.execute("CREATE INDEX ix_cases_restricted ON cases (id) WHERE restricted = 1")
    if op.get_bind().dialect.name == "sqlite":
        return
    for function in _FUNCTIONS:
        op.execute(function)
    for table in _TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY seen ON {table} USING ({_ANYBODY} OR {_POLICIES[table]}) WITH CHECK (true)")
