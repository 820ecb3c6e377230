"""Preservation profiles: what is published, what is refused, when a batch is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import policies
from policies import (
    NotInForceError,
    PolicyError,
    PreservationProfile,
    UnknownPolicyError,
    current_algorithms,
    is_batch_due,
    profile_at,
    published_profiles,
)
from policies.profiles import profile_by_id

NOW = datetime(2026, 11, 1, tzinfo=UTC)
BASIC = profile_by_id("basic-1")
REDUNDANT = profile_by_id("redundant-1")
SOURCE = REDUNDANT.source.decode()


def changed(old: str, new: str) -> bytes:
    """The redundant profile with the first occurrence of one text replaced."""
    assert old in SOURCE
    return SOURCE.replace(old, new, 1).encode()


def test_the_basic_profile_has_one_line_on_sha512() -> None:
    """One record, stamped by the local test authority."""
    (line,) = BASIC.lines

    assert (line.name, line.digest, line.tsa, line.trust_class_required) == ("sha512", "sha512", "local-tsa-1", "test")
    assert BASIC.accepts_test_trust


def test_the_redundant_profile_has_two_lines_that_share_nothing() -> None:
    """Two records with different digests and authorities (RFC 4998 section 7)."""
    assert [(line.digest, line.tsa) for line in REDUNDANT.lines] == [
        ("sha512", "local-tsa-1"),
        ("sha3-512", "local-tsa-2"),
    ]


@pytest.mark.parametrize("profile", published_profiles(), ids=lambda profile: profile.id)
def test_a_published_profile_keeps_the_house_promises(profile: PreservationProfile) -> None:
    """Every published profile stands under the name of its file, in two languages, on digests good for its years."""
    folder = Path(policies.__file__).parent / "published"

    assert (folder / f"profile-{profile.id}.toml").read_bytes() == profile.source
    assert set(profile.title) == {"en", "cs"}
    assert profile.weak_lines(current_algorithms(), at=NOW) == []
    assert profile.required_copies == "all"
    assert profile.evidence_format == "urn:ietf:rfc:4998:EvidenceRecord"
    assert profile.scheme == "http://uri.etsi.org/19512/scheme/pds+pgd+aug+wst+ers"
    assert PreservationProfile.load(profile.source) == profile


def test_no_czech_text_calls_the_product_an_archive() -> None:
    """An archive is something else in Czech law; nor is anything called qualified."""
    for profile in published_profiles():
        assert "archiv" not in profile.title["cs"].lower()
        assert "kvalifik" not in profile.title["cs"].lower()


def test_a_line_on_sha256_is_weak_for_a_century() -> None:
    """ALG-03: a profile of more than 20 years cannot stand on SHA-256."""
    profile = PreservationProfile.load(changed('digest = "sha512"', 'digest = "sha256"'))

    (reason,) = profile.weak_lines(current_algorithms(), at=NOW)
    assert "384" in reason


@pytest.mark.parametrize("digest", ["sha1", "sha224", "sha512-256", "sha-512", "nothing"])
def test_a_line_on_an_unsuitable_digest_is_weak(digest: str) -> None:
    """Ended, legacy and unknown digests take no new evidence."""
    profile = PreservationProfile.load(changed('digest = "sha512"', f'digest = "{digest}"'))

    assert len(profile.weak_lines(current_algorithms(), at=NOW)) == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('id = "redundant-1"', 'id = "redundant-1"\nretention = 5', "'retention'"),
        ("max_files = 10_000", "max_files = 10_000\nmax_flies = 3", "'max_flies'"),
        ("shared = true", "shared = true\nclosed_after = 3", "'closed_after'"),
        ('tsa = "local-tsa-1"', 'tsa = "local-tsa-1"\nurl = "http://x"', "'url'"),
        ('cs = "', 'sk = "x"\ncs = "', "'sk'"),
        ('digest = "sha3-512"', 'digest = "sha512"', "share one digest"),
        ('tsa = "local-tsa-2"', 'tsa = "local-tsa-1"', "share one TSA"),
        ('name = "sha3-512"', 'name = "sha512"', "share one name"),
        ('name = "sha3-512"', 'name = "../x"', "files are named"),
        ('id = "redundant-1"', 'id = "Redundant 1"', "an object is named"),
        ('seal = "batch"', 'seal = "each"', "seals batches only"),
        ('seal = "batch"', 'seal = "none"', "one of"),
        ('required_copies = "all"', 'required_copies = "some"', "one of"),
        ('storage_model = "WithStorage"', 'storage_model = "WithoutStorage"', "storage model"),
        ("accepts_test_trust = true", "accepts_test_trust = false", "test trust"),
        ("accepts_test_trust = true", 'accepts_test_trust = "yes"', "true or false"),
        ('trust_class_required = "test"', 'trust_class_required = "good"', "one of"),
        ("max_files = 10_000", "max_files = 0", "whole number"),
        ("max_files = 10_000", "max_files = true", "whole number"),
        ("max_files = 10_000", "max_files = 1.5", "whole number"),
        ("max_file_size = 68_719_476_736", "max_file_size = 274_877_906_945", "above"),
        ("max_metadata_depth = 64", "max_metadata_depth = 5000", "whole number"),
        ("close_after = 30", "close_after = -1", "whole number"),
        ("close_at_count = 10_000", "", "lacks 'close_at_count'"),
        ("valid_from = 2026-01-01", "valid_from = 2026-01-01\nvalid_until = 2025-12-31", "before it begins"),
        ("valid_from = 2026-01-01", "", "lacks 'valid_from'"),
        ("[limits]", "[limit]", "limits"),
        ('format = "trusted-archive/profile/1"', 'format = "trusted-archive/profile/9"', "format"),
    ],
)
def test_a_wrong_profile_is_refused_with_a_sentence(old: str, new: str, said: str) -> None:
    """A misspelt or contradictory promise is named, never dropped."""
    with pytest.raises(PolicyError, match=said):
        PreservationProfile.load(changed(old, new))


def test_two_authorities_may_stamp_one_root_where_the_profile_says_so() -> None:
    """Two lines of one digest, each with an authority of its own."""
    source = SOURCE.replace('digest = "sha3-512"', 'digest = "sha512"').replace(
        "\n[title]", "\nsame_root = true\n\n[title]", 1
    )
    profile = PreservationProfile.load(source.encode())

    assert profile.same_root
    assert [(line.digest, line.tsa) for line in profile.lines] == [("sha512", "local-tsa-1"), ("sha512", "local-tsa-2")]
    assert not PreservationProfile.load(SOURCE.encode()).same_root


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "", "all with one digest algorithm"),
        ('tsa = "local-tsa-2"', 'tsa = "local-tsa-1"', "all with one digest algorithm"),
        (SOURCE[SOURCE.rindex("[[line]]") :], "", "two lines or more"),
        ('digest = "sha3-512"\ntsa = "local-tsa-2"', 'digest = "sha512"\ntsa = "local-tsa-1"', "share one TSA"),
        ('name = "sha3-512"\ndigest = "sha3-512"', 'name = "sha512"\ndigest = "sha512"', "share one name"),
    ],
    ids=["two digests", "two digests and one TSA", "one line", "one TSA", "one name"],
)
def test_one_root_that_is_not_stamped_by_two_is_refused(old: str, new: str, said: str) -> None:
    """Whatever would make two roots of it, or one authority."""
    source = SOURCE.replace("\n[title]", "\nsame_root = true\n\n[title]", 1)
    assert old in source
    with pytest.raises(PolicyError, match=said):
        PreservationProfile.load(source.replace(old, new).encode())


def test_a_profile_without_lines_is_refused() -> None:
    """No line, no evidence."""
    with pytest.raises(PolicyError, match="lacks 'line'"):
        PreservationProfile.load(SOURCE[: SOURCE.index("[[line]]")].encode())


@pytest.mark.parametrize(
    ("required", "offered", "accepted"),
    [
        ("test", "test", True),
        ("test", "qualified", True),
        ("advanced", "test", False),
        ("advanced", "advanced", True),
        ("qualified", "advanced", False),
        ("qualified", "test", False),
        ("qualified", "qualified", True),
    ],
)
def test_a_line_takes_its_trust_class_or_a_stronger_one(required: str, offered: str, accepted: bool) -> None:
    """Test trust never stands in for real trust."""
    source = changed('trust_class_required = "test"', f'trust_class_required = "{required}"')
    line = PreservationProfile.load(source).lines[0]

    assert line.accepts_trust(offered) is accepted


def test_a_profile_is_active_from_its_first_day_until_its_end() -> None:
    """`valid_from` is inclusive, `valid_until` exclusive."""
    profile = PreservationProfile.load(
        changed("valid_from = 2026-01-01", "valid_from = 2026-01-01\nvalid_until = 2027-01-01")
    )

    assert not profile.is_active(datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert profile.is_active(datetime(2026, 1, 1, tzinfo=UTC))
    assert profile.is_active(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC))
    assert not profile.is_active(datetime(2027, 1, 1, tzinfo=UTC))


def test_a_profile_that_ended_takes_nothing_and_stays_readable() -> None:
    """API-02: objects that came in under it still show it."""
    ended = PreservationProfile.load(
        changed("valid_from = 2026-01-01", "valid_from = 2026-01-01\nvalid_until = 2026-02-01")
    )

    with pytest.raises(NotInForceError):
        profile_at("redundant-1", NOW, [ended])
    assert profile_by_id("redundant-1", [ended]) is ended


@pytest.mark.parametrize("profile_id", ["", "basic", "basic-99", "BASIC-1", "../basic-1"])
def test_an_unknown_profile_is_said_to_be_unknown(profile_id: str) -> None:
    """Nothing stands in for a profile that was never published."""
    with pytest.raises(UnknownPolicyError):
        profile_at(profile_id, NOW)


def test_profile_at_finds_the_published_one() -> None:
    """The default is what comes with the program."""
    assert profile_at("basic-1", NOW) is BASIC


AGE = timedelta(seconds=BASIC.batch.close_after)


@pytest.mark.parametrize(
    ("count", "age", "due"),
    [
        (0, None, False),
        (0, AGE * 10, False),
        (1, timedelta(0), False),
        (1, AGE - timedelta(microseconds=1), False),
        (1, AGE, True),
        (BASIC.batch.close_at_count - 1, timedelta(0), False),
        (BASIC.batch.close_at_count, timedelta(0), True),
        (5, -AGE, False),
    ],
)
def test_a_batch_is_due_by_age_or_by_count(count: int, age: timedelta | None, due: bool) -> None:
    """Nothing waiting is never due; a clock that went back makes nothing due by age."""
    oldest = None if age is None else NOW - age

    assert is_batch_due(BASIC, count, oldest, NOW) is due


@pytest.mark.parametrize("source", [b"a = " + b"[" * 5000, b"a = " + b"9" * 5000, b"a = " + b"{b = " * 3000, b"\xff"])
def test_toml_that_no_parser_gets_through_is_a_precise_refusal(source: bytes) -> None:
    """Nesting that exhausts the stack and numbers that are too long are no TOML of ours."""
    with pytest.raises(PolicyError, match="not TOML"):
        PreservationProfile.load(source)


def test_a_policy_of_any_length_is_refused_quickly() -> None:
    """What a parser would chew on for hours is not given to it."""
    with pytest.raises(PolicyError, match="more than"):
        PreservationProfile.load(b"a." * 2_000_000 + b"b = 1")
