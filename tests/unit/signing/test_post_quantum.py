"""Time-stamps and seals by ML-DSA, and by what cannot be judged here: three answers, never mixed up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from asn1crypto import algos, cms, core, keys

from archive_core.digests import Digest
from archive_core.findings import SubIndication, Verdict
from archive_core.ports import TokenAssessment, ValidationData
from policies import AlgorithmTable, current_algorithms
from signing.keys import load_key
from signing.local_keys import ECDSA_P384, KINDS, ML_DSA_65, ML_DSA_87, RSA_3072, make_key
from signing.local_trust import LocalTrust, Making, create_local_trust
from signing.seal_validation import SealVerifier
from signing.seals import SoftwareSealer
from signing.signature_math import UnsupportedAlgorithmError, load_public_key, signature_scheme
from signing.timestamp_validation import TokenValidator

MADE = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
LATER = MADE + timedelta(days=1)
IMPRINT = Digest.of("sha512", b"a root")
PQ = (ML_DSA_65, ML_DSA_87)
UNJUDGED = {
    "2.16.840.1.101.3.4.3.20": "SLH-DSA",
    "2.16.840.1.101.3.4.3.31": "SLH-DSA",
    "1.2.840.113549.1.9.16.3.17": "HSS/LMS",
    "1.3.6.1.5.5.7.6.34": "XMSS",
    "1.3.6.1.5.5.7.6.35": "XMSS^MT",
    "2.16.840.1.101.3.4.3.32": "HashML-DSA",
    "1.3.9999.6.4.13": "1.3.9999.6.4.13",
}


@dataclass
class SetClock:
    at: datetime = MADE

    def now(self) -> datetime:
        return self.at


@cache
def trust(kind: str) -> LocalTrust:
    return create_local_trust(Path(mkdtemp()) / "trust", at=MADE - timedelta(days=1), making=Making(kind))


@cache
def stamp(kind: str, name: str = "local-tsa-1") -> bytes:
    return trust(kind).authority(name, SetClock()).timestamp(IMPRINT).der


def judged(
    token: bytes, kind: str, *, table: AlgorithmTable | None = None, data: ValidationData | None = None
) -> TokenAssessment:
    anchor = trust(kind).anchor
    validator = TokenValidator([anchor], test_anchors=[anchor], algorithms=table or current_algorithms())
    return validator.assess(token, at=LATER, data=data)


def answer(found: TokenAssessment) -> tuple[Verdict, SubIndication | None]:
    return found.verdict, found.sub_indication


def relabelled(token: bytes, algorithm: algos.SignedDigestAlgorithm) -> bytes:
    """The same token, its signature said to be by another algorithm; nothing signed is changed."""
    parsed = cms.ContentInfo.load(token)
    parsed["content"]["signer_infos"][0]["signature_algorithm"] = algorithm
    return bytes(parsed.dump(force=True))


# -- made and judged ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_of_every_kind_passes_and_says_what_it_rests_on(kind: str) -> None:
    """Token, certificate and revocation list by one kind of key, nothing else in between."""
    found = judged(stamp(kind), kind)

    assert answer(found) == (Verdict.PASSED, None), found.message
    assert found.test_trust
    expected = {ECDSA_P384: ("ecdsa", 384), RSA_3072: ("rsa-pss", 3072), ML_DSA_65: ("ml-dsa", 65)}
    assert found.signatures == (expected.get(kind, ("ml-dsa", 87)),)
    assert found.digests == ("sha512",)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seal_of_every_kind_passes(kind: str) -> None:
    """Statements can be sealed by the key that stamps will be made with."""
    made = trust(kind)
    key = load_key(made.seal_key_address, certificates=made.seal_certificate_file)
    seal = SoftwareSealer(key, validation_source=made.seal_validation_data).seal(b"statement", at=MADE)
    judge = SealVerifier([made.anchor], algorithms=current_algorithms())

    assert judge.assess_seal(seal.der, b"statement", at=MADE, data=seal.validation_data).verdict is Verdict.PASSED
    other = judge.assess_seal(seal.der, b"another statement", at=MADE, data=seal.validation_data)
    assert other.verdict is Verdict.FAILED


@pytest.mark.parametrize("kind", KINDS)
def test_a_trust_of_every_kind_is_read_back(kind: str) -> None:
    """Keys survive on disk as PKCS#8."""
    opened = LocalTrust.open(trust(kind).directory)
    token = opened.authority("local-tsa-2", SetClock()).timestamp(IMPRINT).der

    assert judged(token, kind).verdict is Verdict.PASSED


