"""XML signatures made here by another canonicaliser, then wrapped, changed, moved and weakened."""

from __future__ import annotations

import base64
import copy
from collections.abc import Sequence

import pytest
from lxml import etree

from archive_core.findings import SubIndication, Verdict
from archive_core.ports import ValidationData
from policies import current_algorithms
from signing.examination.documents import Document
from signing.examination.registry import examine
from signing.examination.trust import ExaminationTrust
from signing.examination.values import Coverage, Examination, Level, SignatureFormat
from tests.unit.signing import forge
from tests.unit.signing.forge import NOW, YEAR, Identity
from tests.unit.signing.xml_forge import DS, EXCLUSIVE, XADES, Wanted, XmlRecipe, canonical, hashed, stamp

ROOT = forge.authority()
SIGNER = forge.issued("Jana Nováková", ROOT, extensions=[(forge.key_usage(), True)])
OTHER = forge.issued("Somebody else", ROOT, extensions=[(forge.key_usage(), True)])
RECIPE = XmlRecipe(SIGNER)


def examined(octets: bytes, *detached: tuple[str, bytes], anchors: Sequence[Identity] = ()) -> Examination:
    trust = ExaminationTrust(
        [one.der for one in anchors],
        algorithms=current_algorithms(),
        extra=ValidationData(crls=(forge.crl(ROOT),)) if anchors else None,
    )
    data = [Document(name, content) for name, content in detached]
    found = examine(Document("letter.xml", octets), detached=data, trust=trust, at=NOW)
    assert not [one for one in found.findings if one.code == "EXAMINER_FAULT"]
    return found


def only(octets: bytes, *detached: tuple[str, bytes]) -> tuple[bool, bool, Verdict, SubIndication | None]:
    (signature,) = examined(octets, *detached).signatures
    return signature.signature_intact, signature.references_intact, signature.verdict, signature.sub_indication


GOOD = (True, True, Verdict.INDETERMINATE, SubIndication.NO_CERTIFICATE_CHAIN_FOUND)


def test_an_enveloped_signature_says_who_signed_what_and_when() -> None:
    """Everything a report needs is in one good signature."""
    (signature,) = examined(RECIPE.document()).signatures
    assert (signature.format, signature.level) == (SignatureFormat.XADES, Level.B)
    assert signature.signer is not None
    assert signature.signer.name == "Jana Nováková"
    assert signature.claimed_time == NOW.replace(microsecond=0)
    assert signature.coverage is Coverage.WHOLE
    assert signature.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND
    assert signature.signature_intact


def test_a_trusted_signature_passes() -> None:
    """With the root as an anchor and a fresh revocation list nothing is left to ask."""
    (signature,) = examined(RECIPE.document(), anchors=[ROOT]).signatures
    assert (signature.verdict, signature.message) == (Verdict.PASSED, "intact, and trusted")


@pytest.mark.parametrize("mode", ["enveloping", "detached"])
def test_other_shapes_are_found(mode: str) -> None:
    """Enveloping and detached signatures are as good, the latter with the data at hand."""
    recipe = RECIPE.but(mode=mode, outside={"a letter.txt": b"Good day"})
    data = [("a letter.txt", b"Good day")] if mode == "detached" else []
    assert only(recipe.document(), *data) == GOOD


@pytest.mark.parametrize(
    ("kind", "digest", "method"),
    [
        ("rsa2048", "sha256", ""),
        ("rsa2048", "sha512", "http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1"),
        ("p256", "sha3-256", ""),
        ("p521", "sha512", ""),
        ("brainpoolP384r1", "sha384", ""),
        ("ed25519", "sha512", ""),
        ("ed448", "sha3-512", ""),
    ],
)
def test_each_family_of_algorithms_is_judged(kind: str, digest: str, method: str) -> None:
    """RSA, RSA-PSS, ECDSA and EdDSA with SHA-2 and SHA-3 fit, and do not when one bit of the value is changed."""
    signer = forge.issued("Algorithms", ROOT, key=forge.new_key(kind))
    document = RECIPE.but(signer=signer, digest=digest, method=method).document()
    assert only(document) == GOOD
    root = etree.fromstring(document)
    value = next(root.iter(f"{{{DS}}}SignatureValue"))
    octets = bytearray(base64.b64decode(value.text or ""))
    octets[-1] ^= 1
    value.text = base64.b64encode(octets).decode()
    assert only(etree.tostring(root))[2:] == (Verdict.FAILED, SubIndication.SIG_CRYPTO_FAILURE)


