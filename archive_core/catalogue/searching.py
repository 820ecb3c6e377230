"""The search index: words and digests of versions, and what was asked for among them.

Rules kept here
 * The index follows the trail: how far it has come is entered in the transaction that enters what it found there.
 * Words come and are asked for as `archive_core.words` makes them; the databases only compare them.
 * A digest is kept by its first eight octets, and compared whole where files are listed.
 * What was destroyed is never found, also before the index has let go of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, insert, select, text, tuple_

from archive_core.catalogue.base import Part, chunks, to_rows, upsert
from archive_core.catalogue.rows import VersionRow
from archive_core.catalogue.search_tables import search_digests, search_entries
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import batches, files, meta, versions

POSITION = "search-position"
"""Name of the fact that says up to which place of the trail the index has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """What is found of a version: its words, and the SHA-512 digests (hex) of its files."""

    poid: str
    version: int
    words: Sequence[str]
    digests: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked for; None asks for nothing. `words` are looked for all together, each of `beginnings` stands for
    words that begin so. Instants bound the time of deposit, from the first to before the second."""

    words: Sequence[str] = ()
    beginnings: Sequence[str] = ()
    originator: str | None = None
    evidenced: bool | None = None
    received_from: datetime | None = None
    received_until: datetime | None = None
    sha512: str | None = None


class SearchIndex(Part):
    def search_position(self) -> int:
        """The place of the trail up to which the index has come."""
        with reading(self._engine) as connection:
            found = connection.execute(select(meta.c.value).where(meta.c.name == POSITION)).scalar_one_or_none()
        return int(found) if found is not None else 0

    def index_versions(self, entries: Sequence[IndexEntry], gone: Sequence[str], position: int) -> None:
        """Enter versions, let go of objects that were destroyed (POIDs), and note how far the index has come."""
        with writing(self._engine) as connection:
            known = [(one.poid, one.version) for one in entries]
            for pairs in chunks(known, 250):
                where = tuple_(search_entries.c.poid, search_entries.c.version).in_(pairs)
                _forget(connection, list(connection.execute(select(search_entries.c.entry).where(where)).scalars()))
            for poids in chunks(sorted(set(gone))):
                where = search_entries.c.poid.in_(poids)
                _forget(connection, list(connection.execute(select(search_entries.c.entry).where(where)).scalars()))
            for one in entries:
                _enter(connection, one)
            values = {"name": POSITION, "value": str(position)}
            statement = upsert(connection, meta).values(values)
            connection.execute(statement.on_conflict_do_update(index_elements=[meta.c.name], set_=values))

    def search(self, wanted: Wanted, *, before: tuple[str, int] | None, limit: int) -> list[VersionRow]:
        """Versions that are as wanted, newest first, before one when it is named."""
        query = select(versions).join(
            search_entries,
            (search_entries.c.poid == versions.c.poid) & (search_entries.c.version == versions.c.version),
        )
        query = query.where(~versions.c.destroyed)
        values: dict[str, Any] = {}
        if wanted.originator is not None:
            query = query.where(versions.c.originator == wanted.originator)
        if wanted.received_from is not None:
            query = query.where(versions.c.received >= wanted.received_from)
        if wanted.received_until is not None:
            query = query.where(versions.c.received < wanted.received_until)
        if wanted.evidenced is not None:
            stamped = exists().where(batches.c.number == versions.c.batch, batches.c.evidenced_at.is_not(None))
            query = query.where(stamped if wanted.evidenced else ~stamped)
        if wanted.sha512 is not None:
            query = query.where(
                search_entries.c.entry.in_(
                    select(search_digests.c.entry).where(search_digests.c.prefix == _prefix(wanted.sha512))
                ),
                exists().where(
                    files.c.poid == versions.c.poid,
                    files.c.version == versions.c.version,
                    files.c.content_digest == wanted.sha512,
                ),
            )
        if before is not None:
            query = query.where(tuple_(versions.c.poid, versions.c.version) < before)
        query = query.order_by(versions.c.poid.desc(), versions.c.version.desc()).limit(limit)
        with reading(self._engine) as connection:
            if wanted.words or wanted.beginnings:
                found = _MATCHING[connection.dialect.name]
                query = query.where(search_entries.c.entry.in_(found))
                values["match"] = _QUESTION[connection.dialect.name](wanted)
            return to_rows(VersionRow, connection.execute(query, values).mappings())


_MATCHING = {
    "sqlite": text("SELECT rowid FROM search_words WHERE search_words MATCH :match").columns(search_entries.c.entry),
    "postgresql": text("SELECT entry FROM search_words WHERE words @@ CAST(:match AS tsquery)").columns(
        search_entries.c.entry
    ),
}

# Words are letters and digits alone, so that quoting them is all that either language needs.
_QUESTION = {
    "sqlite": lambda wanted: " AND ".join(
        [*(f'"{word}"' for word in wanted.words), *(f'"{word}" *' for word in wanted.beginnings)]
    ),
    "postgresql": lambda wanted: " & ".join(
        [*(f"'{word}'" for word in wanted.words), *(f"'{word}':*" for word in wanted.beginnings)]
    ),
}

_WORDS = {
    "sqlite": text("INSERT INTO search_words (rowid, words) VALUES (:entry, :words)"),
    "postgresql": text(
        "INSERT INTO search_words (entry, words) VALUES (:entry, array_to_tsvector(CAST(:words AS TEXT[])))"
    ),
}
_NO_WORDS = {
    "sqlite": text("DELETE FROM search_words WHERE rowid IN :entries").bindparams(bindparam("entries", expanding=True)),
    "postgresql": text("DELETE FROM search_words WHERE entry IN :entries").bindparams(
        bindparam("entries", expanding=True)
    ),
}


def _enter(connection: Connection, one: IndexEntry) -> None:
    kind = connection.dialect.name
    statement = insert(search_entries).values(poid=one.poid, version=one.version).returning(search_entries.c.entry)
    entry = connection.execute(statement).scalar_one()
    words = sorted(set(one.words))
    connection.execute(_WORDS[kind], {"entry": entry, "words": words if kind == "postgresql" else " ".join(words)})
    digests = [
        {"entry": entry, "position": position, "prefix": _prefix(digest)}
        for position, digest in enumerate(sorted(set(one.digests)))
    ]
    if digests:
        connection.execute(insert(search_digests), digests)


def _forget(connection: Connection, entries: Sequence[int]) -> None:
    for some in chunks(entries):
        connection.execute(_NO_WORDS[connection.dialect.name], {"entries": list(some)})
        connection.execute(delete(search_digests).where(search_digests.c.entry.in_(some)))
        connection.execute(delete(search_entries).where(search_entries.c.entry.in_(some)))


def _prefix(digest: str) -> int:
    """The first eight octets of a digest (hex) as a number that both databases have."""
    return int.from_bytes(bytes.fromhex(digest[:16]), signed=True)
