# SPDX-License-Identifier: Apache-2.0
"""This is where the tables of cases are named: units, cases and check tasks, documents, links, conditions, gaps."""

from sqlalchemy import Column, ForeignKey, Index, Integer, Table, text

from storage.register.columns import Text, metadata

# The agency and its units (单位), a tree by the unit above.
units = Table(
    "units",
    metadata,
    Column("code", Text, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("parent", Text),
    Column("registered_at", Text, nullable=False),
)

cases = Table(
    "cases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("item", Text),
    Column("start_at", Text, nullable=False),
    Column("end_at", Text, nullable=False),
    Column("opened_at", Text, nullable=False),
    Column("closed_at", Text),
    Column("kind", Text, nullable=False, server_default="case"),  # case (案件) or task (检查任务)
    Column("type", Text),  # one of the catalog's enforcement types
    Column("unit", Text),
    Column("file_term", Text),  # how long its file (案卷) is kept, as a catalog writes terms
    Column("source", Text),  # the system it was imported from, and its key there
    Column("source_key", Text),
    # Only its members see it, and auditors.
    Column("restricted", Integer, nullable=False, server_default="0"),
    # What else is known: parties, place, the draw of a random check, links that took place.
    Column("told", Text, nullable=False, server_default="{}"),
    Index("ix_cases_unit_start", "unit", "start_at", "id"),
    Index("ix_cases_source", "source", "source_key"),
    # Restricted cases are few, and asked for in each question of who may see a recording.
    Index("ix_cases_restricted", "id", sqlite_where=text("restricted = 1"), postgresql_where=text("restricted = 1")),
)

case_officers = Table(
    "case_officers",
    metadata,
    Column("case_id", Text, ForeignKey("cases.id"), primary_key=True),
    Column("officer", Text, primary_key=True, index=True),
)

case_links = Table(
    "case_links",
    metadata,
    Column("segment", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), primary_key=True, index=True),
    Column("recording", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("linked_by", Text, nullable=False),
    Column("linked_at", Text, nullable=False),
    Column("withdrawn_at", Text),
    # With the case, so that a sweep over all recordings reads the index alone.
    Index("ix_case_links_recording_withdrawn", "recording", "withdrawn_at", "case_id"),
)

# Papers of a case with the times they state (文书); also what took place without one.
case_documents = Table(
    "case_documents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("number", Text),
    Column("link", Text),
    Column("item", Text),
    Column("start_at", Text),
    Column("end_at", Text),
    Column("officers", Text, nullable=False, server_default="[]"),
    Column("withdrawn_at", Text),
    Index("ix_case_documents_start", "start_at", "end_at"),
)

# Conditions of the catalog (永久保存情形) that a person set on a recording or a case.
conditions = Table(
    "conditions",
    metadata,
    Column("noun", Text, primary_key=True),  # recording or case
    Column("subject", Text, primary_key=True),  # its id
    Column("code", Text, primary_key=True),
    Column("why", Text, nullable=False),
    Column("set_by", Text, nullable=False),
    Column("set_at", Text, nullable=False),
    Column("lifted_at", Text),
)

# Why a record was interrupted (记录间断), spoken into it or written.
gaps = Table(
    "gaps",
    metadata,
    Column("id", Text, primary_key=True),
    Column("case_id", Text, ForeignKey("cases.id"), nullable=False, index=True),
    Column("start_at", Text, nullable=False),
    Column("end_at", Text, nullable=False),
    Column("how", Text, nullable=False),
    Column("why", Text, nullable=False),
)

# What a unit reports of its cases of a period to the unit above, which accepts it or sends it back (两级审核汇总).
unit_reports = Table(
    "unit_reports",
    metadata,
    Column("id", Text, primary_key=True),
    Column("unit", Text, nullable=False),
    Column("above", Text, nullable=False),  # the unit it goes to
    Column("start_at", Text, nullable=False),
    Column("end_at", Text, nullable=False),
    Column("digest", Text, nullable=False),  # of the body: what was submitted is what is accepted
    Column("body", Text, nullable=False),  # counts, and which cases
    Column("state", Text, nullable=False),  # submitted, accepted, returned
    Column("submitted_by", Text, nullable=False),
    Column("submitted_at", Text, nullable=False),
    Column("decided_by", Text),
    Column("decided_at", Text),
    Column("why", Text),
    Index("ix_unit_reports_above_state", "above", "state", "start_at"),
)
