"""The dated algorithm table: what it says, and what it refuses to be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import AlgorithmTable, PolicyError, current_algorithms, published_tables

TABLE = current_algorithms()
NOW = datetime(2026, 11, 1, tzinfo=UTC)
SOURCE = TABLE.source.decode()

SMALL = """
format = "trusted-archive/algorithms/1"
id = "small"
issued = 2026-06-30
title = "A small table"
[[source]]
id = "s"
title = "A source"
[long_term]
beyond_years = 20
min_digest_bits = 384
source = "s"
[[digest]]
name = "sha512"
oids = ["2.16.840.1.101.3.4.2.3"]
bits = 512
status = "recommended"
source = "s"
[[signature]]
names = ["rsa-pss"]
oids = ["1.2.840.113549.1.1.10"]
min_bits = 3000
status = "recommended"
source = "s"
"""


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize("name", ["sha256", "sha384", "sha512", "sha3-256", "sha3-384", "sha3-512"])
def test_recommended_digests_are_good_without_an_end(name: str) -> None:
    """TS 119 312 V2.1.1 recommends SHA-2 and SHA-3 of 256 bits and more."""
    suitability = TABLE.digest(name, at=NOW)

    assert suitability.good
    assert suitability.until is None
    assert "TS 119 312 V2.1.1" in suitability.source


@pytest.mark.parametrize(
    ("name", "until"),
    [("md5", "2004-08-01"), ("sha1", "2012-08-01"), ("ripemd160", "2014-08-01"), ("sha224", "2029-01-01")],
)
def test_a_digest_is_good_before_its_end_and_not_at_it(name: str, until: str) -> None:
    """The end is exclusive, to the microsecond."""
    end = day(until)

    assert TABLE.digest(name, at=end - timedelta(microseconds=1)).good
    assert not TABLE.digest(name, at=end).good
    assert TABLE.digest(name, at=end).until == end


def test_sha1_was_good_when_a_signature_of_2009_was_made() -> None:
    """ALG-04: suitability is asked at the time of existence, not today."""
    assert TABLE.digest("sha1", at=day("2009-03-01")).good
    assert not TABLE.digest("sha1", at=NOW).good


@pytest.mark.parametrize("name", ["", "SHA512", "sha-512", "sha512-256", "sha3-224", "blake2b", "1.2.3", "sha512 "])
def test_a_digest_without_a_row_is_not_good(name: str) -> None:
    """RFC 5698: an algorithm that is absent is unsuitable, however strong."""
    suitability = TABLE.digest(name, at=NOW)

    assert not suitability.good
    assert suitability.until is None
    assert suitability.source == "RFC 5698 3.1"


def test_an_object_identifier_asks_for_the_same_row_as_the_name() -> None:
    """DSSC rows are known by object identifiers; both ways lead to one answer."""
    assert TABLE.digest("2.16.840.1.101.3.4.2.3", at=NOW) == TABLE.digest("sha512", at=NOW)
    assert TABLE.signature("1.2.840.113549.1.1.10", 4096, at=NOW) == TABLE.signature("rsa-pss", 4096, at=NOW)


@pytest.mark.parametrize(
    ("scheme", "key_bits", "last_good_day"),
    [
        ("rsa-pkcs1v15", 1023, "2010-07-31"),
        ("rsa-pkcs1v15", 1024, "2019-09-30"),
        ("rsa-pkcs1v15", 1899, "2019-09-30"),
        ("rsa-pkcs1v15", 1900, "2026-12-31"),
        ("rsa-pkcs1v15", 2048, "2026-12-31"),
        ("rsa-pkcs1v15", 2999, "2026-12-31"),
        ("rsa-pkcs1v15", 3000, "2028-12-31"),
        ("rsa-pkcs1v15", 16384, "2028-12-31"),
        ("rsa-pss", 2048, "2026-12-31"),
        ("rsa-pss", 3072, "2030-12-31"),
        ("dsa", 1024, "2015-11-30"),
        ("dsa", 2048, "2028-12-31"),
        ("dsa", 3072, "2030-12-31"),
        ("ecdsa", 192, "2012-07-31"),
        ("ecdsa", 224, "2021-09-30"),
    ],
)
def test_a_key_is_good_to_the_last_day_of_its_band(scheme: str, key_bits: int, last_good_day: str) -> None:
    """Key sizes are honoured at both edges of each band."""
    end = day(last_good_day) + timedelta(days=1)

    assert TABLE.signature(scheme, key_bits, at=end - timedelta(seconds=1)).good
    assert not TABLE.signature(scheme, key_bits, at=end).good


@pytest.mark.parametrize(
    ("scheme", "key_bits"),
    [
        ("ecdsa", 256),
        ("ecdsa", 521),
        ("eddsa", 255),
        ("ed25519", 256),
        ("ed448", 448),
        ("ml-dsa", 44),
        ("ml-dsa", 65),
        ("ml-dsa", 87),
        ("slh-dsa", 192),
        ("slh-dsa", 256),
        ("lms", 256),
        ("xmss", 256),
    ],
)
def test_schemes_without_a_known_end_stay_good(scheme: str, key_bits: int) -> None:
    """Recommended curves and quantum-safe schemes have no end yet."""
    assert TABLE.signature(scheme, key_bits, at=day("2099-01-01")).good


@pytest.mark.parametrize(
    ("scheme", "key_bits"),
    [
        ("rsa-pss", 785),
        ("rsa-pss", 0),
        ("rsa-pss", -1),
        ("dsa", 1023),
        ("ecdsa", 159),
        ("ml-dsa", 50),
        ("slh-dsa", 128),
        ("rsa", 4096),
        ("", 4096),
        ("gost", 512),
        ("sm2", 256),
    ],
)
def test_a_scheme_or_size_without_a_row_was_never_good(scheme: str, key_bits: int) -> None:
    """Neither a scheme nor a key size is good by being near one that is."""
    for at in (day("1999-01-01"), NOW):
        assert not TABLE.signature(scheme, key_bits, at=at).good


def test_an_instant_in_another_time_zone_is_the_same_instant() -> None:
    """An end is an instant in UTC, not a date on somebody's wall."""
    prague = timezone(timedelta(hours=1))
    just_after = datetime(2027, 1, 1, 1, 0, tzinfo=prague)

    assert not TABLE.signature("rsa-pss", 2048, at=just_after).good
    assert TABLE.signature("rsa-pss", 2048, at=just_after - timedelta(seconds=1)).good


