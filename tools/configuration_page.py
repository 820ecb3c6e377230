"""Write docs/reference/configuration.md from the code that reads the settings.

Rules kept here
 * Sections, keys, types and defaults are what the readers really ask for: they read a file in which everything stands,
   and each question is noted.
 * What a key means stands under its field; a key without that, or a field that no key fills, is an error.

Run it after a setting was added or changed: `python tools/configuration_page.py`. A test holds that it was run.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import sys
import textwrap
import tomllib
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar

from api.home import default_settings
from api.settings import FORMAT, SETTINGS_FILE, ArchiveSettings, read_settings
from api.settings_table import Secret, Table

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "configuration.md"

T = TypeVar("T")

EVERYTHING = """\
format = 1
default_profile = "basic-1"

[catalogue]
url = "sqlite:///catalogue.sqlite3"

[[store]]
name = "one"
scheme = "filesystem"
root = "stores/one"
lock = "immutable"

[[store]]
name = "two"
scheme = "s3"
bucket = "documents"
access_key = "env:KEY"
secret_key = "env:SECRET"

[[timestamp_authority]]
name = "tsa"
scheme = "local"

[[seal.next]]
since = 2030-01-01

[[reported]]
authority = "tsa"
on = 2030-01-01
what = "closed"
compromised = false

[[webhook]]
name = "receiver"
url = "https://receiver.example/"
secret = "env:WEBHOOK"

[oidc]
issuer = "https://login.example/"
audience = "trusted-archive"
keys = "https://login.example/certs"
roles = { archivar = "auditor" }

[[fixity.store]]
name = "one"

[proxy]
addresses = ["127.0.0.1"]
secret = "env:PROXY"

[[proxy.client]]
key = "key-0123456789abcdef"
subject = "CN=client"
"""
"""A file that makes every reader ask for every key."""

TOLD_HERE = {
    (
        "",
        "format",
    ): f"The version of the home's layout and of this file: {FORMAT}. `trusted-archive upgrade` raises it.",
    ("", "trust_anchors"): "@anchors",
    ("fixity.store", "name"): "The store, by its name in `[[store]]`.",
}
"""Of keys that are no field, or one of another name (`@`)."""

DEFAULTS_TOLD = {("store", "staging"): "the root's name with `.staging` behind it"}
"""Defaults that follow from other keys."""

NO_KEYS = {"home"}
"""Fields that no key fills."""

HEAD = f"""\
# Configuration

<!-- made by tools/configuration_page.py from the code that reads the settings: change it there -->

