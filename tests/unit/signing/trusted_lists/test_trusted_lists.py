"""A union of lists: whom they qualify, when, and what makes a list worthless."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from archive_core.findings import SubIndication
from policies import current_algorithms
from signing.examination.documents import Document
from signing.examination.registry import examine
from signing.examination.trust import ExaminationTrust
from signing.examination.values import Qualification
from signing.trusted_lists.book import open_lists
from signing.trusted_lists.files import lookup_of
from signing.trusted_lists.index import ListIndex, index_bytes
from signing.trusted_lists.qualification import TrustedListLookup, load_lookup
from signing.trusted_lists.reading import read_list
from signing.trusted_lists.signature import verify_list_signature
from signing.trusted_lists.values import TrustedListRefusedError
from tests.unit.signing import forge
from tests.unit.signing.examination.signing_world import cms_by
from tests.unit.signing.forge import Identity
from tests.unit.signing.trusted_lists.list_world import (
    GRANTED,
    HALF_A_YEAR,
    NOW,
    WITHDRAWN,
    Listed,
    ListRecipe,
    State,
    Union,
    qualification,
    statements,
    usage,
)
from tests.unit.signing.xml_forge import XmlRecipe

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def union() -> Union:
    """Its members are made once."""
    return Union.made()


def _files(union: Union) -> list[bytes]:
    return [union.lists().octets(), union.national().octets(), union.other_national().octets()]


def _lookup(union: Union, at: datetime = NOW) -> TrustedListLookup:
    return load_lookup(_files(union), at=at, signers=[union.commission.der])


def _chain(identity: Identity) -> list[bytes]:
    return [identity.der, *(one.public_bytes(forge.DER) for one in identity.chain)]


# -- time-stamps --------------------------------------------------------------------------------


def test_a_time_stamp_is_qualified_before_the_withdrawal_and_not_after(union: Union) -> None:
    """What counts is the service's status at genTime, not today's."""
    lookup = _lookup(union)
    before = lookup.timestamp_status(_chain(union.unit), at=WITHDRAWN - DAY)
    after = lookup.timestamp_status(_chain(union.unit), at=WITHDRAWN + DAY)
    assert (before.qualification, before.territory) == (Qualification.QUALIFIED_TIMESTAMP, "CZ")
    assert before.service == "Stamps of the nation"
    assert after.qualification is Qualification.TIMESTAMP
    assert "withdrawn" in after.reason


def test_before_the_service_was_listed_nothing_was_qualified(union: Union) -> None:
    """There is no status before the first one."""
    status = _lookup(union).timestamp_status(_chain(union.unit), at=GRANTED - DAY)
    assert status.qualification is Qualification.TIMESTAMP


def test_a_stale_list_is_indeterminate(union: Union) -> None:
    """After NextUpdate the list might be superseded: neither yes nor no, and no error."""
    lookup = _lookup(union, at=NOW + 2 * HALF_A_YEAR)
    for at in (WITHDRAWN - DAY, WITHDRAWN + DAY):
        status = lookup.timestamp_status(_chain(union.unit), at=at)
        assert status.qualification is Qualification.INDETERMINATE
        assert "stale" in status.reason


def test_the_snapshots_give_the_same_answers_ten_years_later(union: Union) -> None:
    """Asked again as of the day of the decision, from the stored octets alone, in any order."""
    book = open_lists(_files(union), signers=[union.commission.der])
    first = TrustedListLookup(ListIndex.of(book), at=NOW).timestamp_status(_chain(union.unit), at=WITHDRAWN - DAY)
    again = load_lookup(sorted(book.snapshots.values()), at=NOW, signers=[union.commission.der])
    assert again.timestamp_status(_chain(union.unit), at=WITHDRAWN - DAY) == first
    assert first.list_sha256 in book.snapshots


def test_a_stranger_is_not_listed_and_undecided_while_a_list_is_stale(union: Union) -> None:
    """ "Not listed" is an answer only of lists that are fresh."""
    stranger = forge.time_stamp_unit(forge.authority("Nobody"))
    fresh = _lookup(union).timestamp_status(_chain(stranger), at=NOW - DAY)
    stale = _lookup(union, at=NOW + 2 * HALF_A_YEAR).timestamp_status(_chain(stranger), at=NOW - DAY)
    assert fresh.qualification is Qualification.TIMESTAMP
    assert stale.qualification is Qualification.INDETERMINATE


def test_a_name_alone_makes_no_issuer(union: Union) -> None:
    """A certificate that merely claims to be issued by a listed service is a stranger's."""
    forged = forge.time_stamp_unit(forge.authority("Stamps"))
    chain = [forged.der, union.root.der]
    status = _lookup(union).timestamp_status(chain, at=WITHDRAWN - DAY)
    assert status.qualification is Qualification.TIMESTAMP