def test_a_changed_word_is_a_hash_failure() -> None:
    """The document is the signed one or it is not."""
    document = RECIPE.document().replace(b"Good day", b"Bad day!")
    assert only(document) == (False, False, Verdict.FAILED, SubIndication.HASH_FAILURE)


def test_detached_data_that_are_absent_are_missing_and_changed_ones_fail() -> None:
    """Not found is INDETERMINATE, found and different is FAILED, whatever the file is called."""
    document = RECIPE.but(mode="detached", outside={"letter.txt": b"Good day"}).document()
    assert only(document)[2:] == (Verdict.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND)
    assert only(document, ("renamed.txt", b"Good day")) == GOOD
    assert only(document, ("letter.txt", b"Bad day"))[2:] == (Verdict.FAILED, SubIndication.HASH_FAILURE)


def test_of_two_data_each_is_found_by_name_or_digest() -> None:
    """Names decide first; data that go by another name are known by their digest; what is left is missing."""
    document = RECIPE.but(mode="detached", outside={"a": b"one", "b": b"two"}).document()
    assert only(document, ("b", b"two"), ("renamed", b"one")) == GOOD
    assert only(document, ("a", b"two"), ("b", b"one"))[2:] == (Verdict.FAILED, SubIndication.HASH_FAILURE)
    assert only(document, ("a", b"one"), ("c", b"?"))[3] is SubIndication.SIGNED_DATA_NOT_FOUND


def test_weak_algorithms_are_named_whether_anybody_is_trusted_or_not() -> None:
    """SHA-1 is intact mathematically, and said to be unsuitable."""
    signer = forge.issued("Old", ROOT, key=forge.new_key("rsa2048"), extensions=[(forge.key_usage(), True)])
    (found,) = examined(RECIPE.but(signer=signer, digest="sha1").document()).signatures
    assert found.signature_intact
    assert any(one.code == "WEAK_ALGORITHM" and one.message.startswith("sha1: ") for one in found.findings)
    assert not [one for one in examined(RECIPE.document()).signatures[0].findings if one.code == "WEAK_ALGORITHM"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"http://www.w3.org/2001/04/xmlenc#sha256", b"http://www.w3.org/2001/04/xmldsig-more#md5"),
        (b"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", b"http://www.w3.org/2000/09/xmldsig#hmac-sha1"),
        (b"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", b"urn:none"),
        (b"http://www.w3.org/2001/10/xml-exc-c14n#", b"urn:none"),
    ],
)
def test_algorithms_that_are_not_known_are_never_good(before: bytes, after: bytes) -> None:
    """MD5, shared secrets, inventions: not intact, not PASSED, and named."""
    document = RECIPE.document()
    assert before in document
    found = only(document.replace(before, after))
    assert not found[0]
    assert found[2] is not Verdict.PASSED


# -- wrapping -----------------------------------------------------------------------------------


def test_an_identifier_that_occurs_twice_leads_nowhere() -> None:
    """The classic wrapping: the signed element is moved and a forged one takes its identifier."""
    root = etree.fromstring(b'<doc><part Id="p"><text>Good day</text></part></doc>')
    octets = canonical(root[0])
    recipe = RECIPE.but(mode="detached", more=[Wanted("#p", octets, (EXCLUSIVE,))])
    signature = recipe.sign(root)
    root.append(signature)
    assert only(etree.tostring(root)) == GOOD
    forged = copy.deepcopy(root[0])
    forged[0].text = "Pay 1,000,000"
    holder = etree.SubElement(root, "holder")
    holder.append(root[0])
    root.insert(0, forged)
    (signature_,) = examined(etree.tostring(root)).signatures
    assert signature_.sub_indication is SubIndication.SIGNED_DATA_NOT_FOUND
    assert "DUPLICATE_ID" in {one.code for one in signature_.findings}


