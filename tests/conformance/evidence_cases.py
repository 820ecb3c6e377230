"""RFC 4998 cases of the third-party suites, enumerated from their manifests, with what each expects.

Rules kept here
 * A case is in scope by what its file is (an ASN.1 evidence record, bare, as base64, or in the TR-ESOR element
   around it), never by its name in a list. XMLERS, XAIP, ASiC and bare signatures are out.
 * The expectation is derived from the documented verdict text; a text that says nothing known is an error.
 * The data of a record over parts of an XAIP are those parts, taken out as TR-ESOR-F says: decoded content of data
   objects, metadata and credentials, and the exclusive canonical form of the version manifest.
"""

from __future__ import annotations

import base64
import enum
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archive_core.digests import digest_size
from archive_core.evidence.loading import load_record
from archive_core.evidence.verification import DataObject

SUITES = ("bc-ers", "bsi-ervt", "bsi-c2-testbed", "dss-ers")
RECORD_NAME = re.compile(r"\.ers?(\.b64|\.xml)?$")
XAIP = "{http://www.bsi.bund.de/tr-esor/xaip}"
DIGEST_NAMES = {
    f"{prefix}{size}": f"{ours}{size}"
    for prefix, ours in (("SHA", "sha"), ("SHA3-", "sha3-"))
    for size in (1, 224, 256, 384, 512)
} | {"RIPEMD160": "ripemd160"}


class Expected(enum.Enum):
    """What a documented verdict asks of us (issue: PASSED, or INDETERMINATE without trust, and so on)."""

    GOOD = "PASSED, or INDETERMINATE for want of trust, time or an algorithm"
    GOOD_IN_PART = "the same, with the finding GROUP_INCOMPLETE"
    BAD = "FAILED"
    MISSING = "INDETERMINATE, because the data are missing"


@dataclass(frozen=True)
class Case:
    """One record with one set of data and one documented verdict."""

    suite: str
    record: Path
    verdict: str
    expected: Expected
    data: tuple[DataObject, ...]
    complete: bool
    """Whether what is supplied is all that is documented to be covered."""

    @property
    def id(self) -> str:
        return f"{self.suite}-{self.record.name}-{self.verdict[:24]}"


def cases(directory: Path) -> Iterator[Case]:
    """All RFC 4998 cases of one suite."""
    manifest = json.loads((directory / "MANIFEST.json").read_text(encoding="utf-8"))
    for case in manifest["cases"]:
        for principal in case["principal"]:
            if not in_scope(directory / principal, case["what"]):
                continue
            for variant in case.get("variants") or [{"verdict": case["expected"]}]:
                yield from one_case(directory, directory / principal, {**case, **variant})


def in_scope(path: Path, what: str) -> bool:
    """An evidence record by its name, and not an XML one by its content."""
    if not RECORD_NAME.search(path.name) or "RFC 6283" in what:
        return False
    return path.suffix != ".xml" or b"asn1EvidenceRecord" in path.read_bytes()


def one_case(directory: Path, record: Path, facts: dict[str, Any]) -> Iterator[Case]:
    verdict = facts["verdict"]
    expected = expectation(verdict)
    own = "digests" in facts
    digests = facts.get("digests", [] if facts["data"] else facts.get("data_digests", []))
    data = list(digest_objects(digests))
    complete = True
    for name in () if own else facts["data"]:
        objects = list(file_objects(directory / name))
        if len(objects) > 1 and expected is not Expected.BAD:
            objects, complete = covered_part(record, objects)
        data += objects
    if expected is Expected.BAD and "extra digest" in facts.get("why", ""):
        data.append(DataObject.of_bytes("an extra object of our own", b"not in any record"))
    yield Case(directory.name, record, verdict, expected, tuple(data), complete)


def expectation(verdict: str) -> Expected:
    """From the text of the manifest. Raises ValueError for a text that it does not understand."""
    text = verdict.lower()
    if "must be accepted" in text:
        return Expected.GOOD
    if text.startswith("valid-partial"):
        return Expected.GOOD_IN_PART
    if re.match(r"(hash-)?valid|ok\b", text):
        return Expected.GOOD
    if re.match(r"invalid|nok\b|parse error|rejected|unparseable|malformed", text):
        return Expected.BAD
    if text.startswith("indeterminate"):
        return Expected.MISSING
    raise ValueError(f"a verdict that nobody has thought about: {verdict!r}")


def digest_objects(digests: list[dict[str, Any]]) -> Iterator[DataObject]:
    """Objects known by digests alone; digests of one name are of one object."""
    named: dict[str, dict[str, bytes]] = {}
    for number, digest in enumerate(digests):
        value = base64.b64decode(digest["b64"]) if "b64" in digest else bytes.fromhex(digest["hex"])
        algorithm = DIGEST_NAMES[digest["alg"]]
        assert len(value) == digest_size(algorithm)
        named.setdefault(digest.get("name") or f"digest {number}", {})[algorithm] = value
    for name, values in named.items():
        yield DataObject.of_digests(name, values)


def file_objects(path: Path) -> Iterator[DataObject]:
    """The file itself (decoded where it is kept as base64), or the protected parts of an XAIP."""
    content = path.read_bytes()
    if path.suffix == ".b64":
        yield DataObject.of_bytes(path.name, base64.b64decode(content))
    elif b":XAIP" in content[:2000]:
        for name, part in protected_parts(content):
            yield DataObject.of_bytes(f"{path.name}#{name}", part)
    else:
        yield DataObject.of_bytes(path.name, content)


def protected_parts(xaip: bytes) -> Iterator[tuple[str, bytes]]:
    """What the protectedObjectPointers of a package point to, as it is hashed. A part that is only referred to (LXAIP)
    is a file beside and not given here."""
    root = ET.fromstring(xaip)
    by_id = {
        element.attrib[name]: element
        for element in root.iter()
        for name in ("dataObjectID", "metaDataID", "credentialID", "VersionID")
        if name in element.attrib
    }
    pointers = [str(pointer.text).strip() for pointer in root.iter(f"{XAIP}protectedObjectPointer")]
    assert pointers
    for pointer in pointers:
        element = by_id[pointer]
        if element.tag == f"{XAIP}versionManifest":
            yield pointer, canonical_manifest(xaip)
            continue
        for inner in element.iter():
            if inner.tag.rpartition("}")[2] in ("binaryData", "binaryMetaData", "Base64Signature"):
                yield pointer, base64.b64decode(str(inner.text))


def canonical_manifest(xaip: bytes) -> bytes:
    """The version manifest in exclusive canonical form: cut out, its namespaces declared again, canonicalised."""
    (manifest,) = re.findall(rb"<xaip:versionManifest.*?</xaip:versionManifest>", xaip, re.DOTALL)
    spaces = dict(re.findall(rb'xmlns:(\w+)="([^"]+)"', xaip))
    declared = b"".join(b' xmlns:%s="%s"' % item for item in sorted(spaces.items()) if item[0] != b"xml")
    whole = manifest.replace(b"<xaip:versionManifest", b"<xaip:versionManifest" + declared, 1)
    return ET.canonicalize(whole.decode("utf-8")).encode("utf-8")


def covered_part(record: Path, parts: list[DataObject]) -> tuple[list[DataObject], bool]:
    """The parts of a package that the record is over. The manifests give some records the package of a sibling, of
    which they cover a part only; a record that covers no part at all was given as context, and gets none."""
    initial = load_record(record.read_bytes())[0].initial
    covered = [part for part in parts if part.digest(initial.digest_algorithm) in initial.first_list]
    return covered, len(covered) == len(parts)