def test_a_time_stamp_of_a_listed_unit_is_told_as_qualified_in_an_examination(union: Union) -> None:
    """The list's certificates are the anchors, and its statuses stand in the report."""
    from lxml import etree

    from archive_core.ports import ValidationData
    from tests.unit.signing.xml_forge import stamp

    at = WITHDRAWN - DAY
    root = etree.fromstring(XmlRecipe(union.person, time=at).document())
    stamp(root, union.unit, at=at)
    crls = (forge.crl(union.root, issued_at=NOW), forge.crl(union.citizens, issued_at=NOW))
    trust = ExaminationTrust((), algorithms=current_algorithms(), lists=_lookup(union), extra=ValidationData(crls=crls))
    (signature,) = examine(Document("a.xml", etree.tostring(root)), trust=trust, at=NOW).signatures
    assert signature.timestamps[0].qualified.qualification is Qualification.QUALIFIED_TIMESTAMP
    assert signature.qualified.qualification is Qualification.QUALIFIED_SIGNATURE
    assert signature.proven_time == at


# -- certificates -------------------------------------------------------------------------------


def _person(union: Union, **options: object) -> Identity:
    extensions = [(forge.key_usage(), True), (statements(**options), False)]  # type: ignore[arg-type]
    return forge.issued("Somebody", union.citizens, start=GRANTED + DAY, extensions=extensions)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Qualification.QUALIFIED_SIGNATURE),
        ({"qscd": False}, Qualification.ADVANCED_SIGNATURE_QC),
        ({"compliance": False}, Qualification.ADVANCED),
        ({"kind": 2}, Qualification.ADVANCED),  # the service is listed for signatures only
    ],
)
def test_what_the_certificate_says_counts(union: Union, options: dict[str, object], expected: Qualification) -> None:
    """Compliance, device and purpose are read from the certificate's statements."""
    status = _lookup(union).signature_status(_chain(_person(union, **options)), at=NOW - DAY)
    assert status.qualification is expected


def _with(union: Union, *states: State) -> TrustedListLookup:
    recipe = union.other_national().but(services=[Listed(union.citizens, "CA/QC", states)])
    return load_lookup([recipe.octets()], at=NOW)


@pytest.mark.parametrize(
    ("qualifiers", "criteria", "expected"),
    [
        (["QCForESeal", "QCWithQSCD"], usage(digitalSignature=True), Qualification.QUALIFIED_SEAL),
        (["QCForESeal", "QCNoQSCD"], usage(digitalSignature=True), Qualification.ADVANCED_SEAL_QC),
        (["NotQualified"], usage(digitalSignature=True), Qualification.ADVANCED),
        (["NotQualified"], usage(keyCertSign=True), Qualification.QUALIFIED_SIGNATURE),
        (["QCNoQSCD"], usage(digitalSignature=True), Qualification.ADVANCED_SIGNATURE_QC),
        (["QCWithQSCD", "QCNoQSCD"], usage(digitalSignature=True), Qualification.INDETERMINATE),
        (["QCForESeal"], "<q:Unheard/>", Qualification.INDETERMINATE),
    ],
)
def test_what_the_list_says_goes_before(
    union: Union, qualifiers: list[str], criteria: str, expected: Qualification
) -> None:
    """Qualifiers apply where their criteria are met; criteria nobody knows leave it open."""
    state = State("granted", GRANTED, ("ForeSignatures", "ForeSeals"), qualification(qualifiers, criteria))
    status = _with(union, state).signature_status(_chain(_person(union)), at=NOW - DAY)
    assert status.qualification is expected


def test_a_certificate_issued_after_the_withdrawal_was_never_qualified(union: Union) -> None:
    """Both instants count: when it was issued and when it signed."""
    lookup = _with(union, State("withdrawn", GRANTED + HALF_A_YEAR), State("granted", GRANTED))
    early = forge.issued("Early", union.citizens, start=GRANTED + DAY, extensions=[(statements(), False)])
    late = forge.issued("Late", union.citizens, start=GRANTED + HALF_A_YEAR + DAY, extensions=[(statements(), False)])
    then, now = GRANTED + 2 * DAY, NOW - DAY
    assert lookup.signature_status(_chain(early), at=then).qualification is Qualification.QUALIFIED_SIGNATURE
    assert lookup.signature_status(_chain(early), at=now).qualification is Qualification.ADVANCED
    assert lookup.signature_status(_chain(late), at=now).qualification is Qualification.ADVANCED


# -- whose lists --------------------------------------------------------------------------------


def _refusals(files: list[bytes], signers: list[bytes] | None) -> list[str]:
    try:
        book = open_lists(files, signers=signers)
    except TrustedListRefusedError as error:
        return [str(error)]
    return [one.message for one in book.findings]


