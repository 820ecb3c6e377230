"""Planted damage: of what kinds, to which copies, and whether it was healed to the byte.

The rules this module keeps
 * Harm is done to one store's copy of an object that every store holds, none owes and nobody updates; it gets no
   other harm until that one is healed. So each damage has good copies elsewhere, and each must be found.
 * Healed means: every file of that copy is what it was before, and nothing lies beside it.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg
from botocore.exceptions import BotoCoreError, ClientError

from archive_core.identifiers import object_name, storage_object_for
from archive_core.ocfl.layout import HashAndIdLayout
from tests.integration.corruptions import HARMS, Picture, picture
from tests.soak.ledger import Damage, Ledger
from tests.soak.place import Place

LAYOUT = HashAndIdLayout()
S3_KINDS = ("flip in the bucket", "truncate in the bucket", "delete in the bucket", "swap in the bucket")
DISK_KINDS = tuple(dict.fromkeys(harm.__name__.replace("_", " ") for harm in HARMS))


class Copy(Protocol):
    """One store's copy of an object."""

    def names(self) -> set[str]: ...

    def picture(self) -> Picture: ...

    def harm(self, chance: random.Random, kind: str) -> None: ...


@dataclass(frozen=True)
class DiskCopy:
    """A copy in a directory."""

    folder: Path

    def names(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}

    def picture(self) -> Picture:
        return picture(self.folder) if self.folder.exists() else {}

    def harm(self, chance: random.Random, kind: str) -> None:
        act = next(harm for harm in HARMS if harm.__name__.replace("_", " ") == kind)
        act(chance, self.folder, sorted(path for path in self.folder.rglob("*") if path.is_file()))


@dataclass(frozen=True)
class BucketCopy:
    """A copy in a bucket, seen and changed past the product."""

    client: Any
    bucket: str
    prefix: str

    def keys(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.prefix}/")
        return sorted(entry["Key"] for entry in found.get("Contents", []))

    def names(self) -> set[str]:
        return {key.removeprefix(f"{self.prefix}/") for key in self.keys()}

    def _get(self, key: str) -> bytes:
        return bytes(self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read())

    def _put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=content)

    def picture(self) -> Picture:
        return {key: self._get(key) for key in self.keys()}

    def harm(self, chance: random.Random, kind: str) -> None:
        keys = self.keys()
        key = chance.choice(keys)
        content = bytearray(self._get(key))
        if kind.startswith("delete"):
            self.client.delete_object(Bucket=self.bucket, Key=key)
        elif kind.startswith("swap"):
            other = chance.choice([one for one in keys if one != key])
            its = self._get(other)
            self._put(other, bytes(content))
            self._put(key, its)
        elif not content:
            raise LookupError("an empty file has no bit")
        elif kind.startswith("truncate"):
            self._put(key, bytes(content[: chance.randrange(len(content))]))
        else:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
            self._put(key, bytes(content))


@dataclass
class Planted:
    """A damage that is not healed yet, with what was there before."""

    damage: Damage
    copy: Copy
    before: Picture

    def is_healed(self) -> bool:
        try:
            return self.copy.picture() == self.before
        except (OSError, BotoCoreError, ClientError):
            return False


class Harming:
    """Plants damage in rounds."""

    def __init__(self, place: Place, ledger: Ledger, chance: random.Random) -> None:
        self._place = place
        self._ledger = ledger
        self._chance = chance
        self._client = place.client()
        self._deck: list[tuple[str, str]] = []

    def copy(self, store: str, object_id: str) -> Copy:
        path = LAYOUT.object_path(object_id)
        if store in self._place.roots:
            return DiskCopy(self._place.roots[store] / path)
        return BucketCopy(self._client, self._place.bucket.bucket, f"{self._place.bucket.prefix}/{path}")

    def plant(self, number: int, system_objects: list[str]) -> list[Planted]:
        """Up to so many damages in objects of people and in some of these system objects, each in another one."""
        with self._ledger._lock:
            old = [poid for poid, at in self._ledger.settled if at < time.monotonic() - 3]
        if len(old) < 3 * number:
            return []
        owed = self._owed()
        if owed is None:
            return []
        ids = [storage_object_for(poid) for poid in self._chance.sample(old, min(len(old), 3 * number))]
        if self._chance.random() < 0.3:
            ids += self._chance.sample(system_objects, min(len(system_objects), max(1, number // 6)))
        self._chance.shuffle(ids)
        planted: list[Planted] = []
        for object_id in ids:
            if len(planted) == number:
                break
            if object_id not in owed and (one := self._plant(object_id)):
                planted.append(one)
        return planted

    def _owed(self) -> set[str] | None:
        """What some store owes: a sidecar that is missing there is no damage. None while the database is away."""
        try:
            with psycopg.connect(self._place.url.replace("+psycopg", "")) as connection:
                return {row[0] for row in connection.execute("SELECT storage_object FROM copy_debts").fetchall()}
        except psycopg.Error:
            return None

    def _plant(self, object_id: str) -> Planted | None:
        try:
            copies = {store: self.copy(store, object_id) for store in (*self._place.roots, "three")}
            names = [copy.names() for copy in copies.values()]
            if not names[0] or any(one != names[0] for one in names):
                return None  # some store still lacks something of it
            store, kind = self._next()
            before = copies[store].picture()
        except (OSError, BotoCoreError, ClientError):
            return None  # a store is away
        damage = Damage(store, object_name(object_id), kind, time.monotonic())
        try:
            copies[store].harm(self._chance, kind)
            changed = copies[store].picture() != before
        except LookupError:
            self._deck.insert(0, (store, kind))
            return None
        except (OSError, BotoCoreError, ClientError):
            changed = True  # half of it may have been done
        if not changed:
            self._deck.insert(0, (store, kind))
            return None
        self._ledger.plant(damage)
        return Planted(damage, copies[store], before)

    def _next(self) -> tuple[str, str]:
        """Every kind in every store once, in an order of chance, and again."""
        if not self._deck:
            self._deck = [(store, kind) for kind in DISK_KINDS for store in self._place.roots]
            self._deck += [("three", kind) for kind in S3_KINDS for _ in range(3)]
            self._chance.shuffle(self._deck)
        return self._deck.pop()
