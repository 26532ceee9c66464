"""Run by Alembic for each command; `pipeline.schema` hands in the open, locked connection."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
