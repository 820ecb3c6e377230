"""An archive with one copy in a directory and one in a bucket of a real server does what every archive does."""

from pathlib import Path

import pytest

from archive_core.ocfl.storage_root import StorageRoot
from storage_backends.s3 import S3Store
from tests.s3.ceph import S3Server
from tests.s3.homes import home_with_bucket
from tests.world import World

pytestmark = pytest.mark.slow


def test_a_life_on_a_directory_and_a_bucket(tmp_path: Path, s3_server: S3Server) -> None:
    """Deposit, update, evidence, audit, a catalogue rebuilt from the bucket alone, and reading when the directory is
    gone: everything that was told is proven from the bucket's bytes."""
    home_with_bucket(tmp_path, s3_server.new_bucket("life"))
    world = World(tmp_path)
    large = bytes(range(256)) * 40_000  # more than one part
    told = world.deposit({"a.txt": b"first", "deep/large.bin": large})
    world.deposit({"b.txt": b"another"})
    world.update(told.poid, {"a.txt": b"second", "deep/large.bin": large})
    world.preserve()
    audited = world.audit()

    assert audited.findings == []
    assert audited.checked["stores"] == 2
    rebuilt, report = world.rebuilt("two")
    rebuilt.close()
    assert report.findings == ()
    (tmp_path / "home" / "stores" / "one").rename(tmp_path / "gone")
    assert world.read(told.poid, "deep/large.bin") == large
    assert world.read(told.poid, "a.txt", 1) == b"first"
    world.archive.close()


def test_damage_in_a_bucket_is_found_and_the_directory_serves(tmp_path: Path, s3_server: S3Server) -> None:
    """A changed byte in the bucket is a finding that names store and path."""
    place = s3_server.new_bucket("damage")
    home_with_bucket(tmp_path, place)
    world = World(tmp_path)
    told = world.deposit({"a.txt": b"as it was"})
    world.preserve()
    store = world.archive.copies.roots[1].store
    assert isinstance(store, S3Store)
    (key,) = [entry.key for entry in store.list() if entry.key.endswith("data/a.txt")]
    s3_server.client().put_object(Bucket=place.bucket, Key=f"{place.prefix}/{key}", Body=b"as it is!")
    audited = world.audit()

    assert {(entry.store, entry.path) for entry in audited.findings} == {("two", key)}
    assert world.read(told.poid, "a.txt") == b"as it was"
    assert StorageRoot(store).has_object(f"urn:trusted-archive:{told.poid}")
    world.archive.close()
