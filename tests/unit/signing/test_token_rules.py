"""TSP-02: one broken rule a token, and the verdict that each leads to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asn1crypto import cms, core, tsp
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from archive_core.digests import Digest
from archive_core.findings import SubIndication, Verdict
from archive_core.ports import TokenAssessment
from signing import ber
from tests.unit.signing import forge
from tests.unit.signing.conftest import World
from tests.unit.signing.forge import NOW, Recipe

FAILED, INDETERMINATE, PASSED = Verdict.FAILED, Verdict.INDETERMINATE, Verdict.PASSED
FORMAT = SubIndication.FORMAT_FAILURE
CONSTRAINTS = SubIndication.SIG_CONSTRAINTS_FAILURE
CRYPTO = SubIndication.SIG_CRYPTO_FAILURE


def assess(world: World, token: bytes) -> TokenAssessment:
    return world.validator.assess(token, at=NOW + timedelta(hours=1))


def test_a_good_token_passes_and_says_what_it_states(world: World) -> None:
    """The recipe that all the broken tokens below start from is good."""
    found = assess(world, world.recipe.token())
    assert (found.verdict, found.sub_indication) == (PASSED, None), found.message
    assert (found.gen_time, found.imprint) == (NOW, forge.IMPRINT)
    assert found.signer == "Forge TSU"
    assert found.trusted_until == world.unit.certificate.not_valid_after_utc
    assert not found.test_trust
    assert found.findings == ()


def _set(field: str, value: Any) -> Callable[[Any], Any]:
    def edit(structure: Any) -> Any:
        structure[field] = value
        return structure

    return edit


def _attribute(kind: str, *values: Any) -> cms.CMSAttribute:
    return cms.CMSAttribute({"type": kind, "values": list(values)})


def _two_signers(signed: cms.SignedData) -> cms.SignedData:
    other = signed["signer_infos"][0].copy()
    other["signature"] = b"\x30\x00"
    signed["signer_infos"] = [signed["signer_infos"][0], other]
    return signed


def _no_signers(signed: cms.SignedData) -> cms.SignedData:
    signed["signer_infos"] = []
    return signed


def _by_key_identifier(signer: cms.SignerInfo) -> cms.SignerInfo:
    signer["sid"] = cms.SignerIdentifier("subject_key_identifier", b"\1" * 20)
    return signer


def _unsigned(signer: cms.SignerInfo) -> cms.SignerInfo:
    return cms.SignerInfo(
        {k: signer[k] for k in ("version", "sid", "digest_algorithm", "signature_algorithm", "signature")}
    )


def _changed_last_byte(octets: bytes) -> bytes:
    return octets[:-1] + bytes([octets[-1] ^ 1])


EMPTY_ESS = tsp.SigningCertificateV2({"certs": []})
BROKEN: dict[str, tuple[Callable[[Recipe], Recipe], Verdict, SubIndication]] = {
    "no signer": (lambda r: r.but(edit_signed_data=_no_signers), FAILED, FORMAT),
    "two signers": (lambda r: r.but(edit_signed_data=_two_signers), FAILED, FORMAT),
    "signer version does not go with its identifier": (
        lambda r: r.but(edit_signer=_set("version", "v2")),
        FAILED,
        FORMAT,
    ),
    "signer identified by a key that is not there": (
        lambda r: r.but(edit_signer=lambda s: _set("version", "v3")(_by_key_identifier(s))),
        INDETERMINATE,
        SubIndication.NO_SIGNING_CERTIFICATE_FOUND,
    ),
    "no signed attributes": (lambda r: r.but(edit_signer=_unsigned), FAILED, FORMAT),
    "content is not TSTInfo": (lambda r: r.but(content_type="data"), FAILED, FORMAT),
    "content-type attribute missing": (
        lambda r: r.but(edit_attributes=forge.without_attribute("content_type")),
        FAILED,
        FORMAT,
    ),
    "content-type attribute of something else": (
        lambda r: r.but(edit_attributes=forge.replaced_attribute(_attribute("content_type", "data"))),
        FAILED,
        FORMAT,
    ),
    "message digest missing": (
        lambda r: r.but(edit_attributes=forge.without_attribute("message_digest")),
        FAILED,
        FORMAT,
    ),
    "message digest of something else": (
        lambda r: r.but(edit_attributes=forge.replaced_attribute(_attribute("message_digest", b"\0" * 64))),
        FAILED,
        SubIndication.HASH_FAILURE,
    ),
    "message digest with two values": (
        lambda r: r.but(edit_attributes=forge.replaced_attribute(_attribute("message_digest", b"\0" * 64, b"\1" * 64))),
        FAILED,
        FORMAT,
    ),
    "an attribute twice": (lambda r: r.but(edit_attributes=lambda a: [*a, a[0]]), FAILED, FORMAT),
    "no signing certificate attribute": (lambda r: r.but(ess="none"), FAILED, FORMAT),
    "empty signing certificate attribute": (
        lambda r: r.but(edit_attributes=forge.replaced_attribute(_attribute("signing_certificate_v2", EMPTY_ESS))),
        FAILED,
        FORMAT,
    ),
    "signing certificate attribute names another certificate": (
        lambda r: r.but(edit_attributes=forge.replaced_attribute(forge.ess_v2(r.signer, value=b"\0" * 32))),
        FAILED,
        CONSTRAINTS,
    ),
    "one changed bit in the signature": (lambda r: r.but(edit_signature=_changed_last_byte), FAILED, CRYPTO),
    "no certificate inside": (
        lambda r: r.but(certificates=()),
        INDETERMINATE,
        SubIndication.NO_SIGNING_CERTIFICATE_FOUND,
    ),
    "TSTInfo version 2": (lambda r: r.but(edit_info=_set("version", "v2")), FAILED, FORMAT),
    "imprint shorter than its algorithm": (
        lambda r: r.but(
            edit_info=_set("message_imprint", {"hash_algorithm": {"algorithm": "sha512"}, "hashed_message": b"short"})
        ),
        FAILED,
        FORMAT,
    ),
    "imprint with an unknown algorithm": (
        lambda r: r.but(
            edit_info=_set("message_imprint", {"hash_algorithm": {"algorithm": "1.2.3.4"}, "hashed_message": b"x" * 64})
        ),
        INDETERMINATE,
        SubIndication.UNSUPPORTED,
    ),
    "octets after TSTInfo": (lambda r: r.but(edit_content=lambda c: c + b"\0\0"), FAILED, FORMAT),
    "accuracy of a thousand milliseconds": (
        lambda r: r.but(edit_info=_set("accuracy", {"seconds": 0, "millis": 1000})),
        FAILED,
        FORMAT,
    ),
    "genTime after the instant of judgement": (
        lambda r: r.but(gen_time=NOW + timedelta(hours=2)),
        INDETERMINATE,
        SubIndication.TIMESTAMP_ORDER_FAILURE,
    ),
    "unknown critical extension in TSTInfo": (
        lambda r: r.but(
            edit_info=_set("extensions", [{"extn_id": "1.2.3.4", "critical": True, "extn_value": core.Null().dump()}])
        ),
        INDETERMINATE,
        SubIndication.UNSUPPORTED,
    ),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_token_that_breaks_one_rule_does_not_pass(world: World, rule: str) -> None:
    """The verdict names what is wrong; a forged or malformed token is FAILED."""
    change, verdict, sub_indication = BROKEN[rule]
    found = assess(world, change(world.recipe).token())
    assert (found.verdict, found.sub_indication) == (verdict, sub_indication), found.message
    assert found.message


UNITS: dict[str, dict[str, Any]] = {
    "extended key usage not critical": {"critical": False},
    "extended key usage missing": {"usages": None},
    "for something else": {"usages": (ExtendedKeyUsageOID.CODE_SIGNING,)},
    "for time-stamping and something else": {
        "usages": (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)
    },
    "for any purpose": {"usages": (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)},
    "key usage without signatures": {"usage": forge.key_usage(signatures=False)},
}


@pytest.mark.parametrize("what", UNITS)
def test_a_certificate_that_is_not_for_time_stamping_alone_makes_the_token_fail(world: World, what: str) -> None:
    """RFC 3161 2.3: the extended key usage is critical and names time-stamping only."""
    unit = forge.time_stamp_unit(world.root, **UNITS[what])
    found = assess(world, world.recipe.but(signer=unit).token())
    assert (found.verdict, found.sub_indication) == (FAILED, CONSTRAINTS), found.message


def test_a_changed_imprint_is_found(world: World) -> None:
    """A bit changed under the message digest is a hash failure, and what is stated is still reported."""
    token = world.recipe.token()
    place = token.index(forge.IMPRINT.value)
    found = assess(world, token[:place] + bytes([token[place] ^ 1]) + token[place + 1 :])
    assert (found.verdict, found.sub_indication) == (FAILED, SubIndication.HASH_FAILURE)
    assert found.gen_time == NOW
    assert found.imprint is not None
    assert found.imprint != forge.IMPRINT


def test_every_changed_octet_of_a_token_is_noticed_or_harmless(world: World) -> None:
    """No single changed octet in what is signed lets a token say something else and pass."""
    token = world.recipe.but(certificates=(world.unit.certificate,), crls=()).token()
    validator = world.validator
    stated = (NOW, forge.IMPRINT)
    for place in range(len(token)):
        changed = token[:place] + bytes([token[place] ^ 0x01]) + token[place + 1 :]
        found = validator.assess(changed, at=NOW + timedelta(hours=1), data=world.data)
        if found.verdict is PASSED:
            assert (found.gen_time, found.imprint) == stated, f"octet {place}"


def test_a_token_whose_certificate_is_only_in_the_data_is_judged_with_it(world: World) -> None:
    """certReq false: the certificate may come from outside, if the attribute names it."""
    token = world.recipe.but(certificates=()).token()
    data = type(world.data)(certificates=(world.unit.der, world.root.der), crls=(world.crl,))
    assert world.validator.assess(token, at=NOW, data=data).verdict is PASSED


def test_another_certificate_of_the_same_name_and_number_from_outside_is_not_taken(world: World) -> None:
    """A certificate that the attribute does not name is as good as none."""
    imposter = forge.time_stamp_unit(world.root, serial=world.unit.certificate.serial_number)
    token = world.recipe.but(certificates=()).token()
    found = world.validator.assess(token, at=NOW, data=type(world.data)(certificates=(imposter.der,)))
    assert (found.verdict, found.sub_indication) == (INDETERMINATE, SubIndication.NO_SIGNING_CERTIFICATE_FOUND)


def test_sha1_reference_alone_is_a_finding(world: World) -> None:
    """ESSCertID is read, and noted as weaker than RFC 5816 wants it."""
    found = assess(world, world.recipe.but(ess="v1").token())
    assert found.verdict is PASSED
    assert [finding.code for finding in found.findings] == ["ESS_CERT_ID_V1"]


def test_two_references_must_both_fit(world: World) -> None:
    """A good v2 reference does not excuse a v1 reference to another certificate."""
    assert assess(world, world.recipe.but(ess="both").token()).verdict is PASSED
    other = tsp.SigningCertificate({"certs": [{"cert_hash": b"\0" * 20}]})
    attribute = _attribute("signing_certificate", other)
    found = assess(world, world.recipe.but(ess="both", edit_attributes=forge.replaced_attribute(attribute)).token())
    assert (found.verdict, found.sub_indication) == (FAILED, CONSTRAINTS)


def test_indefinite_lengths_are_judged_in_definite_form(world: World) -> None:
    """BER lengths of the outer layers do not matter to the signature, and are noted."""
    token = _with_indefinite_outside(world.recipe.token())
    found = assess(world, token)
    assert found.verdict is PASSED, found.message
    assert "BER_LENGTHS" in [finding.code for finding in found.findings]


def _with_indefinite_outside(token: bytes) -> bytes:
    kind, content = ber.children(ber.element(token).contents)
    (signed,) = ber.children(content.contents)
    inner = b"\x30\x80" + signed.contents + b"\0\0"
    return b"\x30\x80" + kind.raw + b"\xa0\x80" + inner + b"\0\0" + b"\0\0"


def test_certificates_out_of_der_order_do_not_matter(world: World) -> None:
    """The certificate set is not signed and is never re-encoded."""
    chain = (world.root.certificate, world.unit.certificate)
    tokens = {world.recipe.but(certificates=order).token() for order in (chain, chain[::-1])}
    swapped = set()
    for token in tokens:
        first, second = (c.public_bytes(forge.DER) for c in chain)
        joined = first + second if first + second in token else second + first
        other = second + first if joined == first + second else first + second
        swapped.add(token.replace(joined, other))
    assert all(assess(world, token).verdict is PASSED for token in tokens | swapped)


def test_what_is_unusual_and_harmless_is_noted(world: World) -> None:
    """Accuracy, tsa name, CMS version and unsigned attributes are findings, not verdicts."""
    info = lambda i: _set("tsa", _directory_name("Somebody else"))(_set("accuracy", None)(i))  # noqa: E731
    token = world.recipe.but(edit_info=info, edit_signer=_with_unsigned, edit_signed_data=_set("version", "v4")).token()
    found = assess(world, token)
    assert found.verdict is PASSED, found.message
    assert {finding.code for finding in found.findings} == {
        "CMS_VERSION",
        "UNSIGNED_ATTRIBUTES",
        "NO_ACCURACY",
        "TSA_NAME",
    }


def _directory_name(common: str) -> Any:
    from asn1crypto import x509 as asn1_x509

    return asn1_x509.GeneralName("directory_name", asn1_x509.Name.build({"common_name": common}))


def _with_unsigned(signer: cms.SignerInfo) -> cms.SignerInfo:
    signer["unsigned_attrs"] = [_attribute("message_digest", b"\0" * 32)]
    return signer


@pytest.mark.parametrize("imprint", ["sha256", "sha384", "sha512", "sha3-256", "sha3-512"])
def test_imprints_of_all_good_algorithms_are_read(world: World, imprint: str) -> None:
    """The imprint's algorithm is independent of the signature's."""
    digest = Digest.of(imprint, b"x")
    assert assess(world, world.recipe.but(imprint=digest).token()).imprint == digest


def test_fractions_of_genTime_are_kept_to_the_microsecond(world: World) -> None:
    """RFC 3161 2.4.2 allows fractions; two stamps in one second can be told apart."""
    when = NOW + timedelta(microseconds=123400)
    assert assess(world, world.recipe.but(gen_time=when).token()).gen_time == when


def test_the_extended_key_usage_identifier_is_the_registered_one() -> None:
    """id-kp-timeStamping as RFC 3161 2.3 writes it."""
    assert x509.ObjectIdentifier("1.3.6.1.5.5.7.3.8") == ExtendedKeyUsageOID.TIME_STAMPING
