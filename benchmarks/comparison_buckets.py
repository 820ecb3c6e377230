"""The same programs with one of their two copies in a bucket of a real S3 server that locks what it keeps.

Rules kept here
 * The bucket's copy is the one that faults hit: somebody who may write, or a program gone wrong, puts the damaged bytes
   over the good ones or deletes them, by the server's own requests. Below the server nothing is touched.
 * Locks are those that the server enforces: of rclone's copy by the bucket's default retention, since that version
   cannot set them itself, of ours as the store sets them. Compliance mode: nobody may delete, not even who made them.
 * What is locked cannot be taken back, so each trial has a bucket of its own.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.comparison_rivals import LONG_AGO, Fault, Ours, Rclone, Rival, call, must, same
from benchmarks.figures import BenchmarkError

if TYPE_CHECKING:
    from storage_backends.s3_bucket import Bucket
    from tests.s3.ceph import S3Server

_LOCK = 'lock = "compliance"\nlock_days = 2\nlock_renew_days = 1\n'


class _InBucket(Rival):
    """A program whose first copy is what lies below `start` in a bucket; which bucket, its place remembers."""

    server: S3Server
    start = ""
    patience = 1200.0  # a check asks for each file

    def bucket(self, place: Path) -> Bucket:
        from storage_backends.s3_bucket import Bucket

        return Bucket("comparison", self.server.place((place / "bucket").read_text()))

    def new_bucket(self, place: Path) -> Any:
        found = self.server.new_bucket("comparison", locks=True)
        (place / "bucket").write_text(found.bucket)
        return found

    def fresh(self, pristine: Path, documents: Path) -> Path:
        shutil.rmtree(pristine, ignore_errors=True)
        self.store(pristine, documents)
        return pristine

    def harm(self, place: Path, copy: int, fault: Fault, chance: random.Random) -> str:
        """The fault is done to files beside, and what became of them is written over what lies in the bucket."""
        if copy == 2:
            return super().harm(place, copy, fault, chance)
        bucket, aside = self.bucket(place), place / "aside"
        before = {}
        for kept in bucket.entries(self.start):
            if kept.size:
                file = aside / kept.key
                file.parent.mkdir(parents=True, exist_ok=True)
                before[file] = bucket.read(kept.key, limit=kept.size)
                file.write_bytes(before[file])
        said = fault(chance, sorted(before))
        for file, data in before.items():
            key = str(file.relative_to(aside))
            if not file.exists():
                bucket.delete(key)
            elif (now := file.read_bytes()) != data:
                bucket.put(key, now)
        shutil.rmtree(aside)
        return said

    def kept_bytes(self, place: Path) -> int:
        in_bucket = sum(kept.size for kept in self.bucket(place).versions(self.start) if not kept.deleted)
        return super().kept_bytes(place) + in_bucket

    def counts(self, path: Path, place: Path) -> bool:
        return path.is_relative_to(self.copy(place, 2))

    def still_has(self, place: Path, data: bytes) -> bool:
        """Some version in the bucket is the original, and locked."""
        bucket = self.bucket(place)
        return any(
            not kept.deleted
            and kept.size == len(data)
            and bucket.read(kept.key, version=kept.version, limit=kept.size) == data
            and bucket.retention(kept.key, kept.version).mode == "COMPLIANCE"
            for kept in bucket.versions(self.start)
        )


class OursInBucket(_InBucket, Ours):
    name = "trusted-archive, bucket with locks"
    start = "root/"

    def store(self, place: Path, documents: Path) -> None:
        from tests.s3.homes import home_with_bucket

        place.mkdir()
        home_with_bucket(place, self.new_bucket(place), more=_LOCK)
        self.deposit(place, documents)
        self._lock(place)

    def _lock(self, place: Path) -> None:
        """What the server's scheduler does each minute; there is no command for it."""
        from api.settings import ArchiveSettings
        from api.wiring import build_archive

        archive = build_archive(ArchiveSettings.load(place / "home"))
        try:
            archive.locks.roll()
            if archive.catalogue.count_lock_debts("two"):
                raise BenchmarkError("not everything in the bucket could be locked")
        finally:
            archive.close()

    def copy(self, place: Path, copy: int) -> Path:
        if copy == 1:
            raise BenchmarkError("the first copy is in the bucket")
        return place / "home" / "stores" / "one"

    def gives(self, place: Path, copy: int, documents: Path) -> bool:
        if copy == 2:
            return super().gives(place, copy, documents)
        bucket = self.bucket(place)
        found = {
            kept.key.rpartition("/")[2]: bucket.read(kept.key)
            for kept in bucket.entries(self.start)
            if "/content/data/" in kept.key
        }
        return found == {path.name: path.read_bytes() for path in documents.iterdir()}


