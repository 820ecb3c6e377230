"""Tokens and answers of public time-stamp authorities, and broken ones, get their documented verdicts.

Trust is not what these vectors are about (most roots have ended), so intact means: nothing but trust,
time, algorithm or the certificate itself is missing. Every case of the manifest is looked at.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from archive_core.digests import Digest
from archive_core.errors import TimestampRefusedError
from archive_core.findings import SubIndication, Verdict
from archive_core.ports import TokenAssessment
from policies.algorithms import current_algorithms
from signing import ber
from signing.timestamp_validation import TokenValidator
from signing.tsa import TsaClient
from tests.vectors import available, suite

SUITE = "tsa-tokens"
AT = datetime(2026, 9, 1, tzinfo=UTC)
MISSING = {
    SubIndication.NO_CERTIFICATE_CHAIN_FOUND,
    SubIndication.NO_SIGNING_CERTIFICATE_FOUND,
    SubIndication.TRY_LATER,
    SubIndication.CRYPTO_CONSTRAINTS_FAILURE,
    SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE,
    SubIndication.OUT_OF_BOUNDS_NO_POE,
}
EXCEPTIONS = {
    # The upstream test reads this one attribute only; taking issuerSerial out of it broke the signature.
    "tspclient-go/testdata/TimeStampTokenWithoutSigningCertificateV2IssuerSerial.p7s": (
        Verdict.FAILED,
        SubIndication.SIG_CRYPTO_FAILURE,
    ),
    # Both references name certificates that differ from the only one inside.
    "dss/tst-two-refs.tst": (Verdict.FAILED, SubIndication.SIG_CONSTRAINTS_FAILURE),
}


@dataclass(frozen=True)
class Case:
    id: str
    expected: str
    files: tuple[str, ...]
    data: tuple[str, ...]

    @property
    def is_intact(self) -> bool:
        return not any(word in self.expected.split(";")[0] for word in ("error", "invalid"))


def manifest_cases() -> list[Case]:
    directory = available(SUITE)
    if directory is None:
        return []
    entries: list[dict[str, Any]] = json.loads((directory / "MANIFEST.json").read_text())["cases"]
    return [Case(e["id"], e["expected"], tuple(e["principal"]), tuple(e["data"])) for e in entries]


CASES = manifest_cases()


def tokens_of(octets: bytes) -> list[bytes]:
    """The tokens in a file: a token, a TimeStampResp around one, or an ASiC container with some."""
    if octets[:2] == b"PK":
        return []
    parts = ber.children(ber.element(octets).contents) if octets[1] != 0x80 else []
    if len(parts) == 2 and parts[0].tag == 0x30 and parts[1].tag == 0x30:
        return [parts[1].raw]
    return [octets]


def assessed(token: bytes) -> TokenAssessment:
    return TokenValidator([], algorithms=current_algorithms()).assess(token, at=AT)


def is_intact(found: TokenAssessment) -> bool:
    return found.verdict is Verdict.INDETERMINATE and found.sub_indication in MISSING


def test_the_suite_is_complete() -> None:
    """The manifest lists cases, and each file that it names lies there."""
    directory = suite(SUITE)
    assert len(CASES) >= 30
    for case in CASES:
        for name in (*case.files, *case.data):
            assert (directory / name).is_file(), name


@pytest.mark.parametrize("case", [c for c in CASES if not c.id.startswith("SiVa/")], ids=lambda c: c.id)
def test_every_token_has_its_documented_verdict(case: Case) -> None:
    """Errors are not passed over; intact ones lack nothing but trust; the imprint is that of the data."""
    directory = suite(SUITE)
    files = [directory / name for name in case.files or _tokens_among(case.data)]
    octets = [token for file in files for token in tokens_of(file.read_bytes())]
    assert octets
    for token in octets:
        found = assessed(token)
        if case.id in EXCEPTIONS:
            assert (found.verdict, found.sub_indication) == EXCEPTIONS[case.id], found.message
        elif case.is_intact:
            assert is_intact(found), f"{found.verdict} {found.sub_indication}: {found.message}"
            assert found.gen_time is not None
            _check_imprint(found, case, directory)
        else:
            assert found.verdict is Verdict.FAILED, f"{found.sub_indication}: {found.message}"


def _tokens_among(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.endswith(".token.der")]


def _check_imprint(found: TokenAssessment, case: Case, directory: Path) -> None:
    """Where the data is known (a message in `expected`, a file of its own), the imprint is its digest."""
    assert found.imprint is not None
    named = [directory / n for n in case.data if not n.endswith((".der", ".pem", ".crt", ".tsq"))]
    if not named or case.id.endswith("NoRoot.p7s"):
        return
    algorithm = found.imprint.algorithm
    assert found.imprint in {Digest.of(algorithm, file.read_bytes()) for file in named}


def test_the_answer_to_another_request_is_refused_for_its_nonce() -> None:
    """Everything but the nonce echoes: the imprint is the one that was asked for."""
    directory = suite(SUITE)
    case = next(case for case in CASES if case.id == "rfc3161-client/test_tsa/other_response.tsr")
    answer = (directory / case.files[0]).read_bytes()
    imprint = Digest.of("sha512", (directory / case.data[2]).read_bytes())
    with pytest.raises(TimestampRefusedError, match="another nonce") as refusal:
        TsaClient("other", lambda request: answer).timestamp(imprint)
    assert refusal.value.facts["rule"] == "nonce"


@pytest.mark.parametrize("case", [c for c in CASES if c.id.startswith("SiVa/")], ids=lambda c: c.id)
def test_tokens_in_simple_containers_cover_their_data_as_documented(case: Case) -> None:
    """ASiC-S: META-INF/timestamp.tst over the one data file."""
    directory = suite(SUITE)
    with zipfile.ZipFile(directory / case.files[0]) as container:
        names = container.namelist()
        token = container.read("META-INF/timestamp.tst")
        data = [name for name in names if name != "mimetype" and not name.startswith("META-INF/")]
        found = assessed(token)
        imprint = found.imprint
        covered = [n for n in data if imprint and Digest.of(imprint.algorithm, container.read(n)) == imprint]
    if case.expected.startswith("invalid"):
        assert found.verdict is Verdict.FAILED or not covered
    else:
        assert is_intact(found), found.message
        assert covered
