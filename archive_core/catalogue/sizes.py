"""How much content each evidence batch stands for: what a hash-tree renewal would have to read."""

from __future__ import annotations

from sqlalchemy import func, select

from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.session import reading
from archive_core.catalogue.tables import versions


def batch_sizes(catalogue: Catalogue) -> dict[int, int]:
    """Bytes of the living versions in each batch, by the batch's number; one query."""
    query = select(versions.c.batch, func.sum(versions.c.size))
    query = query.where(versions.c.batch.is_not(None), ~versions.c.destroyed)
    with reading(catalogue.engine) as connection:
        return {number: int(size or 0) for number, size in connection.execute(query.group_by(versions.c.batch))}