class RcloneInBucket(_InBucket, Rclone):
    name = "rclone, bucket with locks"
    repairs = "2 commands by hand: `checksum --download` says which copy is bad, `copy` from the other"
    start = "copy/"

    def new_bucket(self, place: Path) -> Any:
        found = super().new_bucket(place)
        rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
        self.server.client().put_object_lock_configuration(
            Bucket=found.bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
        )
        return found

    def store(self, place: Path, documents: Path) -> None:
        place.mkdir()
        self.new_bucket(place)
        for copy in (1, 2):
            self._must(place, "copy", "--checksum", documents, self._at(place, copy))
            sums = self._must(place, "hashsum", "sha256", "--download", self._at(place, copy))
            (place / f"sums-{copy}").write_text(sums)

    def _at(self, place: Path, copy: int) -> str:
        if copy == 2:
            return str(self.copy(place, 2))
        return f"comparison:{(place / 'bucket').read_text()}/{self.start.rstrip('/')}"

    def _environment(self) -> dict[str, str]:
        start = "RCLONE_CONFIG_COMPARISON_"
        return {
            f"{start}TYPE": "s3",
            f"{start}PROVIDER": "Ceph",
            f"{start}ENDPOINT": self.server.endpoint,
            f"{start}ACCESS_KEY_ID": self.server.access_key,
            f"{start}SECRET_ACCESS_KEY": self.server.secret_key,
            "AWS_CA_BUNDLE": "",  # what the surroundings trust is nothing to this server, and rclone stumbles over it
        }

    def _must(self, place: Path, *words: str | Path) -> str:
        return must([*self._words, *words], cwd=place, environment=self._environment())

    def _call(self, place: Path, *words: str | Path) -> bool:
        return call([*self._words, *words], cwd=place, environment=self._environment(), patience=self.patience)[0]

    def _is_good(self, place: Path, copy: int) -> bool:
        sums = place / f"sums-{copy}"
        return self._call(place, "checksum", "sha256", "--download", sums, self._at(place, copy))

    def repair(self, place: Path, documents: Path) -> None:
        for copy in (1, 2):
            bad, missing = place / "bad", place / "missing"
            words = ("checksum", "sha256", "--download", place / f"sums-{copy}", self._at(place, copy))
            self._call(place, *words, "--differ", bad, "--missing-on-dst", missing)
            names = "".join(path.read_text() for path in (bad, missing) if path.exists())
            (place / "names").write_text(names)
            source, target = self._at(place, 3 - copy), self._at(place, copy)
            self._call(place, "copy", "--checksum", "--files-from", place / "names", source, target)

    def gives(self, place: Path, copy: int, documents: Path) -> bool:
        target = place / "given"
        shutil.rmtree(target, ignore_errors=True)
        self._call(place, "copy", self._at(place, copy), target)
        return target.is_dir() and same(target, documents)

    def forge(self, place: Path, changed: Path, name: str) -> None:
        """The bucket takes another version and keeps the locked one; new sums are made of what is there."""
        when = datetime.fromisoformat(LONG_AGO).replace(tzinfo=UTC).timestamp()
        target = self.copy(place, 2) / name
        shutil.copy(changed / name, target)
        os.utime(target, (when, when))
        self.bucket(place).put(f"{self.start}{name}", (changed / name).read_bytes())
        for copy in (1, 2):
            sums = self._must(place, "hashsum", "sha256", "--download", self._at(place, copy))
            (place / f"sums-{copy}").write_text(sums)


@contextmanager
def with_buckets() -> Iterator[tuple[Callable[[], Rival], ...]]:
    """The programs, as long as their server runs."""
    from tests.s3.ceph import PROGRAMS, running_ceph

    for program in PROGRAMS[:4]:
        if shutil.which(program) is None:
            raise BenchmarkError(
                f"{program} is not installed: tests/s3/install.sh, or leave it out with --without-buckets"
            )
    with running_ceph() as ceph:
        for kind in (OursInBucket, RcloneInBucket):
            kind.server = ceph.server
        yield OursInBucket, RcloneInBucket
