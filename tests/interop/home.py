"""A real archive home, wired as in production, and its bundles read as a stranger would.

The rules this module keeps:

* The home has the system clock and no overrides: what it exports is what a user would get.
* A bundle is read with `zipfile` and `json` alone. What is judged is what lies in the bundle; from the home comes
  nothing but the certificate of its test CA, which a stranger must have from elsewhere.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from asn1crypto import pem

from api.home import initialise_home
from api.wiring import build_archive
from archive_core.lifecycle import Actor, SubmissionObject, SubmittedFile
from archive_core.ports import JsonSeal
from tests.interop.specimens import Specimen

_OPERATOR = Actor("interop", "operator", None)


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
    """A new home with system clock, local test trust, two stores; deposits get two evidence lines."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        settings = initialise_home(directory / "home", at=datetime.now(UTC))
        self._archive = build_archive(settings, create=True)
        self._ca_pem = (settings.home / "trust" / "test-ca.pem").read_bytes()
        self._count = 0

    def deposit(self, files: Mapping[str, bytes]) -> str:
        """The POID of a new object with these files."""
        return self._archive.deposit(self._submission(files), actor=_OPERATOR).poid

    def update(self, poid: str, files: Mapping[str, bytes]) -> None:
        """A new version with these files alone."""
        self._archive.update(poid, self._submission(files), actor=_OPERATOR)

    def preserve(self) -> None:
        """Close and prove one batch with all that waits. Raises RuntimeError when there is no such batch."""
        batches = self._archive.preserve(actor=_OPERATOR)
        if len(batches) != 1 or batches[0].error is not None:
            raise RuntimeError(f"not one good batch: {batches}")

    def export(self, poid: str, name: str) -> Bundle:
        path = self._directory / f"bundle-{poid}-{name.replace(' ', '-')}.zip"
        with path.open("xb") as stream:
            self._archive.export(poid, None, stream, actor=_OPERATOR)
        return Bundle(name, path, self._ca_pem)

    def export_asic(self, poid: str, out: Path) -> bytes:
        """Write the object's ASiC-E container; gives the CA by which it is to be judged (PEM)."""
        with out.open("xb") as stream:
            self._archive.export_asic(poid, None, stream, actor=_OPERATOR)
        return self._ca_pem

    def receipts(self, poid: str) -> tuple[bytes, JsonSeal, bytes]:
        """The receipt, the receipt as a JSON web signature, and the CA by which that is to be judged (PEM)."""
        plain = self._archive.receipt(poid, None, actor=_OPERATOR)
        return plain, self._archive.receipt_as_jws(poid, None, actor=_OPERATOR), self._ca_pem

    def sealed_copy(self, poid: str, path: str, visible: str | None) -> tuple[bytes, bytes]:
        """A sealed copy of a document, and the CA by which it is to be judged (PEM)."""
        with self._archive.sealed_copy(poid, None, path, actor=_OPERATOR, visible=visible) as copy:
            return copy.path.read_bytes(), self._ca_pem

    def close(self) -> None:
        self._archive.close()

    def _submission(self, files: Mapping[str, bytes]) -> SubmissionObject:
        place = self._directory / "incoming" / str(self._count)
        self._count += 1
        place.mkdir(parents=True)
        listed = []
        for number, (path, content) in enumerate(files.items()):
            (place / str(number)).write_bytes(content)
            listed.append(SubmittedFile(path, place / str(number)))
        return SubmissionObject(tuple(listed), "default", profile="redundant-1")
