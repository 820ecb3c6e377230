"""Chain and revocation data put inside a token: what was there stays as it was, to the octet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import cache

import pytest
from asn1crypto import cms

from archive_core.digests import hash_bytes
from archive_core.errors import MalformedEvidenceError
from archive_core.evidence.material import merged, with_inside
from archive_core.evidence.token import parse_token, read_signed_data
from archive_core.findings import SubIndication, Verdict
from archive_core.ports import ValidationData
from policies.algorithms import current_algorithms
from signing.timestamp_validation import TokenValidator
from tests.unit.signing import forge
from tests.unit.signing.forge import DER, NOW, Recipe

SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
OCSP_RESPONSE, BASIC_OCSP = "1.3.6.1.5.5.7.16.2", "1.3.6.1.5.5.7.48.1.1"


@cache
def identities() -> tuple[forge.Identity, forge.Identity]:
    root = forge.authority()
    return root, forge.time_stamp_unit(root)


def root_der() -> bytes:
    return identities()[0].certificate.public_bytes(DER)


def bare(**changes: object) -> bytes:
    """A token with the unit's certificate alone."""
    unit = identities()[1]
    return Recipe(unit, certificates=(unit.certificate,)).but(**changes).token()


@cache
def crl(days: int = 0) -> bytes:
    return forge.crl(identities()[0], issued_at=NOW + timedelta(days=days))


@cache
def ocsp() -> bytes:
    root, unit = identities()
    return forge.ocsp(unit, root, next_update=NOW + timedelta(days=7))


def signed(token: bytes) -> cms.SignedData:
    return cms.ContentInfo.load(token, strict=True)["content"]


# -- put together -----------------------------------------------------------------------------


def test_what_is_put_together_has_each_item_once_in_its_first_place() -> None:
    """Certificates, lists and responses apart."""
    one = ValidationData((b"a", b"b"), (b"l",), ())
    two = ValidationData((b"b", b"c"), (b"l", b"k"), (b"o",))

    assert merged([one, two, one]) == ValidationData((b"a", b"b", b"c"), (b"l", b"k"), (b"o",))
    assert merged([]) == ValidationData()


# -- put inside -------------------------------------------------------------------------------


def test_what_is_inside_already_changes_nothing() -> None:
    """The very token, not one like it; also when nothing is given."""
    token = bare(crls=(crl(),))
    inside = ValidationData((identities()[1].certificate.public_bytes(DER),), (crl(),))

    assert with_inside(token, inside) is token
    assert with_inside(token, ValidationData()) is token


def test_a_token_is_good_by_itself_once_its_data_are_inside() -> None:
    """Before it was not; its imprint, genTime and signature are what they were."""
    validator = TokenValidator([root_der()], algorithms=current_algorithms())
    token = bare()
    before = validator.assess(token, at=NOW, data=None)
    made = with_inside(token, ValidationData((root_der(),), (crl(),)))
    after = validator.assess(made, at=NOW, data=None)

    assert (before.verdict, before.sub_indication) == (Verdict.INDETERMINATE, SubIndication.TRY_LATER)
    assert after.verdict is Verdict.PASSED
    assert parse_token(made).imprint == parse_token(token).imprint
    assert signed(made)["signer_infos"].dump() == signed(token)["signer_infos"].dump()
    assert signed(made)["encap_content_info"].dump() == signed(token)["encap_content_info"].dump()
    assert with_inside(made, ValidationData((root_der(),), (crl(),))) is made


def test_octets_that_were_there_stay_in_their_order() -> None:
    """A signer whose certificates are not sorted keeps that order; new ones come behind."""
    root, unit = identities()
    small, large = sorted(one.certificate.public_bytes(DER) for one in (root, unit))
    token = bare(certificates=(root.certificate, unit.certificate)).replace(small + large, large + small)
    stranger = forge.authority("Stranger").certificate.public_bytes(DER)
    made = with_inside(token, ValidationData((stranger,), (crl(),)))

    assert [one.dump() for one in signed(made)["certificates"]] == [large, small, stranger]


