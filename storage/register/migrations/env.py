# SPDX-License-Identifier: Apache-2.0
"""This is where Alembic meets the connection that `migrate` gives it; each revision is one transaction."""

from alembic import context

from storage.register.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    transaction_per_migration=True,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