def test_signed_properties_of_somebody_else_do_not_count() -> None:
    """The signed properties are moved aside and others take their place: neither is believed."""
    root = etree.fromstring(RECIPE.document())
    signature = next(root.iter(f"{{{DS}}}Signature"))
    true = next(root.iter(f"{{{XADES}}}SignedProperties"))
    false = copy.deepcopy(true)
    false.set("Id", "other")
    next(false.iter(f"{{{XADES}}}SigningTime")).text = "2001-01-01T00:00:00Z"
    parent = true.getparent()
    assert parent is not None
    parent.replace(true, false)
    etree.SubElement(signature, f"{{{DS}}}Object").append(true)
    (found,) = examined(etree.tostring(root)).signatures
    assert found.verdict is Verdict.INDETERMINATE
    assert found.sub_indication is SubIndication.SIGNED_DATA_NOT_FOUND
    assert found.claimed_time is None
    assert found.level is Level.NONE


def test_properties_that_nothing_signs_prove_nothing() -> None:
    """Without a reference to them, signing time and signer's certificate are mere claims."""
    root = etree.fromstring(RECIPE.but(properties=False).document())
    signed = etree.fromstring(RECIPE.document())
    signature = next(root.iter(f"{{{DS}}}Signature"))
    qualifying = next(signed.iter(f"{{{XADES}}}QualifyingProperties"))
    etree.SubElement(signature, f"{{{DS}}}Object").append(qualifying)
    (found,) = examined(etree.tostring(root)).signatures
    assert found.signature_intact
    assert found.level is Level.NONE
    assert found.claimed_time is None
    assert "SIGNED_PROPERTIES_NOT_COVERED" in {one.code for one in found.findings}


def test_a_certificate_that_the_signature_does_not_name_is_no_signer() -> None:
    """The value fits the key, but the signed properties name another certificate."""
    document = RECIPE.but(named=OTHER).document()
    assert only(document) == (True, True, Verdict.INDETERMINATE, SubIndication.NO_SIGNING_CERTIFICATE_FOUND)


def test_another_certificate_in_key_info_does_not_fit() -> None:
    """The signer's certificate was exchanged."""
    assert only(RECIPE.but(named=OTHER, key_info=[OTHER]).document())[2:] == (
        Verdict.FAILED,
        SubIndication.SIG_CRYPTO_FAILURE,
    )


def test_a_signature_without_its_certificate_is_undecided() -> None:
    """Nothing inside says whose key it is."""
    found = only(RECIPE.but(key_info=[]).document())
    assert (found[0], *found[2:]) == (False, Verdict.INDETERMINATE, SubIndication.NO_SIGNING_CERTIFICATE_FOUND)


def test_two_signed_infos_are_refused() -> None:
    """Which of them is signed is not a question that gets an answer."""
    root = etree.fromstring(RECIPE.document())
    info = next(root.iter(f"{{{DS}}}SignedInfo"))
    info.addnext(copy.deepcopy(info))
    assert only(etree.tostring(root))[2:] == (Verdict.FAILED, SubIndication.FORMAT_FAILURE)


@pytest.mark.parametrize("place", [0, 1, 5])
def test_strange_elements_in_a_signature_are_refused(place: int) -> None:
    """A wrapper between the parts hides what wrapping needs: the schema knows none."""
    root = etree.fromstring(RECIPE.document())
    signature = next(root.iter(f"{{{DS}}}Signature"))
    signature.insert(place, etree.Element("wrapper"))
    assert only(etree.tostring(root))[2:] == (Verdict.FAILED, SubIndication.FORMAT_FAILURE)


def test_a_signature_over_its_own_properties_alone_signs_nothing() -> None:
    """It is intact, and there are no data."""
    found = only(RECIPE.but(mode="detached", outside={}).document())
    assert found == (True, False, Verdict.INDETERMINATE, SubIndication.SIGNED_DATA_NOT_FOUND)


# -- transforms ---------------------------------------------------------------------------------


def _with_transform(identifier: str, inner: bytes = b"") -> bytes:
    root = etree.fromstring(RECIPE.document())
    steps = next(root.iter(f"{{{DS}}}Transforms"))
    step = etree.SubElement(steps, f"{{{DS}}}Transform", Algorithm=identifier)
    if inner:
        step.append(etree.fromstring(inner))
    return etree.tostring(root)


def test_xslt_is_never_run() -> None:
    """A stylesheet is a program: it is named, and the reference is not judged."""
    sheet = b'<s:stylesheet xmlns:s="http://www.w3.org/1999/XSL/Transform" version="1.0"/>'
    document = _with_transform("http://www.w3.org/TR/1999/REC-xslt-19991116", sheet)
    (found,) = examined(document).signatures
    assert not found.signature_intact
    assert any("XSLT" in one.message for one in found.findings)


