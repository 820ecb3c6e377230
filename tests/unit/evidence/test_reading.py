"""Reading octets: DER rules one by one, tokens, records, and the wrappings that records come in."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import core
from hypothesis import given
from hypothesis import strategies as st

from archive_core.errors import MalformedEvidenceError
from archive_core.evidence import der
from archive_core.evidence.loading import load_record
from archive_core.evidence.record import parse_record
from archive_core.evidence.token import parse_token
from archive_core.findings import Verdict
from tests.unit.evidence.stamping import START, SmallTsa
from tests.unit.evidence.story import Story, codes

# -- DER ----------------------------------------------------------------------------------------


@given(st.integers(-(2**200), 2**200))
def test_integers_read_as_another_encoder_writes_them(value: int) -> None:
    """X.690 8.3."""
    assert der.integer(der.read_only_element(core.Integer(value).dump())) == value


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"\xff\x80", b"\x00" * 33])
def test_integers_not_in_der_are_refused(content: bytes) -> None:
    """Empty, padded with zeros or ones, too long."""
    with pytest.raises(MalformedEvidenceError):
        der.integer(der.read_only_element(der.wrap(der.INTEGER, content)))


@given(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 2**40), max_size=6))
def test_object_identifiers_read_as_another_encoder_writes_them(first: int, second: int, rest: list[int]) -> None:
    """X.690 8.19."""
    dotted = ".".join(str(arc) for arc in (first, second, *rest))
    assert der.oid(der.read_only_element(core.ObjectIdentifier(dotted).dump())) == dotted


def test_object_identifiers_below_2_may_have_large_second_arcs() -> None:
    """2.999 is one subidentifier of two octets."""
    assert der.oid(der.read_only_element(b"\x06\x02\x88\x37")) == "2.999"


@pytest.mark.parametrize("content", [b"", b"\x2a\x86", b"\x80\x01", b"\x2a\x80\x01", b"\x2a" + b"\x81" * 64 + b"\x01"])
def test_object_identifiers_not_in_der_are_refused(content: bytes) -> None:
    """Empty, unfinished, padded, too long."""
    with pytest.raises(MalformedEvidenceError):
        der.oid(der.read_only_element(der.wrap(der.OID, content)))


@given(st.integers(0, 70_000))
def test_wrapping_and_reading_are_inverse(length: int) -> None:
    """At every size of the length field."""
    content = bytes(length)
    element = der.read_only_element(der.wrap(der.OCTET_STRING, content))
    assert (element.tag, element.content, len(element)) == (der.OCTET_STRING, content, length)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x30",
        b"\x30\x01",
        b"\x30\x80\x00\x00",
        b"\x30\x81\x01\x00",
        b"\x30\x82\x00\x80" + bytes(128),
        b"\x1f\x01\x00",
        b"\x30\x85\x00\x00\x00\x00\x00",
        b"\x30\x82\x01",
        b"\x30\x00\x00",
        b"\x30\x84\x7f\xff\xff\xff",
    ],
)
def test_what_is_not_one_der_element_is_refused(data: bytes) -> None:
    """Cut off, indefinite, longer than needed, tags above 30, rests."""
    with pytest.raises(MalformedEvidenceError):
        der.read_only_element(data)


def test_longer_lengths_are_read_where_others_encoded() -> None:
    """Inside a token a definite length need not be the shortest."""
    assert der.read_only_element(b"\x04\x81\x01\x07", minimal=False).content == b"\x07"


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_a_walk_ends_at_its_limits(extra: int) -> None:
    """Depth and number of elements, each exactly at its limit."""

    def walks(walk: Callable[[], None]) -> bool:
        try:
            walk()
        except MalformedEvidenceError:
            return False
        return True

    deep = b"\x05\x00"
    for _ in range(10 + extra):
        deep = der.wrap(der.SEQUENCE, deep)
    wide = der.wrap(der.SEQUENCE, b"\x05\x00" * (10 + extra))
    assert walks(lambda: der.check_walkable(der.read_only_element(deep), depth=10, elements=100)) == (extra <= 0)
    assert walks(lambda: der.check_walkable(der.read_only_element(wide), depth=10, elements=10)) == (extra <= 0)


# -- tokens -------------------------------------------------------------------------------------


@pytest.mark.parametrize("microseconds", [0, 1, 500_000, 999_999])
def test_a_token_tells_imprint_and_time(microseconds: int) -> None:
    """RFC 3161 2.4.2, fractions included."""
    at = START + timedelta(microseconds=microseconds)
    info = parse_token(SmallTsa().stamp("sha3-512", bytes(64), at, serial=2**150))
    assert (info.imprint_algorithm, info.imprint, info.gen_time) == ("sha3-512", bytes(64), at)
    assert (info.policy, info.serial_number) == ("1.2.3.4.1", 2**150)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"20261231235960Z", datetime(2027, 1, 1, tzinfo=UTC)),
        (b"20260101120000.1234567Z", START + timedelta(microseconds=123456)),
        (b"20260101120000", None),
        (b"20260101120000+0100", None),
        (b"2026010112Z", None),
        (b"20260101120000.Z", None),
        (b"20261301120000Z", None),
        (b"20260230120000Z", None),
        (b"00000101120000Z", None),
        (b"99991231235960Z", None),
        ("２０２６0101120000Z".encode(), None),
    ],
)
def test_gen_time_is_utc_to_the_second_with_a_fraction(text: bytes, expected: datetime | None) -> None:
    """Other forms of GeneralizedTime, and dates that do not exist, are refused."""
    token = SmallTsa().stamp("sha512", bytes(64), START)
    old = der.wrap(der.GENERALIZED_TIME, b"20260101120000Z")
    assert token.count(old) == 1
    changed = mend(token, old, der.wrap(der.GENERALIZED_TIME, text))
    if expected:
        assert parse_token(changed).gen_time == expected
    else:
        with pytest.raises(MalformedEvidenceError):
            parse_token(changed)


def mend(data: bytes, old: bytes, new: bytes) -> bytes:
    """DER with one element's octets replaced and the lengths of all that hold it mended."""
    element = der.read_only_element(data)
    offset = data.index(old)
    return _mended(element, offset, offset + len(old), new)


