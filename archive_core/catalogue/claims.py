"""Claims: who may write which version, decided before any store is written.

Rules kept here
 * (originator, idempotency key) and (POID, version) are each claimed once; the database decides.
 * A claim keeps the description's bytes, so that a retry writes the very same package.
 * A claim ends when its version enters the catalogue; from then on the version itself answers for
   its key. So a rebuilt catalogue refuses the same duplicates as the lost one.
 * Open claims are not in the stores. Losing them loses no version: an interrupted deposit that is
   retried afterwards is a new deposit, and what it left in the stores is an orphan for audit.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select

from archive_core.catalogue.base import Part, upsert
from archive_core.catalogue.rows import Claim
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import claims, versions
from archive_core.errors import ConcurrentChangeError, UnknownObjectError


class Claims(Part):
    def claim(
        self,
        originator: str,
        key: str | None,
        request_digest: str,
        poid: str,
        version: int,
        description: bytes,
        at: datetime,
    ) -> Claim:
        """Claim (poid, version) under an idempotency key, unless the key has been used before.

        The first call gets `fresh=True`. Any later one with the same originator and key gets what
        the first one claimed, unchanged; comparing `request_digest` is the caller's business.
        Without a key (None) every call is a new claim. Raises ConcurrentChangeError when the
        version exists or is claimed under another key.
        """
        with writing(self._engine) as connection:
            mine = _insert(connection, poid, version, originator, key, request_digest, description, at)
            if key is not None and (earlier := _by_key(connection, originator, key, mine=mine)):
                if mine:
                    # The key's version was entered, and its claim ended, while we waited to insert.
                    connection.execute(_at(delete(claims), poid, version))
                return earlier
            if not mine:
                raise ConcurrentChangeError(poid=poid, version=version)
            _refuse_existing(connection, poid, version)
            return Claim(
                poid=poid,
                version=version,
                description=description,
                request_digest=request_digest,
                completed=False,
                fresh=True,
                originator=originator,
                key=key,
                claimed_at=at,
            )

    def claim_version(self, poid: str, version: int, description: bytes, at: datetime) -> None:
        """Claim (poid, version) for these description bytes; the same bytes may claim again.

        Raises ConcurrentChangeError when that version exists, is claimed for other bytes, or does
        not follow the newest one, and UnknownObjectError when there is no earlier version.
        """
        with writing(self._engine) as connection:
            if not _insert(connection, poid, version, None, None, "", description, at):
                held = connection.execute(_at(select(claims.c.description), poid, version)).scalar_one_or_none()
                if held is None or bytes(held) != description:
                    raise ConcurrentChangeError(poid=poid, version=version)
            _refuse_existing(connection, poid, version)
            newest = connection.scalar(select(func.max(versions.c.version)).where(versions.c.poid == poid))
            if newest is None and version > 1:
                raise UnknownObjectError(poid=poid)
            if version != (newest or 0) + 1:
                raise ConcurrentChangeError(poid=poid, version=version, newest=newest)

    def find_key(self, originator: str, key: str) -> Claim | None:
        """What an idempotency key stands for: a stored version (`completed`), an open claim, or nothing."""
        with reading(self._engine) as connection:
            return _by_key(connection, originator, key)

    def open_claim(self, poid: str, version: int) -> Claim | None:
        """The claim on a version that is not in the catalogue yet."""
        with reading(self._engine) as connection:
            row = connection.execute(_at(select(claims), poid, version)).mappings().one_or_none()
            return _open(row) if row else None

    def open_claims(self, before: datetime, limit: int = 100) -> list[Claim]:
        """Claims taken before an instant and never completed, oldest first."""
        query = select(claims).where(claims.c.claimed_at < before)
        query = query.order_by(claims.c.claimed_at, claims.c.poid, claims.c.version).limit(limit)
        with reading(self._engine) as connection:
            return [_open(row) for row in connection.execute(query).mappings()]

    def abandon_claim(self, claim: Claim) -> bool:
        """Give up an open claim; only after the stores were seen to hold nothing under it.

        False when it is no longer open, or open for other bytes."""
        statement = _at(delete(claims), claim.poid, claim.version).where(claims.c.description == claim.description)
        with writing(self._engine) as connection:
            return bool(connection.execute(statement).rowcount)


def _insert(
    connection: Connection,
    poid: str,
    version: int,
    originator: str | None,
    key: str | None,
    request_digest: str,
    description: bytes,
    at: datetime,
) -> bool:
    statement = upsert(connection, claims).values(
        poid=poid,
        version=version,
        originator=originator,
        idempotency_key=key,
        request_digest=request_digest,
        description=description,
        claimed_at=at,
    )
    returned = connection.execute(statement.on_conflict_do_nothing().returning(claims.c.poid))
    return returned.scalar_one_or_none() is not None


def _by_key(connection: Connection, originator: str, key: str, *, mine: bool = False) -> Claim | None:
    """`mine`: the open claim under this key is the caller's own, so only a stored version counts."""
    query = select(versions).where(versions.c.originator == originator, versions.c.idempotency_key == key)
    if row := connection.execute(query).mappings().one_or_none():
        return Claim(
            poid=row["poid"],
            version=row["version"],
            description=b"",
            request_digest=row["request_digest"],
            completed=True,
            fresh=False,
            originator=originator,
            key=key,
            claimed_at=row["received"],
        )
    if mine:
        return None
    query = select(claims).where(claims.c.originator == originator, claims.c.idempotency_key == key)
    row = connection.execute(query).mappings().one_or_none()
    return _open(row) if row else None


def _open(row: Mapping[Any, Any]) -> Claim:
    return Claim(
        poid=row["poid"],
        version=row["version"],
        description=bytes(row["description"]),
        request_digest=row["request_digest"],
        completed=False,
        fresh=False,
        originator=row["originator"],
        key=row["idempotency_key"],
        claimed_at=row["claimed_at"],
    )


def _refuse_existing(connection: Connection, poid: str, version: int) -> None:
    query = select(versions.c.poid).where(versions.c.poid == poid, versions.c.version == version)
    if connection.execute(query).first():
        raise ConcurrentChangeError(poid=poid, version=version)


def _at(statement: Any, poid: str, version: int) -> Any:
    return statement.where(claims.c.poid == poid, claims.c.version == version)
