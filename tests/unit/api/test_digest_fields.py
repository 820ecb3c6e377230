"""Digest fields of RFC 9530."""

from __future__ import annotations

import base64
import hashlib

import pytest

from api.digest_fields import merge_claims, parse_digest_field, write_digest_field
from archive_core.digests import Digest
from archive_core.errors import UsageError

# RFC 9530 Appendix B.1: the content {"hello": "world"} followed by a line feed.
RFC_CONTENT = b'{"hello": "world"}\n'
RFC_FIELD = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


def test_the_example_of_the_rfc_is_read() -> None:
    """RFC 9530 B.1 and we agree."""
    assert {"sha256": hashlib.sha256(RFC_CONTENT).hexdigest()} == parse_digest_field(RFC_FIELD)


def test_what_is_written_is_read_back() -> None:
    """Writing and reading are inverses for the active algorithms."""
    digests = (Digest.of("sha512", b"x"), Digest.of("sha256", b"x"))

    assert {d.algorithm: d.hex for d in digests} == parse_digest_field(write_digest_field(*digests))


def test_an_unknown_algorithm_beside_a_known_one_is_ignored() -> None:
    """RFC 9530 2: a recipient may ignore digests, as long as one is checked."""
    assert list(parse_digest_field(f"md5=:AAAAAAAAAAAAAAAAAAAAAA==:, {RFC_FIELD}")) == ["sha256"]


@pytest.mark.parametrize(
    "field",
    [
        "",
        "sha-512",
        "sha-512=abc",
        "sha-512=:####:",
        "sha-512=:AAAA:",
        "sha-256=:" + base64.b64encode(b"x" * 31).decode() + ":",
        "sha-256=:" + base64.b64encode(b"x" * 32).decode() + ":;q=1",
        "md5=:AAAAAAAAAAAAAAAAAAAAAA==:",
        "SHA-512=:AAAA:",
        ",",
        "sha-256=:" + "A" * 5000 + ":",
    ],
)
def test_a_field_in_which_nothing_can_be_checked_is_refused(field: str) -> None:
    """A claim that nobody checks protects nobody."""
    with pytest.raises(UsageError):
        parse_digest_field(field)


def test_contradicting_claims_are_refused() -> None:
    """Two different digests of one algorithm cannot both be right."""
    assert merge_claims([{"sha256": "AB"}, {"sha256": "ab"}]) == {"sha256": "ab"}

    with pytest.raises(UsageError):
        merge_claims([{"sha256": "ab"}, {"sha256": "cd"}])
