"""The reference of the configuration is what the code that reads the settings says, whole and for every key."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.settings import parse_settings
from api.settings_table import Secret
from tests.vectors import REPOSITORY
from tools import configuration_page
from tools.configuration_page import EVERYTHING, PAGE, Key, Section, described, field_of, page, sections, untold

DOCS = sorted(REPOSITORY.joinpath("docs").rglob("*.md"))


def test_the_page_is_what_the_code_generates() -> None:
    """Whoever adds or changes a setting runs `python tools/configuration_page.py`."""
    assert PAGE.read_text("utf-8") == page()


def test_the_page_knows_every_table() -> None:
    """The readers were asked for all of them, also those below others."""
    found = sections()
    assert {"", "store", "seal", "seal.next", "fixity.store", "oidc", "webhook", "reported"} <= found.keys()
    assert all(section.keys for section in found.values())
    assert sum(len(section.keys) for section in found.values()) > 130


def test_every_secret_is_an_address_on_the_page() -> None:
    """No key that is called a secret, a password or a PIN is shown as a plain text."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", PAGE.read_text("utf-8"), re.M)
    secrets = {(key, kind) for key, kind in rows if re.search(r"password|secret(?!_header)|pin$|access_key", key)}
    assert {kind for _, kind in secrets} == {"secret's address"}
    assert len(secrets) >= 7


def test_the_whole_example_is_good() -> None:
    """What the readers are shown is a file that would be taken."""
    assert len(parse_settings(EVERYTHING, Path("/home")).stores) == 2


@dataclass(frozen=True)
class Told:
    """Settings of a table that is not there."""

    minutes: int = 1
    """(minutes) How long."""
    unsaid: int = 2


def test_a_key_without_a_meaning_is_an_error() -> None:
    """A field under which nothing stands is named, and so is a key that no field has."""
    section = Section("told", False, Told)
    assert described(section, Key("minutes", int, 1)) == ("minutes", "How long.", int)
    for name in ("unsaid", "nowhere"):
        with pytest.raises(LookupError, match=name):
            described(section, Key(name, int, 1))


def test_a_meaning_that_no_key_has_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A field that nobody reads any more would be told for nothing."""
    section = Section("told", False, Told)
    assert untold({"told": section}) == ["Told.minutes"]
    monkeypatch.setattr(configuration_page, "untold", lambda _found: ["Told.minutes"])
    with pytest.raises(LookupError, match=r"Told\.minutes"):
        page()


def test_another_default_makes_another_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that was not made again is found out."""
    found = sections()
    assert found["server"].keys["threads"] == Key("threads", int, 16)
    found["server"].keys["threads"] = Key("threads", int, 17)
    monkeypatch.setattr(configuration_page, "sections", lambda: found)
    assert page() == PAGE.read_text("utf-8").replace("| `16` | How many requests", "| `17` | How many requests")
    assert page() != PAGE.read_text("utf-8")


def test_an_address_of_a_secret_is_known_by_its_type() -> None:
    """Not by its name."""
    found = field_of(sections()["catalogue"].values or Told, "password")
    assert found is not None
    assert Secret in (found.hint, *getattr(found.hint, "__args__", ()))


def blocks() -> list[tuple[str, str]]:
    """Every piece of settings in the documentation."""
    found = []
    for path in DOCS:
        for indent, text in re.findall(r"^( *)```toml\n(.*?)^ *```", path.read_text("utf-8"), re.S | re.M):
            found.append((path.name, re.sub(rf"^{indent}", "", text, flags=re.M)))
    return found


def unknown(values: dict[str, object], found: dict[str, Section], words: str = "") -> list[str]:
    """Keys of a piece of settings that no reader asks for."""
    wrong = []
    for key, value in values.items():
        below = f"{words}.{key}".strip(".")
        if below in found:
            for one in value if isinstance(value, list) else [value]:
                wrong += unknown(one, found, below)
        elif key not in found[words].keys:
            wrong.append(below)
    return wrong


def test_settings_in_the_documentation_exist() -> None:
    """Every key of every example; those of profiles have pages and tests of their own."""
    found, seen = sections(), 0
    for name, text in blocks():
        values = tomllib.loads(text)
        if name == "signatures-in-deposits.md" or {"line", "required_copies"} & values.keys():
            continue
        seen += 1
        assert unknown(values, found) == [], name
    assert seen > 8
    assert unknown({"server": {"treads": 1}, "stores": {}}, found) == ["server.treads", "stores"]
