# SPDX-License-Identifier: Apache-2.0
"""This is where the register's tables are named.

Instants are RFC 3339 UTC text with six decimals (text order is time order); media time is the
exact rational as text; digests are hexadecimal. `jobs`, `retention`, `clock_marks` and those of
`schema_doors` are the only tables that are not a function of the custody log.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, UniqueConstraint, text

from storage.register.columns import Counter, Text
from storage.register.columns import metadata as metadata
from storage.register.schema_cases import case_documents as case_documents
from storage.register.schema_cases import case_links as case_links
from storage.register.schema_cases import case_officers as case_officers
from storage.register.schema_cases import cases as cases
from storage.register.schema_cases import conditions as conditions
from storage.register.schema_cases import gaps as gaps
from storage.register.schema_cases import unit_reports as unit_reports
from storage.register.schema_cases import units as units
from storage.register.schema_devices import assignments as assignments
from storage.register.schema_devices import attachments as attachments
from storage.register.schema_devices import clock_readings as clock_readings
from storage.register.schema_devices import devices as devices
from storage.register.schema_devices import dockings as dockings
from storage.register.schema_devices import docks as docks
from storage.register.schema_devices import reconciliations as reconciliations
from storage.register.schema_devices import remarks as remarks
from storage.register.schema_devices import series_parts as series_parts
from storage.register.schema_doors import credentials as credentials
from storage.register.schema_doors import deliveries as deliveries
from storage.register.schema_doors import idempotency as idempotency
from storage.register.schema_doors import media_tokens as media_tokens
from storage.register.schema_doors import one_time as one_time
from storage.register.schema_doors import sessions as sessions
from storage.register.schema_doors import sign_in_failures as sign_in_failures
from storage.register.schema_doors import webhook_secrets as webhook_secrets
from storage.register.schema_keeping import appraisals as appraisals
from storage.register.schema_keeping import archives as archives
from storage.register.schema_keeping import catalogs as catalogs
from storage.register.schema_keeping import disposal_entries as disposal_entries
from storage.register.schema_keeping import disposals as disposals
from storage.register.schema_keeping import holds as holds
from storage.register.schema_keeping import tombstones as tombstones
from storage.register.schema_people import accesses as accesses
from storage.register.schema_people import api_keys as api_keys
from storage.register.schema_people import approvals as approvals
from storage.register.schema_people import case_members as case_members
from storage.register.schema_people import exports as exports
from storage.register.schema_people import grants as grants
from storage.register.schema_people import user_roles as user_roles
from storage.register.schema_people import users as users
from storage.register.schema_people import webhooks as webhooks
from storage.register.schema_running import clock_marks as clock_marks
from storage.register.schema_running import jobs as jobs
from storage.register.schema_running import retention as retention

officers = Table(
    "officers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("unit", Text, nullable=False),
    # The rest of an officers' list (执法人员清单): post, kinds of enforcement and area, days the certificate holds.
    Column("post", Text, nullable=False, server_default=""),
    Column("types", Text, nullable=False, server_default="[]"),
    Column("area", Text, nullable=False, server_default=""),
    Column("valid_from", Text),
    Column("valid_to", Text),
    Column("registered_at", Text, nullable=False),
)

offers = Table(
    "offers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("recording", Text, nullable=False, index=True),
    # Names as evidence.offer.showable writes them: broken bytes and direction marks are escaped.
    Column("dock", Text, nullable=False),
    Column("root", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("mtime_ns", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("outcome", Text, nullable=False),
)

# A recording over midnight (UTC): the condition of three small indexes, word for word as queries must say it.
OVER_MIDNIGHT = "substr(recordings.start_at, 1, 10) < substr(recordings.end_at, 1, 10)"

recordings = Table(
    "recordings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("kind", Text),
    Column("name", Text, nullable=False),
    Column("dock", Text, nullable=False),
    Column("device", Text),
    Column("officer", Text),
    # Best estimate in UTC; every claim it was weighed from is kept in `claims`.
    Column("start_at", Text),
    Column("end_at", Text),
    Column("duration", Text),
    Column("claims", Text, nullable=False),
    Column("problem_code", Text),
    Column("problem_text", Text),
    Column("item", Text),
    Column("item_reason", Text),
    Column("catalog", Text),
    Column("arrived_at", Text, nullable=False),
    Column("stamped_size", BigInteger),
    # The latest moment it can have ended, doubt about clocks included: what keeping is counted from.
    Column("end_latest", Text),
    # The true start lies from `early_ms` before `start_at` to `late_ms` after it; null: nothing is known of the clock.
    Column("early_ms", BigInteger),
    Column("late_ms", BigInteger),
    Column("clock_basis", Text),
    # When a person decided on the camera's mark; until when a store that locks refuses to let go.
    Column("reviewed_at", Text),
    Column("locked_until", Text),
    # Each list's own order, to the last column: a page is read where it begins, and nothing is sorted.
    Index("ix_recordings_start", "start_at", "id"),
    Index("ix_recordings_state_start", "state", "start_at", "id"),
    Index("ix_recordings_state_end", "state", "end_at", "id"),
    Index("ix_recordings_officer_start", "officer", "start_at", "id"),
    Index("ix_recordings_device_start", "device", "start_at", "id"),
)

for _name, _columns in (("", ()), ("officer_", ("officer",)), ("device_", ("device",))):
    Index(
        f"ix_recordings_{_name}over_midnight",
        *(recordings.c[column] for column in _columns),
        recordings.c.end_at,
        recordings.c.start_at,
        sqlite_where=text(OVER_MIDNIGHT.replace("recordings.", "")),
        postgresql_where=text(OVER_MIDNIGHT.replace("recordings.", "")),
    )

originals = Table(
    "originals",
    metadata,
    Column("recording", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("sha256", Text, nullable=False, unique=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("container", Text),
    Column("chunk_root", Text, nullable=False),
    Column("packet_root", Text),
    Column("packets_sha256", Text),
    Column("facts", Text, nullable=False),
    Column("receipt_sha256", Text),
    Column("sealed_at", Text),
)

segments = Table(
    "segments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("recording", Text, nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("start", Text, nullable=False),
    Column("end", Text, nullable=False),
    Column("start_at", Text, index=True),
    Column("end_at", Text),
)

derivatives = Table(
    "derivatives",
    metadata,
    Column("recording", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("recipe", Text, nullable=False),
    Column("made_at", Text, nullable=False),
    # Set when its bytes were taken away before those of the original.
    Column("removed_at", Text),
)

custody_events = Table(
    "custody_events",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("stream", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Column("kind", Text, nullable=False, index=True),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("leaf_hash", Text, nullable=False),
    Column("detail_sha256", Text),
    # Null until the event is published as this leaf of the custody log.
    Column("leaf_index", BigInteger, unique=True),
    UniqueConstraint("stream", "seq", name="uq_custody_events_stream_seq"),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True),
    Column("root", Text, nullable=False),
    Column("note", Text, nullable=False),
)

time_tokens = Table(
    "time_tokens",
    metadata,
    Column("size", BigInteger, primary_key=True),
    Column("authority", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("gen_time", Text, nullable=False),
    Column("trust", Text, nullable=False),
)

# Everything a rebuild must bring back, in an order that respects references.
FACT_TABLES = (
    units,
    devices,
    officers,
    assignments,
    docks,
    dockings,
    clock_readings,
    offers,
    recordings,
    originals,
    segments,
    series_parts,
    remarks,
    attachments,
    derivatives,
    cases,
    case_officers,
    case_links,
    case_documents,
    conditions,
    gaps,
    unit_reports,
    catalogs,
    holds,
    appraisals,
    disposals,
    disposal_entries,
    tombstones,
    archives,
    users,
    approvals,
    user_roles,
    grants,
    case_members,
    api_keys,
    accesses,
    webhooks,
    exports,
    reconciliations,
    custody_events,
    checkpoints,
    time_tokens,
)
