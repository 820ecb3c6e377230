"""The settings file: what is refused, and how it is said."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.home import initialise_home
from api.settings import SETTINGS_FILE, parse_settings
from archive_core.errors import SettingsError


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The settings of a new home."""
    home = tmp_path_factory.mktemp("settings") / "home"
    initialise_home(home, at=datetime(2026, 3, 1, tzinfo=UTC), catalogue_url="sqlite:///catalogue.sqlite3")
    return (home / SETTINGS_FILE).read_text("utf-8")


def test_the_settings_of_a_new_home_are_read(good: str) -> None:
    """What `init` writes is what the program reads."""
    assert len(parse_settings(good, Path("/home")).stores) == 2


@pytest.mark.parametrize("line", ["a = " + "[" * 5000, "a = " + "9" * 5000, "a = " + "{b = " * 3000, "a = "])
def test_settings_that_no_parser_gets_through_are_refused(good: str, line: str) -> None:
    """Nesting that exhausts the stack and numbers that are too long are refused like any other nonsense."""
    with pytest.raises(SettingsError, match="not TOML"):
        parse_settings(f"{line}\n{good}", Path("/home"))


@pytest.mark.parametrize("number", ["inf", "-inf", "nan", "1" + "0" * 400, "1e999"])
def test_a_time_without_measure_is_refused(good: str, number: str) -> None:
    """Seconds are a number that can be waited for."""
    changed = good.replace("[server]", f"[server]\ninterval = {number}")
    assert changed != good
    with pytest.raises(SettingsError, match="interval"):
        parse_settings(changed, Path("/home"))


def test_settings_of_any_length_are_refused_quickly(good: str) -> None:
    """What a parser would chew on for hours is not given to it."""
    with pytest.raises(SettingsError, match="more than"):
        parse_settings(f"{'a.' * 2_000_000}b = 1\n{good}", Path("/home"))


def test_a_seal_digests_with_what_the_settings_say(good: str) -> None:
    """SHA-512 unless another is named; what is no digest for seals is refused."""
    assert parse_settings(good, Path("/home")).seal.digest == "sha512"
    chosen = good.replace("[seal]", '[seal]\ndigest = "sha3-512"')
    assert parse_settings(chosen, Path("/home")).seal.digest == "sha3-512"
    for name in ("sha1", "md5", "SHA-512", ""):
        with pytest.raises(SettingsError, match="digest is one of"):
            parse_settings(good.replace("[seal]", f'[seal]\ndigest = "{name}"'), Path("/home"))
