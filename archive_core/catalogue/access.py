"""API keys and jobs.

Rules kept here
 * A key is known by the hash of its secret; the secret is never here. A revoked key stays listed.
 * Keys and jobs live in the catalogue only: after a rebuild an operator makes new keys.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from archive_core.catalogue.base import Part, to_row, to_rows, to_values
from archive_core.catalogue.rows import JobRow, KeyRow
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import jobs, keys
from archive_core.errors import ConcurrentChangeError, NotFoundError

_BY_HASH = select(keys).where(keys.c.key_hash == bindparam("key_hash"))


class Access(Part):
    def add_key(self, row: KeyRow) -> None:
        """Keep a new key; raises ConcurrentChangeError when its id or its hash is known already."""
        with writing(self._engine) as connection:
            connection.execute(insert(keys).values(to_values(row)))

    def key_by_hash(self, key_hash: str) -> KeyRow | None:
        """The key with this secret's hash, revoked or not."""
        with reading(self._engine) as connection:
            row = connection.execute(_BY_HASH, {"key_hash": key_hash}).mappings().one_or_none()
        return to_row(KeyRow, row) if row else None

    def keys(self) -> list[KeyRow]:
        """All keys, revoked ones too, oldest first."""
        with reading(self._engine) as connection:
            query = select(keys).order_by(keys.c.created, keys.c.key_id)
            return to_rows(KeyRow, connection.execute(query).mappings())

    def key(self, key_id: str) -> KeyRow:
        """A key, revoked or not; raises NotFoundError."""
        with reading(self._engine) as connection:
            row = connection.execute(select(keys).where(keys.c.key_id == key_id)).mappings().one_or_none()
        if row is None:
            raise NotFoundError("There is no such key.", key_id=key_id)
        return to_row(KeyRow, row)

    def replace_key(self, row: KeyRow, ends: datetime) -> KeyRow:
        """Keep a new key, and let the one that it replaces end; returns that one. Raises ConcurrentChangeError when
        it was revoked or replaced in the meantime."""
        with writing(self._engine) as connection:
            connection.execute(insert(keys).values(to_values(row)))
            mine = (keys.c.key_id == row.replaces) & keys.c.revoked_at.is_(None)
            follower = keys.alias("follower")
            followed = (
                select(func.count())
                .select_from(follower)
                .where(follower.c.replaces == row.replaces, follower.c.key_id != row.key_id)
                .scalar_subquery()
            )
            changed = connection.execute(update(keys).where(mine, followed == 0).values(expires=ends))
            if not changed.rowcount:
                raise ConcurrentChangeError("The key was revoked or replaced already.", key_id=row.replaces)
            old = connection.execute(select(keys).where(keys.c.key_id == row.replaces)).mappings().one()
        return to_row(KeyRow, old)

    def revoke_key(self, key_id: str, at: datetime) -> KeyRow:
        """Revoke a key; the first revocation's time stays. Raises NotFoundError."""
        with writing(self._engine) as connection:
            connection.execute(
                update(keys).where(keys.c.key_id == key_id, keys.c.revoked_at.is_(None)).values(revoked_at=at)
            )
            row = connection.execute(select(keys).where(keys.c.key_id == key_id)).mappings().one_or_none()
        if row is None:
            raise NotFoundError("There is no such key.", key_id=key_id)
        return to_row(KeyRow, row)

    def touch_key(self, key_id: str, at: datetime) -> None:
        """Note that a key was used; an earlier instant never replaces a later one."""
        unused = keys.c.last_used.is_(None) | (keys.c.last_used < at)
        with writing(self._engine) as connection:
            connection.execute(update(keys).where(keys.c.key_id == key_id, unused).values(last_used=at))

    def add_job(self, row: JobRow) -> None:
        with writing(self._engine) as connection:
            connection.execute(insert(jobs).values(to_values(row)))

    def update_job(self, job_id: str, **changes: Any) -> JobRow:
        """Change `state`, `progress_done`, `progress_total`, `result` or `error`; raises NotFoundError."""
        if not changes or (unknown := set(changes) - _CHANGEABLE):
            raise TypeError(f"a job's {', '.join(sorted(unknown)) if changes else 'nothing'} cannot be changed")
        with writing(self._engine) as connection:
            connection.execute(update(jobs).where(jobs.c.job_id == job_id).values(changes))
            row = connection.execute(select(jobs).where(jobs.c.job_id == job_id)).mappings().one_or_none()
        if row is None:
            raise NotFoundError("There is no such job.", job_id=job_id)
        return to_row(JobRow, row)

    def job(self, job_id: str, originator: str | None = None) -> JobRow:
        """A job; with an originator only that one's. Raises NotFoundError."""
        query = select(jobs).where(jobs.c.job_id == job_id)
        if originator is not None:
            query = query.where(jobs.c.originator == originator)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise NotFoundError("There is no such job.", job_id=job_id)
        return to_row(JobRow, row)

    def jobs(self, limit: int = 100) -> list[JobRow]:
        """The newest jobs, newest first."""
        query = select(jobs).order_by(jobs.c.created.desc(), jobs.c.job_id).limit(limit)
        with reading(self._engine) as connection:
            return to_rows(JobRow, connection.execute(query).mappings())


_CHANGEABLE = {"state", "progress_done", "progress_total", "result", "error"}
