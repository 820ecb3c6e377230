"""A second S3 server for tests, of another make: VersityGW over a directory.

It honours conditions on writes, which Ceph 16 does not, so the other half of the store is tried on it. It is built
from its source (`tests/s3/install.sh --second`, needs Go), which takes minutes: only soak runs ask for it.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port
from tests.s3.ceph import ACCESS_KEY, S3Server, wait_for
from tests.vectors import REPOSITORY, missing

BUILT = REPOSITORY / "build" / "s3" / "versitygw"
_SECRET = "SKTESTSKTEST"


def program() -> str:
    """Where the program is; skips (in CI: fails) where it is not."""
    found = str(BUILT) if BUILT.exists() else shutil.which("versitygw")
    if found is None:
        missing("VersityGW (tests/s3/install.sh --second)")
        raise AssertionError
    return found


@contextmanager
def running_versitygw() -> Iterator[S3Server]:
    """A server of one's own, gone afterwards with all it kept."""
    binary, port = program(), free_port()
    home = Path(tempfile.mkdtemp(prefix="archive-s3-", dir="/var/tmp"))  # it keeps what it knows in attributes of files
    for name in ("data", "versions"):
        (home / name).mkdir()
    words = [binary, "--port", f"127.0.0.1:{port}", "posix", "--versioning-dir", str(home / "versions")]
    server = subprocess.Popen(
        [*words, str(home / "data")],
        env={"PATH": os.environ["PATH"], "ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": _SECRET},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}")
        yield S3Server(f"http://127.0.0.1:{port}", ACCESS_KEY, _SECRET, "versitygw", str(home))
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(home, ignore_errors=True)
