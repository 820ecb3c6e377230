"""Records, tokens, answers of authorities, seals, certificates and revocation lists."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from functools import cache
from unittest import mock

from asn1crypto import core

from api.offline.trust import _parsed as parsed_trust
from api.offline.trust import is_test
from archive_core.errors import MalformedEvidenceError, TimestampRefusedError
from archive_core.evidence import ers
from archive_core.evidence.basis_ers import assess_basis_ers
from archive_core.evidence.loading import load_record
from archive_core.evidence.record import EvidenceRecord, parse_record
from archive_core.evidence.token import parse_token
from archive_core.evidence.verification import DataObject, assess_record
from archive_core.findings import Verdict
from archive_core.ports import TokenAssessment, ValidationData
from policies.algorithms import current_algorithms
from signing import ber, tsa
from signing.seal_validation import SealVerifier
from signing.timestamp_validation import TokenValidator
from tests.fuzz import corpus
from tests.fuzz.target import target
from tests.unit.evidence.stamping import SmallPolicy

DATA = [DataObject.of_bytes(f"document {n}", content) for n, content in enumerate(corpus.DOCUMENTS)]
REFUSED = (MalformedEvidenceError,)


class _Believer:
    """Believes every token, so that the rest of a verification is reached."""

    def assess(self, token: bytes, *, at: datetime, data: ValidationData | None = None) -> TokenAssessment:
        return TokenAssessment(Verdict.INDETERMINATE, None, "not looked at")


@target("record", corpus.records, refusals=REFUSED, kind="der")
def record(data: bytes) -> None:
    """A record that is read is judged without an error, says its profile, and asn1crypto reads the same."""
    read = parse_record(data)
    assert read.raw == data
    _judge(read)
    _compare(read)


@target("record-wrapped", corpus.wrapped_records, refusals=REFUSED, kind="text", tokens=(b"<", b"/>", b"&", b"="))
def wrapped_record(data: bytes) -> None:
    """Base64 text and the element of TR-ESOR lead to one whole record."""
    read, _ = load_record(data)
    _judge(read)


def _judge(read: EvidenceRecord) -> None:
    report = assess_record(
        read, DATA, validator=_Believer(), algorithms=SmallPolicy(), at=datetime(2040, 1, 1, tzinfo=UTC)
    )
    assert report.verdict in Verdict
    assert report.steps
    json.dumps(report.to_json())
    json.dumps([finding.to_json() for finding in assess_basis_ers(read)])
    for number in range(len(read.chains) + 1):
        assert len(read.sequence_before(number)) <= len(read.raw)


class _Stamp(core.Sequence):
    """An archive time-stamp whose token stays as it came: asn1crypto writes a token that it has read anew."""

    _fields = [*ers.ArchiveTimeStamp._fields[:3], ("time_stamp", core.Any)]  # noqa: RUF012


class _Chain(core.SequenceOf):
    _child_spec = _Stamp


class _Chains(core.SequenceOf):
    _child_spec = _Chain


class _Record(core.Sequence):
    _fields = [*ers.EvidenceRecord._fields[:4], ("archive_time_stamp_sequence", _Chains)]  # noqa: RUF012


def _compare(read: EvidenceRecord) -> None:
    """Another reader sees the same tree, where it can read the record at all."""
    try:
        other = _Record.load(read.raw, strict=True)["archive_time_stamp_sequence"]
        seen = [[_plain(stamp) for stamp in chain] for chain in other]
    except (ValueError, TypeError):
        return
    assert seen == [[(stamp.reduced_hash_tree, stamp.token) for stamp in chain.stamps] for chain in read.chains]


def _plain(stamp: _Stamp) -> tuple[object, bytes]:
    tree = stamp["reduced_hashtree"]
    lists = None if isinstance(tree, core.Void) else tuple(tuple(h.native for h in one) for one in tree)
    return lists, stamp["time_stamp"].dump()


@target("token-reading", corpus.tokens, refusals=REFUSED, kind="der")
def token_reading(data: bytes) -> None:
    """What we read of a token is what its validator reads."""
    read = parse_token(data)
    said = _validator().assess(data, at=corpus.AT)
    if said.verdict is Verdict.PASSED:
        assert said.imprint is not None
        assert (read.imprint, read.gen_time) == (said.imprint.value, said.gen_time)


@target("token", corpus.tokens, kind="der")
def token(data: bytes) -> bool:
    """Any octets are judged; what passes says what the authority signed."""
    said = _validator().assess(data, at=corpus.AT)
    if said.verdict is Verdict.PASSED:
        assert said.imprint == corpus.IMPRINT
    assert said.verdict is Verdict.PASSED or said.sub_indication is not None
    return said.verdict is Verdict.PASSED


@target("validation-data", corpus.validation, kind="der")
def validation_data(data: bytes) -> bool:
    """Octets that claim to be a certificate, list or response never stop a judgement, nor fake one."""
    for place in ("certificates", "crls", "ocsps"):
        given = ValidationData(**{place: (data,)})
        said = _trusting_root().assess(corpus.good_token(), at=corpus.AT, data=given)
        assert said.verdict is not Verdict.FAILED or data in corpus.validation().values(), said
        if said.verdict is Verdict.PASSED:
            assert said.imprint == corpus.IMPRINT
    return data in corpus.validation().values()


@target(
    "trust-file",
    corpus.validation,
    kind="der",
    tokens=(b"-----BEGIN CERTIFICATE-----\n", b"-----END CERTIFICATE-----\n"),
)
def trust_file(data: bytes) -> bool:
    """A file named with --trust is taken apart or holds nothing; what is taken can be used."""
    found = list(parsed_trust(data))
    for item in found:
        if item.kind == "certificate":
            is_test(item.der)
            _try_anchor(item.der)
    return bool(found)


def _try_anchor(der: bytes) -> None:
    validator = TokenValidator([der], algorithms=current_algorithms())
    said = validator.assess(corpus.good_token(), at=corpus.AT)
    assert said.verdict is not Verdict.PASSED or der == corpus.world()[0].der or said.imprint == corpus.IMPRINT


@target(
    "tsa-answer",
    corpus.answers,
    refusals=(TimestampRefusedError,),
    kind="der",
    tokens=(b"\x02\x82\x10\x00" + b"\x7f" * 4096,),
)
def tsa_answer(data: bytes) -> None:
    """A token is handed out only when it is over what was asked, with the nonce that was sent."""
    client = tsa.TsaClient("fuzzed", lambda _request: data)
    with mock.patch.object(tsa.secrets, "randbits", return_value=corpus.NONCE):
        got = client.timestamp(corpus.IMPRINT)
    assert got.imprint == corpus.IMPRINT
    assert got.der in data


@target("seal", lambda: {"our seal": corpus.small_bundle()[1].seal, **corpus.tokens()}, kind="der")
def seal(data: bytes) -> bool:
    """Any octets are judged; what passes is a seal of the seal key."""
    made = corpus.small_bundle()[1]
    said = _seals().assess_seal(data, made.statement.to_bytes(), at=made.gen_time, data=made.validation)
    assert said.verdict is Verdict.PASSED or said.sub_indication is not None
    if said.verdict is Verdict.PASSED:
        assert said.test_trust
        assert "seal" in said.signer
    return said.verdict is Verdict.PASSED


@target(
    "ber",
    corpus.tokens,
    refusals=(ber.BerError,),
    kind="der",
    tokens=(b"\x30\x80", b"\0\0", b"\x24\x80", b"\x1f\x81\x00"),
)
def ber_octets(data: bytes) -> None:
    """What is scanned has a definite form, which has itself as its definite form."""
    ber.scan(data)
    definite = ber.definite(data)
    assert not ber.scan(definite, max_size=2 * ber.MAX_SIZE).needs_definite_form
    assert ber.definite(definite) == definite
    with contextlib.suppress(ber.BerError):
        ber.children(ber.element(definite).contents)


@cache
def _validator() -> TokenValidator:
    root, _, crl = corpus.world()
    return TokenValidator([root.der], algorithms=current_algorithms(), extra=ValidationData(crls=(crl,)))


@cache
def _trusting_root() -> TokenValidator:
    return TokenValidator([corpus.world()[0].der], algorithms=current_algorithms())


@cache
def _seals() -> SealVerifier:
    anchors = corpus.specimens().anchors
    return SealVerifier(anchors, algorithms=current_algorithms(), test_anchors=anchors)
