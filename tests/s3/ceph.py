"""A real S3 server for tests: Ceph's object gateway on one node, started and stopped by us.

The rules this module keeps:

* Everything runs as we do, on the loopback interface, with its data in a temporary directory.
* One server serves the whole test session, also where pytest-xdist spreads it over processes: the first process
  that asks starts it, the last one that is done stops it (`shared_server`).
* Nothing is a mock: monitor, storage daemon and gateway are the ones that Debian ships.
* Where the programs are not installed the test says so (a failure in CI): `tests/s3/install.sh` installs them.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage_backends.s3_client import S3Place, new_client
from tests.ports import free_port
from tests.vectors import missing

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool", "ceph")
ACCESS_KEY, SECRET_KEY = "AKTEST", "SKTEST"
SETTING = "ARCHIVE_TEST_S3_ENDPOINT"
"""The address of a Ceph that runs already and knows these keys; then none is started."""
START_LIMIT = 120.0
"""Seconds until the gateway must answer; it takes some 15."""

_SETTINGS = """[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{monitor}
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = true
ms mon client mode = crc
ms mon service mode = crc
ms mon cluster mode = crc
run dir = {home}/run
admin socket = {home}/run/$name.asok
pid file = {home}/run/$name.pid
log file = {home}/log/$name.log
mon cluster log file = {home}/log/cluster.log
crash dir = {home}/crash
keyring = {home}/keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 2000
mon data avail crit = 1
mon data avail warn = 1
osd objectstore = bluestore
bluestore block size = 8G
bluestore block create = true
bluestore block db create = false
bluestore block wal create = false
osd memory target = 1073741824
osd class load list = *
osd class default list = *
mon data = {home}/mon
osd data = {home}/osd0
rgw frontends = beast endpoint=127.0.0.1:{gateway} tcp_nodelay=1
rgw data = {home}/rgw
rgw enable usage log = false
rgw run sync thread = false
"""


@dataclass(frozen=True)
class S3Server:
    """A running server and whose it is."""

    endpoint: str
    access_key: str
    secret_key: str
    kind: str
    home: str = ""

    def client(self) -> Any:
        """A plain client for what the product never does: making buckets."""
        return new_client(self.place(""), "test")

    def place(self, bucket: str, prefix: str = "root") -> S3Place:
        """Where a store lies in a bucket of this server."""
        return S3Place(
            bucket, prefix, lambda: self.access_key, lambda: self.secret_key, endpoint=self.endpoint, read_timeout=30.0
        )

    def new_bucket(self, name: str = "test", *, versions: bool = True, locks: bool = False) -> S3Place:
        """A bucket that nobody else has."""
        bucket = f"{name}-{uuid.uuid4().hex[:12]}"
        client = self.client()
        client.create_bucket(Bucket=bucket, **({"ObjectLockEnabledForBucket": True} if locks else {}))
        if versions and not locks:
            client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        return self.place(bucket)


def require_programs() -> None:
    """Skip (in CI: fail) where Ceph is not installed."""
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        missing(f"Ceph's {', '.join(absent)} (tests/s3/install.sh)")


class Ceph:
    """One monitor, one storage daemon and one gateway below one directory."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.gateway, monitor = free_port(), free_port()
        self._monitor = monitor
        self._fsid = str(uuid.uuid4())
        self._configuration = home / "ceph.conf"

    @property
    def server(self) -> S3Server:
        return S3Server(f"http://127.0.0.1:{self.gateway}", ACCESS_KEY, SECRET_KEY, "ceph", str(self.home))

    def create(self) -> None:
        """Make the cluster, start it and make its one user."""
        for name in ("mon", "osd0", "run", "log", "rgw", "crash"):
            (self.home / name).mkdir(parents=True)
        (self.home / "keyring").touch()
        self._configuration.write_text(
            _SETTINGS.format(fsid=self._fsid, monitor=self._monitor, home=self.home, gateway=self.gateway)
        )
        plan = str(self.home / "monmap")
        self._run(
            "monmaptool", "--create", "--fsid", self._fsid, "--addv", "a", f"[v2:127.0.0.1:{self._monitor}]", plan
        )
        self._ceph("ceph-mon", "-i", "a", "--mkfs", "--monmap", plan)
        self._ceph("ceph-mon", "-i", "a")
        daemon = str(uuid.uuid4())
        self._ceph("ceph", "osd", "new", daemon, "0")
        self._ceph("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", daemon)
        self._ceph("ceph-osd", "-i", "0")
        self.start_gateway()
        user = ("--uid=test", "--display-name=test", f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}")
        self._ceph("radosgw-admin", "user", "create", *user)

    def start_gateway(self) -> None:
        """Start the gateway and wait until it answers."""
        self._ceph("radosgw", "-n", "client.rgw", "--rgw-zone=default")
        wait_for(self.server.endpoint)

    def stop_gateway(self) -> None:
        """Kill the gateway; monitor and storage daemon go on."""
        self._end("client.rgw")

    def stop(self) -> None:
        """End all three; whatever the order, nothing of them is needed again."""
        for name in ("client.rgw", "osd.0", "mon.a"):
            self._end(name)

    def _end(self, name: str) -> None:
        file = self.home / "run" / f"{name}.pid"
        if not file.exists():
            return
        number = int(file.read_text())
        file.unlink()
        for wanted in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.kill(number, wanted)
            except ProcessLookupError:
                return
            if _gone(number, 5.0):
                return

    def _ceph(self, program: str, *arguments: str) -> None:
        self._run(program, *arguments, "-c", str(self._configuration))

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [program, *arguments],
            env={"PATH": os.environ["PATH"], "CEPH_CONF": str(self._configuration), "HOME": str(self.home)},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=START_LIMIT,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{program} ended with {done.returncode}: {done.stderr.decode(errors='replace')}")


def wait_for(endpoint: str) -> None:
    """Return once a server answers anything at all over HTTP."""
    end = time.monotonic() + START_LIMIT
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(endpoint, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"no S3 server answers at {endpoint} after {START_LIMIT:.0f} s")


def _gone(number: int, limit: float) -> bool:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@contextmanager
def running_ceph() -> Iterator[Ceph]:
    """A cluster of one's own, gone afterwards with all it kept."""
    require_programs()
    home = Path(tempfile.mkdtemp(prefix="archive-s3-", dir="/tmp"))  # sockets want a short path
    ceph = Ceph(home)
    try:
        ceph.create()
        yield ceph
    finally:
        ceph.stop()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def shared_server(meeting: Path) -> Iterator[S3Server]:
    """The session's server; `meeting` is a directory that all processes of the session know.

    Its first user starts it, its last one stops it; who uses it is counted in a file under a lock.
    """
    if given := os.environ.get(SETTING):
        yield S3Server(given, ACCESS_KEY, SECRET_KEY, "given")
        return
    require_programs()
    note = meeting / "s3-server.json"
    with _locked(meeting / "s3-server.lock"):
        known = json.loads(note.read_text()) if note.exists() else None
        if known is None:
            home = Path(tempfile.mkdtemp(prefix="archive-s3-", dir="/tmp"))
            ceph = Ceph(home)
            try:
                ceph.create()
            except BaseException:
                ceph.stop()
                shutil.rmtree(home, ignore_errors=True)
                raise
            known = {"endpoint": ceph.server.endpoint, "home": str(home), "users": 0}
        known["users"] += 1
        note.write_text(json.dumps(known))
    try:
        yield S3Server(known["endpoint"], ACCESS_KEY, SECRET_KEY, "ceph", known["home"])
    finally:
        with _locked(meeting / "s3-server.lock"):
            known = json.loads(note.read_text())
            known["users"] -= 1
            if known["users"]:
                note.write_text(json.dumps(known))
            else:
                note.unlink()
                Ceph(Path(known["home"])).stop()
                shutil.rmtree(known["home"], ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
