"""The catalogue: rows, tables, transactions. Begin reading at `catalogue.py`."""

from archive_core.catalogue.catalogue import Catalogue

__all__ = ["Catalogue"]
