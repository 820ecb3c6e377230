"""Certificates are read once a thread, and names are compared as RFC 5280 asks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from asn1crypto import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing.certificates import load_certificate, same_name
from signing.lately import MOST_OCTETS, Lately
from tests.unit.signing import forge


@pytest.fixture
def der() -> bytes:
    """A certificate that no other test has met."""
    start = forge.NOW
    return forge.authority("met", start=start, end=start + forge.YEAR).certificate.public_bytes(Encoding.DER)


def test_a_certificate_that_was_met_is_not_read_again(der: bytes) -> None:
    """Within one thread; other octets are another certificate."""
    assert load_certificate(der) is load_certificate(bytes(bytearray(der)))


def test_threads_do_not_share_what_they_parse_on_demand(der: bytes) -> None:
    """Each has its own, with the same octets."""
    with ThreadPoolExecutor(1) as other:
        theirs = other.submit(load_certificate, der).result()

    assert theirs is not load_certificate(der)
    assert theirs.dump() == load_certificate(der).dump() == der


def test_what_is_remembered_is_bounded() -> None:
    """The one that was not met for longest goes; a large one never stays, and what was refused is refused again."""
    read: list[bytes] = []

    def reader(octets: bytes) -> bytes:
        read.append(octets)
        if octets == b"bad":
            raise ValueError("bad")
        return octets

    lately, large = Lately(reader, 2), bytes(MOST_OCTETS + 1)
    for octets in (b"one", b"two", b"one", b"three", b"one", b"two", large, large):
        assert lately(octets) == octets
    for _ in range(2):
        with pytest.raises(ValueError, match="bad"):
            lately(b"bad")

    assert read == [b"one", b"two", b"three", b"two", large, large, b"bad", b"bad"]


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_what_is_no_certificate_is_refused_each_time(der: bytes, cut: int) -> None:
    """Nothing that was refused is remembered as good."""
    for _ in range(2):
        with pytest.raises(ValueError, match="not a certificate that can be read"):
            load_certificate(der[:-cut])


def test_names_in_other_characters_and_letters_are_the_same() -> None:
    """PrintableString and UTF8String, capital and small letters (RFC 5280 7.1)."""
    first = x509.Name.build({"common_name": "Time Stamp Unit"})
    printable = x509.Name.build({"common_name": "time stamp  UNIT"}, use_printable=True)

    assert first.dump() != printable.dump()
    assert same_name(first, printable)


def test_a_name_in_a_context_of_its_own_is_the_same_octets(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a GeneralName holds it; nothing is prepared for comparison."""
    name = x509.Name.build({"common_name": "Time Stamp Unit"})
    general = x509.GeneralName.load(x509.GeneralName("directory_name", name).dump()).chosen
    monkeypatch.setattr(x509.Name, "__eq__", None)

    assert general.dump() != name.dump()
    assert same_name(general, name)


@pytest.mark.parametrize("other", ["Time Stamp Unit 2", "TimeStampUnit", ""])
def test_other_names_are_not_the_same(other: str) -> None:
    """Also where they begin alike."""
    assert not same_name(x509.Name.build({"common_name": "Time Stamp Unit"}), x509.Name.build({"common_name": other}))


def test_a_version_that_there_is_not_is_refused(der: bytes) -> None:
    """Other libraries do not read such a certificate either, and say so late."""
    third, seventh = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x06"
    assert third in der

    with pytest.raises(ValueError, match="its version is none"):
        load_certificate(der.replace(third, seventh, 1))


@pytest.mark.parametrize("value", [b"\x04\x03met", b"\x30\x03\x02\x01\x07", b"\x03\x03\x00et"])
def test_a_name_whose_value_is_not_text_is_refused_at_once(der: bytes, value: bytes) -> None:
    """Fuzzing found one that was taken as an anchor and stopped the building of paths afterwards."""
    text = b"\x06\x03\x55\x04\x03\x0c\x03met"
    assert text in der
    assert len(value) == 5

    with pytest.raises(ValueError, match="not a certificate that can be read"):
        load_certificate(der.replace(text, b"\x06\x03\x55\x04\x7f" + value))


def test_a_name_that_cannot_be_read_is_the_same_as_none() -> None:
    """A list names its issuer so that only a comparison reads it: one flipped bit there stopped an examination."""
    octets = x509.Name.build({"common_name": "met"}).dump()
    type_, text = b"\x06\x03\x55\x04\x03", b"\x0c\x03met"
    assert octets.count(type_ + text) == 1
    for broken in (octets.replace(type_, b"\x02\x03\x55\x04\x03"), octets.replace(text, b"\x04\x03met")):
        for other in (octets, octets.replace(b"met", b"not")):
            assert not same_name(x509.Name.load(broken), x509.Name.load(other))
        assert same_name(x509.Name.load(broken), x509.Name.load(broken))
