"""A catalogue whose rebuild was broken off is nobody's truth: it is not opened, and the next rebuild begins anew."""

from __future__ import annotations

import pytest

from archive_core.catalogue.catalogue import Catalogue
from archive_core.errors import CatalogueUnfinishedError, ConflictError
from tests.catalogue_rows import entry


def test_nobody_opens_a_catalogue_that_is_being_rebuilt(database_url: str) -> None:
    """Neither as it is nor to make it; from the end of the rebuild on everybody does."""
    rebuilding = Catalogue.create_for_rebuild(database_url)
    for way in (Catalogue.open, Catalogue.create):
        with pytest.raises(CatalogueUnfinishedError, match="rebuild-catalogue"):
            way(database_url)
    rebuilding.finish_rebuild()
    rebuilding.close()

    Catalogue.open(database_url).close()
    Catalogue.create(database_url).close()


def test_what_a_broken_rebuild_left_is_removed_by_the_next(database_url: str) -> None:
    """Every row of every table, but for the mark."""
    broken = Catalogue.create_for_rebuild(database_url)
    broken.enter_versions([entry(1)])
    assert broken.count_states().versions == 1
    broken.close()
    again = Catalogue.create_for_rebuild(database_url)
    left = again.count_states().versions
    again.close()

    assert left == 0
    with pytest.raises(CatalogueUnfinishedError):
        Catalogue.open(database_url)


def test_a_catalogue_that_is_in_use_is_never_emptied(database_url: str) -> None:
    """It was not marked, so it is whole: a conflict, and it can be opened as before."""
    used = Catalogue.create(database_url)
    used.enter_versions([entry(1)])
    with pytest.raises(ConflictError, match="not empty"):
        Catalogue.create_for_rebuild(database_url)
    used.close()
    again = Catalogue.open(database_url)
    left = again.count_states().versions
    again.close()

    assert left == 1
