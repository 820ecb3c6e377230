"""PDF, CMS, data-box messages and tokens of others: what their authors say of them, and what we do.

EU DSS's word on each of these files stands in `tests/interop`; here it is the manifests'. A case that is said to be
valid must have intact signatures (or time-stamps) and nothing broken; one that is said to be invalid must show
something that is not good. Where we differ, the reason stands here, and a reason that is no longer needed is an error.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from archive_core.findings import Verdict
from policies import current_algorithms
from signing.examination import cms_document, pdf
from signing.examination.documents import Document
from signing.examination.registry import HEAD, examine
from signing.examination.trust import ExaminationTrust
from signing.examination.values import DocumentFormat, Examination
from tests.vectors import suite

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECONDS = 10.0
FORMATS = {DocumentFormat.PDF, DocumentFormat.CMS, DocumentFormat.ZFO, DocumentFormat.TIMESTAMP}

SAID_VALID = ("valid", "intact", "CMS signature", "ok:", "two sig", "legitimate", "FreeTSA", "token")
SAID_INVALID = ("invalid", "error", "verify error", "parse error")

DIFFER = {
    "BadEncodedCMS.pdf": "the signer's certificate has a padded serial number, which OpenSSL and EU DSS refuse, too",
    "pdf-byterange-overlap.pdf": "the manifest speaks of FORMAT_FAILURE: one of its two signatures is broken",
    "cades-ats-v3-rev-val-crl.p7s": "an archive time-stamp names a CRL that is not there (EN 319 122-1 5.5.2)",
    "cades-double-signing-certificate.p7m": "detached, and the manifest names no data",
    "C-E-ERS-detached-original-not-covered.p7s": "the evidence record is what is invalid",
    "Signature-C-LTA-d233a2d9-a257-40dc-bcdb-bf4516b6d1da.p7m": "the evidence record is what is invalid",
    "one-byterange.pdf": "the upstream library digests it; a ByteRange of two numbers is no PDF signature",
    "weird-byterange.pdf": "the upstream library digests it; the hole is not the signature",
    "tail-uncovered.pdf": "intact, and not everything is covered",
    "tst-two-refs.tst": "its ESSCertID and ESSCertIDv2 name different certificates",
    "TimeStampTokenNoRoot.p7s": "the manifest's data are those of another token",
    "TimeStampTokenWithoutSigningCertificateV2IssuerSerial.p7s": "edited without signing again: its value is broken",
}
"""Files about which we do not say what the manifest says, and why."""


@dataclass(frozen=True)
class Case:
    name: str
    said: str
    examination: Examination

    @property
    def good(self) -> bool:
        """Something is there and nothing of it is broken."""
        found = [one.signature_intact and one.verdict is not Verdict.FAILED for one in self.examination.signatures]
        for stamp in self._stamps():
            fits = stamp.references_intact or not stamp.references_found
            found.append(stamp.signature_intact and fits and stamp.verdict is not Verdict.FAILED)
        whole = all(one.coverage != "unclear" for one in self.examination.signatures)
        return bool(found) and all(found) and whole and self._all_references()

    def _stamps(self) -> list:  # type: ignore[type-arg]
        inside = [stamp for one in self.examination.signatures for stamp in one.timestamps]
        return [*inside, *self.examination.timestamps]

    def _all_references(self) -> bool:
        return all(one.found for stamp in self._stamps() for one in stamp.references if one.name == "ats-hash-index")


def _examined(name: str) -> Iterator[Case]:
    directory = suite(name)
    trust = ExaminationTrust((), algorithms=current_algorithms())
    for case in json.loads((directory / "MANIFEST.json").read_text())["cases"]:
        if len(case["principal"]) != 1:
            continue  # texts that describe tokens kept elsewhere
        path = directory / case["principal"][0]
        head = Document(path.name, path).head(HEAD)
        if not (pdf.recognises(head) or cms_document.recognises(head)):
            continue
        data = [directory / one for one in case["data"] if not one.endswith((".ers", ".xml", ".pem", ".crt", ".tsq"))]
        detached = [Document(one.name, one) for one in data]
        yield Case(
            path.name, case["expected"], examine(Document(path.name, path), detached=detached, trust=trust, at=AT)
        )


@pytest.mark.parametrize(
    ("name", "at_least"),
    [("dss-ades", 55), ("dss-er-embedded", 11), ("pyhanko-pdf", 14), ("tsa-tokens", 24), ("cz-zfo", 6)],
)
def test_we_say_of_a_signature_what_its_author_does(name: str, at_least: int) -> None:
    """Of every case of our formats; the differing ones are named, and no others are."""
    ours = [case for case in _examined(name) if case.examination.format in FORMATS]
    judged = [
        case for case in ours if case.said.startswith((*SAID_VALID, *SAID_INVALID)) and "; valid" not in case.said
    ]
    differing = {case.name for case in judged if case.good != case.said.startswith(SAID_VALID)}

    assert len(ours) >= at_least
    assert len(judged) >= at_least // 3
    assert differing == {case.name for case in judged} & set(DIFFER)
    assert all(case.examination.examined or case.name in DIFFER for case in ours), [c.name for c in ours]


@pytest.mark.parametrize("name", ["pdf-hostile", "asn1-hostile", "zip-hostile", "hash-collisions"])
def test_hostile_files_are_answered_in_bounded_time(name: str) -> None:
    """None crashes an examiner, none is called good, none takes long."""
    files = [path for path in sorted((suite(name) / "files").rglob("*")) if path.is_file()]
    trust = ExaminationTrust((), algorithms=current_algorithms())
    slow: list[str] = []
    for path in files:
        begun = time.process_time()
        examination = examine(Document(path.name, path), trust=trust, at=AT)
        if time.process_time() - begun > SECONDS:
            slow.append(path.name)
        assert examination.verdict is not Verdict.PASSED, path
        assert not any(one.signature_intact for one in examination.signatures), path
        faults = [finding for finding in examination.findings if finding.code == "EXAMINER_FAULT"]
        assert faults == [], path

    assert files
    assert slow == []


def _pdf(name: str) -> Path:
    (found,) = (path for path in suite("dss-ades").rglob(name) if path.is_file())
    return found


def test_a_shadow_attack_does_not_pass_for_what_was_signed() -> None:
    """A page whose text was replaced by an update after signing (pyhanko-pdf, "sneaky")."""
    sneaky = list(suite("pyhanko-pdf").rglob("*sneaky*.pdf"))
    trust = ExaminationTrust((), algorithms=current_algorithms())
    for path in sneaky:
        first = examine(Document(path.name, path), trust=trust, at=AT).signatures[0]
        assert first.sub_indication == "SIG_CONSTRAINTS_FAILURE", path.name

    assert sneaky


@pytest.mark.parametrize("spoiled", [b"Hash", b"dmAnnotation", b"dmSender>"])
def test_a_data_box_message_is_bound_to_its_hash(spoiled: bytes) -> None:
    """The CMS over it breaks, and the hash inside does not fit its octets any more."""
    path = next(path for path in sorted(suite("cz-zfo").rglob("DZ_*.zfo")))
    octets = path.read_bytes()
    place = octets.index(spoiled)
    changed = octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :]
    trust = ExaminationTrust((), algorithms=current_algorithms())
    examination = examine(Document(path.name, changed), trust=trust, at=AT)

    assert [one.signature_intact for one in examination.signatures] == [False]
    assert examination.verdict is Verdict.FAILED
