# SPDX-License-Identifier: Apache-2.0
"""This is where the tables behind the web's doors are named: secrets, sessions, tokens, tries. None is a fact.

None of them follows from the custody log, and none is rebuilt from it: after a register is lost, people sign in anew
by links that the administrator gives out. Secrets stand here as digests, or sealed by a key of the home.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, Table

from storage.register.columns import Counter, Text, metadata

# What a user proves themselves by. `secret`: an Argon2id hash; a TOTP secret, sealed; a passkey's public key as JSON.
credentials = Table(
    "credentials",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),  # password, totp, passkey
    Column("secret", Text, nullable=False),
    Column("label", Text, nullable=False, server_default=""),
    Column(
        "counter", BigInteger, nullable=False, server_default="0"
    ),  # the last TOTP step, a passkey's signature count
    Column("made_at", Text, nullable=False),
    Column("used_at", Text),
)

# Opaque sessions: of the token in the cookie only its SHA-256.
sessions = Table(
    "sessions",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("user", Text, nullable=False, index=True),
    Column("how", Text, nullable=False),  # password, password+totp, passkey, oidc
    Column("made_at", Text, nullable=False),
    Column("seen_at", Text, nullable=False),
    Column("until_at", Text, nullable=False),
    Column("proved_at", Text, nullable=False),  # when the person last proved themselves: sensitive acts ask again
    Column("ended_at", Text),
)

# Links that are good once: to begin an account, to begin again, to sign in elsewhere.
one_time = Table(
    "one_time",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("purpose", Text, nullable=False),  # enrol, passkey, oidc
    Column("subject", Text, nullable=False),  # a user, or what it is bound to
    Column("told", Text, nullable=False),
    Column("until_at", Text, nullable=False),
    Column("used_at", Text),
)

# Tries that failed, by whom they were about and where they came from; old ones are taken out.
sign_in_failures = Table(
    "sign_in_failures",
    metadata,
    Column("id", Counter, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("at", Text, nullable=False),
    Index("ix_sign_in_failures_name_at", "name", "at"),
)

# Leave to fetch bytes for minutes, of one session and one thing; made in the transaction of its custody event.
media_tokens = Table(
    "media_tokens",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("id", Text, nullable=False, unique=True),  # med-…: how its event names it
    Column("holder", Text, nullable=False),  # a session's digest, or a key's id
    Column("actor", Text, nullable=False),
    Column("recording", Text, nullable=False),
    Column("what", Text, nullable=False),  # proxy, original, thumbnails, waveform, track, live
    Column("object", Text, nullable=False),  # SHA-256 of the bytes it opens
    Column("first", Text),  # seconds of the recording it is bound to, exact; null: all
    Column("last", Text),
    Column("watermark", Text),  # what is written over each picture
    Column("grant", Text),
    Column("stream", Text, nullable=False),  # its event
    Column("seq", Integer, nullable=False),
    Column("made_at", Text, nullable=False),
    Column("until_at", Text, nullable=False),
    Column("served", Text, nullable=False, server_default="[]"),  # byte ranges that went out
    Column("watched", Text, nullable=False, server_default="[]"),  # stretches that the player says were shown
    Column("folded_at", Text),  # when what was seen of it became an event
    Index("ix_media_tokens_folded_until", "folded_at", "until_at"),
)

# Answers kept for a client that asks the same again because it never heard them.
idempotency = Table(
    "idempotency",
    metadata,
    Column("actor", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_sha256", Text, nullable=False),
    Column("status", Integer),  # null: under way, or it died under way
    Column("body", Text),
    Column("headers", Text),
    Column("at", Text, nullable=False),
)

# What was sent to webhooks, and what is to be.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),  # msg_…
    Column("webhook", Text, nullable=False, index=True),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False),  # waiting, delivered, failed
    Column("tries", Integer, nullable=False),
    Column("due_at", Text, nullable=False),
    Column("status", Integer),
    Column("error", Text),
    Column("at", Text, nullable=False),
    Index("ix_deliveries_state_due", "state", "due_at"),
)

# The secrets that webhooks sign with, sealed; and how far each has read the log.
webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("webhook", Text, primary_key=True),
    Column("secret", Text, nullable=False),
    Column("read_to", BigInteger, nullable=False),
)
