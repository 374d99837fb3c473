"""Alembic's entrance: runs the revisions on the connection that `publisher.stores.migrate` hands over."""

from alembic import context

from publisher.stores.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by making it anew
    compare_type=True,
)
context.run_migrations()
