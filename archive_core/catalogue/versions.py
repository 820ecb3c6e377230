"""Versions and their files: commit A, and the questions asked about objects.

Rules kept here
 * Commit A is one transaction: the version, its files, its events, the end of its claim. Entering
   the identical version again changes nothing; entering another one under its number is refused.
 * Objects come in deposit order, which is POID order; a page is named by the POID it follows.
 * Another originator's object is answered exactly like one that does not exist.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, exists, func, insert, select

from archive_core.catalogue.base import (
    Part,
    among,
    by_version,
    chunks,
    field_names,
    these,
    to_row,
    to_rows,
    to_values,
    values_of,
)
from archive_core.catalogue.claims import insert_claim
from archive_core.catalogue.events import add_events
from archive_core.catalogue.many_rows import ManyRows
from archive_core.catalogue.originators import add_use
from archive_core.catalogue.rows import (
    AwaitingGroup,
    EventRow,
    FileRow,
    PrefixRecordRow,
    StateCounts,
    VersionRow,
)
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import batches, claims, files, prefix_records, versions
from archive_core.errors import ConcurrentChangeError, UnknownObjectError

LARGEST_VERSION = 2**31 - 1

Entry = tuple[VersionRow, Sequence[FileRow], Sequence[EventRow]]


class Versions(Part):
    def enter_version(self, row: VersionRow, files: Sequence[FileRow], events: Sequence[EventRow]) -> bool:
        """Commit A of one version; see `enter_versions`. True when it was not there before."""
        return self.enter_versions([(row, files, events)]) == 1

    def enter_versions(self, entries: Sequence[Entry]) -> int:
        """Commit A of many versions in one transaction; the number that were not there before.

        A version that is already there with the same facts and files is left alone, with its
        events. Raises ConcurrentChangeError, and enters nothing at all, when one is there with
        other facts, is claimed for another description, or uses an idempotency key that is taken.
        """
        if not entries:
            return 0
        wanted = {(row.poid, row.version): row for row, _, _ in entries}
        if len(wanted) != len(entries):
            raise ValueError("the same version twice")
        for row, listed, _ in entries:
            if row.file_count > len(listed) or any((f.poid, f.version) != (row.poid, row.version) for f in listed):
                raise ValueError(f"the files are not those of {row.poid} version {row.version}")
        with writing(self._engine) as connection:
            # Who holds the claim of a version enters it: then it cannot be there, and nobody is asked.
            claimed = _end_own(connection, [row for row, _, _ in entries])
            rest = [entry for entry in entries if (entry[0].poid, entry[0].version) not in claimed]
            rest = _not_there(connection, rest)
            _end_claims(connection, [row for row, _, _ in rest])
            # Whoever ended such a claim while we waited for it has entered the version by now.
            rest = _not_there(connection, rest)
            missing = claimed.union((row.poid, row.version) for row, _, _ in rest)
            _insert_new(connection, [entry for entry in entries if (entry[0].poid, entry[0].version) in missing])
            return len(missing)

    def version(self, poid: str, version: int | None = None, originator: str | None = None) -> VersionRow:
        """A version, the newest one by default; raises UnknownObjectError."""
        query = select(versions).where(versions.c.poid == poid)
        if version is not None:
            if not 1 <= version <= LARGEST_VERSION:
                raise UnknownObjectError(poid=poid, version=version)
            query = query.where(versions.c.version == version)
        if originator is not None:
            query = query.where(versions.c.originator == originator)
        with reading(self._engine) as connection:
            row = connection.execute(query.order_by(versions.c.version.desc()).limit(1)).mappings().one_or_none()
        if row is None:
            raise UnknownObjectError(poid=poid, version=version)
        return to_row(VersionRow, row)

    def versions(self, poid: str, originator: str | None = None) -> list[VersionRow]:
        """All versions of an object, oldest first; raises UnknownObjectError when there is none."""
        query = select(versions).where(versions.c.poid == poid).order_by(versions.c.version)
        if originator is not None:
            query = query.where(versions.c.originator == originator)
        with reading(self._engine) as connection:
            found = to_rows(VersionRow, connection.execute(query).mappings())
        if not found:
            raise UnknownObjectError(poid=poid)
        return found

    def files(self, poid: str, version: int) -> list[FileRow]:
        """The files of a version in the order in which its description lists them."""
        with reading(self._engine) as connection:
            found = _files(connection, poid, version)
        if not found:
            raise UnknownObjectError(poid=poid, version=version)
        return found

    def first_files(self, poids: Iterable[str]) -> dict[str, dict[str, tuple[str, str]]]:
        """Of the first versions of these objects: by path, in the description's order, the stored and the
        content digest of each file."""
        found: dict[str, dict[str, tuple[str, str]]] = {}
        with reading(self._engine) as connection:
            for chunk in chunks(poids):
                query = select(files.c.poid, files.c.path, files.c.stored_digest, files.c.content_digest)
                query = query.where(files.c.poid.in_(chunk), files.c.version == 1)
                for poid, path, stored, content in connection.execute(query.order_by(files.c.poid, files.c.position)):
                    found.setdefault(poid, {})[path] = (stored, content)
        return found

    def file(self, poid: str, version: int, path: str, *others: str) -> FileRow:
        """One file by its logical path, or by the first of the others that there is; raises UnknownObjectError."""
        wanted = (path, *others)
        query = select(files).where(files.c.poid == poid, files.c.version == version, files.c.path.in_(wanted))
        with reading(self._engine) as connection:
            found = {row["path"]: row for row in connection.execute(query).mappings()}
        for name in wanted:
            if name in found:
                return to_row(FileRow, found[name])
        raise UnknownObjectError(poid=poid, version=version, path=wanted[-1])

    def objects(
        self, after: str | None = None, limit: int = 100, originator: str | None = None, *, living: bool = False
    ) -> list[VersionRow]:
        """The newest version of each object, in deposit order, beginning behind the POID `after`; with `living`
        without those that were destroyed."""
        newer = versions.alias("newer")
        query = select(versions).where(
            ~exists().where(newer.c.poid == versions.c.poid, newer.c.version > versions.c.version)
        )
        if after is not None:
            query = query.where(versions.c.poid > after)
        if originator is not None:
            query = query.where(versions.c.originator == originator)
        if living:
            query = query.where(~versions.c.destroyed)
        with reading(self._engine) as connection:
            return to_rows(VersionRow, connection.execute(query.order_by(versions.c.poid).limit(limit)).mappings())

    def known_objects(self, poids: Iterable[str]) -> set[str]:
        """Those of the POIDs that objects have."""
        found: set[str] = set()
        with reading(self._engine) as connection:
            for chunk in chunks(set(poids)):
                query = select(versions.c.poid).where(versions.c.poid.in_(chunk)).distinct()
                found.update(connection.execute(query).scalars())
        return found

    def newest_versions(self, poids: Iterable[str]) -> dict[str, int]:
        """The number of the newest version of each of these objects that is known."""
        found: dict[str, int] = {}
        with reading(self._engine) as connection:
            for chunk in chunks(set(poids)):
                query = select(versions.c.poid, func.max(versions.c.version)).where(versions.c.poid.in_(chunk))
                found.update((poid, newest) for poid, newest in connection.execute(query.group_by(versions.c.poid)))
        return found

    def count_states(self, originator: str | None = None) -> StateCounts:
        """How many objects there are, and what is true of their versions."""
        query = select(
            func.count(func.distinct(versions.c.poid)).label("objects"),
            func.count().label("versions"),
            func.count(batches.c.number).label("in_any_batch"),
            func.count(batches.c.evidenced_at).label("evidenced"),
        ).select_from(versions.outerjoin(batches, versions.c.batch == batches.c.number))
        query = query.where(~versions.c.destroyed)
        gone = select(func.count(func.distinct(versions.c.poid))).where(versions.c.destroyed)
        if originator is not None:
            query = query.where(versions.c.originator == originator)
            gone = gone.where(versions.c.originator == originator)
        with reading(self._engine) as connection:
            row = connection.execute(query).one()
            destroyed = connection.scalar(gone) or 0
        return StateCounts(
            objects=row.objects,
            versions=row.versions,
            awaiting=row.versions - row.in_any_batch,
            in_batch=row.in_any_batch - row.evidenced,
            evidenced=row.evidenced,
            destroyed=destroyed,
        )

    def awaiting_evidence(
        self, profile: str | None = None, originator: str | None = None, limit: int = 10_000
    ) -> list[VersionRow]:
        """Versions without a batch, in the order (received, POID, version)."""
        query = select(versions).where(versions.c.batch.is_(None))
        if profile is not None:
            query = query.where(versions.c.profile == profile)
        if originator is not None:
            query = query.where(versions.c.originator == originator)
        query = query.order_by(versions.c.received, versions.c.poid, versions.c.version).limit(limit)
        with reading(self._engine) as connection:
            return to_rows(VersionRow, connection.execute(query).mappings())

    def awaiting_digests(
        self, profile: str, originator: str | None = None, limit: int = 10_000
    ) -> Iterator[tuple[str, int, set[bytes]]]:
        """POID, version and the set of SHA-512 digests (description and files) of versions without a batch,
        in the order of `awaiting_evidence`; read as one transaction while it is iterated."""
        waiting = versions.c.batch.is_(None) & (versions.c.profile == profile)
        with reading(self._engine) as connection:
            if originator is None:
                whose = select(versions.c.originator).where(waiting).distinct().limit(2)
                originator = _only(connection.execute(whose).scalars().all())
            query = _all_in_turn(waiting, limit) if originator is None else _of_one_in_turn(waiting, originator)
            found = connection.execution_options(yield_per=10_000).execute(query)
            yield from islice(_grouped(chain.from_iterable(found.partitions())), limit)

    def awaiting_groups(self) -> list[AwaitingGroup]:
        """Versions without a batch, counted by (profile, originator)."""
        keys = (versions.c.profile, versions.c.originator)
        query = select(*keys, func.count().label("waiting"), func.min(versions.c.received).label("oldest"))
        query = query.where(versions.c.batch.is_(None)).group_by(*keys).order_by(*keys)
        with reading(self._engine) as connection:
            return [AwaitingGroup(*row) for row in connection.execute(query)]

    def enter_prefix_records(self, rows: Sequence[PrefixRecordRow]) -> None:
        """Note the prefix records of versions; those already there stay as they are."""
        with writing(self._engine) as connection:
            for row in rows:
                query = select(prefix_records).filter_by(poid=row.poid, version=row.version, name=row.name)
                known = connection.execute(query).mappings().one_or_none()
                if known is None:
                    connection.execute(insert(prefix_records).values(to_values(row)))
                elif to_row(PrefixRecordRow, known) != row:
                    raise ConcurrentChangeError(poid=row.poid, version=row.version, name=row.name)

    def prefix_records(self, poid: str, version: int) -> list[PrefixRecordRow]:
        query = select(prefix_records).filter_by(poid=poid, version=version).order_by(prefix_records.c.name)
        with reading(self._engine) as connection:
            return to_rows(PrefixRecordRow, connection.execute(query).mappings())


_AMONG = select(versions).where(among(versions))
_END = (
    delete(claims)
    .where(claims.c.version == bindparam("number"), claims.c.poid.in_(bindparam("poids", expanding=True)))
    .returning(claims.c.poid, claims.c.description)
)
_VERSIONS = ManyRows(versions, field_names(VersionRow))
_FILES = ManyRows(files, [*field_names(FileRow), "position"])


_DIGESTS = (versions.c.poid, versions.c.version, versions.c.description_digest, files.c.content_digest)
_IN_TURN = (versions.c.received, versions.c.poid, versions.c.version)


def _only(found: Sequence[str]) -> str | None:
    return found[0] if len(found) == 1 else None


def _of_one_in_turn(waiting: ColumnElement[bool], originator: str) -> Select[Any]:
    """Digests of what awaits evidence, read along the index: nothing is sorted."""
    query = select(*_DIGESTS).join_from(
        versions, files, (files.c.poid == versions.c.poid) & (files.c.version == versions.c.version)
    )
    return query.where(waiting, versions.c.originator == originator).order_by(*_IN_TURN)


def _all_in_turn(waiting: ColumnElement[bool], limit: int) -> Select[Any]:
    """The same over all originators. They stand side by side in the index: what comes first is chosen first."""
    each = select(*_IN_TURN, versions.c.description_digest).where(waiting).order_by(*_IN_TURN).limit(limit).subquery()
    query = select(each.c.poid, each.c.version, each.c.description_digest, files.c.content_digest)
    query = query.join_from(each, files, (files.c.poid == each.c.poid) & (files.c.version == each.c.version))
    return query.order_by(each.c.received, each.c.poid, each.c.version)


def _grouped(rows: Iterable[Any]) -> Iterator[tuple[str, int, set[bytes]]]:
    """The rows of one version after the other: all digests of each."""
    held: tuple[str, int, set[bytes]] | None = None
    for poid, version, described, content in rows:
        if held is None or held[0] != poid or held[1] != version:
            if held is not None:
                yield held
            held = poid, version, {bytes.fromhex(described)}
        held[2].add(bytes.fromhex(content))
    if held is not None:
        yield held


def _existing(connection: Connection, wanted: Iterable[tuple[str, int]]) -> dict[tuple[str, int], VersionRow]:
    found: dict[tuple[str, int], VersionRow] = {}
    for chunk in chunks(wanted, 250):
        for row in to_rows(VersionRow, connection.execute(_AMONG, these(chunk)).mappings()):
            found[row.poid, row.version] = row
    return found


def _not_there(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """The entries whose versions are not there; raises ConcurrentChangeError when one is, with other facts."""
    there = _existing(connection, [(row.poid, row.version) for row, _, _ in entries])
    for row, listed, _ in entries:
        if known := there.get((row.poid, row.version)):
            _refuse_other(connection, row, listed, known)
    return [entry for entry in entries if (entry[0].poid, entry[0].version) not in there]


def _refuse_other(connection: Connection, row: VersionRow, listed: Sequence[FileRow], known: VersionRow) -> None:
    # Batch and leaf come later and say nothing about whether it is the same version.
    same = replace(known, batch=row.batch, leaf=row.leaf) == row
    if not same or _files(connection, row.poid, row.version) != list(listed):
        raise ConcurrentChangeError(poid=row.poid, version=row.version)


def _files(connection: Connection, poid: str, version: int) -> list[FileRow]:
    query = select(files).where(files.c.poid == poid, files.c.version == version).order_by(files.c.position)
    return to_rows(FileRow, connection.execute(query).mappings())


def _end_claims(connection: Connection, rows: Sequence[VersionRow]) -> None:
    """End the claims on these versions; raise ConcurrentChangeError when one is for anything else.

    What is not claimed is claimed here and now, for the length of this transaction: so whoever
    claims the same version or key at this moment waits, and then finds the version.
    """
    for chunk in chunks(sorted(rows, key=lambda row: (row.poid, row.version)), 200):
        digests = _end(connection, chunk)
        unclaimed = [row for row in chunk if (row.poid, row.version) not in digests]
        mine = _claim_now(connection, unclaimed)
        # What came in between is ended like the others; what we claimed ourselves says nothing.
        digests.update({at: digest for at, digest in _end(connection, unclaimed).items() if at not in mine})
        digests.update(
            {(row.poid, row.version): row.description_digest for row in unclaimed if (row.poid, row.version) in mine}
        )
        for row in chunk:
            if digests.get((row.poid, row.version)) != row.description_digest:
                raise ConcurrentChangeError(poid=row.poid, version=row.version)


def _end_own(connection: Connection, rows: Sequence[VersionRow]) -> set[tuple[str, int]]:
    """End the claims that there are on these versions; raises ConcurrentChangeError when one is for another
    description."""
    claimed: set[tuple[str, int]] = set()
    for chunk in chunks(sorted(rows, key=lambda row: (row.poid, row.version)), 200):
        digests = _end(connection, chunk)
        for row in chunk:
            digest = digests.get((row.poid, row.version))
            if digest not in (None, row.description_digest):
                raise ConcurrentChangeError(poid=row.poid, version=row.version)
        claimed.update(digests)
    return claimed


def _end(connection: Connection, rows: Sequence[VersionRow]) -> dict[tuple[str, int], str]:
    """Delete the claims on versions; those that there were, with the sha512 (hex) of their description."""
    if not rows:
        return {}
    ended: dict[tuple[str, int], str] = {}
    for number, poids in by_version((row.poid, row.version) for row in rows):
        returned = connection.execute(_END, {"number": number, "poids": poids})
        ended.update(((poid, number), hashlib.sha512(bytes(description)).hexdigest()) for poid, description in returned)
    return ended


def _claim_now(connection: Connection, rows: Sequence[VersionRow]) -> set[tuple[str, int]]:
    if not rows:
        return set()
    values = [
        {
            "poid": row.poid,
            "version": row.version,
            "originator": row.originator,
            "idempotency_key": row.idempotency_key,
            "request_digest": row.request_digest,
            "description": b"",
            "claimed_at": row.received,
        }
        for row in rows
    ]
    returned = connection.execute(insert_claim(connection), values)
    return {(row.poid, row.version) for row in returned}


def _insert_new(connection: Connection, new: Sequence[Entry]) -> None:
    if not new:
        return
    _VERSIONS.put(connection, [values_of(row) for row, _, _ in new])
    _FILES.put(
        connection,
        [(*values_of(file), position) for _, entry_files, _ in new for position, file in enumerate(entry_files)],
    )
    add_events(connection, [event for _, _, happened in new for event in happened])
    add_use(connection, [row for row, _, _ in new])