def test_a_list_of_lists_of_somebody_else_is_not_believed(union: Union) -> None:
    """Only configured certificates sign it; with it fall the lists that it names."""
    files = [union.lists(signer=union.estonian).octets(), union.national().octets()]
    assert any("who was not named" in text for text in _refusals(files, [union.commission.der]))


def test_a_national_list_of_somebody_else_is_not_used(union: Union) -> None:
    """The Czech list signed by the Estonian operator is refused, the others remain."""
    files = [union.lists().octets(), union.national().but(signer=union.estonian).octets(), _files(union)[2]]
    book = open_lists(files, signers=[union.commission.der])
    assert [one.territory for one in book.lists] == ["EE"]
    assert "CZ" in book.findings[0].message


def test_pivots_lead_from_the_old_signers_to_the_new(union: Union) -> None:
    """The newest list of lists is signed by whom a pivot announced; without the pivot it is a stranger's."""
    newest = union.lists(signer=union.next_commission).but(sequence=301).octets()
    files = [newest, union.national().octets()]
    assert any("who was not named" in text for text in _refusals(files, [union.commission.der]))
    book = open_lists([*files, union.lists().octets()], signers=[union.commission.der])
    assert book.list_of_lists is not None
    assert book.list_of_lists.sequence == 301
    assert [one.territory for one in book.lists] == ["CZ"]


def test_an_older_list_of_lists_does_not_stand_in_for_a_bad_newest(union: Union) -> None:
    """Falling back would let whoever spoils the newest choose what is believed."""
    bad = union.lists().but(sequence=302).octets().replace(b"Operator of EU", b"Operator of EV")
    with pytest.raises(TrustedListRefusedError, match="302"):
        open_lists([bad, *_files(union)], signers=[union.commission.der])


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ((b"Svcstatus/withdrawn", b"Svcstatus/granted"), "digest"),
        ((b"<StatusStartingTime>2026", b"<StatusStartingTime>2027"), "digest"),
    ],
)
def test_a_changed_list_is_not_used(union: Union, edit: tuple[bytes, bytes], why: str) -> None:
    """One word changed after signing."""
    octets = union.national().octets()
    assert edit[0] in octets
    (refusal, *_) = _refusals([octets.replace(*edit)], None)
    assert why in refusal


def test_a_signature_over_a_part_is_not_one_over_the_list(union: Union) -> None:
    """An enveloping or detached signature beside the list's content does not cover it."""
    recipe = union.national()
    with pytest.raises(TrustedListRefusedError, match="one signature in its place"):
        verify_list_signature(recipe.unsigned(), None, issued=recipe.issued)
    part = recipe.octets(mode="detached", outside={})
    with pytest.raises(TrustedListRefusedError):
        verify_list_signature(part, None, issued=recipe.issued)


def test_a_list_signed_with_sha1_is_not_used(union: Union) -> None:
    """A digest that is easily forged proves no list."""
    recipe = union.national()
    with pytest.raises(TrustedListRefusedError, match="sha1"):
        verify_list_signature(recipe.octets(digest="sha1"), None, issued=recipe.issued)


def test_a_signer_whose_certificate_had_ended_is_refused(union: Union) -> None:
    """A named certificate signs lists while it is valid."""
    ended = forge.issued("Ended", None, start=GRANTED, end=NOW - 20 * DAY, extensions=[(forge.key_usage(), True)])
    octets = union.national().but(signer=ended).octets()
    with pytest.raises(TrustedListRefusedError, match="not valid when"):
        verify_list_signature(octets, [ended.der], issued=NOW - 10 * DAY)


# -- structure ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ((b"<TSLSequenceNumber>7</TSLSequenceNumber>", b""), "lacks TSLSequenceNumber"),
        ((b"<TSPInformation>", b"<Other/><TSPInformation>"), "lacks TSPInformation"),
        ((b"<ServiceStatus>", b"<ServiceStatus><a/>"), "ServiceStatus has children"),
        ((b"TSLTag=", b"Tag="), "no TSLTag"),
        ((b"<NextUpdate>", b"<NextUpdate><x/>"), "NextUpdate"),
        ((b"<TSLVersionIdentifier>6", b"<TSLVersionIdentifier>4"), "version 4"),
        ((b"<TSLVersionIdentifier>6", b"<TSLVersionIdentifier>six"), "number"),
        ((b"<ListIssueDateTime>2026", b"<ListIssueDateTime>soon"), "no date and time"),
        ((b"TrustServiceStatusList", b"AnotherList"), "no TrustServiceStatusList"),
    ],
)
def test_a_list_that_is_not_as_the_standard_says_is_refused(union: Union, edit: tuple[bytes, bytes], why: str) -> None:
    """A list that can be read in two ways decides nothing."""
    with pytest.raises(TrustedListRefusedError, match=why):
        read_list(union.national().but(edits=[edit]).unsigned())