A home has one file of settings, `{SETTINGS_FILE}`. It is [TOML](https://toml.io/), written by
`trusted-archive init` and read once when a command or a server starts: after a change, start servers and workers again.
`trusted-archive doctor` looks whether what it names is there and works.

- A key that means nothing is refused by name, a value of a wrong type with its place; nothing starts then (exit 78).
- Paths are relative to the home; absolute ones stay as they are.
- **A secret never stands in the file, only its address**: `env:NAME` (a variable of the environment), `file:PATH`
  (the text of a file, without line feeds at its end) or `credential:NAME` (a credential that systemd gives the
  service, `LoadCredential=`). In the tables below its type is *secret's address*.
- No network connection is made that the settings do not name.

Of the environment these are read, besides what `env:` names: `TRUSTED_ARCHIVE_HOME` (the home of commands without
`--home`), and `LANGUAGE`, `LC_ALL`, `LC_MESSAGES`, `LANG` (texts for people are Czech or English).

What `trusted-archive init` writes:

```toml
{default_settings("archive-home", "sqlite:///catalogue.sqlite3").rstrip()}
```

Tables in double brackets, `[[store]]`, may be written several times: each is one more of its kind. A default of *none*
is an empty text or list: nothing is named.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    """What a reader asked for; `default` None is a key that must be there."""

    name: str
    kind: type
    default: object


class Section:
    """What was asked of one table, in the order of asking."""

    def __init__(self, words: str, several: bool, values: type | None) -> None:
        self.words = words
        self.several = several
        self.values = values
        self.keys: dict[str, Key] = {}

    @property
    def title(self) -> str:
        return f"`[[{self.words}]]`" if self.several else f"`[{self.words}]`" if self.words else "Without a table"


class Noting(Table):
    """A table that notes what is asked of it."""

    def __init__(self, values: Mapping[str, Any], where: str, words: str, sections: dict[str, Section]) -> None:
        super().__init__(values, where)
        self._sections = sections
        self._words = words

    @property
    def _mine(self) -> Section:
        return self._sections[self._words]

    def take(self, key: str, kind: type[T], default: T | None = None) -> T:
        self._mine.keys.setdefault(key, Key(key, kind, default))
        return super().take(key, kind, default)

    def take_tables(self, key: str, build: Callable[[Table], T]) -> tuple[T, ...]:
        self._note_below(key, build, several=True)
        return super().take_tables(key, build)

    def take_table(self, key: str, build: Callable[[Table], T]) -> T:
        self._note_below(key, build, several=False)
        return super().take_table(key, build)

    def _note_below(self, key: str, build: Callable[[Table], T], *, several: bool) -> None:
        words = f"{self._words}.{key}" if self._words else key
        self._sections.setdefault(words, Section(words, several, _values_of(build)))

    def _below(self, key: str, values: Mapping[str, Any], place: str) -> Table:
        self._mine.keys.pop(key, None)  # not a value but a table
        return Noting(values, f"{self._where} {place}", f"{self._words}.{key}" if self._words else key, self._sections)


def sections() -> dict[str, Section]:
    """Every table of the file by its words (`seal.next`), the outermost first."""
    found = {"": Section("", False, ArchiveSettings)}
    read_settings(Noting(tomllib.loads(EVERYTHING), SETTINGS_FILE, "", found), Path("/home"))
    for section in found.values():
        for name in [name for name in section.keys if f"{section.words}.{name}".strip(".") in found]:
            del section.keys[name]  # an empty list of tables
    return found


def _values_of(build: Callable[[Table], object]) -> type:
    """The dataclass that a reader returns."""
    returned = typing.get_type_hints(build)["return"]
    candidates = (returned, *typing.get_args(returned))
    return next(one for one in candidates if isinstance(one, type) and dataclasses.is_dataclass(one))


@cache
def texts_of(values: type) -> dict[str, str]:
    """What stands under each field of a dataclass."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(values))).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for statement, after in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            under = after.value if isinstance(after, ast.Expr) else None
            if isinstance(under, ast.Constant) and isinstance(under.value, str):
                found[statement.target.id] = " ".join(under.value.split())
    return found


@cache
def _hints(values: type) -> dict[str, Any]:
    return typing.get_type_hints(values)


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    """A field that says what a key is."""

    values: type
    name: str
    hint: object
    text: str


def field_of(values: type, key: str) -> Field | None:
    """The field of a dataclass, or of one inside it, that a key fills: of the same name, or of the name after that of
    the inner one (`lock_days`: `days` of `lock`). None when there is none, or nothing stands under it."""
    hints, texts = _hints(values), texts_of(values)
    if key in texts:
        return Field(values, key, hints[key], texts[key])
    for name, inner in _inner(values):
        if key == name:
            return field_of(inner, dataclasses.fields(inner)[0].name)
        found = field_of(inner, key) or (field_of(inner, key[len(name) + 1 :]) if key.startswith(f"{name}_") else None)
        if found is not None:
            return found
    return None


def _inner(values: type) -> Iterator[tuple[str, type]]:
    """Fields that are dataclasses themselves, read from the same table."""
    for name, hint in _hints(values).items():
        for one in (hint, *(typing.get_args(hint) if isinstance(hint, UnionType) else ())):
            if dataclasses.is_dataclass(one) and isinstance(one, type) and one not in (values, Secret):
                yield name, one


def described(section: Section, key: Key) -> tuple[str, str, object]:
    """Unit (or empty), meaning and type hint of a key; raises LookupError when nobody says what it means."""
    told = TOLD_HERE.get((section.words, key.name), "@" + key.name)
    if not told.startswith("@"):
        return "", told, key.kind
    found = field_of(section.values, told[1:]) if section.values else None
    if found is None:
        raise LookupError(f"nobody says what `{key.name}` in {section.title} means: write it under its field")
    text, unit = found.text, ""
    if text.startswith("("):
        unit, _, text = text[1:].partition(") ")
    return unit, text, found.hint


def untold(found: Mapping[str, Section]) -> list[str]:
    """Fields with an entry that no key fills: what they say would stand nowhere."""
    filled, seen = set(), set()
    for section in found.values():
        for key in section.keys:
            told = TOLD_HERE.get((section.words, key), "@" + key)
            one = field_of(section.values, told[1:]) if told.startswith("@") and section.values else None
            if one is not None:
                filled.add((one.values, one.name))
        if section.values is not None:
            seen |= {section.values, *(inner for _, inner in _inner(section.values) if section.words)}
    return sorted(
        f"{values.__name__}.{name}"
        for values in seen
        for name in texts_of(values)
        if (values, name) not in filled and name not in NO_KEYS
    )


KINDS: Mapping[object, str] = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    float: "number",
    list: "list of texts",
    dict: "table of texts",
    date: "date",
}


def _row(section: Section, key: Key) -> str:
    unit, text, hint = described(section, key)
    secret = hint is Secret or Secret in typing.get_args(hint)
    kind = "secret's address" if secret else KINDS[key.kind]
    default = DEFAULTS_TOLD.get((section.words, key.name)) or _told(key.default)
    cells = [f"`{key.name}`", kind, unit or "", default, text]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _told(default: object) -> str:
    """A default as it would be written; an empty one names nothing."""
    if default is None:
        return "**required**"
    return "none" if default in ("", [], {}) else f"`{json.dumps(default)}`"


def page() -> str:
    """The page as Markdown; raises LookupError when something is not told."""
    found = sections()
    if lost := untold(found):
        raise LookupError(f"no key fills {', '.join(lost)}: what stands under it would be told nowhere")
    parts = [HEAD.rstrip()]
    for section in found.values():
        assert section.values is not None
        parts.append(f"\n## {section.title}\n")
        if section.words:
            parts.append(f"{' '.join((inspect.getdoc(section.values) or '').split())}\n")
        parts.append("| key | type | unit | default | what it means |\n| --- | --- | --- | --- | --- |")
        parts += [_row(section, key) for key in section.keys.values()]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    sys.stdout.write(f"{PAGE}\n")
