"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from archive_core import __version__
from benchmarks.workspace import ROOT


def facts(place: Path) -> dict[str, str]:
    """Machine, kernel, file system with its journal, versions, commit and time."""
    device, kind, options = _mount(place)
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{_system()}, {platform.system()} {platform.release()}",
        "file system": f"{kind} ({options}), {_journal(device, kind)}; both stores on it",
        "python": sys.version.split()[0],
        "version": f"trusted-archive {__version__}, commit {_commit()}",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _system() -> str:
    found = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    return found.get("PRETTY_NAME", platform.platform())


def _mount(place: Path) -> tuple[str, str, str]:
    """Device, type and options of the file system that a place is on."""
    best = ("", "unknown", "", "")
    for line in Path("/proc/self/mounts").read_text("utf-8").splitlines():
        device, where, kind, options = line.split()[:4]
        inside = where == "/" or place == Path(where) or Path(where) in place.parents
        if inside and len(where) >= len(best[3]):
            best = (device, kind, options, where)
    return best[0], best[1], best[2]


def _journal(device: str, kind: str) -> str:
    """Whether the file system keeps a journal: without one, names and removals cost otherwise."""
    if not kind.startswith("ext"):
        return "journal not looked at"
    task = Path(f"/sys/fs/{kind}/{Path(device).name}/journal_task")
    if not task.exists():
        return "journal unknown"
    return "no journal" if task.read_text("ascii").strip() == "<none>" else "with a journal"


def _commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    commit = git("rev-parse", "--short=12", "HEAD") or "unknown"
    changed = [
        line for line in git("status", "--porcelain", "--untracked-files=no").splitlines() if line[3:13] != "benchmarks"
    ]
    return f"{commit} with uncommitted changes" if changed else commit
