"""Runs the numbered migrations over the connection that the caller gives."""

from alembic import context

from pocdir.db import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
