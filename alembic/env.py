"""Runs migrations on the connection it is given, or on the database named by `-x url=…`."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from archive_core.catalogue.search_tables import is_described
from archive_core.catalogue.session import open_engine, writing
from archive_core.catalogue.tables import metadata


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True, include_name=is_described)
    with context.begin_transaction():
        context.run_migrations()


def run_by_hand() -> None:
    url = context.get_x_argument(as_dictionary=True).get("url")
    if not url:
        raise SystemExit("Say which database: alembic -x url=sqlite:////path/catalogue.sqlite3 …")
    with writing(open_engine(url)) as connection:
        run(connection)


given = context.config.attributes.get("connection")
if context.is_offline_mode():
    raise SystemExit("Migrations run on a database, not on paper: they are tested that way only.")
if given is not None:
    run(given)
else:
    run_by_hand()
