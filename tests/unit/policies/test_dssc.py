"""Lists of algorithms as others publish them: what they come to mean here, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import AlgorithmTable, PolicyError, current_algorithms
from policies.dssc import Algorithm, Evaluation, Parameter, SuitabilityList, list_of, table_of
from policies.dssc_json import read_json, write_json
from policies.dssc_xml import MAX_BYTES, is_signed, read_xml, write_xml
from policies.tables import carries_signature, form_of, load_table
from tests.unit.policies.suitability_lists import JSON_LIST, LIST, changed

PUBLISHED = current_algorithms()
SIZES = (44, 65, 87, 128, 192, 256, 384, 456, 521, 1024, 1899, 1900, 2048, 2999, 3000, 3072, 4096, 8192)
REAL = {
    "eddsa": (256, 456),
    "ml-dsa": (44, 65, 87),
    "slh-dsa": (128, 192, 256),
    "lms": (192, 256),
    "xmss": (192, 256),
}
"""Key sizes that exist, where a scheme has few."""


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NOW = instant("2026-11-23")


def table() -> AlgorithmTable:
    return load_table(LIST.encode())


# -- what a list comes to mean --------------------------------------------------------------------


def test_a_list_becomes_a_table_that_names_its_publisher_and_its_bytes() -> None:
    """The document is kept as it is; the id holds its date and digest, so that two never share one."""
    found = table()

    assert found.id.startswith("algorithms-2026-01-31-")  # midnight in Paris is the day before in UTC
    assert found.source == LIST.encode()
    assert (found.form, found.issued) == ("xml", instant("2026-01-31T23:00:00"))
    assert "A Publisher" in found.title
    assert "1 algorithms in it are not used here" in found.title
    assert load_table(changed("Somewhere", "Elsewhere")).id != found.id


def test_the_long_term_rule_stays_ours() -> None:
    """A list says nothing of it: evidence for decades still needs 384 bits."""
    assert (
        not load_table(changed("2.16.840.1.101.3.4.2.3", "2.16.840.1.101.3.4.2.1"))
        .digest_for_new_evidence("sha256", 50, at=NOW)
        .good
    )


def test_an_end_is_the_first_moment_at_which_it_is_no_longer_good() -> None:
    """2029-01-01+01:00 is an hour before midnight in UTC."""
    end = instant("2028-12-31T23:00:00")

    assert table().digest("sha224", at=end.replace(minute=0, hour=22)).good
    assert not table().digest("sha224", at=end).good


def test_what_the_list_does_not_name_is_not_suitable() -> None:
    """RFC 5698 3.1: absent means unsuitable, though our own table knows it."""
    assert not table().digest("sha384", at=NOW).good
    assert not table().signature("rsa-pss", 4096, at=NOW).good


@pytest.mark.parametrize(
    ("bits", "at", "good"),
    [
        (1899, "2026-03-01", False),
        (2048, "2026-03-31", True),
        (2048, "2026-04-01", False),
        (2999, "2030-01-01", False),
        (3000, "2030-01-01", True),
        (4096, "2033-12-31", True),
        (4096, "2034-01-01", False),
    ],
)
def test_of_several_evaluations_the_most_favourable_that_covers_the_key_counts(bits: int, at: str, good: bool) -> None:
    """Both name only a lower bound, as ETSI writes them."""
    assert table().signature("rsa-pkcs1v15", bits, at=instant(at)).good is good


def test_an_algorithm_is_not_suitable_before_its_start() -> None:
    """RFC 5698 3.2: a validity may begin."""
    before = table().signature("ml-dsa", 65, at=instant("2025-06-01"))

    assert (before.good, "only since" in before.reason) == (False, True)
    assert table().signature("ml-dsa", 65, at=NOW).good
    assert not table().signature("ml-dsa", 87, at=NOW).good


def test_an_identifier_that_fixes_the_key_size_says_nothing_of_others() -> None:
    """ML-DSA-65 in a list does not make ML-DSA-44 suitable."""
    assert not table().signature("ml-dsa", 44, at=NOW).good


def test_curves_in_a_list_bound_ecdsa_from_below() -> None:
    """ETSI states no key size for ECDSA but the curves that are good."""
    assert not table().signature("ecdsa", 256, at=NOW).good
    assert table().signature("ecdsa", 384, at=NOW).good


def test_what_ended_before_the_list_was_issued_is_discontinued() -> None:
    """It may be read by old evidence and builds nothing new."""
    assert table().digest("sha1", at=instant("2010-01-01")).good
    assert table().digest_row("sha1").status == "discontinued"  # type: ignore[union-attr]
    assert not table().digest_for_new_evidence("sha224", 5, at=NOW).good


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name="moduluslength"><d:Min>3000</d:Min>', 'name="exponentlength"><d:Min>3000</d:Min>'),
        ("<d:Min>3000</d:Min>", '<d:Min>3000</d:Min><x:More xmlns:x="urn:x"/>'),
    ],
)
def test_a_parameter_that_cannot_be_evaluated_makes_nothing_suitable(old: str, new: str) -> None:
    """Better unsuitable than guessed."""
    assert not load_table(changed(old, new)).signature("rsa-pkcs1v15", 4096, at=NOW).good


def test_json_says_the_same_as_xml() -> None:
    """One meaning, two forms."""
    found = load_table(JSON_LIST.encode())

    assert found.form == "json"
    for bits in (1899, 2048, 3000, 4096):
        for at in ("2026-03-01", "2030-01-01", "2034-01-01"):
            one, other = (each.signature("rsa-pkcs1v15", bits, at=instant(at)) for each in (found, table()))
            assert (one.good, one.until) == (other.good, other.until)


# -- ours, written and read back -------------------------------------------------------------------


@pytest.mark.parametrize("write", [write_xml, write_json])
def test_our_table_written_as_a_list_answers_every_question_alike(write: object) -> None:
    """Every digest and scheme, every size that exists, year by year."""
    back = load_table(write(list_of(PUBLISHED)))  # type: ignore[operator]
    questions = 0
    for year in range(2003, 2042):
        at = datetime(year, 6, 1, tzinfo=UTC)
        for row in PUBLISHED.digests:
            one, other = PUBLISHED.digest(row.name, at=at), back.digest(row.name, at=at)
            assert (one.good, one.until) == (other.good, other.until), (row.name, at)
            questions += 1
        for scheme in {row.name for row in PUBLISHED.signatures}:
            for bits in REAL.get(scheme, SIZES):
                one, other = (each.signature(scheme, bits, at=at) for each in (PUBLISHED, back))
                assert (one.good, one.until) == (other.good, other.until), (scheme, bits, at)
                questions += 1
    assert questions > 3000


NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1, max_size=20
)
DAYS = st.dates(datetime(1990, 1, 1).date(), datetime(2100, 1, 1).date()).map(  # noqa: DTZ001
    lambda day: datetime(day.year, day.month, day.day, tzinfo=UTC)
)
EVALUATIONS = st.builds(
    Evaluation,
    st.lists(
        st.builds(Parameter, NAMES, st.none() | st.integers(0, 2**20), st.none() | st.integers(0, 2**20)), max_size=3
    ).map(tuple),
    st.none() | DAYS,
    st.none() | DAYS,
    st.sampled_from(["", "R", "L"]),
)
OIDS = st.lists(st.integers(0, 10**6), min_size=2, max_size=12).map(lambda arcs: ".".join(map(str, arcs)))
LISTS = st.builds(
    SuitabilityList,
    NAMES,
    NAMES,
    DAYS,
    st.none() | DAYS,
    st.lists(
        st.builds(
            Algorithm,
            NAMES,
            st.lists(OIDS, min_size=1, max_size=1).map(tuple),
            st.lists(EVALUATIONS, min_size=1, max_size=3).map(tuple),
        ),
        min_size=1,
        max_size=5,
    ).map(tuple),
)


@given(LISTS)
def test_every_list_survives_being_written_and_read(found: SuitabilityList) -> None:
    """Both forms, any names and bounds."""
    assert read_xml(write_xml(found)) == found
    assert read_json(write_json(found)) == found


# -- what is refused -------------------------------------------------------------------------------

BOMB = '<!DOCTYPE p [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'


@pytest.mark.parametrize(
    "declaration",
    [
        "<!DOCTYPE p>",
        BOMB,
        '<!DOCTYPE p SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_a_document_type_declaration_is_refused_before_it_is_read(declaration: str) -> None:
    """No entities, nothing fetched, nothing expanded."""
    head, tail = LIST.split("\n", 1)
    with pytest.raises(PolicyError, match="document type"):
        read_xml(f"{head}\n{declaration}\n{tail}".encode())


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("ns:dssc", "ns:dsss", "not a SecuritySuitabilityPolicy"),
        ("<d:PolicyIssueDate>2026-02-01T00:00:00.000+01:00</d:PolicyIssueDate>", "", "lacks PolicyIssueDate"),
        ("2026-02-01T00:00:00.000+01:00", "last week", "not an instant"),
        ("2026-02-01T00:00:00.000+01:00", "2026-02-31T00:00:00Z", "not an instant"),
        ("2029-01-01+01:00", "2029-13-01", "not a date"),
        ("2029-01-01+01:00", "2029-01-01+25:00", "not a date"),
        ("2029-01-01+01:00", "&#1634;029-01-01", "not a date"),
        ("<d:Min>1900</d:Min>", "<d:Min>many</d:Min>", "whole number"),
        ("<d:Min>1900</d:Min>", "<d:Min>-5</d:Min>", "whole number"),
        ("<d:Min>1900</d:Min>", "<d:Min>99999999999</d:Min>", "whole number"),
        ("<d:Min>1900</d:Min>", "<d:Min>1</d:Min><d:Min>2</d:Min>", "one is meant"),
        (' name="moduluslength"', "", "lacks its name"),
        ("<d:Name>Suites</d:Name>", "<d:Name> </d:Name>", "empty Name"),
        ("<d:Validity/>", "", "lacks Validity"),
        ("1.3.14.3.2.26", "sha1", "ObjectIdentifier"),
        ("<d:ObjectIdentifier>1.3.14.3.2.26</d:ObjectIdentifier>", "", "ObjectIdentifier"),
        ("</d:SecuritySuitabilityPolicy>", "", "well-formed"),
        ('encoding="UTF-8"', 'encoding="EBCDIC-9"', "well-formed|decoded"),
    ],
)
def test_a_list_that_does_not_say_what_it_must_is_refused_by_name(old: str, new: str, why: str) -> None:
    """Each with its place; none is half read."""
    with pytest.raises(PolicyError, match=why):
        load_table(changed(old, new))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"SecuritySuitabilityPolicy"', '"Policy"', "no SecuritySuitabilityPolicy"),
        ('"Name": "Suites"', '"Name": ""', "lacks 'Name'"),
        ('"2034-01-01"', "2034", "lacks 'End'"),
        ('"2034-01-01"', '"soon"', "not a date"),
        ('"Min": 3000', '"Min": -3000', "whole number"),
        ('"Min": 3000', '"Min": true', "whole number"),
        ('"Min": 3000', '"Min": 3e3', "not JSON"),
        ('"Min": 3000', '"Min": NaN', "not JSON"),
        ('"Validity": {}', '"Validity": []', "must be an object"),
        ('"2.16.840.1.101.3.4.2.3"', "17", "ObjectIdentifier"),
        ('"version": "2"', '"version": ', "not JSON"),
    ],
)
def test_a_json_list_that_does_not_say_what_it_must_is_refused_by_name(old: str, new: str, why: str) -> None:
    """The same care for the other form."""
    with pytest.raises(PolicyError, match=why):
        load_table(changed(old, new, JSON_LIST))


def test_lists_are_bounded() -> None:
    """In bytes, elements, depth and algorithms."""
    long = LIST.replace("<d:Usage>", "<d:Usage>" + "x" * MAX_BYTES)
    deep = LIST.replace("assessment", "<d:a>" * 40 + "</d:a>" * 40)
    wide = LIST.replace("assessment", "<d:a/>" * 60_000)
    for source, why in ((long, "bytes"), (deep, "too deep"), (wide, "too many")):
        with pytest.raises(PolicyError, match=why):
            read_xml(source.encode())
    one = json.loads(JSON_LIST)
    one["SecuritySuitabilityPolicy"]["Algorithm"] *= 400
    with pytest.raises(PolicyError, match="1 to 1000"):
        read_json(json.dumps(one).encode())
    with pytest.raises(PolicyError, match="not JSON"):
        read_json(b'{"a":' * 100_000)


def test_a_list_that_names_nothing_of_ours_is_refused() -> None:
    """An empty table would make everything unsuitable: that is a mistake, not a policy."""
    found = read_xml(LIST.encode())
    with pytest.raises(PolicyError, match="no digest"):
        table_of(
            SuitabilityList("n", "p", found.issued, None, (Algorithm("x", ("1.2.3",), (Evaluation((), None, None),)),)),
            b"",
            "xml",
        )


@pytest.mark.parametrize(
    ("source", "form"),
    [(b"<x/>", "xml"), (b" \n{}", "json"), (b"\xef\xbb\xbf<x/>", "xml"), (b"id = 1", "toml"), (b"", "toml")],
)
def test_the_form_is_told_by_the_first_character_alone(source: bytes, form: str) -> None:
    """And what is not good in that form is refused."""
    assert form_of(source) == form
    with pytest.raises(PolicyError):
        load_table(source)


def test_the_published_table_is_read_as_ever() -> None:
    """Our own form goes the same way."""
    assert load_table(PUBLISHED.source) == PUBLISHED


def test_an_unsigned_list_is_told_apart_from_a_signed_one() -> None:
    """Only a signature of the list itself counts, directly below its root."""
    signature = '<s:Signature xmlns:s="http://www.w3.org/2000/09/xmldsig#"/>'
    assert not is_signed(LIST.encode())
    assert not carries_signature(JSON_LIST.encode())
    assert not is_signed(changed("assessment", signature))
    assert carries_signature(changed("</d:SecuritySuitabilityPolicy>", signature + "</d:SecuritySuitabilityPolicy>"))
