"""An ASiC container as a ZIP file from an untrusted source: its entries and what each is for (EN 319 162-1 4, A).

Rules kept here
 * `archive_core.zip_reading` reads the ZIP file: one way to read it, no name twice, no name that leads out, no
   encryption, no bomb. Only comments are passed over, which such containers carry.
 * What an entry is for is told by its name below META-INF/ (A.1), and its content has to bear it out.
 * Entries are read in pieces; whoever reads one whole says how much at most.
"""

from __future__ import annotations

import enum
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import BinaryIO

from archive_core.digests import digest_size, new_hasher
from archive_core.errors import UnsafeContainerError
from archive_core.findings import Finding
from archive_core.ports import ValidationData
from archive_core.zip_reading import ZipContainer, ZipLimits
from signing.examination.documents import TooLargeError

LIMITS = ZipLimits(
    entries=10_000, directory=16 * 1024 * 1024, entry_size=2**32, total_size=2**32, ratio=200, comments=True
)
MIMETYPE_S = "application/vnd.etsi.asic-s+zip"
MIMETYPE_E = "application/vnd.etsi.asic-e+zip"
MAX_VALIDATION = 100
"""Certificates, lists and responses that are taken from META-INF/validation/, each."""
MAX_VALUE = 4 * 1024 * 1024
_VALIDATION = re.compile(r"META-INF/validation/[0-9a-f]{64}\.(cer|crl|ocsp)")
_LONGEST_MIMETYPE = 200
_META = "META-INF/"
_OFFICE = ("[Content_Types].xml", "_rels/.rels")


class Role(enum.Enum):
    """What an entry is for."""

    DATA = "data object"
    MIMETYPE = "mimetype"
    XADES = "XAdES signatures"
    CADES = "CAdES signature"
    TIMESTAMP = "time-stamp"
    EVIDENCE = "evidence record"
    MANIFEST = "ASiCManifest"
    ARCHIVE_MANIFEST = "ASiCArchiveManifest"
    EVIDENCE_MANIFEST = "ASiCEvidenceRecordManifest"
    OTHER = "other metadata"


class Entry:
    """One file in the container; what references call it by is `name`."""

    def __init__(self, container: ZipContainer, name: str) -> None:
        self.name = name
        self._container = container
        self._digests: dict[str, bytes] = {}

    @property
    def size(self) -> int:
        return self._container.entries[self.name].size

    def read(self, most: int) -> bytes:
        """Raises `TooLargeError`, and `UnsafeContainerError` where the content is not as declared."""
        if self.size > most:
            raise TooLargeError(f"{self.size} bytes, of which at most {most} are read")
        return self._container.read(self.name, max_bytes=most)

    def digest(self, algorithm: str) -> bytes:
        """Of an entry that cannot be unpacked as declared it is a number that fits nothing that anybody stated."""
        try:
            return self.unpacked_digest(algorithm)
        except UnsafeContainerError:
            return secrets.token_bytes(digest_size(algorithm))

    def unpacked_digest(self, algorithm: str) -> bytes:
        """Raises `UnsafeContainerError` for such an entry."""
        if algorithm not in self._digests:
            hasher = new_hasher(algorithm)
            for chunk in self._container.chunks(self.name):
                hasher.update(chunk)
            self._digests[algorithm] = hasher.digest()
        return self._digests[algorithm]


def role_of(name: str) -> Role:
    """EN 319 162-1 A.1 and 4.3.3, 4.4.3, as broadly as they allow names, and `signature.xml`, which some write."""
    if name == "mimetype":
        return Role.MIMETYPE
    if not name.startswith(_META):
        return Role.DATA
    base = name.removeprefix(_META)
    lowered = base.lower()
    if lowered.endswith(".xml"):
        for role in (Role.EVIDENCE_MANIFEST, Role.ARCHIVE_MANIFEST, Role.MANIFEST):
            if base.startswith(role.value):
                return role
        if "evidencerecord" in lowered:
            return Role.EVIDENCE
        return Role.XADES if "signature" in lowered else Role.OTHER
    if lowered.endswith(".p7s") and "signature" in lowered:
        return Role.CADES
    if lowered.endswith(".tst") and "timestamp" in lowered:
        return Role.TIMESTAMP
    if lowered.endswith(".ers") and "evidencerecord" in lowered:
        return Role.EVIDENCE
    return Role.OTHER


@dataclass(frozen=True)
class Contents:
    """The entries of a container by name, in the order in which they lie in it."""

    entries: Mapping[str, Entry]

    @classmethod
    def of(cls, stream: BinaryIO) -> Contents:
        """Raises `UnsafeContainerError`."""
        container = ZipContainer(stream, LIMITS)
        return cls({name: Entry(container, name) for name in container.entries})

    def having(self, role: Role) -> list[Entry]:
        return [entry for name, entry in self.entries.items() if role_of(name) is role]

    @cached_property
    def mimetype(self) -> str | None:
        """What the mimetype entry says, a byte order mark and blanks taken away; None where there is none."""
        entry = self.entries.get("mimetype")
        if entry is None or entry.size > _LONGEST_MIMETYPE:
            return None
        try:
            return entry.read(_LONGEST_MIMETYPE).decode("utf-8-sig", "replace").strip()
        except UnsafeContainerError:
            return None

    @property
    def data_objects(self) -> list[Entry]:
        return self.having(Role.DATA)

    @property
    def is_container(self) -> bool:
        """Whether the ZIP file makes itself out to be an ASiC container."""
        said = self.mimetype in (MIMETYPE_S, MIMETYPE_E)
        return said or any(name.startswith(_META) and role_of(name) is not Role.OTHER for name in self.entries)

    @property
    def is_office_document(self) -> bool:
        """Office Open XML, whose signatures (ISO/IEC 29500-2) are of another kind."""
        return all(name in self.entries for name in _OFFICE)

    @property
    def is_simple(self) -> bool:
        """ASiC-S: as the mimetype says; without one, a single data object and no ASiCManifest."""
        if self.mimetype in (MIMETYPE_S, MIMETYPE_E):
            return self.mimetype == MIMETYPE_S
        manifests = self.having(Role.MANIFEST) or "META-INF/manifest.xml" in self.entries
        return len(self.data_objects) == 1 and not manifests

    def validation_data(self) -> ValidationData:
        """What lies below META-INF/validation/, where our own containers keep what records are validated with; it is
        trusted by nobody. What is too large to be that is passed over."""
        found: dict[str, list[bytes]] = {"cer": [], "crl": [], "ocsp": []}
        for name, entry in self.entries.items():
            kind = _VALIDATION.fullmatch(name)
            if kind is None or len(found[kind[1]]) >= MAX_VALIDATION or entry.size > MAX_VALUE:
                continue
            try:
                found[kind[1]].append(entry.read(MAX_VALUE))
            except UnsafeContainerError:
                continue  # then a verdict that needs it says what is missing
        return ValidationData(tuple(found["cer"]), tuple(found["crl"]), tuple(found["ocsp"]))

    def remarks(self) -> tuple[Finding, ...]:
        """What the rules on the mimetype file find (EN 319 162-1 A.1)."""
        found: list[str] = []
        if "mimetype" not in self.entries:
            found.append("there is no mimetype file")
        elif next(iter(self.entries)) != "mimetype":
            found.append("the mimetype file is not the first entry")
        if self.mimetype is not None and self.mimetype not in (MIMETYPE_S, MIMETYPE_E):
            found.append(f"the mimetype is {self.mimetype!a}")
        return tuple(Finding("MIMETYPE", text, clause="EN 319 162-1 A.1") for text in found)
