"""Starts the offline verifier from its single file (this is its `__main__.py`).

Rules kept here
 * Machine code cannot be loaded from a ZIP file, so everything is unpacked once, into a folder named
   by the content, in a cache that belongs to the caller alone (0700). Where that cannot be had, into a
   temporary folder that is removed at the end.
 * Nothing runs from the cache that does not have its digest at this start, and nothing is added to
   it: no bytecode is written.
 * Another Python version or platform than the file was built for is refused in one sentence.
 * No network.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import sys
import sysconfig
import tempfile
import zipfile
from typing import Any

WRONG_USE = 2


def main() -> int:
    sys.dont_write_bytecode = True
    with zipfile.ZipFile(sys.argv[0] if zipfile.is_zipfile(sys.argv[0]) else sys.path[0]) as archive:
        listing = archive.read("payload.json")
        wanted = json.loads(listing)
        problem = unfit(wanted)
        if problem:
            return refuse(problem)
        temporary = None
        folder = cached(archive, listing, wanted["files"])
        if folder is None:
            temporary = tempfile.mkdtemp(prefix="trusted-archive-verify-")
            folder = os.path.join(temporary, "payload")
            unpack(archive, wanted["files"], folder)
    try:
        sys.path.insert(0, folder)
        from api.offline.cli import main as run

        return run()
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


def unfit(wanted: dict[str, Any]) -> str | None:
    """Why this interpreter cannot run the file, or None."""
    if list(sys.version_info[:2]) != wanted["python"] or sysconfig.get_platform() != wanted["platform"]:
        names = (*wanted["python"], wanted["platform"], *sys.version_info[:2], sysconfig.get_platform())
        return "this file is for Python {}.{} on {}, not for Python {}.{} on {}".format(*names)
    return None


def refuse(problem: str) -> int:
    """The verifier's answer to wrong use, before it can run itself."""
    if "--json" in sys.argv[1:]:
        answer = {
            "verdict": "INDETERMINATE",
            "sub_indication": None,
            "proof_of_existence": None,
            "test_trust": False,
            "steps": [],
            "findings": [{"code": "USAGE", "message": problem}],
        }
        sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    else:
        sys.stderr.write("trusted-archive-verify: " + problem + "\n")
    return WRONG_USE


def cached(archive: zipfile.ZipFile, listing: bytes, files: dict[str, str]) -> str | None:
    """The folder in the caller's cache, complete and verified; None when there cannot be one."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    if not os.path.isabs(base):
        return None
    home = os.path.join(base, "trusted-archive-verify")
    folder = os.path.join(home, hashlib.sha256(listing).hexdigest())
    try:
        os.makedirs(home, mode=0o700, exist_ok=True)
        if not private(home):
            return None
        if os.path.lexists(folder) and not intact(folder, files):
            remove(folder)
        if not os.path.lexists(folder):
            aside = tempfile.mkdtemp(prefix="new-", dir=home)
            try:
                unpack(archive, files, os.path.join(aside, "payload"))
                os.rename(os.path.join(aside, "payload"), folder)
            except OSError:
                if not os.path.lexists(folder):  # otherwise another start was quicker
                    raise
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        return folder if intact(folder, files) else None
    except OSError:
        return None


def private(folder: str) -> bool:
    """A real folder of the caller that nobody else can write or read."""
    found = os.lstat(folder)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077


def intact(folder: str, files: dict[str, str]) -> bool:
    """Every file has its digest and there is no other."""
    if not private(folder):
        return False
    seen: set[str] = set()
    for place, folders, names in os.walk(folder):
        for name in folders:
            if os.path.islink(os.path.join(place, name)):
                return False
        for name in names:
            path = os.path.join(place, name)
            inside = os.path.relpath(path, folder).replace(os.sep, "/")
            if os.path.islink(path) or inside not in files:
                return False
            with open(path, "rb") as stream:
                if hashlib.sha256(stream.read()).hexdigest() != files[inside]:
                    return False
            seen.add(inside)
    return seen == set(files)


def remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def unpack(archive: zipfile.ZipFile, files: dict[str, str], folder: str) -> None:
    """Write exactly the listed files, each with its digest."""
    os.mkdir(folder, 0o700)
    for inside, digest in files.items():
        content = archive.read("payload/" + inside)
        if hashlib.sha256(content).hexdigest() != digest:
            raise SystemExit("trusted-archive-verify: this file is damaged at " + inside)
        path = os.path.join(folder, *inside.split("/"))
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(path, "xb") as stream:
            stream.write(content)


if __name__ == "__main__":
    sys.exit(main())
