"""Claims: who may write which version."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archive_core.catalogue import Catalogue
from archive_core.errors import (
    ConcurrentChangeError,
    UnknownObjectError,
)
from tests.catalogue_rows import (
    ORG,
    OTHER,
    START,
    description,
    entry,
    later,
    poid,
)


def test_the_first_claim_of_a_key_is_fresh_and_a_retry_gets_the_same_bytes(catalogue: Catalogue) -> None:
    """A retry proposes another POID and description and is given the first ones."""
    first = catalogue.claim(ORG, "k", "r1", poid(1), 1, b"first", START)
    retry = catalogue.claim(ORG, "k", "r1", poid(2), 1, b"second", later(5))

    assert (first.fresh, first.completed, first.description) == (True, False, b"first")
    assert retry == replace(first, fresh=False)


def test_a_used_key_is_returned_with_its_own_request_digest(catalogue: Catalogue) -> None:
    """The caller sees the difference and refuses; the catalogue changes nothing."""
    catalogue.claim(ORG, "k", "r1", poid(1), 1, b"first", START)

    assert catalogue.claim(ORG, "k", "other", poid(2), 1, b"second", START).request_digest == "r1"
    assert catalogue.open_claim(poid(2), 1) is None


def test_one_key_of_two_originators_is_two_keys(catalogue: Catalogue) -> None:
    """Keys are told apart by originator."""
    catalogue.claim(ORG, "k", "r", poid(1), 1, b"one", START)

    assert catalogue.claim(OTHER, "k", "r", poid(2), 1, b"two", START).fresh
    assert catalogue.find_key(OTHER, "k") != catalogue.find_key(ORG, "k")


def test_claims_without_a_key_never_meet(catalogue: Catalogue) -> None:
    """No key, no idempotency."""
    assert catalogue.claim(ORG, None, "r", poid(1), 1, b"one", START).fresh
    assert catalogue.claim(ORG, None, "r", poid(2), 1, b"one", START).fresh


def test_a_version_claimed_under_one_key_is_refused_under_another(catalogue: Catalogue) -> None:
    """(POID, version) is claimed once, whatever the key."""
    catalogue.claim(ORG, "k1", "r", poid(1), 1, b"one", START)

    with pytest.raises(ConcurrentChangeError):
        catalogue.claim(ORG, "k2", "r", poid(1), 1, b"one", START)
    with pytest.raises(ConcurrentChangeError):
        catalogue.claim(ORG, None, "r", poid(1), 1, b"one", START)
    assert catalogue.find_key(ORG, "k2") is None


def test_commit_a_completes_the_claim_and_the_version_answers_for_its_key(catalogue: Catalogue) -> None:
    """After commit A nothing needs to be written again, so no bytes are kept."""
    row, files, events = entry(1, idempotency_key="k", request_digest="r")
    catalogue.claim(ORG, "k", "r", row.poid, 1, description(1), START)
    catalogue.enter_version(row, files, events)

    again = catalogue.claim(ORG, "k", "r", poid(9), 1, b"other", later(9))
    assert (again.poid, again.version, again.completed, again.fresh) == (row.poid, 1, True, False)
    assert (again.description, again.request_digest) == (b"", "r")
    assert catalogue.find_key(ORG, "k") == again
    assert catalogue.open_claims(later(10**6)) == []
    assert catalogue.open_claim(poid(9), 1) is None


def test_a_version_is_not_entered_over_a_claim_for_another_description(catalogue: Catalogue) -> None:
    """What was claimed is what must be written."""
    row, files, events = entry(1, idempotency_key="k")
    catalogue.claim(ORG, "k", "r", row.poid, 1, b"another description", START)

    with pytest.raises(ConcurrentChangeError):
        catalogue.enter_version(row, files, events)
    with pytest.raises(UnknownObjectError):
        catalogue.version(row.poid)
    assert catalogue.open_claim(row.poid, 1) is not None


def test_a_version_is_not_entered_under_a_key_claimed_for_another_version(catalogue: Catalogue) -> None:
    """A key stands for one version, claimed or stored."""
    catalogue.claim(ORG, "k", "r", poid(2), 1, b"two", START)
    row, files, events = entry(1, idempotency_key="k")

    with pytest.raises(ConcurrentChangeError):
        catalogue.enter_version(row, files, events)


def test_a_second_version_under_a_used_key_is_refused(catalogue: Catalogue) -> None:
    """Also without claims, as in a rebuild."""
    catalogue.enter_version(*entry(1, idempotency_key="k"))

    with pytest.raises(ConcurrentChangeError):
        catalogue.enter_version(*entry(2, idempotency_key="k"))


@pytest.mark.parametrize("key", ["k" * 255, "ž" * 127, "\x00", "a\x00b", "\U0001f5c4", "K", "' OR 1=1 --"])
def test_any_utf_8_is_a_key(catalogue: Catalogue, key: str) -> None:
    """Keys come back as they went in, on both databases."""
    catalogue.claim(ORG, key, "r", poid(1), 1, b"one", START)
    found = catalogue.find_key(ORG, key)

    assert found is not None
    assert found.key == key
    assert catalogue.find_key(ORG, key + "x") is None


def test_a_composed_and_a_decomposed_key_are_two_keys(catalogue: Catalogue) -> None:
    """Keys are compared by their bytes."""
    assert catalogue.claim(ORG, "\u00e9", "r", poid(1), 1, b"one", START).fresh
    assert catalogue.claim(ORG, "e\u0301", "r", poid(2), 1, b"two", START).fresh


def test_the_next_version_is_claimed_once(catalogue: Catalogue) -> None:
    """The same bytes may claim again after a crash; other bytes may not."""
    catalogue.enter_version(*entry(1))
    catalogue.claim_version(poid(1), 2, b"update", START)
    catalogue.claim_version(poid(1), 2, b"update", later(1))

    with pytest.raises(ConcurrentChangeError):
        catalogue.claim_version(poid(1), 2, b"another update", later(2))
    held = catalogue.open_claim(poid(1), 2)
    assert held is not None
    assert held.description == b"update"


@pytest.mark.parametrize("version", [1, 3, 4])
def test_only_the_version_after_the_newest_can_be_claimed(catalogue: Catalogue, version: int) -> None:
    """No gap and no second version of one number; a refused claim leaves nothing behind."""
    catalogue.enter_version(*entry(1))

    with pytest.raises(ConcurrentChangeError):
        catalogue.claim_version(poid(1), version, b"update", START)
    assert catalogue.open_claim(poid(1), version) is None


def test_a_version_of_an_unknown_object_cannot_be_claimed(catalogue: Catalogue) -> None:
    """An update needs something to update."""
    with pytest.raises(UnknownObjectError):
        catalogue.claim_version(poid(1), 2, b"update", START)
    assert catalogue.open_claim(poid(1), 2) is None


def test_a_claim_under_a_key_does_not_take_a_stored_version(catalogue: Catalogue) -> None:
    """The version exists, so the key is not used up by the refusal."""
    catalogue.enter_version(*entry(1))

    with pytest.raises(ConcurrentChangeError):
        catalogue.claim(ORG, "k", "r", poid(1), 1, b"x", START)
    assert catalogue.find_key(ORG, "k") is None


def test_an_abandoned_claim_frees_its_key_and_its_version(catalogue: Catalogue) -> None:
    """Recovery may give up a claim whose package never came to be."""
    catalogue.claim(ORG, "k", "r", poid(1), 1, b"one", START)
    catalogue.claim(ORG, "k2", "r", poid(2), 1, b"two", later(10))
    (old,) = catalogue.open_claims(later(10))

    assert catalogue.abandon_claim(replace(old, description=b"not these bytes")) is False
    assert catalogue.abandon_claim(old) is True
    assert catalogue.abandon_claim(old) is False
    assert catalogue.claim(ORG, "k", "r", poid(3), 1, b"three", later(20)).fresh
    assert [claim.poid for claim in catalogue.open_claims(later(100))] == [poid(2), poid(3)]
