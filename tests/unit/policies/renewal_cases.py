"""Chains and tables for the tests of renewal decisions: a plain case, and how to vary it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from policies import AlgorithmTable, current_algorithms
from policies.renewal_values import ChainFacts, RenewalPolicy, SignatureUse, TokenFacts

NOW = datetime(2030, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
YEAR = timedelta(days=365)
POLICY = RenewalPolicy()
P384 = SignatureUse("ecdsa", 384)
RSA = SignatureUse("rsa-pss", 4096)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def token(**changes: Any) -> TokenFacts:
    """A good time-stamp of 2029 whose certificate ends in 2035."""
    plain = TokenFacts(
        position=0,
        tsa="tsa-1",
        gen_time=instant("2029-01-01"),
        signer_until=instant("2035-01-01"),
        authority_until=instant("2045-01-01"),
        digests=("sha512",),
        signatures=(P384,),
    )
    return replace(plain, **changes)


def chain(*tokens: TokenFacts, **changes: Any) -> ChainFacts:
    stamps = tokens or (token(),)
    plain = ChainFacts(
        batch=1, line="sha512", documents=1000, digest="sha512", began=stamps[0].gen_time, tokens=tuple(stamps)
    )
    return replace(plain, **changes)


def table_with_end(digest: str, day: str) -> AlgorithmTable:
    """The published table, but for a digest that ends on a day; its source was changed, so is its id."""
    source = current_algorithms().source.decode()
    head, name, tail = source.partition(f'name = "{digest}"\n')
    assert name, digest
    changed = head + name + tail.replace('status = "recommended"\n', f'status = "legacy"\nuntil = {day}\n', 1)
    return AlgorithmTable.load(changed.replace('id = "algorithms-2026-06"', 'id = "algorithms-test"').encode())