def test_a_kind_that_is_not_there_is_refused() -> None:
    """By name, with those that are."""
    with pytest.raises(ValueError, match=r"slh-dsa-192s.*ml-dsa-65"):
        make_key("slh-dsa-192s")


def test_certificates_live_as_long_as_asked() -> None:
    """Worlds of tests need short lives; ends are whole seconds."""
    made = create_local_trust(Path(mkdtemp()) / "t", at=MADE, making=Making(authority_years=3.3, unit_years=1.1))
    validator = TokenValidator([made.anchor], algorithms=current_algorithms())
    found = validator.assess(made.authority("local-tsa-1", SetClock()).timestamp(IMPRINT).der, at=LATER)

    assert found.signer_until is not None
    assert found.authority_until is not None
    assert (found.signer_until - MADE).days == 400
    assert (found.authority_until - MADE).days == 1204


# -- forged or broken: FAILED ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", PQ)
@pytest.mark.parametrize("place", [0, 1, 1000, -1])
def test_one_flipped_bit_of_the_signature_fails(kind: str, place: int) -> None:
    """Anywhere in it."""
    parsed = cms.ContentInfo.load(stamp(kind))
    value = bytearray(parsed["content"]["signer_infos"][0]["signature"].native)
    octets = stamp(kind)
    begins = octets.index(bytes(value))
    value[place] ^= 1
    changed = octets[:begins] + bytes(value) + octets[begins + len(value) :]

    assert answer(judged(changed, kind)) == (Verdict.FAILED, SubIndication.SIG_CRYPTO_FAILURE)


@pytest.mark.parametrize("kind", PQ)
@pytest.mark.parametrize("length", [0, 1, 3308, 3310, 5000])
def test_a_signature_of_another_length_fails(kind: str, length: int) -> None:
    """FIPS 204 fixes it."""
    parsed = cms.ContentInfo.load(stamp(kind))
    parsed["content"]["signer_infos"][0]["signature"] = bytes(length)

    assert answer(judged(bytes(parsed.dump(force=True)), kind)) == (Verdict.FAILED, SubIndication.SIG_CRYPTO_FAILURE)


@pytest.mark.parametrize("kind", PQ)
def test_the_key_of_another_unit_fails(kind: str) -> None:
    """Same authority, same algorithm, another key."""
    mine, other = cms.ContentInfo.load(stamp(kind)), cms.ContentInfo.load(stamp(kind, "local-tsa-2"))
    value = other["content"]["signer_infos"][0]["signature"].native
    mine["content"]["signer_infos"][0]["signature"] = value

    assert answer(judged(bytes(mine.dump(force=True)), kind)) == (Verdict.FAILED, SubIndication.SIG_CRYPTO_FAILURE)


@pytest.mark.parametrize("kind", PQ)
def test_another_content_under_the_signature_fails(kind: str) -> None:
    """The digest in the signed attributes is not that of another TSTInfo."""
    octets = stamp(kind).replace(IMPRINT.value, Digest.of("sha512", b"another root").value)

    assert answer(judged(octets, kind)) == (Verdict.FAILED, SubIndication.HASH_FAILURE)


@pytest.mark.parametrize("parameters", [core.Null(), core.Integer(0), core.OctetString(b"context")])
def test_an_identifier_with_parameters_fails(parameters: core.Asn1Value) -> None:
    """RFC 9881 2: the parameters must be absent; a NULL is not absence."""
    algorithm = cms.ContentInfo.load(stamp(ML_DSA_65))["content"]["signer_infos"][0]["signature_algorithm"]
    tagged = algos.SignedDigestAlgorithm.load(
        core.Sequence(contents=algorithm["algorithm"].dump() + parameters.dump()).dump()
    )

    found = judged(relabelled(stamp(ML_DSA_65), tagged), ML_DSA_65)
    assert answer(found) == (Verdict.FAILED, SubIndication.FORMAT_FAILURE)
    assert "RFC 9881" in found.message


