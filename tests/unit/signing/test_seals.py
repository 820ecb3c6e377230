"""Seals: detached CAdES that our verifier accepts, and rejects after any change."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import pkcs12

from archive_core.errors import SettingsError
from archive_core.findings import SubIndication, Verdict
from archive_core.ports import Seal, Sealer, TokenFor, ValidationData
from policies.algorithms import current_algorithms
from signing.cms import parse_signed_message
from signing.file_key import FileKey
from signing.keys import SigningKey, load_key
from signing.local_keys import ML_DSA_65
from signing.local_trust import LocalTrust, Making, create_local_trust
from signing.seal_validation import SealVerifier
from signing.seals import MAX_INSIDE, DeviceSealer, SoftwareSealer
from tests.unit.signing import forge

NOW = datetime(2026, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)
CONTENT = b'{"batch":1}\n'


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> LocalTrust:
    return create_local_trust(tmp_path_factory.mktemp("home") / "trust", at=NOW)


@pytest.fixture(scope="module")
def sealer(trust: LocalTrust) -> SoftwareSealer:
    key = load_key(trust.seal_key_address, certificates=trust.seal_certificate_file)
    return SoftwareSealer(key, test_trust=True, validation_source=trust.seal_validation_data)


@pytest.fixture(scope="module")
def seal(sealer: Sealer) -> Seal:
    return sealer.seal(CONTENT, at=NOW)


def verifier(trust: LocalTrust) -> SealVerifier:
    return SealVerifier([], algorithms=current_algorithms(), test_anchors=[trust.anchor])


def test_a_seal_passes_at_the_time_when_it_existed(trust: LocalTrust, seal: Seal) -> None:
    """With the validation data that comes with it, and marked as test trust."""
    found = verifier(trust).assess_seal(seal.der, CONTENT, at=NOW + timedelta(seconds=5), data=seal.validation_data)
    assert (found.verdict, found.test_trust) == (Verdict.PASSED, True), found.message
    assert found.signer.startswith("TEST seal")
    assert seal.test_trust


def test_a_seal_is_detached_and_holds_its_chain(seal: Seal) -> None:
    """CAdES-B-B: id-data, no content, ESSCertIDv2, signing time as given, no time-stamp."""
    message = parse_signed_message(seal.der)
    assert message.content is None
    assert message.content_type == "1.2.840.113549.1.7.1"
    assert len(message.certificates) == 2
    assert not message.has_unsigned_attributes
    signed = cms.ContentInfo.load(seal.der)["content"]["signer_infos"][0]["signed_attrs"]
    by_kind = {attribute["type"].native: attribute["values"] for attribute in signed}
    assert by_kind["signing_time"][0].native == NOW.replace(microsecond=0)
    assert "signing_certificate_v2" in by_kind


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"\n", b'{"batch":2}\n'])
def test_a_seal_over_other_content_fails(trust: LocalTrust, seal: Seal, content: bytes) -> None:
    """One changed octet is enough."""
    found = verifier(trust).assess_seal(seal.der, content, at=NOW, data=seal.validation_data)
    assert (found.verdict, found.sub_indication) == (Verdict.FAILED, SubIndication.HASH_FAILURE)


def test_no_changed_octet_of_a_seal_raises_or_forges(trust: LocalTrust, seal: Seal) -> None:
    """Every octet, one after the other: a verdict each time, and none that passes for other content."""
    judge = verifier(trust)
    for place in range(0, len(seal.der), 3):
        changed = seal.der[:place] + bytes([seal.der[place] ^ 0x20]) + seal.der[place + 1 :]
        assert judge.assess_seal(changed, b"other", at=NOW).verdict is not Verdict.PASSED


def test_a_seal_without_trust_or_revocation_data_is_indeterminate(trust: LocalTrust, seal: Seal) -> None:
    """Intact is not trusted."""
    nobody = SealVerifier([], algorithms=current_algorithms())
    found = nobody.assess_seal(seal.der, CONTENT, at=NOW, data=seal.validation_data)
    assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, SubIndication.NO_CERTIFICATE_CHAIN_FOUND)
    key = load_key(trust.seal_key_address, certificates=trust.seal_certificate_file)
    bare = SoftwareSealer(key, test_trust=True).seal(CONTENT, at=NOW)
    found = verifier(trust).assess_seal(bare.der, CONTENT, at=NOW)
    assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, SubIndication.TRY_LATER)


def test_a_seal_carries_what_proves_its_certificate(trust: LocalTrust, seal: Seal) -> None:
    """Chain and revocation list are inside: whoever has the seal needs nothing else but trust in the root."""
    inside = parse_signed_message(seal.der)
    assert inside.crls == seal.validation_data.crls
    assert verifier(trust).assess_seal(seal.der, CONTENT, at=NOW).verdict is Verdict.PASSED


def test_a_long_revocation_list_stays_beside_the_seal(trust: LocalTrust) -> None:
    """Every receipt holds its batch's seal: megabytes in it would be megabytes in each."""
    key = load_key(trust.seal_key_address, certificates=trust.seal_certificate_file)
    crl = trust.crl(NOW)
    long = crl + bytes(MAX_INSIDE)
    made = SoftwareSealer(key, validation_source=lambda at: ValidationData((), (crl, long))).seal(CONTENT, at=NOW)
    assert parse_signed_message(made.der).crls == (crl,)
    assert made.validation_data.crls == (crl, long)