@pytest.mark.parametrize("expression", ["//*[", "unknown-function()", "x" * 5000, "count(//*)="])
def test_a_broken_xpath_is_no_match(expression: str) -> None:
    """What cannot be evaluated digests nothing."""
    inner = etree.tostring(etree.fromstring(f'<x:XPath xmlns:x="{DS}">a</x:XPath>'))
    element = etree.fromstring(inner)
    element.text = expression
    document = _with_transform("http://www.w3.org/TR/1999/REC-xpath-19991116", etree.tostring(element))
    assert not examined(document).signatures[0].references_intact


def test_a_filter_that_leaves_out_a_part_does_not_cover_the_whole() -> None:
    """An XPath that hides an element signs less than the document, and the report says so."""
    root = etree.fromstring(b"<doc><good>Good day</good><hidden/></doc>")
    octets = canonical(etree.fromstring(b"<doc><good>Good day</good></doc>"))
    signature = RECIPE.but(mode="detached").sign(root)
    info = next(signature.iter(f"{{{DS}}}SignedInfo"))
    xpath = "<ds:XPath>not(ancestor-or-self::hidden) and not(ancestor-or-self::ds:Signature)</ds:XPath>"
    reference = etree.fromstring(
        f'<ds:Reference xmlns:ds="{DS}" URI=""><ds:Transforms>'
        f'<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116">{xpath}</ds:Transform>'
        f'<ds:Transform Algorithm="{EXCLUSIVE}"/></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
        f"<ds:DigestValue>{base64.b64encode(hashed('sha256', octets)).decode()}</ds:DigestValue></ds:Reference>"
    )
    info.append(reference)
    root.append(signature)
    (found,) = examined(etree.tostring(root)).signatures
    checked = {one.name: one.intact for one in found.references}
    assert checked["(the document)"] is True
    assert found.coverage is Coverage.PART


@pytest.mark.parametrize(
    ("identifier", "expression", "coverage"),
    [
        ("REC-xpath-19991116", "<ds:XPath>not(ancestor-or-self::ds:Signature)</ds:XPath>", Coverage.WHOLE),
        (
            "filter2",
            '<x:XPath xmlns:x="http://www.w3.org/2002/06/xmldsig-filter2" Filter="subtract">'
            "/descendant::ds:Signature</x:XPath>",
            Coverage.WHOLE,
        ),
        ("REC-xpath-19991116", "<ds:XPath>not(ancestor-or-self::Signature)</ds:XPath>", Coverage.PART),
        (
            "filter2",
            '<x:XPath xmlns:x="http://www.w3.org/2002/06/xmldsig-filter2" Filter="intersect">/doc/good</x:XPath>',
            Coverage.PART,
        ),
    ],
)
def test_the_usual_filters_leave_the_whole_document(identifier: str, expression: str, coverage: Coverage) -> None:
    """Filters that take away signatures alone, and others that look like them; each digests what it should."""
    spaces = {"filter2": "http://www.w3.org/2002/06/xmldsig-filter2"}
    algorithm = spaces.get(identifier, f"http://www.w3.org/TR/1999/{identifier}")
    whole = identifier != "filter2" or coverage is Coverage.WHOLE
    inside = etree.fromstring(b"<doc><good>Good day</good></doc>")
    signature = RECIPE.but(mode="detached").sign(inside)
    octets = canonical(inside) if whole else canonical(inside[0])
    if coverage is Coverage.PART and whole:
        octets = b"what was never signed"
    digest = base64.b64encode(hashed("sha256", octets)).decode()
    reference = etree.fromstring(
        f'<ds:Reference xmlns:ds="{DS}" URI=""><ds:Transforms><ds:Transform Algorithm="{algorithm}">{expression}'
        f'</ds:Transform><ds:Transform Algorithm="{EXCLUSIVE}"/></ds:Transforms>'
        f'<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
        f"<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>"
    )
    next(signature.iter(f"{{{DS}}}SignedInfo")).append(reference)
    inside.append(signature)
    (found,) = examined(etree.tostring(inside)).signatures
    checked = {one.name: one.intact for one in found.references}
    assert checked["(the document)"] is (octets != b"what was never signed")
    if checked["(the document)"]:
        assert found.coverage is coverage