@pytest.mark.parametrize("oid", ["2.16.840.1.101.3.4.3.17", "2.16.840.1.101.3.4.3.19", "1.3.101.112"])
def test_another_parameter_set_than_the_keys_fails(oid: str) -> None:
    """The signature says ML-DSA-44, the key is ML-DSA-65."""
    found = judged(relabelled(stamp(ML_DSA_65), algos.SignedDigestAlgorithm({"algorithm": oid})), ML_DSA_65)

    assert answer(found) == (Verdict.FAILED, SubIndication.SIG_CRYPTO_FAILURE)


@pytest.mark.parametrize("oid", ["2.16.840.1.101.3.4.3.17", "2.16.840.1.101.3.4.3.18", "1.3.101.112"])
def test_a_public_key_with_parameters_is_malformed_and_not_merely_unknown(oid: str) -> None:
    """RFC 9881 4: known algorithm, forbidden parameters."""
    algorithm = core.Sequence(contents=core.ObjectIdentifier(oid).dump() + core.Null().dump())
    bits = core.OctetBitString(bytes(1952))
    info = keys.PublicKeyInfo.load(core.Sequence(contents=algorithm.dump() + bits.dump()).dump())

    with pytest.raises(ValueError, match="RFC 9881") as caught:
        load_public_key(info)
    assert not isinstance(caught.value, UnsupportedAlgorithmError)


# -- what cannot be judged: INDETERMINATE, by name ------------------------------------------------


@pytest.mark.parametrize(("oid", "name"), UNJUDGED.items())
def test_what_this_program_cannot_verify_is_neither_passed_nor_failed(oid: str, name: str) -> None:
    """SLH-DSA, LMS, XMSS, or anything new: INDETERMINATE with the algorithm's name."""
    found = judged(relabelled(stamp(ML_DSA_65), algos.SignedDigestAlgorithm({"algorithm": oid})), ML_DSA_65)

    assert answer(found) == (Verdict.INDETERMINATE, SubIndication.UNSUPPORTED)
    assert name in found.message
    assert oid in found.message


def understood(oid: str) -> str:
    """The scheme's name, or what is said in its place."""
    try:
        return signature_scheme(algos.SignedDigestAlgorithm({"algorithm": oid})).name
    except UnsupportedAlgorithmError as error:
        return str(error)


def test_every_scheme_that_the_table_recommends_is_judged_or_named() -> None:
    """No recommended algorithm falls through: it is understood, or refused by its name."""
    recommended = [row for row in current_algorithms().signatures if row.status == "recommended"]
    said = {(row.name, oid): understood(oid) for row in recommended for oid in row.oids}
    judged_here = {"rsa-pss", "dsa", "ecdsa", "eddsa", "ml-dsa"}

    assert {name for name, _ in said} >= {*judged_here, "slh-dsa", "lms", "xmss"}
    for (name, oid), answered in said.items():
        if name in judged_here:
            assert not answered.startswith("signature algorithm"), (oid, answered)
        else:
            assert name.upper().split("-")[0] in answered, (oid, answered)


# -- suitability ----------------------------------------------------------------------------------


def without(passage: str) -> AlgorithmTable:
    """The published table, the rows of a scheme renamed away."""
    source = current_algorithms().source.decode()
    assert passage in source
    return AlgorithmTable.load(source.replace(passage, passage.replace("dsa", "xyz")).encode())


def test_a_table_that_does_not_know_it_makes_it_unsuitable_and_not_failed() -> None:
    """The mathematics is good; nobody vouches for the algorithm."""
    found = judged(stamp(ML_DSA_65), ML_DSA_65, table=without('names = ["ml-dsa"]'))

    assert answer(found) == (Verdict.INDETERMINATE, SubIndication.CRYPTO_CONSTRAINTS_FAILURE)
    assert "ml-dsa with 65 bits" in found.message


def test_a_hybrid_is_two_records_and_the_fall_of_one_leaves_the_other() -> None:
    """RFC 4998 7: when elliptic curves fall, the post-quantum line still proves; and the other way round."""
    for fallen, standing, passage in (
        (ECDSA_P384, ML_DSA_65, 'names = ["ecdsa"]'),
        (ML_DSA_65, ECDSA_P384, 'names = ["ml-dsa"]'),
    ):
        table = without(passage)
        assert judged(stamp(fallen), fallen, table=table).verdict is Verdict.INDETERMINATE
        assert judged(stamp(standing), standing, table=table).verdict is Verdict.PASSED