@pytest.mark.parametrize("name", ["sha1", "unheard-of"])
def test_an_instant_without_a_time_zone_is_a_programming_error(name: str) -> None:
    """A question about no instant has no answer."""
    with pytest.raises(TypeError):
        TABLE.digest(name, at=datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("name", ["sha384", "sha512", "sha3-384", "sha3-512"])
def test_wide_digests_build_new_evidence_for_a_century(name: str) -> None:
    """TS 119 312 5.2.2: at least 384 bits beyond 20 years."""
    assert TABLE.digest_for_new_evidence(name, 100, at=NOW).good


@pytest.mark.parametrize("name", ["sha256", "sha3-256"])
def test_narrow_digests_build_new_evidence_for_twenty_years_and_not_longer(name: str) -> None:
    """ALG-03: SHA-256 stays readable but is refused for a longer promise."""
    assert TABLE.digest_for_new_evidence(name, 20, at=NOW).good
    refused = TABLE.digest_for_new_evidence(name, 21, at=NOW)

    assert not refused.good
    assert "384" in refused.reason


@pytest.mark.parametrize("name", ["sha224", "sha1", "md5", "ripemd160", "sha512-256", "nonsense"])
def test_what_is_legacy_ended_or_unknown_builds_no_new_evidence(name: str) -> None:
    """TS 119 312 9.2: a legacy digest is not used in a new stamp, though it can be read."""
    assert not TABLE.digest_for_new_evidence(name, 1, at=NOW).good


def test_another_table_gives_another_answer() -> None:
    """ALG-01: lifetimes are data; a swapped file changes the verdict."""
    fallen = AlgorithmTable.load(
        SMALL.replace(
            'bits = 512\nstatus = "recommended"', 'bits = 512\nstatus = "legacy"\nuntil = 2030-01-01'
        ).encode()
    )

    assert TABLE.digest("sha512", at=day("2031-01-01")).good
    assert not fallen.digest("sha512", at=day("2031-01-01")).good


def test_the_current_table_is_the_newest_published_one() -> None:
    """Published tables are ordered by date, ids differ, bytes are kept."""
    tables = published_tables()

    assert TABLE is tables[-1]
    assert [table.issued for table in tables] == sorted(table.issued for table in tables)
    assert AlgorithmTable.load(TABLE.source) == TABLE


def test_the_table_s_id_names_its_file_and_its_storage_object() -> None:
    """The object that keeps it is `algorithms-2026-06`."""
    assert TABLE.id == "algorithms-2026-06"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('format = "trusted-archive/algorithms/1"', 'format = "trusted-archive/algorithms/2"', "format"),
        ('id = "small"', "", "lacks 'id'"),
        ("issued = 2026-06-30", 'issued = "2026-06-30"', "a date"),
        ("issued = 2026-06-30", "issued = 2026-06-30T10:00:00Z", "a date"),
        ('title = "A small table"', 'title = " "', "not empty"),
        ("bits = 512", "bits = 512\nbitz = 512", "'bitz'"),
        ("bits = 512", "bits = true", "whole number"),
        ("bits = 512", "bits = 0", "whole number"),
        ("bits = 512", 'bits = "512"', "whole number"),
        ('status = "recommended"', 'status = "fine"', "one of"),
        ('status = "recommended"', 'status = "discontinued"', "needs 'until'"),
        ('source = "s"', 'source = "t"', "one of"),
        ("min_bits = 3000", "min_bits = 3000\nmax_bits = 2999", "above"),
        ('names = ["rsa-pss"]', "names = []", "at least one"),
        ('names = ["rsa-pss"]', 'names = ["rsa-pss", "rsa-pss"]', "repetitions"),
        ('names = ["rsa-pss"]', 'names = "rsa-pss"', "a list"),
        ('oids = ["1.2.840.113549.1.1.10"]', 'oids = ["1.2..3"]', "object identifier"),
        ('oids = ["1.2.840.113549.1.1.10"]', 'oids = ["1.2.x"]', "object identifier"),
        ("[long_term]", "[short_term]", "long_term"),
        ("beyond_years = 20", "beyond_years = 20\nbelow_years = 1", "'below_years'"),
        ("[[source]]\n", '[[source]]\nid = "s"\ntitle = "Again"\n[[source]]\n', "twice"),
        ("[[digest]]", "[[digest]", "not TOML"),
    ],
)
def test_a_malformed_table_is_refused_with_the_place(old: str, new: str, said: str) -> None:
    """A refusal says where it is wrong; nothing is guessed or ignored."""
    assert old in SMALL

    with pytest.raises(PolicyError, match=said.replace("[", r"\[").replace("(", r"\(")):
        AlgorithmTable.load(SMALL.replace(old, new, 1).encode())