def test_a_seal_after_the_end_of_its_certificate_needs_a_proof_of_existence(trust: LocalTrust, seal: Seal) -> None:
    """That is what the evidence over it is for."""
    found = verifier(trust).assess_seal(seal.der, CONTENT, at=NOW + timedelta(days=4000), data=seal.validation_data)
    assert (found.verdict, found.sub_indication) == (Verdict.INDETERMINATE, SubIndication.OUT_OF_BOUNDS_NO_POE)


def _with_content(token: bytes) -> bytes:
    parsed = cms.ContentInfo.load(token)
    parsed["content"]["encap_content_info"] = {"content_type": "data", "content": CONTENT}
    return bytes(parsed.dump(force=True))


def test_what_is_no_detached_seal_fails(trust: LocalTrust, seal: Seal) -> None:
    """A time-stamp token, an enveloping signature, garbage."""
    stamp = forge.Recipe(forge.time_stamp_unit(forge.authority())).token()
    for other in (stamp, _with_content(seal.der), b"", b"\x30\x00", b"garbage" * 100):
        found = verifier(trust).assess_seal(other, CONTENT, at=NOW)
        assert (found.verdict, found.sub_indication) == (Verdict.FAILED, SubIndication.FORMAT_FAILURE)


@pytest.mark.parametrize(
    ("kind", "digest"),
    [
        *((kind, "sha512") for kind in ("rsa3072", "p256", "p384", "ed25519", "mldsa65")),
        ("rsa3072", "sha256"),
        ("rsa3072", "sha3-512"),
    ],
)
def test_seals_of_other_keys_pass_too(kind: str, digest: str) -> None:
    """The seal key is whatever the operator has."""
    root = forge.authority()
    signer = forge.issued("Sealer", root, key=forge.new_key(kind), extensions=[(forge.key_usage(), True)])
    sealed = SoftwareSealer(_signing_key(signer), digest=digest).seal(CONTENT, at=forge.NOW)
    judge = SealVerifier([root.der], algorithms=current_algorithms())
    data = ValidationData((), (forge.crl(root),))
    found = judge.assess_seal(sealed.der, CONTENT, at=forge.NOW, data=data)
    assert (found.verdict, found.test_trust) == (Verdict.PASSED, False), found.message
    assert sealed.validation_data.certificates[0] == signer.der


@pytest.mark.parametrize("kind", ["software", "device"])
def test_what_is_signed_in_a_pdf_names_the_digest_that_it_was_made_with(kind: str) -> None:
    """Whatever else seals digest with: RSASSA-PSS says its digest a second time, in its parameters."""
    root = forge.authority()
    signer = forge.issued("Sealer", root, key=forge.new_key("rsa3072"), extensions=[(forge.key_usage(), True)])
    key = _signing_key(signer)
    sealer = SoftwareSealer(key, digest="sha256") if kind == "software" else DeviceSealer(FileKey(key), digest="sha256")
    stamp = forge.Recipe(forge.time_stamp_unit(forge.authority())).token()
    sealed = sealer.seal_digest(b"d" * 64, at=forge.NOW, stamp=lambda _: TokenFor(stamp, ValidationData(())))
    (info,) = cms.ContentInfo.load(sealed.der)["content"]["signer_infos"]
    algorithm = info["signature_algorithm"]["parameters"]["hash_algorithm"]["algorithm"].native
    assert (algorithm, info["digest_algorithm"]["algorithm"].native) == ("sha512", "sha512")
    signer.key.public_key().verify(
        info["signature"].native,
        info["signed_attrs"].untag().dump(),
        padding.PSS(padding.MGF1(hashes.SHA512()), 64),
        hashes.SHA512(),
    )


