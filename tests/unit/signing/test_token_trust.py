"""Trust, time, revocation and algorithms of an intact token: what is missing is INDETERMINATE, never PASSED."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509

from archive_core.findings import SubIndication, Verdict
from archive_core.ports import TokenAssessment, ValidationData
from policies.algorithms import current_algorithms
from signing.timestamp_validation import CLOCK_TOLERANCE, TokenValidator
from tests.unit.signing import forge
from tests.unit.signing.conftest import World
from tests.unit.signing.forge import NOW, YEAR, Identity

FAILED, INDETERMINATE, PASSED = Verdict.FAILED, Verdict.INDETERMINATE, Verdict.PASSED
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
LATER = NOW + 30 * DAY


def outcome(found: TokenAssessment) -> tuple[Verdict, SubIndication | None]:
    return found.verdict, found.sub_indication


def judged(
    root: Identity, token: bytes, *, at: datetime = LATER, data: ValidationData | None = None
) -> TokenAssessment:
    return TokenValidator([root.der], algorithms=current_algorithms()).assess(token, at=at, data=data)


# -- anchors and paths ------------------------------------------------------------------------


def test_without_trust_anchors_nothing_is_trusted(world: World) -> None:
    """The operating system's roots are never taken in."""
    found = TokenValidator([], algorithms=current_algorithms()).assess(world.recipe.token(), at=LATER)
    assert outcome(found) == (INDETERMINATE, SubIndication.NO_CERTIFICATE_CHAIN_FOUND)


def test_a_token_under_another_root_has_no_chain(world: World) -> None:
    """Trust in one authority is no trust in another."""
    other = forge.authority("Another root")
    assert outcome(judged(other, world.recipe.token())) == (INDETERMINATE, SubIndication.NO_CERTIFICATE_CHAIN_FOUND)


def test_a_root_of_the_same_name_with_another_key_is_not_the_anchor(world: World) -> None:
    """Names do not make a path, signatures do."""
    twin = forge.authority()
    found = judged(twin, world.recipe.token())
    assert found.verdict is INDETERMINATE
    assert found.sub_indication in (
        SubIndication.NO_CERTIFICATE_CHAIN_FOUND,
        SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE,
    )


def test_a_path_through_an_intermediate_needs_its_certificate_and_its_revocation_data(world: World) -> None:
    """Every certificate below the anchor is judged, whether it is inside the token or beside it."""
    middle = forge.authority("Middle", world.root)
    unit = forge.time_stamp_unit(middle)
    complete = ValidationData((middle.der,), (forge.crl(middle), forge.crl(world.root)))
    token = forge.Recipe(unit, certificates=(unit.certificate,)).token()
    assert outcome(judged(world.root, token, data=complete)) == (PASSED, None)
    no_middle = ValidationData((), complete.crls)
    assert outcome(judged(world.root, token, data=no_middle))[1] is SubIndication.NO_CERTIFICATE_CHAIN_FOUND
    no_root_crl = ValidationData((middle.der,), (forge.crl(middle),))
    assert outcome(judged(world.root, token, data=no_root_crl)) == (INDETERMINATE, SubIndication.TRY_LATER)


def test_an_intermediate_that_is_no_authority_breaks_the_path(world: World) -> None:
    """RFC 5280 6.1.4: a certificate that may not sign certificates does not lead anywhere."""
    pretender = forge.issued("Pretender", world.root, extensions=[(forge.key_usage(), True)])
    unit = forge.time_stamp_unit(pretender)
    data = ValidationData((), (forge.crl(pretender), world.crl))
    found = judged(world.root, forge.Recipe(unit).token(), data=data)
    assert outcome(found) == (INDETERMINATE, SubIndication.CERTIFICATE_CHAIN_GENERAL_FAILURE)


def test_the_unit_itself_may_be_the_anchor(world: World) -> None:
    """Trusted lists name time-stamp units directly; their status replaces revocation data."""
    token = world.recipe.but(crls=()).token()
    validator = TokenValidator([world.unit.der], algorithms=current_algorithms())
    assert outcome(validator.assess(token, at=LATER)) == (PASSED, None)
    after = validator.assess(token, at=NOW + 11 * YEAR)
    assert outcome(after) == (INDETERMINATE, SubIndication.OUT_OF_BOUNDS_NO_POE)


def test_trust_through_a_test_anchor_is_marked(world: World) -> None:
    """Test trust is never mistaken for real trust."""
    validator = TokenValidator([], algorithms=current_algorithms(), test_anchors=[world.root.der])
    found = validator.assess(world.recipe.token(), at=LATER)
    assert (found.verdict, found.test_trust) == (PASSED, True)