def test_a_set_that_was_sorted_stays_sorted() -> None:
    """DER asks for it (X.690 11.6), and this signer did it."""
    more = [forge.authority(f"Stranger {number}").certificate.public_bytes(DER) for number in range(4)]
    made = with_inside(bare(), ValidationData(tuple(more), (crl(1), crl(0), crl(2))))
    inside = [one.dump() for one in signed(made)["certificates"]]
    lists = [one.dump() for one in signed(made)["crls"]]

    assert inside == sorted(inside)
    assert lists == sorted(lists)
    assert (len(inside), len(lists)) == (5, 3)


def test_what_is_given_twice_is_inside_once() -> None:
    """Also when it was inside before."""
    made = with_inside(bare(crls=(crl(),)), ValidationData((root_der(), root_der()), (crl(), crl(), crl(1))))

    assert len(signed(made)["certificates"]) == 2
    assert len(signed(made)["crls"]) == 2


def test_lists_leave_the_version_and_responses_make_it_five() -> None:
    """RFC 5652 5.1: other revocation information is CMS version 5."""
    assert signed(bare())["version"].native == "v3"
    assert signed(with_inside(bare(), ValidationData((), (crl(),))))["version"].native == "v3"
    assert signed(with_inside(bare(), ValidationData((), (), (ocsp(),))))["version"].native == "v5"


@pytest.mark.parametrize("basic", [False, True])
def test_a_response_is_inside_as_what_it_is(basic: bool) -> None:
    """Whole (RFC 5940), or its basic part alone (BSI TR-ESOR-ERS); the token is good by it."""
    from asn1crypto.ocsp import OCSPResponse

    response = ocsp()
    if basic:
        response = bytes(OCSPResponse.load(response)["response_bytes"]["response"].contents)
    made = with_inside(bare(), ValidationData((root_der(),), (), (response,)))
    (other,) = signed(made)["crls"]
    validator = TokenValidator([root_der()], algorithms=current_algorithms())

    assert other.chosen["other_rev_info_format"].dotted == (BASIC_OCSP if basic else OCSP_RESPONSE)
    assert validator.assess(made, at=NOW, data=None).verdict is Verdict.PASSED
    assert with_inside(made, ValidationData((), (), (response,))) is made


def test_long_lengths_are_read_and_not_taken_for_a_change() -> None:
    """A length in more octets than it needs is no reason to write the token anew."""
    token = bare()
    assert token[:2] == b"\x30\x82"
    longer = b"\x30\x83\x00" + token[2:]

    assert with_inside(longer, ValidationData()) is longer


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: b"",
        lambda token: b"\x30\x00",
        lambda token: token[:-1],
        lambda token: token + b"\x00",
        lambda token: token[:1] + b"\x80" + token[4:] + b"\x00\x00",
        lambda token: token.replace(
            bytes.fromhex("06092a864886f70d010702"), bytes.fromhex("06092a864886f70d010701"), 1
        ),
    ],
)
def test_what_is_no_token_is_refused(spoil: Callable[[bytes], bytes]) -> None:
    """Empty, cut off, longer, of indefinite length, of another content type."""
    with pytest.raises(MalformedEvidenceError):
        with_inside(spoil(bare()), ValidationData((root_der(),)))


def test_what_is_no_response_is_refused() -> None:
    """Data that cannot be read is not put inside evidence."""
    with pytest.raises(MalformedEvidenceError):
        with_inside(bare(), ValidationData((), (), (b"\x30\x82\x00",)))


def test_the_parts_of_a_completed_token_can_be_read() -> None:
    """As the derivation of records reads them; its digest is another one, which is why it is done before covering."""
    made = with_inside(bare(), ValidationData((root_der(),), (crl(),)))
    parts = read_signed_data(made)

    assert parts.certificates is not None
    assert parts.crls is not None
    assert hash_bytes("sha512", made) != hash_bytes("sha512", bare())
