"""CAdES and bare CMS: what holds is said to hold, and whatever was touched is not."""

from __future__ import annotations

from base64 import encodebytes

import pytest
from asn1crypto import cms
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_core.findings import SubIndication, Verdict
from signing import ber
from signing.examination.cms_reading import parse_signed_data
from signing.examination.cms_values import OID_COUNTER_SIGNATURE, OID_SIGNATURE_STAMP
from signing.examination.mathematics import OID_CONTENT_TYPE
from signing.examination.values import Coverage, DocumentFormat, Level, SignatureFormat
from signing.waiting import completed
from tests.unit.signing.examination.signing_world import (
    World,
    flipped,
    token_of,
    with_signers,
    with_unsigned,
)

CONTENT = b"the content that was signed"


def test_an_attached_signature_is_good_where_its_anchor_is_trusted(world: World) -> None:
    """Format, level, signer and coverage stand beside the verdict."""
    (found,) = world.examined(world.cms(CONTENT)).signatures

    assert (found.verdict, found.sub_indication) == (Verdict.PASSED, None)
    assert (found.format, found.level, found.coverage) == (SignatureFormat.CADES, Level.B, Coverage.WHOLE)
    assert found.signature_intact
    assert found.references_found
    assert found.test_trust
    assert found.signer is not None
    assert "TEST seal" in found.signer.name


def test_without_trust_it_is_undecided_and_still_intact(world: World) -> None:
    """Trust and mathematics are two answers."""
    (found,) = world.examined(world.cms(CONTENT), trusted=False).signatures

    assert (found.verdict, found.sub_indication) == (
        Verdict.INDETERMINATE,
        SubIndication.NO_CERTIFICATE_CHAIN_FOUND,
    )
    assert found.signature_intact


def test_a_detached_signature_needs_its_data(world: World) -> None:
    """Absent data is INDETERMINATE, other data is FAILED, the right one among several is found."""
    signature = world.cms(CONTENT, detached=True, stamped=True)
    (absent,) = world.examined(signature).signatures
    (other,) = world.examined(signature, CONTENT + b"!").signatures
    (right,) = world.examined(signature, b"something else", CONTENT).signatures

    assert (absent.verdict, absent.sub_indication) == (Verdict.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND)
    assert not absent.references_found
    assert not absent.signature_intact
    assert (other.verdict, other.sub_indication) == (Verdict.FAILED, SubIndication.HASH_FAILURE)
    assert (right.verdict, right.level, right.covers) == (Verdict.PASSED, Level.T, ("data 2",))
    assert right.proven_time is not None


@pytest.fixture(scope="module")
def message(world: World) -> bytes:
    """An attached signature, made once."""
    return world.cms(CONTENT)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=25)
def test_one_bit_of_the_content_breaks_it(world: World, message: bytes, place: float, bit: int) -> None:
    """Wherever it is."""
    begin = message.index(CONTENT)
    examined = world.examined(flipped(message, begin + int(place * len(CONTENT)), bit))

    assert [one.verdict for one in examined.signatures] == [Verdict.FAILED]
    assert not any(one.signature_intact for one in examined.signatures)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=60)
def test_one_bit_anywhere_never_makes_it_better(world: World, message: bytes, place: float, bit: int) -> None:
    """Some bits sign nothing (a certificate that is not needed); none turns other content into signed content."""
    examined = world.examined(flipped(message, int(place * len(message)), bit), trusted=False)

    assert examined.verdict is not Verdict.PASSED
    for one in examined.signatures:
        assert one.verdict is not Verdict.PASSED
    assert all(finding.code != "EXAMINER_FAULT" for finding in examined.findings)


def test_a_copied_time_stamp_proves_nothing(world: World, message: bytes) -> None:
    """A token over another signature is FAILED, and gives no proven time."""
    foreign = token_of(world.cms(b"another document", stamped=True))
    (found,) = world.examined(with_unsigned(message, OID_SIGNATURE_STAMP, [foreign])).signatures

    (stamp,) = found.timestamps
    assert (stamp.verdict, stamp.sub_indication) == (Verdict.FAILED, SubIndication.HASH_FAILURE)
    assert stamp.signature_intact
    assert not stamp.references_intact
    assert found.proven_time is None


def test_each_signer_is_one_signature(world: World, message: bytes) -> None:
    """Two signers, of whom one signed something else."""
    signers = [parse_signed_data(one).signers[0].raw for one in (message, world.cms(b"something else"))]
    examined = world.examined(with_signers(message, signers))

    assert [one.verdict for one in examined.signatures] == [Verdict.PASSED, Verdict.FAILED]
    assert examined.verdict is Verdict.FAILED