def test_an_anchor_that_is_no_certificate_is_refused_at_once() -> None:
    """A wrong trust setting must not look like missing trust."""
    with pytest.raises(ValueError, match=r"."):
        TokenValidator([b"not a certificate"], algorithms=current_algorithms())


def test_trusted_until_is_the_earliest_end_on_the_path(world: World) -> None:
    """Renewal is due before the first certificate on the path ends."""
    short = forge.authority("Short", world.root, end=NOW + YEAR)
    unit = forge.time_stamp_unit(short)
    data = ValidationData((), (forge.crl(short), world.crl))
    found = judged(world.root, forge.Recipe(unit).token(), data=data)
    assert found.trusted_until == NOW + YEAR


# -- time -------------------------------------------------------------------------------------


def test_an_ended_certificate_needs_a_proof_of_existence(world: World) -> None:
    """At the end of its validity a token stops proving anything by itself."""
    token, end = world.recipe.token(), NOW + 10 * YEAR
    assert outcome(judged(world.root, token, at=end)) == (PASSED, None)
    found = judged(world.root, token, at=end + 2 * SECOND)
    assert outcome(found) == (INDETERMINATE, SubIndication.OUT_OF_BOUNDS_NO_POE)


def test_a_stamp_made_after_its_certificate_ended_is_worthless(world: World) -> None:
    """No later proof can mend that."""
    unit = forge.time_stamp_unit(world.root, end=NOW - DAY)
    found = judged(world.root, forge.Recipe(unit, crls=(world.crl,)).token())
    assert outcome(found) == (FAILED, SubIndication.EXPIRED)


def test_a_stamp_made_before_its_certificate_began_is_worthless(world: World) -> None:
    """genTime lies outside the certificate's validity."""
    unit = forge.time_stamp_unit(world.root, start=NOW + DAY)
    found = judged(world.root, forge.Recipe(unit, crls=(world.crl,)).token())
    assert outcome(found) == (FAILED, SubIndication.NOT_YET_VALID)


def test_our_clock_may_be_a_little_late(world: World) -> None:
    """genTime may lie after the instant of judgement by the tolerance, and not by more."""
    token = world.recipe.token()
    assert outcome(judged(world.root, token, at=NOW - CLOCK_TOLERANCE)) == (PASSED, None)
    early = judged(world.root, token, at=NOW - CLOCK_TOLERANCE - SECOND)
    assert outcome(early) == (INDETERMINATE, SubIndication.TIMESTAMP_ORDER_FAILURE)


# -- revocation -------------------------------------------------------------------------------


def test_without_revocation_data_it_is_too_early_to_say(world: World) -> None:
    """EN 319 102-1 5.2.6: no revocation status information is TRY_LATER."""
    found = judged(world.root, world.recipe.but(crls=()).token())
    assert outcome(found) == (INDETERMINATE, SubIndication.TRY_LATER)


@dataclass(frozen=True)
class Revocation:
    """When the list is made, what it says, and what follows for a stamp of NOW judged at LATER."""

    issued: datetime
    revoked: datetime | None
    reason: x509.ReasonFlags | None
    expected: tuple[Verdict, SubIndication | None]


COMPROMISE, CEASED = x509.ReasonFlags.key_compromise, x509.ReasonFlags.cessation_of_operation
NO_POE = (INDETERMINATE, SubIndication.REVOKED_NO_POE)
REVOCATIONS = {
    "list of the same second": Revocation(NOW, None, None, (PASSED, None)),
    "list from before the stamp, outdated": Revocation(
        NOW - 8 * DAY, None, None, (INDETERMINATE, SubIndication.TRY_LATER)
    ),
    "list from before the stamp, still current then": Revocation(
        NOW - SECOND, None, None, (INDETERMINATE, SubIndication.TRY_LATER)
    ),
    "revoked between stamp and judgement": Revocation(NOW + 2 * DAY, NOW + DAY, COMPROMISE, NO_POE),
    "revoked with a harmless reason": Revocation(NOW + 2 * DAY, NOW + DAY, CEASED, NO_POE),
    "revoked without a reason": Revocation(NOW + 2 * DAY, NOW + DAY, None, NO_POE),
    "revoked at the instant of judgement": Revocation(LATER, LATER, COMPROMISE, NO_POE),
    "revoked before the stamp": Revocation(NOW + DAY, NOW - DAY, COMPROMISE, (FAILED, SubIndication.REVOKED)),
    "revoked at the moment of the stamp": Revocation(NOW + DAY, NOW, CEASED, (FAILED, SubIndication.REVOKED)),
    "revoked only after the judgement": Revocation(LATER + 2 * DAY, LATER + DAY, COMPROMISE, (PASSED, None)),
}