def test_two_rows_for_one_digest_are_refused() -> None:
    """A question never has two answers."""
    row = SMALL[SMALL.index("[[digest]]") : SMALL.index("[[signature]]")]

    with pytest.raises(PolicyError, match="two rows"):
        AlgorithmTable.load((SMALL + row).encode())


@pytest.mark.parametrize("band", ["max_bits = 3000", "min_bits = 4000", "min_bits = 1000\nmax_bits = 9000", ""])
def test_overlapping_bands_of_one_scheme_are_refused(band: str) -> None:
    """Bands may touch but not overlap."""
    row = SMALL[SMALL.index("[[signature]]") :].replace("min_bits = 3000", band)

    with pytest.raises(PolicyError, match="two rows"):
        AlgorithmTable.load((SMALL + row).encode())


def test_neighbouring_bands_of_one_scheme_are_accepted() -> None:
    """2999 belongs to one row and 3000 to the next."""
    row = SMALL[SMALL.index("[[signature]]") :].replace("min_bits = 3000", "max_bits = 2999")

    assert len(AlgorithmTable.load((SMALL + row).encode()).signatures) == 2


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    """A table is TOML in UTF-8."""
    with pytest.raises(PolicyError, match="UTF-8"):
        AlgorithmTable.load(b"\xff\xfe")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_refused(source: bytes) -> None:
    """There is no third outcome."""
    with pytest.raises(PolicyError):
        AlgorithmTable.load(source)


@given(
    st.sampled_from([row.name for row in TABLE.signatures]),
    st.integers(min_value=-10, max_value=20_000),
    st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2150, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=40_000)),
)
def test_what_has_ended_never_becomes_good_again(scheme: str, bits: int, at: datetime, later: timedelta) -> None:
    """Suitability only ever goes from good to not good."""
    before, after = TABLE.signature(scheme, bits, at=at), TABLE.signature(scheme, bits, at=at + later)

    assert before.good or not after.good
    assert before.until == after.until
