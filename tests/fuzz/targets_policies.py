"""Settings and policies in TOML, identifiers, store keys, the layout of a storage root."""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path

from api.home import initialise_home
from api.settings import SETTINGS_FILE, parse_settings
from archive_core.errors import SettingsError, UsageError
from archive_core.identifiers import (
    BATCH,
    named_object,
    number_of,
    object_name,
    parse_poid,
    storage_object_for,
    system_object,
)
from archive_core.ocfl.layout import HashAndIdLayout
from policies.algorithms import AlgorithmTable
from policies.errors import PolicyError
from policies.profiles import PreservationProfile
from storage_backends.keys import check_key, check_new_key
from tests.fuzz import corpus
from tests.fuzz.target import target

HUGE = b"9" * 5000
TOML = (
    b"[[",
    b"]]",
    b'"""',
    b"1979-05-27T07:32:00Z",
    b"nan",
    b"inf",
    b"true",
    b"[" * 1500,
    b"{a=" * 500,
    HUGE,
    b"1" + b"0" * 400,
    b"a." * 900,
)


def _published(prefix: str) -> dict[str, bytes]:
    folder = resources.files("policies").joinpath("published")
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.startswith(prefix)}


def _settings() -> dict[str, bytes]:
    home = corpus.scratch() / "home"
    if not home.exists():
        initialise_home(home, at=corpus.AT, catalogue_url="sqlite:///catalogue.sqlite3")
    return {"new": (home / SETTINGS_FILE).read_bytes()}


@target("settings", _settings, refusals=(SettingsError,), kind="text", tokens=TOML)
def settings(data: bytes) -> None:
    """Settings that are taken describe two stores and an authority, in numbers that are numbers."""
    read = parse_settings(data.decode("utf-8", "replace"), Path("/home/of/nobody"))
    assert len(read.stores) >= 2
    assert read.authorities
    assert all(math.isfinite(authority.connection.timeout) for authority in read.authorities)
    assert math.isfinite(read.server.interval)
    assert "\0" not in str(read.staging)


@target("profile", lambda: _published("profile-"), refusals=(PolicyError,), kind="text", tokens=TOML)
def profile(data: bytes) -> None:
    """A profile that is taken keeps its bytes, and its lines differ in all that may fall."""
    read = PreservationProfile.load(data)
    assert read.source == data
    assert len({line.digest for line in read.lines}) == len({line.tsa for line in read.lines}) == len(read.lines) > 0
    read.is_active(corpus.AT)


@target("algorithms", lambda: _published("algorithms-"), refusals=(PolicyError,), kind="text", tokens=TOML)
def algorithms(data: bytes) -> None:
    """A table that is taken answers about every row of its own."""
    read = AlgorithmTable.load(data)
    assert read.source == data
    for row in read.digests:
        assert read.digest(row.name, at=corpus.AT).reason
    for row in read.signatures:
        assert read.signature(row.name, row.min_bits or 256, at=corpus.AT).reason


@target(
    "identifiers",
    lambda: {"poid": b"0199b0c2-7d3e-7aaa-bbbb-ccccddddeeee", "plain": b"0199B0C27D3E7AAABBBBCCCCDDDDEEEE"},
    refusals=(ValueError,),
    kind="text",
    tokens=("İ".encode(), "ſ".encode(), "٠".encode(), b"urn:trusted-archive:", b"ba0000000012", b"-"),
)
def identifiers(data: bytes) -> None:
    """One spelling of a POID comes out, and it names an object that knows its name."""
    text = data.decode("utf-8", "surrogateescape")
    for take in (object_name, named_object, check_key, check_new_key):
        try:
            take(text)
        except (ValueError, UsageError):
            continue
    if text.startswith("urn:trusted-archive:"):
        number = number_of(text, BATCH)
        assert number in (None, 0) or system_object(BATCH, number) == text
        return
    poid = parse_poid(text)
    assert parse_poid(poid) == poid
    assert object_name(storage_object_for(poid)) == poid
    assert number_of(storage_object_for(poid), BATCH) is None


@target(
    "layout",
    lambda: {"ours": HashAndIdLayout().config_file()},
    refusals=(SettingsError,),
    kind="json",
    tokens=(HUGE, b"[" * 2000),
)
def layout(data: bytes) -> None:
    """A layout that is taken maps ids to paths and back."""
    read = HashAndIdLayout.of_config(data)
    for object_id in ("urn:trusted-archive:ba0000000012", "ž/..", "a"):
        path = read.object_path(object_id)
        check_new_key(path)
        assert read.object_id(path) == object_id