@pytest.mark.parametrize("case", REVOCATIONS)
def test_what_a_list_says_decides(world: World, case: str) -> None:
    """Freshness and the date of revocation are told apart."""
    given = REVOCATIONS[case]
    revoked = [] if given.revoked is None else [(world.unit, given.revoked, given.reason)]
    data = ValidationData((), (forge.crl(world.root, issued_at=given.issued, revoked=revoked),))
    found = judged(world.root, world.recipe.but(crls=()).token(), data=data)
    assert outcome(found) == given.expected, found.message


@pytest.mark.parametrize("case", REVOCATIONS)
def test_what_an_ocsp_response_says_decides_alike(world: World, case: str) -> None:
    """The same rules, from the other source."""
    given = REVOCATIONS[case]
    answer = forge.ocsp(world.unit, world.root, issued_at=given.issued, revoked_at=given.revoked)
    found = judged(world.root, world.recipe.but(crls=()).token(), data=ValidationData((), (), (answer,)))
    assert outcome(found) == given.expected, found.message


def test_a_list_that_is_current_at_the_judgement_counts_even_if_older_than_the_stamp(world: World) -> None:
    """nextUpdate after the instant of judgement: nothing newer was due."""
    old = forge.crl(world.root, issued_at=NOW - DAY, next_update=LATER + DAY)
    found = judged(world.root, world.recipe.but(crls=()).token(), data=ValidationData((), (old,)))
    assert outcome(found) == (PASSED, None)


def test_a_newer_revocation_beats_an_older_clean_list(world: World) -> None:
    """The clean list inside the token does not hide the later revocation."""
    later = forge.crl(world.root, issued_at=NOW + 2 * DAY, revoked=[(world.unit, NOW + DAY, COMPROMISE)])
    found = judged(world.root, world.recipe.token(), data=ValidationData((), (later,)))
    assert outcome(found) == NO_POE


def test_a_lifted_hold_is_forgotten_and_a_standing_one_is_not(world: World) -> None:
    """Only the newest statement decides about a hold (RFC 5280 5.3.1)."""
    held = [(world.unit, NOW + DAY, x509.ReasonFlags.certificate_hold)]
    hold = forge.crl(world.root, issued_at=NOW + 2 * DAY, revoked=held)
    lifted = forge.crl(world.root, issued_at=NOW + 3 * DAY)
    token = world.recipe.but(crls=()).token()
    assert outcome(judged(world.root, token, data=ValidationData((), (hold, lifted)))) == (PASSED, None)
    assert outcome(judged(world.root, token, data=ValidationData((), (hold,)))) == NO_POE


def test_a_revoked_intermediate_is_told_apart(world: World) -> None:
    """REVOKED_CA_NO_POE, because other proofs are needed then."""
    middle = forge.authority("Middle", world.root)
    unit = forge.time_stamp_unit(middle)
    revoked = forge.crl(world.root, issued_at=NOW + 2 * DAY, revoked=[(middle, NOW + DAY, COMPROMISE)])
    data = ValidationData((), (forge.crl(middle), revoked))
    found = judged(world.root, forge.Recipe(unit).token(), data=data)
    assert outcome(found) == (INDETERMINATE, SubIndication.REVOKED_CA_NO_POE)


def _by_stranger(world: World) -> bytes:
    return forge.crl(forge.authority("Stranger"))


def _forged(world: World) -> bytes:
    return forge.crl(world.root, key=forge.new_key())


def _only_authorities(world: World) -> bytes:
    scope = x509.IssuingDistributionPoint(None, None, False, True, None, False, False)
    return forge.crl(world.root, extensions=[(scope, True)])


def _broken(world: World) -> bytes:
    return world.crl[:-3]


USELESS: dict[str, Callable[[World], bytes]] = {
    "by a stranger": _by_stranger,
    "with a forged signature": _forged,
    "about authorities only": _only_authorities,
    "cut off": _broken,
}


@pytest.mark.parametrize("kind", USELESS)
def test_a_list_that_says_nothing_about_the_certificate_does_not_count(world: World, kind: str) -> None:
    """Not authentic, out of scope or unreadable: as good as none, and no error."""
    data = ValidationData((), (USELESS[kind](world),))
    found = judged(world.root, world.recipe.but(crls=()).token(), data=data)
    assert outcome(found) == (INDETERMINATE, SubIndication.TRY_LATER)


