# SPDX-License-Identifier: Apache-2.0
"""This is where the tables of keeping are named: catalog versions, holds, appraisals, disposal lists, tombstones."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table

from storage.register.columns import Text, metadata

# Versions of the recording catalog, from proposal to adoption. `id` is the catalog's own.
catalogs = Table(
    "catalogs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("preset", Text),
    Column("effective_from", Text, nullable=False),
    Column("shortens", Text, nullable=False),  # items it may shorten for what was classified before it
    Column("why", Text, nullable=False),
    Column("effects", Text, nullable=False),  # what a dry run saw when it was proposed
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", Text, nullable=False),
    Column("approved_by", Text),
    Column("approved_at", Text),
    Column("withdrawn_at", Text),
    Column("filing", Text, nullable=False, server_default="{}"),  # 备案
)

holds = Table(
    "holds",
    metadata,
    Column("id", Text, primary_key=True),
    Column("noun", Text, nullable=False),  # recording or case
    Column("subject", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("authority", Text),
    Column("placed_by", Text, nullable=False),
    Column("placed_at", Text, nullable=False),
    Column("lifted_by", Text),
    Column("lifted_at", Text),
    Column("lifted_why", Text),
    # Placed since lifting needs two people; what was placed before may be lifted as it was then.
    Column("needs_two", Integer, nullable=False, server_default="0"),
    Column("approval", Text),
    Column("approval_decision", Text),
    Index("ix_holds_subject_lifted", "subject", "lifted_at"),
)

# A person's decision on a recording that is due (到期鉴定): dispose, archive or keep. The newest one counts.
appraisals = Table(
    "appraisals",
    metadata,
    Column("recording", Text, primary_key=True),
    Column("decision", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("until", Text),  # of `keep`: asked again from then on
    Column("appraised_by", Text, nullable=False),
    Column("appraised_at", Text, nullable=False),
)

disposals = Table(
    "disposals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False),  # of its entries: what was proposed is what is approved
    Column("count", Integer, nullable=False),
    Column("why", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", Text, nullable=False),
    Column("approved_by", Text),
    Column("approved_at", Text),
    Column("grace_until", Text),
    Column("withdrawn_by", Text),
    Column("withdrawn_at", Text),
    Column("finished_at", Text),
)

disposal_entries = Table(
    "disposal_entries",
    metadata,
    Column("disposal", Text, ForeignKey("disposals.id"), primary_key=True),
    Column("recording", Text, primary_key=True, index=True),
    Column("until", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("withdrawn_at", Text),
)

tombstones = Table(
    "tombstones",
    metadata,
    Column("recording", Text, primary_key=True),
    Column("disposal", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("told", Text, nullable=False),
    Column("began_at", Text, nullable=False),
    Column("disposed_at", Text),
)

# Where the bytes of an archived recording rest beside, or instead of, the object store.
archives = Table(
    "archives",
    metadata,
    Column("recording", Text, primary_key=True),
    Column("place", Text, nullable=False),
    Column("storage_class", Text),
    Column("archived_at", Text, nullable=False),
    Column("hot_removed_at", Text),
    Column("restored_at", Text),
)
