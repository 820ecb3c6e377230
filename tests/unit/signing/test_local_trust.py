"""The local test trust: complete, labelled, fresh, strictly ascending, and good for our own validator."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms, tsp
from asn1crypto.crl import CertificateList
from cryptography import x509

from archive_core.digests import Digest
from archive_core.errors import AlreadyExistsError, SettingsError, TimestampRefusedError
from archive_core.findings import Verdict
from archive_core.ports import ValidationData
from policies.algorithms import current_algorithms
from signing.cms import parse_signed_message
from signing.local_trust import AUTHORITIES, CA_FILE, POLICY, LocalTrust, create_local_trust
from signing.timestamp_validation import TokenValidator
from signing.tsa import build_request
from signing.tst_info import parse_tst_info
from tests.unit.signing import forge

NOW = datetime(2026, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
IMPRINT = Digest.of("sha512", b"root")


class Hands:
    """A clock that stands until it is set."""

    def __init__(self, now: datetime = NOW) -> None:
        self.instant = now

    def now(self) -> datetime:
        return self.instant


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> LocalTrust:
    return create_local_trust(tmp_path_factory.mktemp("home") / "trust", at=NOW)


def validator(trust: LocalTrust) -> TokenValidator:
    return TokenValidator([], algorithms=current_algorithms(), test_anchors=[trust.anchor])


def test_keys_are_readable_by_their_owner_alone(trust: LocalTrust) -> None:
    """0600 for keys, nothing left lying beside."""
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in trust.directory.iterdir()}
    keys = [name for name in modes if name.endswith("-key.pem")]
    assert len(keys) == 4
    assert all(modes[name] == 0o600 for name in keys)
    assert CA_FILE in modes
    assert [path.name for path in trust.directory.parent.iterdir()] == ["trust"]


def test_every_certificate_says_that_it_is_a_test(trust: LocalTrust) -> None:
    """ASCII, in the subject, where nobody can miss it."""
    for file in trust.directory.glob("*.pem"):
        if file.name.endswith("-key.pem"):
            continue
        for certificate in x509.load_pem_x509_certificates(file.read_bytes()):
            subject = certificate.subject.rfc4514_string()
            assert "TEST" in subject
            assert "not trusted" in subject
            assert "NOT QUALIFIED" in subject
            assert subject.isascii()


def test_certificates_last_for_years(trust: LocalTrust) -> None:
    """30 years for the authority, 10 for those below it."""
    authority = x509.load_der_x509_certificate(trust.anchor)
    assert authority.not_valid_after_utc > NOW + timedelta(days=29 * 365)
    unit = x509.load_pem_x509_certificate((trust.directory / "local-tsa-1.pem").read_bytes())
    assert unit.not_valid_after_utc > NOW + timedelta(days=9 * 365)
    usage = unit.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert usage.critical
    assert list(usage.value) == [x509.ExtendedKeyUsageOID.TIME_STAMPING]


def test_two_homes_do_not_trust_each_other(trust: LocalTrust, tmp_path: Path) -> None:
    """Names and keys of each home are its own."""
    other = create_local_trust(tmp_path / "trust", at=NOW)
    token = other.authority("local-tsa-1", Hands()).timestamp(IMPRINT).der
    assert validator(other).assess(token, at=NOW).verdict is Verdict.PASSED
    assert validator(trust).assess(token, at=NOW).verdict is Verdict.INDETERMINATE


def test_nothing_is_written_over(trust: LocalTrust) -> None:
    """An existing trust is opened, never replaced."""
    before = trust.anchor
    with pytest.raises(AlreadyExistsError):
        create_local_trust(trust.directory, at=NOW)
    assert LocalTrust.open(trust.directory).anchor == before


@pytest.mark.parametrize("file", ["test-ca.pem", "local-tsa-2-key.pem", "local-seal.pem"])
def test_an_incomplete_trust_is_named(tmp_path: Path, file: str) -> None:
    """The message says which part is missing."""
    create_local_trust(tmp_path / "trust", at=NOW)
    (tmp_path / "trust" / file).unlink()
    with pytest.raises(SettingsError, match=file.removesuffix(".pem").removesuffix("-key")):
        LocalTrust.open(tmp_path / "trust")


def test_a_key_of_somebody_else_is_noticed(tmp_path: Path) -> None:
    """A mixed up restore does not stamp with the wrong key."""
    create_local_trust(tmp_path / "trust", at=NOW)
    (tmp_path / "trust" / "local-tsa-1-key.pem").write_bytes((tmp_path / "trust" / "local-tsa-2-key.pem").read_bytes())
    with pytest.raises(SettingsError, match="is not the key of"):
        LocalTrust.open(tmp_path / "trust")


@pytest.mark.parametrize("name", AUTHORITIES)
@pytest.mark.parametrize("algorithm", ["sha384", "sha512", "sha3-512"])
def test_tokens_of_both_authorities_pass_as_test_trust(trust: LocalTrust, name: str, algorithm: str) -> None:
    """With nothing but the test CA: certificates and revocation list are inside."""
    token = trust.authority(name, Hands()).timestamp(Digest.of(algorithm, b"root"))
    found = validator(trust).assess(token.der, at=NOW + timedelta(days=1000))
    assert (found.verdict, found.test_trust) == (Verdict.PASSED, True), found.message
    assert found.findings == ()
    assert token.test_trust


def test_the_two_authorities_are_two(trust: LocalTrust) -> None:
    """Redundant lines must not end on one key."""
    signers = {
        validator(trust).assess(trust.authority(name, Hands()).timestamp(IMPRINT).der, at=NOW).signer
        for name in AUTHORITIES
    }
    assert len(signers) == 2


def test_tokens_have_the_shape_of_basis_ers(trust: LocalTrust) -> None:
    """CMS version 3, certificates and revocation list filled, DER, nothing unsigned."""
    token = trust.authority("local-tsa-1", Hands()).timestamp(IMPRINT).der
    message = parse_signed_message(token)
    assert message.version == 3
    assert len(message.certificates) == 2
    assert len(message.crls) == 1
    assert not message.ocsps
    assert not message.has_unsigned_attributes
    assert set(message.attributes) == {
        "1.2.840.113549.1.9.3",
        "1.2.840.113549.1.9.4",
        "1.2.840.113549.1.9.16.2.47",
    }
    assert cms.ContentInfo.load(token, strict=True).copy().dump(force=True) == token
    assert parse_tst_info(message).accuracy == timedelta(seconds=1)


def test_stamps_ascend_strictly_even_when_the_clock_stands(trust: LocalTrust) -> None:
    """Many stamps within one millisecond, from several threads."""
    responder = trust.responder("local-tsa-1", Hands())
    answers: list[bytes] = []

    def ask() -> None:
        answers.extend(responder.respond(build_request(IMPRINT, nonce=None)) for _ in range(5))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    infos = [parse_tst_info(parse_signed_message(_token(answer))) for answer in answers]
    times = {info.gen_time for info in infos}
    assert len(times) == 20
    assert max(times) - min(times) < timedelta(seconds=1)
    assert all(time.microsecond % 1000 == 0 for time in times)
    assert len({info.serial_number for info in infos}) == 20


def _token(answer: bytes) -> bytes:
    return bytes(tsp.TimeStampResp.load(answer)["time_stamp_token"].dump())


def test_a_clock_that_was_set_back_is_not_hidden(trust: LocalTrust) -> None:
    """Only ties are stepped over."""
    hands = Hands()
    client = trust.authority("local-tsa-1", hands)
    client.timestamp(IMPRINT)
    hands.instant = NOW - timedelta(hours=1)
    assert client.timestamp(IMPRINT).gen_time < NOW - timedelta(minutes=59)


def test_revocation_lists_are_fresh_and_by_the_test_authority(trust: LocalTrust) -> None:
    """thisUpdate is the instant asked about, in whole seconds; numbers grow."""
    first, second = (CertificateList.load(trust.crl(NOW + timedelta(seconds=n))) for n in (0, 1))
    assert first["tbs_cert_list"]["this_update"].native == NOW.replace(microsecond=0)
    assert first.crl_number_value.native < second.crl_number_value.native


def test_validation_data_is_not_older_than_the_token(trust: LocalTrust) -> None:
    """Chain and revocation list are enough where the token brings none."""
    hands = Hands()
    client = trust.authority("local-tsa-2", hands)
    token = client.timestamp(IMPRINT)
    data = client.validation_data(token.der)
    issued = CertificateList.load(data.crls[0])["tbs_cert_list"]["this_update"].native
    assert issued >= token.gen_time.replace(microsecond=0)
    bare = cms.ContentInfo.load(token.der)
    del bare["content"]["crls"]
    stripped = bare.dump(force=True)
    assert validator(trust).assess(stripped, at=NOW).verdict is Verdict.INDETERMINATE
    assert validator(trust).assess(stripped, at=NOW, data=data).verdict is Verdict.PASSED
    assert isinstance(data, ValidationData)


def test_an_unknown_authority_is_refused(trust: LocalTrust) -> None:
    """The names are fixed."""
    with pytest.raises(SettingsError, match="local-tsa-3"):
        trust.authority("local-tsa-3", Hands())


Request = Callable[[], bytes]
REQUESTS: dict[str, tuple[str, Request]] = {
    "garbage": ("bad_data_format", lambda: b"garbage"),
    "empty": ("bad_data_format", lambda: b""),
    "another policy": ("unaccepted_policy", lambda: build_request(IMPRINT, nonce=1, policy="2.999.99")),
    "SHA-1": ("bad_alg", lambda: build_request(Digest.of("sha1", b"x"), nonce=1)),
    "unknown digest": (
        "bad_alg",
        lambda: _changed("message_imprint", {"hash_algorithm": {"algorithm": "1.2.3"}, "hashed_message": b"x"}),
    ),
    "short imprint": (
        "bad_data_format",
        lambda: _changed("message_imprint", {"hash_algorithm": {"algorithm": "sha512"}, "hashed_message": b"x"}),
    ),
    "version 2": ("bad_request", lambda: _changed("version", "v2")),
    "extension": (
        "unaccepted_extensions",
        lambda: _changed("extensions", [{"extn_id": "1.2.3", "critical": False, "extn_value": b"\x05\x00"}]),
    ),
}


def _changed(field: str, value: object) -> bytes:
    request = tsp.TimeStampReq.load(build_request(IMPRINT, nonce=1))
    request[field] = value
    return bytes(request.dump(force=True))


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_bad_request_is_rejected_with_its_reason(trust: LocalTrust, kind: str) -> None:
    """RFC 3161 2.4.2: rejection with a failure bit, and no token."""
    failure, request = REQUESTS[kind]
    answer = trust.responder("local-tsa-1", Hands()).respond(request())
    (status,) = (tsp.PKIStatusInfo.load(answer[2:]),)
    assert status["status"].native == "rejection"
    assert status["fail_info"].native == {failure}


def test_the_client_takes_a_rejection_as_one(trust: LocalTrust) -> None:
    """The two halves understand each other also when it goes wrong."""
    with pytest.raises(TimestampRefusedError, match="bad_alg"):
        trust.authority("local-tsa-1", Hands()).timestamp(Digest.of("sha1", b"x"))


def test_certificates_are_left_out_when_not_wanted(trust: LocalTrust) -> None:
    """certReq false (RFC 3161 2.4.1)."""
    request = tsp.TimeStampReq.load(build_request(IMPRINT, nonce=1))
    request["cert_req"] = False
    answer = trust.responder("local-tsa-1", Hands()).respond(request.dump(force=True))
    assert parse_signed_message(_token(answer)).certificates == ()


def test_the_policy_is_from_the_arc_for_examples(trust: LocalTrust) -> None:
    """Nobody's policy is claimed."""
    assert POLICY.startswith("2.999.")
    token = trust.authority("local-tsa-1", Hands()).timestamp(IMPRINT).der
    assert parse_tst_info(parse_signed_message(token)).policy == POLICY
    assert forge.NOW  # the forge's world and this one are independent