def test_a_counter_signature_is_over_the_value_of_another(world: World, message: bytes) -> None:
    """It names its parent; over another value it is FAILED and the parent is not."""
    counters = [_counter(world, value) for value in (parse_signed_data(message).signers[0].signature, b"another")]
    examined = world.examined(with_unsigned(message, OID_COUNTER_SIGNATURE, counters))

    parent, good, bad = examined.signatures
    assert (parent.verdict, parent.parent) == (Verdict.PASSED, "")
    assert (good.verdict, bad.verdict) == (Verdict.PASSED, Verdict.FAILED)
    assert {good.parent, bad.parent} == {parent.id}


def test_a_counter_signature_states_no_content_type(world: World, message: bytes) -> None:
    """RFC 5652 11.4: with one, it is an ordinary signature that was moved here."""
    value = parse_signed_data(message).signers[0].signature
    moved = parse_signed_data(world.cms(value)).signers[0].raw
    _, counter = world.examined(with_unsigned(message, OID_COUNTER_SIGNATURE, [moved])).signatures

    assert (counter.verdict, counter.sub_indication) == (Verdict.FAILED, SubIndication.FORMAT_FAILURE)
    assert not counter.signature_intact


def _counter(world: World, value: bytes) -> bytes:
    """A SignerInfo over a value, without a content type (RFC 5652 11.4)."""
    signer = parse_signed_data(world.cms(value, detached=True)).signers[0]
    attributes = b"".join(sorted(one.raw for one in signer.signed if one.oid != OID_CONTENT_TYPE))
    signature = completed(world.signer().async_sign_raw(ber.tagged(0x31, attributes), "sha512"))
    fields = [*signer.fields[:3], ber.tagged(0xA0, attributes), signer.fields[4], ber.tagged(0x04, signature)]
    return ber.tagged(0x30, b"".join(fields))


def test_the_signing_certificate_attribute_must_name_the_signer(world: World) -> None:
    """The same key under another certificate than the one that was signed is not identified."""
    other = World.made(world.local.directory.parent / "elsewhere")
    message = cms.ContentInfo.load(world.cms(CONTENT))
    message["content"]["certificates"] = cms.ContentInfo.load(other.cms(CONTENT))["content"]["certificates"]
    (found,) = world.examined(message.dump(force=True)).signatures

    assert found.sub_indication is SubIndication.NO_SIGNING_CERTIFICATE_FOUND
    assert found.value_intact is None
    assert not found.signature_intact


@pytest.mark.parametrize("wrapped", ["pem", "base64", "padded"])
def test_how_it_is_wrapped_does_not_matter(world: World, wrapped: str) -> None:
    """PEM armour, bare base64 and zero octets behind it are not signed."""
    message = world.cms(CONTENT)
    octets = {
        "pem": b"-----BEGIN PKCS7-----\n" + encodebytes(message) + b"-----END PKCS7-----\n",
        "base64": encodebytes(message),
        "padded": message + b"\0" * 40,
    }[wrapped]

    assert world.examined(octets).verdict is Verdict.PASSED


def test_what_follows_is_told(world: World) -> None:
    """Octets after the SignedData belong to nobody."""
    (found,) = world.examined(world.cms(CONTENT) + b"more").signatures

    assert "TRAILING_OCTETS" in [finding.code for finding in found.findings]


def test_a_token_alone_is_a_time_stamp_and_no_signature(world: World) -> None:
    """Over the right data PASSED, over other FAILED, over none INDETERMINATE."""
    message = world.cms(CONTENT, detached=True, stamped=True)
    value = cms.ContentInfo.load(message)["content"]["signer_infos"][0]["signature"].native
    token = token_of(message)
    verdicts = [world.examined(token, *data).verdict for data in ((value,), (b"other",), ())]

    assert verdicts == [Verdict.PASSED, Verdict.FAILED, Verdict.INDETERMINATE]
    assert world.examined(token).signatures == ()
    assert world.examined(token).format is DocumentFormat.TIMESTAMP


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"0",
        b"\x30\x80",
        b"\x30\x82\xff\xff" + bytes(40),
        bytes.fromhex("300b06092a864886f70d010702"),
        bytes.fromhex("300f06092a864886f70d010703a0020500"),
        b"plain text",
        b"\x30\x80" * 5000,
    ],
    ids=["empty", "one octet", "open", "cut", "no content", "enveloped data", "text", "deep"],
)
def test_what_holds_no_signature_is_not_examined_by_name(world: World, octets: bytes) -> None:
    """Never an error, never a verdict that could pass for good."""
    examined = world.examined(octets)

    assert not examined.examined
    assert examined.reason.startswith("not examined")
    assert examined.verdict is Verdict.INDETERMINATE
    assert examined.signatures == ()
