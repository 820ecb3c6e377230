"""Claims: who may write which version, decided before any store is written.

Rules kept here
 * (originator, idempotency key) and (POID, version) are each claimed once; the database decides.
 * A claim keeps the description's bytes, and those of files that no retry would make alike (`claim_files`), so that
   a retry writes the very same package.
 * A claim ends when its version enters the catalogue; from then on the version itself answers for
   its key. So a rebuilt catalogue refuses the same duplicates as the lost one.
 * Open claims are not in the stores. Losing them loses no version: an interrupted deposit that is
   retried afterwards is a new deposit, and what it left in the stores is an orphan for audit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Insert, bindparam, delete, func, insert, select

from archive_core.catalogue.base import Part, among, by_version, chunks, per_dialect, these, upsert
from archive_core.catalogue.many_rows import ManyRows
from archive_core.catalogue.rows import Claim, ClaimRequest
from archive_core.catalogue.session import reading, writing
from archive_core.catalogue.tables import claim_files, claims, versions
from archive_core.errors import ConcurrentChangeError, UnknownObjectError

_GIVE_UP = delete(claims).where(among(claims))
_ENTERED = select(versions.c.poid).where(
    versions.c.version == bindparam("number"), versions.c.poid.in_(bindparam("poids", expanding=True))
)
_CLAIMS = ManyRows(
    claims, ("poid", "version", "originator", "idempotency_key", "request_digest", "description", "claimed_at")
)
_OPEN_BY_KEY = select(claims).where(
    claims.c.originator == bindparam("originator"), claims.c.idempotency_key.in_(bindparam("keys", expanding=True))
)
_COMPLETED_BY_KEY = select(versions).where(
    versions.c.originator == bindparam("originator"), versions.c.idempotency_key.in_(bindparam("keys", expanding=True))
)


@per_dialect
def insert_claim(connection: Connection) -> Insert:
    """Insert claims unless something stands in their way; returns what came in."""
    return upsert(connection, claims).on_conflict_do_nothing().returning(claims.c.poid, claims.c.version)


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
        request = ClaimRequest(
            originator=originator,
            key=key,
            request_digest=request_digest,
            poid=poid,
            version=version,
            description=description,
            at=at,
        )
        (answer,) = self.claim_all([request])
        if isinstance(answer, ConcurrentChangeError):
            raise answer
        return answer

    def claim_all(self, requests: Sequence[ClaimRequest]) -> list[Claim | ConcurrentChangeError]:
        """`claim` for many in one transaction, each answered for itself and in the order given: one
        that cannot be had keeps no other from its claim."""
        with writing(self._engine) as connection:
            taken = _take(connection, requests)
            earlier = _earlier(connection, requests)
            entered = _entered(connection, taken)
            given_up: list[tuple[str, int]] = []
            answers: list[Claim | ConcurrentChangeError] = []
            for request in requests:
                wanted = request.poid, request.version
                mine = taken.get(wanted) is request
                known = None if request.key is None else earlier.get((request.originator, request.key))
                if known is not None and (known.completed or not mine):
                    answers.append(known)
                elif mine and wanted not in entered:
                    answers.append(_fresh(request))
                    continue
                else:
                    answers.append(ConcurrentChangeError(poid=request.poid, version=request.version))
                if mine:  # what we claimed was entered, and its claim ended, while we waited to insert
                    given_up.append(wanted)
            if given_up:
                connection.execute(_GIVE_UP, these(given_up))
            _keep_files(connection, requests, answers)
            return answers

    def claim_files(self, poid: str, version: int) -> dict[str, bytes]:
        """The files that the claim on a version keeps, by logical path."""
        with reading(self._engine) as connection:
            found = connection.execute(select(claim_files).filter_by(poid=poid, version=version)).mappings()
            return {row["path"]: bytes(row["content"]) for row in found}

    def claim_version(self, poid: str, version: int, description: bytes, at: datetime) -> None:
        """Claim (poid, version) for these description bytes; the same bytes may claim again.

        Raises ConcurrentChangeError when that version exists, is claimed for other bytes, or does
        not follow the newest one, and UnknownObjectError when there is no earlier version.
        """
        with writing(self._engine) as connection:
            if not _insert(connection, [_values(poid, version, None, None, "", description, at)]):
                held = connection.execute(_at(select(claims.c.description), poid, version)).scalar_one_or_none()
                if held is None or bytes(held) != description:
                    raise ConcurrentChangeError(poid=poid, version=version)
            if _entered(connection, [(poid, version)]):
                raise ConcurrentChangeError(poid=poid, version=version)
            newest = connection.scalar(select(func.max(versions.c.version)).where(versions.c.poid == poid))
            if newest is None and version > 1:
                raise UnknownObjectError(poid=poid)
            if version != (newest or 0) + 1:
                raise ConcurrentChangeError(poid=poid, version=version, newest=newest)

    def find_key(self, originator: str, key: str) -> Claim | None:
        """What an idempotency key stands for: a stored version (`completed`), an open claim, or nothing."""
        with reading(self._engine) as connection:
            return _by_key(connection, originator, {key}).get(key)

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


def _keep_files(
    connection: Connection, requests: Sequence[ClaimRequest], answers: Sequence[Claim | ConcurrentChangeError]
) -> None:
    """Keep what fresh claims bring along."""
    values = [
        {"poid": request.poid, "version": request.version, "path": path, "content": content}
        for request, answer in zip(requests, answers, strict=True)
        if request.files and isinstance(answer, Claim) and answer.fresh
        for path, content in request.files
    ]
    if values:
        connection.execute(insert(claim_files), values)


def _take(connection: Connection, requests: Sequence[ClaimRequest]) -> dict[tuple[str, int], ClaimRequest]:
    """Insert the claims; those that came in, by what they claim. Of two for one version or one key the
    first comes in."""
    first: dict[tuple[str, int], ClaimRequest] = {}
    keys: set[tuple[str, str]] = set()
    for request in requests:
        if request.key is not None and (request.originator, request.key) in keys:
            continue
        if first.setdefault((request.poid, request.version), request) is request and request.key is not None:
            keys.add((request.originator, request.key))
    values = [
        _values(
            request.poid,
            request.version,
            request.originator,
            request.key,
            request.request_digest,
            request.description,
            request.at,
        )
        for request in first.values()
    ]
    came_in = _insert(connection, values)
    return {wanted: request for wanted, request in first.items() if wanted in came_in}


def _values(
    poid: str,
    version: int,
    originator: str | None,
    key: str | None,
    request_digest: str,
    description: bytes,
    at: datetime,
) -> dict[str, Any]:
    return {
        "poid": poid,
        "version": version,
        "originator": originator,
        "idempotency_key": key,
        "request_digest": request_digest,
        "description": description,
        "claimed_at": at,
    }


def _insert(connection: Connection, values: Sequence[dict[str, Any]]) -> set[tuple[str, int]]:
    """Insert claims unless something stands in their way; which came in. In one order, so that two
    transactions that want the same keys do not wait for each other in a circle."""
    ordered = sorted(
        values, key=lambda one: (one["originator"] or "", one["idempotency_key"] or "", one["poid"], one["version"])
    )
    rows = [tuple(one.values()) for one in ordered]
    return {(poid, version) for poid, version in _CLAIMS.put_unless_there(connection, rows, ("poid", "version"))}


def _earlier(connection: Connection, requests: Sequence[ClaimRequest]) -> dict[tuple[str, str], Claim]:
    """What the keys of the requests stand for, by originator and key."""
    wanted: dict[str, set[str]] = {}
    for request in requests:
        if request.key is not None:
            wanted.setdefault(request.originator, set()).add(request.key)
    return {
        (originator, key): claim
        for originator, keys in wanted.items()
        for key, claim in _by_key(connection, originator, keys).items()
    }


def _by_key(connection: Connection, originator: str, keys: set[str]) -> dict[str, Claim]:
    """What an originator's keys stand for: a stored version before an open claim."""
    found: dict[str, Claim] = {}
    for chunk in chunks(sorted(keys)):
        asked = {"originator": originator, "keys": chunk}
        claimed = connection.execute(_OPEN_BY_KEY, asked).mappings()
        found.update((row["idempotency_key"], _open(row)) for row in claimed)
        completed = connection.execute(_COMPLETED_BY_KEY, asked).mappings()
        found.update((row["idempotency_key"], _completed(row)) for row in completed)
    return found


def _fresh(request: ClaimRequest) -> Claim:
    return Claim(
        poid=request.poid,
        version=request.version,
        description=request.description,
        request_digest=request.request_digest,
        completed=False,
        fresh=True,
        originator=request.originator,
        key=request.key,
        claimed_at=request.at,
    )


def _completed(row: Mapping[Any, Any]) -> Claim:
    return Claim(
        poid=row["poid"],
        version=row["version"],
        description=b"",
        request_digest=row["request_digest"],
        completed=True,
        fresh=False,
        originator=row["originator"],
        key=row["idempotency_key"],
        claimed_at=row["received"],
    )


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


def _entered(connection: Connection, wanted: Iterable[tuple[str, int]]) -> set[tuple[str, int]]:
    """Those of the versions that are in the catalogue."""
    found: set[tuple[str, int]] = set()
    for number, poids in by_version(wanted):
        for chunk in chunks(poids):
            entered = connection.execute(_ENTERED, {"number": number, "poids": chunk}).scalars()
            found.update((poid, number) for poid in entered)
    return found


def _at(statement: Any, poid: str, version: int) -> Any:
    return statement.where(claims.c.poid == poid, claims.c.version == version)