def _signing_key(identity: forge.Identity) -> SigningKey:
    return SigningKey(_pkcs8(identity.key), identity.der, tuple(c.public_bytes(forge.DER) for c in identity.chain))


def _pkcs8(key: Any) -> bytes:
    encoding = serialization.NoEncryption()
    return bytes(key.private_bytes(forge.DER, serialization.PrivateFormat.PKCS8, encoding))


@pytest.mark.parametrize(("year", "tag"), [(2049, 0x17), (2050, 0x18), (2086, 0x18)])
def test_the_claimed_time_is_written_as_its_century_asks(tmp_path: Path, year: int, tag: int) -> None:
    """RFC 5652 11.3: UTCTime until 2049, GeneralizedTime from 2050 on; such seals pass in their time."""
    at = datetime(year, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)
    made = create_local_trust(tmp_path / "trust", at=at, making=Making(ML_DSA_65))
    key = load_key(made.seal_key_address, certificates=made.seal_certificate_file)
    sealed = SoftwareSealer(key, validation_source=made.seal_validation_data, digest="sha3-512").seal(CONTENT, at=at)
    (signer,) = cms.ContentInfo.load(sealed.der)["content"]["signer_infos"]
    (time,) = [one["values"][0] for one in signer["signed_attrs"] if one["type"].native == "signing_time"]
    found = verifier(made).assess_seal(
        sealed.der, CONTENT, at=at + timedelta(seconds=5), data=made.seal_validation_data(at + timedelta(seconds=5))
    )

    assert time.chosen.dump()[0] == tag
    assert time.native == at.replace(microsecond=0)
    assert signer["digest_algorithm"]["algorithm"].native == "sha3_512"
    assert found.verdict is Verdict.PASSED, found.message


def test_sealing_works_where_an_event_loop_is_already_running(sealer: Sealer) -> None:
    """The loop inside is nobody else's business."""

    async def inside() -> Seal:
        return sealer.seal(CONTENT, at=NOW)

    assert parse_signed_message(asyncio.run(inside()).der).content is None


# -- keys by address --------------------------------------------------------------------------


def test_a_key_from_pkcs12_is_the_same_key(tmp_path: Path) -> None:
    """With a passphrase that never stands in the address."""
    root = forge.authority()
    signer = forge.issued("Sealer", root, extensions=[(forge.key_usage(), True)])
    octets = pkcs12.serialize_key_and_certificates(
        b"seal", signer.key, signer.certificate, [root.certificate], serialization.BestAvailableEncryption(b"secret")
    )
    (tmp_path / "seal.p12").write_bytes(octets)
    key = load_key("file:seal.p12", base=tmp_path, passphrase=b"secret")
    assert (key.certificate, key.chain) == (signer.der, (root.der,))
    assert b"secret" not in repr(key).encode()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("seal.pem", "not a key address"),
        ("file:", "not a key address"),
        ("file:absent.pem", "cannot be read"),
        ("file:garbage.pem", "cannot be used"),
        ("file:garbage.p12", "cannot be used"),
        ("file:lonely.pem", "no certificate belongs"),
    ],
)
def test_an_address_that_leads_to_no_key_is_explained(tmp_path: Path, address: str, said: str) -> None:
    """Settings errors, before anything is sealed."""
    (tmp_path / "garbage.pem").write_bytes(b"garbage")
    (tmp_path / "garbage.p12").write_bytes(b"garbage")
    lonely = forge.new_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "lonely.pem").write_bytes(lonely)
    with pytest.raises(SettingsError, match=said):
        load_key(address, base=tmp_path)


def test_an_encrypted_key_without_its_passphrase_is_explained(tmp_path: Path) -> None:
    """And the wrong one too."""
    identity = forge.authority()
    octets = identity.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    certificate = identity.certificate.public_bytes(serialization.Encoding.PEM)
    (tmp_path / "seal.pem").write_bytes(octets + certificate)
    for wrong in (None, b"guess"):
        with pytest.raises(SettingsError, match="cannot be used"):
            load_key("file:seal.pem", base=tmp_path, passphrase=wrong)
    assert load_key("file:seal.pem", base=tmp_path, passphrase=b"secret").certificate == identity.der