@pytest.mark.parametrize("octets", [b"", b"<a/>", b"<!DOCTYPE a><a/>", b"\x00" * 100])
def test_what_is_no_list_is_refused(octets: bytes) -> None:
    """Empty, another document, a document type declaration, noise."""
    with pytest.raises(TrustedListRefusedError):
        open_lists([octets])


def test_a_file_that_is_not_accepted_is_an_error_to_whoever_names_it(union: Union, tmp_path: Path) -> None:
    """`--trusted-list` with two files, one of them broken, says which is wrong instead of using the other."""
    good, bad = tmp_path / "good.xml", tmp_path / "bad.xml"
    good.write_bytes(union.national().octets())
    bad.write_bytes(union.other_national().octets().replace(b"Provider of EE", b"Provider of XX"))
    assert lookup_of([good], at=NOW).anchors() == (union.root.der,)
    with pytest.raises(TrustedListRefusedError, match="EE"):
        lookup_of([good, bad], at=NOW)


def test_the_newest_of_two_lists_of_a_territory_is_used(union: Union) -> None:
    """An old snapshot beside a new one does not bring back what was withdrawn."""
    old = union.national().but(sequence=6, services=[Listed(union.root, "TSA/QTST", (State("granted", GRANTED),))])
    lookup = load_lookup([union.national().octets(), old.octets()], at=NOW)
    assert lookup.timestamp_status(_chain(union.unit), at=NOW).qualification is Qualification.TIMESTAMP


def test_a_list_without_a_next_update_is_closed(union: Union) -> None:
    """It answers INDETERMINATE for ever."""
    closed: ListRecipe = union.national().but(next_update=None)
    status = load_lookup([closed.octets()], at=NOW).timestamp_status(_chain(union.unit), at=WITHDRAWN - DAY)
    assert status.qualification is Qualification.INDETERMINATE


# -- the index ----------------------------------------------------------------------------------


def test_an_index_answers_as_the_lists_do(union: Union) -> None:
    """Written and read again: criteria, states and staleness as well."""
    criteria = qualification(["QCNoQSCD"], usage(digitalSignature=True))
    state = State("granted", GRANTED, ("ForeSignatures",), criteria)
    recipe = union.other_national().but(services=[Listed(union.citizens, "CA/QC", (state,))])
    book = open_lists([union.lists().octets(), union.national().octets(), recipe.octets()])
    made, read = ListIndex.of(book), ListIndex.from_bytes(index_bytes(book))
    for at in (NOW, NOW + 2 * HALF_A_YEAR):
        for identity, asked in ((union.unit, "timestamp_status"), (union.person, "signature_status")):
            for then in (GRANTED - DAY, WITHDRAWN - DAY, WITHDRAWN + DAY):
                one, two = (getattr(TrustedListLookup(index, at=at), asked) for index in (made, read))
                assert one(_chain(identity), at=then) == two(_chain(identity), at=then)
    status = TrustedListLookup(read, at=NOW).signature_status(_chain(union.person), at=NOW)
    assert status.qualification is Qualification.ADVANCED_SIGNATURE_QC  # by the criteria
    assert read.anchors() == made.anchors() == (union.root.der, union.citizens.der)


@pytest.mark.parametrize("octets", [b"", b"[]", b"{}", b'{"format":"x"}', b'{"format":"trusted-archive/list-index/1"}'])
def test_what_is_no_index_is_not_read(octets: bytes) -> None:
    """By whatever it lacks."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        ListIndex.from_bytes(octets)


def test_listed_anchors_are_found_by_name(union: Union) -> None:
    """As an anchor, as the issuer of what is there, and as a signer whose certificate nobody sent."""
    lookup = _lookup(union)
    trust = ExaminationTrust((), algorithms=current_algorithms(), lists=lookup)
    assert trust.is_anchor(union.root.asn1)
    assert not trust.is_anchor(union.unit.asn1)
    assert not trust.is_anchor(forge.authority("Stamps").asn1)  # the same name
    assert [one.dump() for one in trust.named(union.unit.asn1.issuer)] == [union.root.der]
    assert [one.dump() for one in trust.candidates(union.root.asn1.issuer)] == [union.root.der]
    assert trust.candidates() == []
    (found,) = examine(Document("a.p7m", cms_by(union.person, b"x")), trust=trust, at=NOW).signatures
    assert found.sub_indication is SubIndication.TRY_LATER  # a path, and no revocation data
    other = load_lookup([union.national().octets()], at=NOW)
    unlisted = ExaminationTrust((), algorithms=current_algorithms(), lists=other)
    (found,) = examine(Document("a.p7m", cms_by(union.person, b"x")), trust=unlisted, at=NOW).signatures
    assert found.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND
