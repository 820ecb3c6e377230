"""Hostile octets are refused in bounded time, with a verdict and never with an exception."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from asn1crypto import core, x509
from hypothesis import given, settings
from hypothesis import strategies as st

from archive_core.findings import SubIndication, Verdict
from archive_core.ports import ValidationData
from policies.algorithms import current_algorithms
from signing import ber
from signing.seal_validation import SealVerifier
from signing.timestamp_validation import TokenValidator
from tests.unit.signing.conftest import World
from tests.unit.signing.forge import NOW

LIMIT = 2.0
"""Seconds for one hostile input, on a shared machine."""


@given(st.binary(max_size=300))
def test_arbitrary_octets_are_malformed(octets: bytes) -> None:
    """No exception, and FAILED/FORMAT_FAILURE."""
    found = TokenValidator([], algorithms=current_algorithms()).assess(octets, at=NOW)
    assert (found.verdict, found.sub_indication) == (Verdict.FAILED, SubIndication.FORMAT_FAILURE)


@settings(max_examples=300)
@given(st.data())
def test_mutated_tokens_never_raise(world: World, whole: bytes, data: st.DataObject) -> None:
    """Octets changed, inserted and removed anywhere in a token with a chain and revocation data."""
    token = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(token) - 1))
        action = data.draw(st.sampled_from(["change", "insert", "remove"]))
        if action == "change":
            token[place] = data.draw(st.integers(0, 255))
        elif action == "insert":
            token[place:place] = data.draw(st.binary(min_size=1, max_size=4))
        else:
            del token[place : place + data.draw(st.integers(1, 8))]
    found = world.validator.assess(bytes(token), at=NOW + timedelta(hours=1))
    assert found.message
    SealVerifier([world.root.der], algorithms=current_algorithms()).assess_seal(bytes(token), b"", at=NOW)


def spoilt(der: bytes) -> bytes:
    """A certificate whose public key is written as a SEQUENCE in the place of the BIT STRING."""
    key = x509.Certificate.load(der).public_key["public_key"].dump()
    changed = bytes([0x30, key[1], 0x04, key[1] - 2]) + key[4:]
    assert (key[0], len(changed), der.count(key)) == (0x03, len(key), 1)
    return der.replace(key, changed)


def test_a_certificate_without_a_readable_key_never_ends_a_judgement(world: World, whole: bytes) -> None:
    """Inside a token it makes the token malformed; beside one it is a finding; it is no anchor."""
    bad = spoilt(world.root.der)
    assert whole.count(world.root.der) == 1
    inside = world.validator.assess(whole.replace(world.root.der, bad), at=NOW)
    assert (inside.verdict, inside.sub_indication) == (Verdict.FAILED, SubIndication.FORMAT_FAILURE)
    beside = world.validator.assess(whole, at=NOW, data=ValidationData(certificates=(bad,)))
    assert beside.verdict is Verdict.PASSED
    assert [finding.code for finding in beside.findings] == ["VALIDATION_DATA_UNREADABLE"]
    with pytest.raises(ValueError, match="not a certificate"):
        TokenValidator([bad], algorithms=current_algorithms())


@pytest.fixture(scope="module")
def whole(world: World) -> bytes:
    """One token with a chain and a revocation list."""
    return world.recipe.token()


def _nested(depth: int, end: bytes = b"") -> bytes:
    octets = end
    for _ in range(depth):
        octets = ber.tagged(0x30, octets)
    return octets


BOMBS = {
    "nested definitely": _nested(5000),
    "nested indefinitely": b"\x30\x80" * 100_000,
    "nested indefinitely and closed": b"\x30\x80" * 50_000 + b"\0\0" * 50_000,
    "a length beyond everything": b"\x30\x88" + b"\xff" * 8,
    "a length of lengths": b"\x30\xfe" + b"\xff" * 126,
    "an endless tag": b"\x3f" + b"\xff" * 1000,
    "an indefinite primitive": b"\x04\x80" + b"x" * 100 + b"\0\0",
    "end of contents alone": b"\0\0",
    "many small elements": ber.tagged(0x30, b"\x05\x00" * 1_200_000),
    "too large": b"\x30\x84\x7f\xff\xff\xff" + b"\0" * (ber.MAX_SIZE),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_are_refused_quickly(bomb: str) -> None:
    """Depth, number, length and size are bounded."""
    started = time.monotonic()
    found = TokenValidator([], algorithms=current_algorithms()).assess(BOMBS[bomb], at=NOW)
    assert (found.verdict, found.sub_indication) == (Verdict.FAILED, SubIndication.FORMAT_FAILURE)
    assert time.monotonic() - started < LIMIT


@pytest.mark.parametrize("octets", [b"", b"\x30", b"\x30\x01", b"\x30\x02\x05", b"\x30\x00\x00", b"\x1f", b"\x30\x81"])
def test_cut_off_or_trailing_octets_are_no_element(octets: bytes) -> None:
    """Exactly one element fills the buffer."""
    with pytest.raises(ber.BerError):
        ber.scan(octets)


def test_a_scan_says_what_it_saw() -> None:
    """Elements, depth, and whether definite form is needed."""
    assert ber.scan(_nested(3, b"\x05\x00")) == ber.Shape(4, 3, indefinite=False, constructed_strings=False)
    assert ber.scan(b"\x30\x80\x05\x00\0\0").indefinite
    assert ber.scan(b"\x24\x03\x04\x01x").constructed_strings


@pytest.mark.parametrize(
    ("given_octets", "expected"),
    [
        (b"\x30\x80\x05\x00\0\0", b"\x30\x02\x05\x00"),
        (b"\x30\x80\x30\x80\0\0\0\0", b"\x30\x02\x30\x00"),
        (b"\x24\x80\x04\x01a\x04\x02bc\0\0", b"\x04\x03abc"),
        (b"\x24\x80\x24\x80\x04\x01a\0\0\x04\x01b\0\0", b"\x04\x02ab"),
        (b"\x23\x80\x03\x02\x00a\x03\x02\x04\xf0\0\0", b"\x03\x03\x04a\xf0"),
        (b"\x30\x81\x02\x05\x00", b"\x30\x02\x05\x00"),
        (b"\xbf\x81\x01\x80\x05\x00\0\0", b"\xbf\x81\x01\x02\x05\x00"),
        (b"\x31\x80\x02\x01\x02\x02\x01\x01\0\0", b"\x31\x06\x02\x01\x02\x02\x01\x01"),
    ],
)
def test_definite_form_changes_lengths_and_nothing_else(given_octets: bytes, expected: bytes) -> None:
    """Sets keep their order; strings come in one piece."""
    ber.scan(given_octets)
    assert ber.definite(given_octets) == expected


@given(st.recursive(st.binary(max_size=20), lambda inner: st.lists(inner, max_size=4), max_leaves=20))
def test_definite_form_of_der_is_itself(tree: object) -> None:
    """What is DER already stays as it is, octet for octet."""
    octets = _encoded(tree)
    ber.scan(octets)
    assert ber.definite(octets) == octets


def _encoded(tree: object) -> bytes:
    if isinstance(tree, bytes):
        return bytes(core.OctetString(tree).dump())
    assert isinstance(tree, list)
    return ber.tagged(0x30, b"".join(_encoded(part) for part in tree))
