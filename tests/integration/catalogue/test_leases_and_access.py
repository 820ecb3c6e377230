"""Leases, facts, keys and jobs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archive_core.catalogue import Catalogue
from archive_core.catalogue.rows import JobRow, KeyRow
from archive_core.errors import (
    ConcurrentChangeError,
    NotFoundError,
)
from tests.catalogue_rows import (
    ORG,
    OTHER,
    START,
    later,
)


def test_a_lease_has_one_holder_until_it_ends(catalogue: Catalogue) -> None:
    """It ends at its instant, not after it; its holder may take it again."""
    assert catalogue.acquire_lease("batcher", "a", later(60), START)
    assert catalogue.acquire_lease("batcher", "a", later(70), START)
    assert not catalogue.acquire_lease("batcher", "b", later(90), later(69))
    assert catalogue.acquire_lease("other", "b", later(60), START)
    assert catalogue.acquire_lease("batcher", "b", later(130), later(70))
    assert not catalogue.acquire_lease("batcher", "a", later(130), later(71))


def test_a_lease_that_was_lost_is_not_renewed(catalogue: Catalogue) -> None:
    """A holder that slept too long must learn it, even if nobody took the lease."""
    catalogue.acquire_lease("batcher", "a", later(60), START)

    assert catalogue.renew_lease("batcher", "a", later(120), later(59))
    assert not catalogue.renew_lease("batcher", "b", later(300), later(60))
    assert not catalogue.renew_lease("batcher", "a", later(300), later(120))
    assert not catalogue.renew_lease("unheard-of", "a", later(300), START)


def test_only_its_holder_gives_a_lease_back(catalogue: Catalogue) -> None:
    """A released lease is free at once."""
    catalogue.acquire_lease("batcher", "a", later(60), START)

    assert not catalogue.release_lease("batcher", "b")
    assert catalogue.release_lease("batcher", "a")
    assert not catalogue.release_lease("batcher", "a")
    assert catalogue.acquire_lease("batcher", "b", later(60), START)


def test_facts_are_replaced(catalogue: Catalogue) -> None:
    """The last value stands."""
    assert catalogue.meta_get("home") is None
    catalogue.meta_set("home", "one")
    catalogue.meta_set("home", "dvě")

    assert catalogue.meta_get("home") == "dvě"


def key_row(number: int, **changes: object) -> KeyRow:
    row = KeyRow(
        key_id=f"key-{number}",
        key_hash=f"{number:064x}",
        label="eSSL ž",
        originator=ORG,
        role="depositor",
        created=later(number),
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def test_a_key_is_found_by_the_hash_of_its_secret_only(catalogue: Catalogue) -> None:
    """Neither its id nor a part of the hash opens anything."""
    catalogue.add_key(key_row(1))

    assert catalogue.key_by_hash(f"{1:064x}") == key_row(1)
    for wrong in ("", "key-1", f"{1:063x}", f"{2:064x}", "%"):
        assert catalogue.key_by_hash(wrong) is None


def test_a_revoked_key_stays_listed_with_its_first_revocation(catalogue: Catalogue) -> None:
    """Who had a key stays known."""
    catalogue.add_key(key_row(2))
    catalogue.add_key(key_row(1))
    catalogue.revoke_key("key-1", later(100))

    assert catalogue.revoke_key("key-1", later(200)).revoked_at == later(100)
    listed = catalogue.keys()
    assert [(key.key_id, key.revoked_at) for key in listed] == [("key-1", later(100)), ("key-2", None)]
    with pytest.raises(NotFoundError):
        catalogue.revoke_key("key-3", later(100))


def test_the_use_of_a_key_is_noted_and_never_goes_back(catalogue: Catalogue) -> None:
    """Two processes may note it in any order."""
    catalogue.add_key(key_row(1))
    for at in (later(50), later(40)):
        catalogue.touch_key("key-1", at)

    assert catalogue.keys()[0].last_used == later(50)


@pytest.mark.parametrize("changes", [{"key_id": "key-9"}, {"key_hash": "ff"}])
def test_a_key_id_or_a_secret_is_not_given_twice(catalogue: Catalogue, changes: dict[str, object]) -> None:
    """Either would let one key answer for another."""
    catalogue.add_key(key_row(1))

    with pytest.raises(ConcurrentChangeError):
        catalogue.add_key(key_row(1, **changes))
    assert len(catalogue.keys()) == 1


def test_a_job_goes_on_and_ends(catalogue: Catalogue) -> None:
    """Progress and result come back as they went in; only what goes on can be changed."""
    job = JobRow(job_id="j1", kind="verification", state="waiting", created=START, originator=ORG)
    catalogue.add_job(job)
    catalogue.add_job(replace(job, job_id="j2", created=later(1), originator=OTHER))
    catalogue.update_job("j1", state="running", progress_done=3, progress_total=10)
    ended = catalogue.update_job("j1", state="done", result={"verdict": "PASSED", "reports": [1]})

    assert catalogue.job("j1") == ended
    assert (ended.progress_done, ended.progress_total, ended.result) == (3, 10, {"verdict": "PASSED", "reports": [1]})
    assert [row.job_id for row in catalogue.jobs()] == ["j2", "j1"]
    assert [row.job_id for row in catalogue.jobs(limit=1)] == ["j2"]


def test_a_job_is_its_originator_s(catalogue: Catalogue) -> None:
    """Another originator's job is not there; an unknown one is not changed."""
    catalogue.add_job(JobRow(job_id="j1", kind="verification", state="waiting", created=START, originator=ORG))

    with pytest.raises(NotFoundError):
        catalogue.job("j1", originator=OTHER)
    with pytest.raises(NotFoundError):
        catalogue.job("j2")
    with pytest.raises(NotFoundError):
        catalogue.update_job("j2", state="done")
    for wrong in ({"kind": "x"}, {"originator": OTHER}, {}):
        with pytest.raises(TypeError):
            catalogue.update_job("j1", **wrong)
