"""A published list of algorithms is believed for its signer, and for what was signed."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from archive_core.errors import SettingsError
from policies import PolicyError
from signing.list_signature import verify_list_signature
from tests.unit.policies.suitability_lists import LIST

DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM


@cache
def signer(name: str, start: int = 2025, end: int = 2030) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP384R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(5).not_valid_before(datetime(start, 1, 1, tzinfo=UTC))
    return key, builder.not_valid_after(datetime(end, 1, 1, tzinfo=UTC)).sign(key, hashes.SHA512())


def der(name: str, *years: int) -> bytes:
    return signer(name, *years)[1].public_bytes(DER)


def signed(name: str, *years: int) -> bytes:
    key, certificate = signer(name, *years)
    pem = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    made = XMLSigner(signature_algorithm=SignatureMethod.ECDSA_SHA384, digest_algorithm=DigestAlgorithm.SHA512).sign(
        etree.fromstring(LIST.encode()), key=pem, cert=[certificate]
    )
    return etree.tostring(made)


def test_a_list_signed_by_a_named_signer_is_believed() -> None:
    """Whichever of the named ones it was."""
    verify_list_signature(signed("publisher"), [der("somebody"), der("publisher")])


def test_a_list_signed_by_somebody_else_is_refused() -> None:
    """The certificate inside the list is nobody's word."""
    with pytest.raises(SettingsError, match="not signed by any"):
        verify_list_signature(signed("stranger"), [der("publisher")])


def test_a_signer_must_be_named() -> None:
    """A signature that nobody is expected to have made says nothing."""
    with pytest.raises(SettingsError, match="no signer"):
        verify_list_signature(signed("publisher"), [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"2029-01-01+01:00", b"2059-01-01+01:00"),
        (b"<d:Min>3000</d:Min>", b"<d:Min>1000</d:Min>"),
        (b"SHA512", b"SHA513"),
    ],
)
def test_a_changed_list_is_refused(old: bytes, new: bytes) -> None:
    """A date, a bound or a name."""
    source = signed("publisher")
    assert old in source
    with pytest.raises(SettingsError, match="not signed by any"):
        verify_list_signature(source.replace(old, new, 1), [der("publisher")])


def test_a_changed_signature_value_is_refused() -> None:
    """One character of it."""
    source = signed("publisher")
    place = source.index(b"SignatureValue>") + len(b"SignatureValue>") + 8
    changed = source[:place] + (b"A" if source[place : place + 1] != b"A" else b"B") + source[place + 1 :]
    with pytest.raises(SettingsError, match="not signed by any"):
        verify_list_signature(changed, [der("publisher")])


def test_an_unsigned_list_is_refused() -> None:
    """Where a signature is asked about, its absence is not one."""
    with pytest.raises(SettingsError, match="not signed by any"):
        verify_list_signature(LIST.encode(), [der("publisher")])


@pytest.mark.parametrize("years", [(2020, 2025), (2027, 2030)])
def test_the_signer_must_have_been_valid_when_the_list_was_issued(years: tuple[int, int]) -> None:
    """Ended before, or begun after."""
    with pytest.raises(SettingsError, match="not signed by any"):
        verify_list_signature(signed("publisher", *years), [der("publisher", *years)])


def test_a_signed_list_inside_another_is_not_that_other_list() -> None:
    """Signature wrapping: the signature must stand directly below the list that is used."""
    inner = signed("publisher").decode().partition("?>")[2] or signed("publisher").decode()
    outer = LIST.replace("2029-01-01+01:00", "2059-01-01+01:00").replace(
        "</d:SecuritySuitabilityPolicy>", f"<x:o xmlns:x='urn:x'>{inner}</x:o></d:SecuritySuitabilityPolicy>"
    )
    with pytest.raises(SettingsError, match="not signed by any"):
        verify_list_signature(outer.encode(), [der("publisher")])


def test_a_document_type_declaration_is_refused_here_too() -> None:
    """Before anything else looks at it."""
    with pytest.raises(PolicyError, match="document type"):
        verify_list_signature(signed("publisher").replace(b"<d:Sec", b"<!DOCTYPE p><d:Sec", 1), [der("publisher")])
