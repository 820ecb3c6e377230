"""ASiCManifest files (EN 319 162-1 A.4): which signature, time-stamp or evidence record is over which entries.

Rules kept here
 * A name in a manifest is an entry's name, percent-encoded or not; nothing outside of the container is meant.
 * Each entry is found and digested by itself; what cannot be digested is not intact, and says why.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from lxml import etree

from archive_core.errors import UnsafeContainerError
from archive_core.findings import SubIndication, Verdict
from signing.examination.asic_container import Contents, Entry, Role
from signing.examination.documents import TooLargeError
from signing.examination.values import Reference
from signing.judgement import Judgement, malformed
from signing.signature_math import UnsupportedAlgorithmError
from signing.xml_signatures.algorithms import digest_of
from signing.xml_signatures.names import DS, element, local_name, text_of
from signing.xml_signatures.reading import XmlRefusedError, decode_base64, parse_xml
from signing.xml_signatures.references import names_meant

MAX_MANIFEST = 16 * 1024 * 1024
MAX_ENTRIES = 10_000


@dataclass(frozen=True)
class Listed:
    """A DataObjectReference with the entry that it names, if there is one."""

    uri: str
    entry: Entry | None
    algorithm: str
    digest: bytes
    problem: str = ""

    def digest_of_data(self, algorithm: str) -> bytes:
        """Of the entry; raises LookupError where there is none, and as `Entry.unpacked_digest`."""
        if self.entry is None:
            raise LookupError(f"{self.uri} is not in the container")
        return self.entry.unpacked_digest(algorithm)

    def reference(self) -> Reference:
        if self.entry is None or self.problem:
            return Reference(self.uri, self.entry is not None, False, self.algorithm, indirect=True)
        fits = hmac.compare_digest(self.entry.digest(self.algorithm), self.digest)
        return Reference(self.uri, True, fits, self.algorithm, indirect=True)


@dataclass(frozen=True)
class Manifest:
    """One manifest file. `target` is the entry that its SigReference names; `fault` why it cannot be read."""

    file: Entry
    role: Role
    target: str
    listed: tuple[Listed, ...]
    fault: str = ""

    def references(self) -> tuple[Reference, ...]:
        return tuple(one.reference() for one in self.listed)

    def covers(self, name: str) -> bool:
        """Whether an entry is listed here with the digest that it has."""
        return any(one.entry is not None and one.entry.name == name and one.reference().intact for one in self.listed)


def manifests_of(contents: Contents) -> tuple[Manifest, ...]:
    roles = (Role.MANIFEST, Role.ARCHIVE_MANIFEST, Role.EVIDENCE_MANIFEST)
    return tuple(_manifest(entry, role, contents) for role in roles for entry in contents.having(role))


def _manifest(file: Entry, role: Role, contents: Contents) -> Manifest:
    try:
        root = parse_xml(file.read(MAX_MANIFEST)).getroot()
    except (XmlRefusedError, TooLargeError, UnsafeContainerError) as error:
        return Manifest(file, role, "", (), f"{file.name} cannot be read: {error}")
    if local_name(root) != "ASiCManifest":
        return Manifest(file, role, "", (), f"{file.name} is no ASiCManifest")
    target = ""
    listed: list[Listed] = []
    for child in root:
        if local_name(child) == "SigReference" and not target:
            target = named(child.get("URI", ""), contents.entries)
        elif local_name(child) == "DataObjectReference" and len(listed) < MAX_ENTRIES:
            listed.append(_listed(child, contents.entries))
    return Manifest(file, role, target, tuple(listed))


def named(uri: str, entries: Mapping[str, object]) -> str:
    """The entry's name that a URI means; the decoded URI where there is no such entry."""
    return next((one for one in names_meant(uri) if one in entries), unquote(uri))


def _listed(child: etree._Element, entries: Mapping[str, Entry]) -> Listed:
    uri = child.get("URI", "")
    entry = entries.get(named(uri, entries))
    try:
        algorithm = digest_of(element(child, DS, "DigestMethod"))
        digest = decode_base64(text_of(element(child, DS, "DigestValue")))
    except (UnsupportedAlgorithmError, ValueError) as error:
        return Listed(uri[:1000], entry, "", b"", str(error))
    return Listed(uri[:1000], entry, algorithm, digest)


def problem_of(manifest: Manifest, references: Sequence[Reference]) -> Judgement | None:
    """The gravest that a manifest's entries give rise to."""
    if manifest.fault:
        return malformed(manifest.fault)
    broken = [one.name for one in references if one.found and not one.intact]
    if broken:
        text = f"the manifest {manifest.file.name} does not fit {broken[0]}"
        return Judgement(Verdict.FAILED, SubIndication.HASH_FAILURE, text)
    missing = [one.name for one in references if not one.found]
    if missing:
        text = f"the manifest {manifest.file.name} names {missing[0]}, which is not in the container"
        return Judgement(Verdict.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND, text)
    if not references:
        return malformed(f"the manifest {manifest.file.name} lists nothing")
    return None