def _mended(element: der.Element, start: int, end: int, new: bytes) -> bytes:
    if (element.start, element.end) == (start, end):
        return new
    if not (element.start <= start and end <= element.end):
        return element.raw
    if element.tag == der.OCTET_STRING:
        inner = der.read_element(element.data, element.body, element.end)
        return der.wrap(element.tag, _mended(inner, start, end, new))
    parts = der.children(element, most=1000)
    return der.wrap(element.tag, *(_mended(part, start, end, new) for part in parts))


def without(data: bytes, old: bytes) -> bytes:
    return mend(data, old, b"")


def test_what_is_no_token_is_refused() -> None:
    """Another content type, a field missing, a field too many, a list that is no SignedData."""
    token = SmallTsa().stamp("sha512", bytes(64), START)
    assert mend(token, b"\x02\x01\x03", b"\x02\x01\x03") == token
    signed_data, tst_info = bytes.fromhex("06092a864886f70d010702"), bytes.fromhex("060b2a864886f70d0109100104")
    for changed in (
        mend(token, signed_data, bytes.fromhex("06092a864886f70d010701")),
        mend(token, tst_info, bytes.fromhex("060b2a864886f70d0109100105")),
        mend(token, tst_info, tst_info * 2),
        without(token, b"\x02\x01\x03"),
        mend(token, b"\x02\x01\x03", b"\x02\x01\x03\x02\x01\x03"),
        without(token, bytes.fromhex("06042a030401")),
        token + b"\0",
        token[:-1],
        b"",
    ):
        with pytest.raises(MalformedEvidenceError):
            parse_token(changed)


# -- records ------------------------------------------------------------------------------------


