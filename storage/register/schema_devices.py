# SPDX-License-Identifier: Apache-2.0
"""This is where the tables of what films and what takes in are named: devices, docks, dockings, hand-outs.

Every row follows from events of the custody log, as all tables of facts do.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table

from storage.register.columns import Text, metadata

devices = Table(
    "devices",
    metadata,
    Column("serial", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("label", Text, nullable=False),
    # Camera clock minus true time, as told by a person; what dockings measured is in `clock_readings`.
    Column("clock_offset_ms", BigInteger, nullable=False),
    Column("registered_at", Text, nullable=False),
    # The rest of a device list (rules-cn §4): maker, model, firmware, 国标编码, 资产编号, days, capacity.
    Column("maker", Text, nullable=False, server_default=""),
    Column("model", Text, nullable=False, server_default=""),
    Column("firmware", Text, nullable=False, server_default=""),
    Column("national_id", Text, nullable=False, server_default=""),
    Column("asset", Text, nullable=False, server_default=""),
    Column("unit", Text, nullable=False, server_default=""),
    Column("officer", Text, nullable=False, server_default=""),  # responsible: the number of a certificate
    Column("bound_at", Text),
    Column("status", Text, nullable=False, server_default="in-use"),  # in-use repair stopped scrapped lost
    Column("category", Text, nullable=False, server_default=""),  # 配备类别: A, B or C
    Column("capacity_bytes", BigInteger),
    Column("purchased_on", Text),
    Column("is_allowed", Integer, nullable=False, server_default="1"),  # white list (白名单)
    Column("clock", Text, nullable=False, server_default=""),  # how its clock is read: local, utc, or nothing known
)

# Issue and return (领用/归还): who held a device when. Closed, never edited.
assignments = Table(
    "assignments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("device", Text, ForeignKey("devices.serial"), nullable=False, index=True),
    Column("officer", Text, nullable=False),
    Column("start_at", Text, nullable=False),
    Column("end_at", Text),
    Column("due_at", Text),  # when it was to be back
    Column("issued_by", Text, nullable=False, server_default=""),
    Column("returned_to", Text, nullable=False, server_default=""),
    Column("note", Text, nullable=False, server_default=""),
)

# What may speak to our server: dock stations, terminals, docks of other makers. `id` is opaque, `dck-…`.
docks = Table(
    "docks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),  # dock, terminal, axis
    Column("name", Text, nullable=False),
    Column("unit", Text, nullable=False, server_default=""),
    Column("device", Text),  # of a terminal: the device it is
    Column("state", Text, nullable=False),  # invited, enrolled, revoked
    Column("code_sha256", Text),  # of the one-time code, until it is used
    Column("code_until", Text),
    Column("key", Text),  # Ed25519, 32 bytes in hexadecimal; null until it is enrolled
    Column("erases", Integer, nullable=False, server_default="0"),  # the agency's switch, off by default
    Column("invited_at", Text, nullable=False),
    Column("enrolled_at", Text),
    Column("revoked_at", Text),
)

# One plug-in of one device (one task). `id` is chosen by the dock, `dkg-…`: a repeat meets itself.
dockings = Table(
    "dockings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("dock", Text, nullable=False),
    Column("port", Text, nullable=False),
    Column("device", Text),  # the serial that it named; null when it named none
    Column("began_at", Text, nullable=False),
    Column("manifest_sha256", Text, nullable=False),
    Column("names", BigInteger, nullable=False),
    Column("taken", BigInteger, nullable=False),
    Column("taken_bytes", BigInteger, nullable=False),
    Column("refusal", Text),  # the code of why nothing of it is taken
    Column("erasing_at", Text),
    Column("ended_at", Text),
    Column("outcome", Text),  # finished, interrupted, refused, failed
    Column("received", BigInteger),
    Column("erased", BigInteger),
    Index("ix_dockings_device_began", "device", "began_at"),
    Index("ix_dockings_dock_began", "dock", "began_at"),
)

# A device's clock beside a good one: offset = device minus true time. `after_ms`: when it was set, what it was then.
clock_readings = Table(
    "clock_readings",
    metadata,
    Column("device", Text, primary_key=True),
    Column("at", Text, primary_key=True),
    Column("docking", Text, nullable=False),
    Column("offset_ms", BigInteger, nullable=False),
    Column("uncertainty_ms", BigInteger, nullable=False),
    Column("after_ms", BigInteger),
)

# Recordings that are one capture in several files (4 GiB of FAT, a maker's minutes). `series`: the first of them.
series_parts = Table(
    "series_parts",
    metadata,
    Column("recording", Text, primary_key=True),
    Column("series", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("gap_ms", BigInteger),  # from the end of the part before; negative: they overlap; null: not known
    Column("basis", Text, nullable=False),
    Index("ix_series_parts_series", "series", "position"),
)

# What was noticed of a recording, beside the one problem that puts it aside: certificate, sequence, clock …
remarks = Table(
    "remarks",
    metadata,
    Column("recording", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("text", Text, nullable=False),
    Column("at", Text, nullable=False),
)

# What came along with a recording and is kept as it came: a terminal's signed word, bookmarks, tracks, keys.
attachments = Table(
    "attachments",
    metadata,
    Column("recording", Text, primary_key=True),
    Column("role", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("signer", Text),  # the dock or terminal whose signature it bears
    Column("at", Text, nullable=False),
)

# The daily comparison of device lists, register and store.
reconciliations = Table(
    "reconciliations",
    metadata,
    Column("day", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("at", Text, nullable=False),
)