# -- what cannot be read ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets",
    [
        b'<!DOCTYPE a [<!ENTITY b "x">]><a>&b;</a>',
        b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://example.invalid/a.dtd"><a/>',
        b"<a><b></a>",
        b"<a>" * 400 + b"</a>" * 400,
        b"<a/><b/>",
        b"<",
    ],
)
def test_xml_that_is_not_read_is_not_examined_and_says_why(octets: bytes) -> None:
    """Entities, broken nesting, depth: never an empty list that could pass for "no signatures"."""
    found = examined(octets)
    assert not found.examined
    assert found.reason.startswith("not examined: ")
    assert found.verdict is Verdict.INDETERMINATE


def test_xml_without_a_signature_is_examined_and_has_none() -> None:
    """An ordinary document."""
    found = examined(b"<letter/>")
    assert (found.examined, found.signatures, found.verdict) == (True, (), None)


# -- time-stamps and counter-signatures ---------------------------------------------------------

UNIT = forge.time_stamp_unit(ROOT)


def _stamped(**edits: object) -> bytes:
    root = etree.fromstring(RECIPE.document())
    stamp(root, UNIT, **edits)  # type: ignore[arg-type]
    return etree.tostring(root)


def test_a_time_stamp_over_the_value_fits_and_makes_level_t() -> None:
    """Its imprint is over the canonical SignatureValue."""
    (found,) = examined(_stamped(), anchors=[ROOT]).signatures
    (one,) = found.timestamps
    assert (one.references_intact, one.signature_intact, one.verdict) == (True, True, Verdict.PASSED)
    assert found.level is Level.T
    assert found.proven_time == NOW


def test_a_time_stamp_of_another_signature_proves_nothing() -> None:
    """The same token beside another signature value is a hash failure and no proof."""
    token = next(etree.fromstring(_stamped()).iter(f"{{{XADES}}}EncapsulatedTimeStamp")).text
    root = etree.fromstring(_stamped())
    next(root.iter(f"{{{XADES}}}EncapsulatedTimeStamp")).text = token
    (found,) = examined(etree.tostring(root), anchors=[ROOT]).signatures
    (one,) = found.timestamps
    assert (one.references_found, one.references_intact, one.sub_indication) == (
        True,
        False,
        SubIndication.HASH_FAILURE,
    )
    assert found.proven_time is None


def test_a_signature_older_than_its_certificate_fails() -> None:
    """A good time-stamp before the certificate began contradicts it."""
    late = forge.issued("Late", ROOT, start=NOW - YEAR / 12, extensions=[(forge.key_usage(), True)])
    root = etree.fromstring(RECIPE.but(signer=late).document())
    stamp(root, UNIT, at=NOW - YEAR / 2)
    (found,) = examined(etree.tostring(root), anchors=[ROOT]).signatures
    assert (found.verdict, found.sub_indication) == (Verdict.FAILED, SubIndication.NOT_YET_VALID)


def _countersigned(value: str) -> bytes:
    root = etree.fromstring(RECIPE.document())
    stamp(root, UNIT)
    holder = next(root.iter(f"{{{XADES}}}UnsignedSignatureProperties"))
    counter = etree.SubElement(holder, f"{{{XADES}}}CounterSignature")
    octets = canonical(next(root.iter(f"{{{DS}}}{value}")))
    made = RECIPE.but(
        signer=OTHER, mode="detached", properties=False, more=[Wanted(f"#{value}", octets, (EXCLUSIVE,))]
    ).sign(root)
    made.set("Id", "counter")
    del made.find(f"{{{DS}}}SignatureValue").attrib["Id"]  # type: ignore[union-attr]
    next(root.iter(f"{{{DS}}}{value}")).set("Id", value)
    counter.append(made)
    return etree.tostring(root)


def test_a_counter_signature_names_its_parent() -> None:
    """It must be over the very value that it stands beside."""
    root = etree.fromstring(RECIPE.document())
    next(root.iter(f"{{{DS}}}SignatureValue")).set("Id", "SignatureValue")
    first, second = examined(_countersigned("SignatureValue")).signatures
    assert second.parent == first.id
    assert {one.name: one.found for one in second.references}["countersigned value"]


def test_a_counter_signature_over_something_else_fails() -> None:
    """An injected counter-signature, good by itself, is not one of this signature."""
    _, second = examined(_countersigned("KeyInfo")).signatures
    assert (second.verdict, second.sub_indication) == (Verdict.FAILED, SubIndication.HASH_FAILURE)