def record() -> bytes:
    return Story([b"a", b"b"]).stamp(others=2).der()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("020101", ""),
        ("020101", "0201010201 01"),
        ("020101", "02020001"),
        ("020101", "0c0131"),
        ("300d300b0609608648016503040203", "30 0f 300d 0609608648016503040203 0500"),
        ("300d300b0609608648016503040203", "3000"),
        ("300d300b0609608648016503040203", ""),
        ("300d300b0609608648016503040203", "300d310b0609608648016503040203"),
        ("300d300b0609608648016503040203", "30023000"),
    ],
)
def test_fields_of_a_record_are_those_of_the_module(old: str, new: str) -> None:
    """NULL parameters are read as none; a missing, repeated, padded or foreign field is refused; so is an algorithm
    without a name. An empty list of algorithms can be read, and fails when verified."""
    changed = mend(record(), bytes.fromhex(old), bytes.fromhex(new))
    if new.endswith("0500"):
        assert Story([b"a", b"b"]).assess(changed).verdict is Verdict.PASSED
    elif new == "3000":
        assert Story([b"a", b"b"]).assess(changed).verdict is Verdict.FAILED
    else:
        with pytest.raises(MalformedEvidenceError):
            parse_record(changed)


def test_a_refusal_says_where() -> None:
    """The offset of the element at fault."""
    with pytest.raises(MalformedEvidenceError, match=r"offset 4") as refusal:
        parse_record(der.wrap(der.SEQUENCE, bytes(200)[:0] + b"\x30\x00" + bytes(300)))
    assert refusal.value.facts["offset"] == 4


# -- wrappings ----------------------------------------------------------------------------------


def wrapped(text: str, prefix: str = "xaip:") -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{prefix}evidenceRecord xmlns:xaip="urn:x" AOID="1">\n'
        f" <{prefix}asn1EvidenceRecord>{text}</{prefix}asn1EvidenceRecord>\n</{prefix}evidenceRecord>\n"
    ).encode()


def test_der_is_taken_as_it_is() -> None:
    """Nothing to note."""
    loaded, findings = load_record(record())
    assert findings == ()
    assert loaded.version == 1


def test_base64_text_is_taken_with_a_finding() -> None:
    """In one line or in many."""
    whole = record()
    text = base64.b64encode(whole)
    for given_text in (text, text + b"\n", "\r\n".join(textwrap.wrap(text.decode(), 64)).encode()):
        loaded, findings = load_record(given_text)
        assert loaded.raw == whole
        assert [finding.code for finding in findings] == ["BASE64_WRAPPED"]
        assert codes(Story([b"a", b"b"]).assess(given_text)) == ["BASE64_WRAPPED"]


@pytest.mark.parametrize("prefix", ["xaip:", ""])
def test_the_tr_esor_element_is_taken_with_a_finding(prefix: str) -> None:
    """With or without a prefix, and with a byte order mark."""
    whole = record()
    document = wrapped(base64.b64encode(whole).decode(), prefix)
    for given_document in (document, b"\xef\xbb\xbf" + document):
        loaded, findings = load_record(given_document)
        assert loaded.raw == whole
        assert [finding.code for finding in findings] == ["XML_WRAPPED"]


@pytest.mark.parametrize(
    "data",
    [
        wrapped("AAAA").replace(b"evidenceRecord", b"other"),
        wrapped("AAAA").replace(b"?>", b'?><!DOCTYPE a [<!ENTITY e "x">]>'),
        wrapped("&e;"),
        wrapped("<b/>"),
        wrapped(""),
        wrapped("AAA"),
        wrapped("AAAA").replace(b"</xaip:asn1", b"</asn1"),
        wrapped("AAAA") + b"<more/>",
        b"-----BEGIN CMS-----\nAAAA\n-----END CMS-----",
        b"AAA",
        b"A=AA",
        b"   ",
        b"",
    ],
)
def test_a_wrapping_that_is_not_whole_is_refused(data: bytes) -> None:
    """Entities, other elements, half a base64 text, anything around."""
    with pytest.raises(MalformedEvidenceError):
        load_record(data)
