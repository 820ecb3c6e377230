"""A home: the directory that holds an embedded archive, made complete or not at all.

    trusted-archive.toml      settings
    catalogue.sqlite3         the catalogue, which can be rebuilt
    stores/one, stores/two    two OCFL storage roots: the truth
    staging/                  uploads and half-written files, beside the roots
    trust/test-ca.pem         the local test trust, labelled as such everywhere

Rules kept here
 * `initialise_home` may be repeated: it completes what is missing and changes nothing that is there.
 * The settings file is written last, so that an interrupted `init` is simply run again.
 * Directories are private (0700): the home holds a software key and the catalogue.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from api.settings import FORMAT, SETTINGS_FILE, ArchiveSettings
from api.syncing import sync_names
from archive_core.errors import LeaseHeldError, SettingsError
from signing.local_trust import LocalTrust, create_local_trust

STORE_NAMES = ("one", "two")
LOCK_FILE = "server.lock"
TRUST_DIRECTORY = "trust"
TEST_CA = f"{TRUST_DIRECTORY}/test-ca.pem"


def default_settings(name: str, catalogue_url: str) -> str:
    """The text of a new home's settings file."""
    stores = "\n".join(
        f'[[store]]\nname = "{store}"\nscheme = "filesystem"\nroot = "stores/{store}"\nstaging = "staging/{store}"\n'
        for store in STORE_NAMES
    )
    authorities = "\n".join(
        f'[[timestamp_authority]]\nname = "{authority}"\nscheme = "local"\ntrust_class = "test"\n'
        for authority in ("local-tsa-1", "local-tsa-2")
    )
    return f"""\
# Settings of one trusted-archive home. Paths are relative to this file.
# The time-stamps and seals below are TEST TRUST: they prove nothing to anybody else.
format = {FORMAT}
name = {json.dumps(name)}
default_profile = "basic-1"
default_originator = "default"
trust_anchors = ["{TEST_CA}"]

[catalogue]
url = "{catalogue_url}"

{stores}
{authorities}
[seal]
key = "local:"

[server]
threads = 16
"""


def initialise_home(home: Path, *, at: datetime, catalogue_url: str = "sqlite:///catalogue.sqlite3") -> ArchiveSettings:
    """Make a new home, or complete one; raises `SettingsError` when the place cannot be used."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (home / SETTINGS_FILE).exists() and (strangers := _strangers(home)):
            raise SettingsError(f"{home} is not empty (it holds {strangers[0]!a}): choose another --home")
        for name in ("stores", "staging"):
            (home / name).mkdir(mode=0o700, exist_ok=True)
        if not LocalTrust.is_in(home / TRUST_DIRECTORY):
            create_local_trust(home / TRUST_DIRECTORY, at=at)
        if not (home / SETTINGS_FILE).exists():
            _write_new(home / SETTINGS_FILE, default_settings(home.name, catalogue_url))
    except OSError as error:
        raise SettingsError(f"cannot make a home at {home}: {error.strerror}") from error
    return ArchiveSettings.load(home)


def open_local_trust(home: Path) -> LocalTrust:
    """The local test trust of a home; raises `SettingsError` when it is not there."""
    directory = home / TRUST_DIRECTORY
    if not LocalTrust.is_in(directory):
        raise SettingsError(f"the local test trust is missing in {directory}: run `trusted-archive init`")
    return LocalTrust.open(directory)


def _strangers(home: Path) -> list[str]:
    ours = {"stores", "staging", TRUST_DIRECTORY, "catalogue.sqlite3", "catalogue.sqlite3-wal", "catalogue.sqlite3-shm"}
    return sorted(entry.name for entry in home.iterdir() if entry.name not in ours)


def _write_new(path: Path, text: str) -> None:
    aside = path.with_suffix(".new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(aside, path)
    sync_names(path.parent)


@contextmanager
def only_user(home: Path) -> Iterator[None]:
    """Hold the home's server lock for the block; raises `LeaseHeldError` while a server runs on it."""
    with _locked(home, fcntl.LOCK_EX):
        yield


@contextmanager
def one_of_several(home: Path) -> Iterator[None]:
    """As `only_user`, but beside others that do the same: for servers whose catalogue is in a server database."""
    with _locked(home, fcntl.LOCK_SH):
        yield


@contextmanager
def _locked(home: Path, how: int) -> Iterator[None]:
    with (home / LOCK_FILE).open("a+") as lock:
        try:
            fcntl.flock(lock, how | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LeaseHeldError(f"a server is running on {home}: stop it first") from None
        yield