def test_a_list_made_after_the_certificate_ended_does_not_speak_of_it(world: World) -> None:
    """Ended certificates fall off the lists (RFC 5280 3.3)."""
    unit = forge.time_stamp_unit(world.root, end=NOW + DAY)
    late = forge.crl(world.root, issued_at=NOW + 2 * DAY)
    found = judged(world.root, forge.Recipe(unit, crls=(late,)).token(), at=NOW + DAY)
    assert outcome(found) == (INDETERMINATE, SubIndication.TRY_LATER)


def test_a_certificate_that_says_it_has_no_revocation_data_needs_none(world: World) -> None:
    """noRevAvail (RFC 9608)."""
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.56"), b"\x05\x00")
    unit = forge.time_stamp_unit(world.root, more=[(extension, False)])
    assert outcome(judged(world.root, forge.Recipe(unit).token())) == (PASSED, None)


def test_an_ocsp_responder_needs_the_authority_of_the_issuer(world: World) -> None:
    """A delegated responder counts; a certificate without the right purpose does not (RFC 6960 4.2.2.2)."""
    purpose = (x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.OCSP_SIGNING]), False)
    no_check = (x509.OCSPNoCheck(), False)
    good = forge.issued("Responder", world.root, extensions=[(forge.key_usage(), True), purpose, no_check])
    bad = forge.issued("Not a responder", world.root, extensions=[(forge.key_usage(), True)])
    token = world.recipe.but(crls=()).token()
    for responder, expected in ((good, (PASSED, None)), (bad, (INDETERMINATE, SubIndication.TRY_LATER))):
        answer = forge.ocsp(world.unit, world.root, responder=responder)
        assert outcome(judged(world.root, token, data=ValidationData((), (), (answer,)))) == expected


def test_an_ocsp_response_inside_the_token_counts(world: World) -> None:
    """RFC 5940: other revocation information in the crls field."""
    token = world.recipe.but(crls=(), ocsps=(forge.ocsp(world.unit, world.root),)).token()
    assert outcome(judged(world.root, token)) == (PASSED, None)


# -- algorithms -------------------------------------------------------------------------------


def test_algorithms_are_judged_by_the_table_at_both_dates(world: World) -> None:
    """Weak when used: constraints failure. Good then and ended since: a proof of existence can still mend it."""
    root = forge.authority("RSA root", key=forge.new_key("rsa2048"))
    unit = forge.time_stamp_unit(root, key=forge.new_key("rsa2048"))
    token = forge.Recipe(unit, crls=(forge.crl(root),)).token()
    assert outcome(judged(root, token, at=LATER)) == (PASSED, None)
    ended = judged(root, token, at=datetime(2027, 1, 2, tzinfo=UTC))
    assert outcome(ended) == (INDETERMINATE, SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE)
    assert "rsa-pkcs1v15 with 2048 bits" in ended.message


@pytest.mark.parametrize("what", ["imprint", "signature"])
def test_sha1_in_a_token_of_today_is_not_suitable(world: World, what: str) -> None:
    """Neither under the signature nor as imprint."""
    weak = {"imprint": {"imprint": forge.Digest.of("sha1", b"x")}, "signature": {"digest": "sha1"}}[what]
    found = judged(world.root, world.recipe.but(**weak).token())
    assert outcome(found) == (INDETERMINATE, SubIndication.CRYPTO_CONSTRAINTS_FAILURE)
    assert "sha1" in found.message


def test_a_weak_link_in_the_path_is_found(world: World) -> None:
    """The issuer's key counts as much as the signer's."""
    weak = forge.authority("Weak middle", world.root, key=forge.new_key("rsa2048"))
    unit = forge.time_stamp_unit(weak)
    data = ValidationData((), (forge.crl(weak), world.crl))
    found = judged(world.root, forge.Recipe(unit).token(), at=datetime(2027, 6, 1, tzinfo=UTC), data=data)
    assert found.verdict is INDETERMINATE
    assert found.sub_indication is not SubIndication.NO_CERTIFICATE_CHAIN_FOUND


# -- remembering ------------------------------------------------------------------------------


def test_a_remembered_result_is_that_of_the_same_question(world: World) -> None:
    """The instant and the data are part of the question."""
    validator, token = world.validator, world.recipe.but(crls=()).token()
    assert validator.assess(token, at=LATER).verdict is INDETERMINATE
    assert validator.assess(token, at=LATER, data=world.data).verdict is PASSED
    assert validator.assess(token, at=NOW + 11 * YEAR, data=world.data).verdict is INDETERMINATE
    assert validator.assess(token, at=LATER, data=world.data) is validator.assess(token, at=LATER, data=world.data)
