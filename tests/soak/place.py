"""Where a soak runs: a home on PostgreSQL, a store on the disk, one on a small disk of its own, one in a bucket, and an
authority behind HTTP.

The rules this module keeps
 * Nothing is a mock but the authority, which forges real tokens under a root of its own.
 * `one` is required; `two` and `three` may be away; two copies make a deposit kept.
 * What is mounted is unmounted, what was started is stopped, also after a failure.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from api.home import initialise_home
from api.settings import SETTINGS_FILE, ArchiveSettings
from api.wiring import build_archive
from storage_backends.s3_client import S3Place
from tests.fakes.tsa import POLICY, HttpTsa
from tests.postgres import PostgreSQL, running_server
from tests.s3.ceph import Ceph, running_ceph

STORES = ("one", "two", "three")

_STORE_TWO = '[[store]]\nname = "two"\nscheme = "filesystem"\nroot = "stores/two"\nstaging = "staging/two"\n'
_TSA = '[[timestamp_authority]]\nname = "local-tsa-1"\nscheme = "local"\ntrust_class = "test"\n'


@dataclass
class Place:
    """Everything that a soak may break."""

    folder: Path
    home: Path
    disk: Path
    """The mount point of the disk that holds the store `two` alone."""
    url: str
    database: PostgreSQL
    ceph: Ceph
    bucket: S3Place
    tsa: HttpTsa

    @property
    def roots(self) -> dict[str, Path]:
        """The storage roots that are directories."""
        return {"one": self.home / "stores" / "one", "two": self.disk / "root"}

    def client(self) -> Any:
        """A plain S3 client, as whoever owns the bucket has."""
        return self.ceph.server.client()

    def log(self, name: str) -> Path:
        return self.folder / "logs" / f"{name}.log"


@contextmanager
def place(folder: Path, *, disk_bytes: int) -> Iterator[Place]:
    """A new home in `folder` with all that it needs; `disk_bytes` is the size of the small disk."""
    with ExitStack() as stack:
        (folder / "logs").mkdir(parents=True)
        disk = folder / "disk"
        stack.enter_context(small_disk(disk, disk_bytes))
        database = stack.enter_context(running_server(own=True, durable=True))
        url = stack.enter_context(database.database())
        ceph = stack.enter_context(running_ceph())
        bucket = ceph.server.new_bucket("soak")
        tsa = stack.enter_context(HttpTsa(lambda: datetime.now(UTC)).listening())
        home = _home(folder, url, disk, bucket, tsa)
        yield Place(folder, home, disk, url, database, ceph, bucket, tsa)


@contextmanager
def small_disk(mount_point: Path, size: int) -> Iterator[None]:
    """A file system of its own that is soon full. Only root can have one."""
    if os.geteuid() != 0:
        raise RuntimeError("a soak fills a disk, for which it mounts one of its own: run it as root")
    mount_point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(mount_point)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(mount_point)], check=True)


def _home(folder: Path, url: str, disk: Path, bucket: S3Place, tsa: HttpTsa) -> Path:
    home = initialise_home(folder / "home", at=datetime.now(UTC), catalogue_url=url).home
    (home / "access").write_text(bucket.access_key())
    (home / "secret").write_text(bucket.secret_key())
    (home / "tsa-root.pem").write_bytes(tsa.anchor)
    two = f"""[[store]]
name = "two"
scheme = "filesystem"
root = "{disk}/root"
staging = "{disk}/staging"
required = false

[[store]]
name = "three"
scheme = "s3"
endpoint = "{bucket.endpoint}"
bucket = "{bucket.bucket}"
prefix = "{bucket.prefix}"
access_key = "file:access"
secret_key = "file:secret"
connect_timeout = 1.0
read_timeout = 20.0
attempts = 2
required = false

[copies]
stores = 2
"""
    authority = (
        f'[[timestamp_authority]]\nname = "local-tsa-1"\nscheme = "http"\nurl = "{tsa.address}"\npolicy = "{POLICY}"\n'
        'trust_class = "advanced"\naccuracy = 1.0\ntimeout = 2.0\n'
    )
    settings = home / SETTINGS_FILE
    text = settings.read_text()
    for before, after in (
        (_STORE_TWO, two),
        (_TSA, authority),
        ('trust_anchors = ["', 'trust_anchors = ["tsa-root.pem", "'),
    ):
        assert before in text, before
        text = text.replace(before, after)
    settings.write_text(text + "interval = 0.5\n")
    build_archive(ArchiveSettings.load(home), create=True).close()
    return home
