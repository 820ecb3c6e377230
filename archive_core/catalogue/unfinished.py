"""A catalogue that is being rebuilt is marked until it is whole, so that nobody takes a part of it for all.

Rules kept here
 * The mark is durable before the first row is entered, and goes after the last.
 * What a rebuild that was broken off has entered is nobody's truth: the next rebuild begins by emptying it.
"""

from __future__ import annotations

from sqlalchemy import Engine, Select, delete, select

from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import meta, metadata, segments, versions
from archive_core.errors import CatalogueUnfinishedError, ConflictError

_MARK = "rebuild"


def begin(engine: Engine) -> None:
    """Mark a catalogue as unfinished; what an earlier rebuild left unfinished is removed first. Raises
    `ConflictError` when it holds anything else."""
    with writing(engine) as connection:
        if connection.execute(_marked()).first() is not None:
            for table in reversed(metadata.sorted_tables):
                connection.execute(delete(table))
        elif any(connection.execute(select(table).limit(1)).first() for table in (versions, segments)):
            raise ConflictError("the database is not empty: create a new one, name it in the settings, and repeat")
        connection.execute(meta.insert().values(name=_MARK, value="unfinished"))


def finish(engine: Engine) -> None:
    """The catalogue is whole."""
    with writing(engine) as connection:
        connection.execute(delete(meta).where(meta.c.name == _MARK))


def require_whole(engine: Engine) -> None:
    """Raises `CatalogueUnfinishedError` while a rebuild is under way or was broken off."""
    with reading(engine) as connection:
        if connection.execute(_marked()).first() is not None:
            raise CatalogueUnfinishedError


def _marked() -> Select[tuple[str]]:
    return select(meta.c.value).where(meta.c.name == _MARK)
