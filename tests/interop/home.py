"""A real archive home, used as its users do (command line), and its bundles read as a stranger would.

The rules this module keeps:

* The archive runs as a program of its own; nothing of it is imported here.
* A bundle is read with `zipfile` and `json` alone. What is judged is what lies in the bundle; from the home comes
  nothing but the certificate of its test CA, which a stranger must have from elsewhere.
"""

import json
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from asn1crypto import pem

from tests.interop.specimens import Specimen

_PROGRAM = Path(sys.executable).with_name("trusted-archive")
_PATIENCE = 180  # seconds for one command


@dataclass(frozen=True)
class Bundle:
    """What `export` wrote, and the CA by which it is to be judged (PEM)."""

    name: str
    path: Path
    ca_pem: bytes

    @cached_property
    def members(self) -> dict[str, bytes]:
        with zipfile.ZipFile(self.path) as archive:
            return {entry.filename: archive.read(entry) for entry in archive.infolist()}

    @property
    def statement(self) -> bytes:
        return self.members["statement.json"]

    @property
    def seal(self) -> bytes:
        return self.members["statement.json.p7s"]

    @property
    def lines(self) -> list[str]:
        return [name.removeprefix("evidence/") for name in self.members if name.startswith("evidence/")]

    def specimens(self) -> list[Specimen]:
        """The version's record on each line, over the description and every file that it lists."""
        listed = [file["path"] for file in json.loads(self.members["description.json"])["files"]]
        group = _distinct([(name, self.members[name]) for name in ("description.json", *listed)])
        return [self._specimen(line, "evidence", group) for line in self.lines]

    def seal_specimens(self) -> list[Specimen]:
        """The record of the group of statement and seal on each line."""
        group = [("statement", self.statement), ("seal", self.seal)]
        return [self._specimen(line, "seal-evidence", group) for line in self.lines]

    def _specimen(self, line: str, kind: str, group: Sequence[tuple[str, bytes]]) -> Specimen:
        _label, _headers, ca = pem.unarmor(self.ca_pem)
        crls = tuple(data for name, data in self.members.items() if name.endswith(".crl"))
        record = self.members[f"{kind}/{line}"]
        return Specimen(f"{self.name}, {kind}/{line}", record, tuple(group), ca, crls)


def _distinct(group: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """A data group is a set: of files with the same bytes, one stands for all."""
    found: dict[bytes, str] = {}
    for name, content in group:
        found.setdefault(content, name)
    return [(name, content) for content, name in found.items()]


class Home:
    """A new home with two evidence lines (profile redundant-1)."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._exports = directory.with_name(f"{directory.name}-bundles")
        self._exports.mkdir()
        self.run("init")
        settings = directory / "trusted-archive.toml"
        text = settings.read_text()
        changed = text.replace('default_profile = "basic-1"', 'default_profile = "redundant-1"')
        if changed == text:
            raise RuntimeError("the settings of a new home name no default profile to be changed")
        settings.write_text(changed)

    @property
    def ca_pem(self) -> bytes:
        return (self._directory / "trust" / "test-ca.pem").read_bytes()

    def run(self, *arguments: str | Path) -> Any:
        """One command; returns the JSON document it prints. Raises RuntimeError when it does not exit with 0."""
        done = subprocess.run(
            [_PROGRAM, "--home", self._directory, "--json", *arguments],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"{arguments[0]} ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
            )
        return json.loads(done.stdout)

    def deposit(self, paths: Sequence[Path]) -> list[str]:
        """One object for each path; their POIDs in the order given."""
        poids = [entry["poid"] for entry in self.run("deposit", *paths)["objects"]]
        if len(poids) != len(paths):
            raise RuntimeError(f"{len(paths)} deposits, {len(poids)} objects")
        return poids

    def export(self, poid: str, name: str) -> Bundle:
        path = self._exports / f"{len(list(self._exports.iterdir()))}.zip"
        self.run("export", poid, "--out", path)
        return Bundle(name, path, self.ca_pem)
