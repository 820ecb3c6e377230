"""Metrics: what calls for a person can be read by a machine, and nothing else is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api.routing import SCHEDULER_EXTENSION
from api.scheduler import Job, Scheduler
from tests.integration.http_world import OPERATOR, HttpWorld, file, http_world
from tests.world import SwitchedAuthority


@pytest.fixture
def world(tmp_path: Path) -> Iterator[HttpWorld]:
    with http_world(tmp_path) as made:
        yield made


def samples(world: HttpWorld) -> dict[tuple[str, str], float]:
    """(name, labels) to value, as Prometheus's own parser reads it."""
    answer = world.get("/v1/metrics", world.key("operator", None))
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    found = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = " ".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[sample.name.removeprefix("trusted_archive_"), labels] = sample.value
    return found


def test_what_the_archive_holds_is_counted(world: HttpWorld) -> None:
    """Objects, versions by state, batches; good stores and authorities."""
    world.post(file("a", b"1"))
    world.preserve()
    world.post(file("a", b"2"))
    found = samples(world)

    assert found["objects", ""] == 2
    assert found["versions", "state=evidenced"] == found["versions", "state=replicated"] == 1
    assert found["last_batch", ""] == 1
    assert found["store_up", "store=one"] == found["store_up", "store=two"] == 1
    assert found["tsa_consecutive_failures", "tsa=local-tsa-1"] == 0
    assert found["test_trust", ""] == 1


def test_an_authority_that_fails_raises_its_metric_and_recovery_lowers_it(world: HttpWorld) -> None:
    """Without any text to be read, and without anybody's help."""
    world.post(file("a", b"1"))
    authorities = world.archive.authorities
    assert isinstance(authorities, dict)
    authority = authorities["local-tsa-1"] = SwitchedAuthority(authorities["local-tsa-1"])
    authority.away = True
    world.archive.preserve(actor=OPERATOR)
    assert samples(world)["tsa_consecutive_failures", "tsa=local-tsa-1"] == 1
    assert samples(world)["batches_unfinished", ""] == 1

    authority.away = False
    world.archive.preserve(actor=OPERATOR)
    assert samples(world)["tsa_consecutive_failures", "tsa=local-tsa-1"] == 0
    assert samples(world)["batches_unfinished", ""] == 0


def test_a_store_that_is_away_is_down(world: HttpWorld) -> None:
    """The other one is not."""
    world.key("operator", None)
    place = world.settings.home / "stores" / "two"
    place.rename(place.with_name("away"))
    found = samples(world)

    assert (found["store_up", "store=one"], found["store_up", "store=two"]) == (1, 0)


def test_requests_are_counted_by_route_and_not_by_address(world: HttpWorld) -> None:
    """No POID, path or key can be read from a label, and no client can make labels."""
    poid = world.post(file("secret-name.txt", b"1")).json["poid"]
    world.get(f"/v1/preservation-objects/{poid}")
    world.get(f"/v1/preservation-objects/{poid}/files/secret-name.txt")
    for number in range(5):
        world.get(f"/v1/nowhere/{number}")
    world.app.test_client().open("/v1/status", method="BREW")
    found = samples(world)
    text = world.get("/v1/metrics", world.key("operator", None)).text

    route = "/v1/preservation-objects"
    assert found["http_requests_total", f"method=POST route={route} status=201"] == 1
    assert found["http_requests_total", f"method=GET route={route}/<poid> status=200"] == 1
    assert found["http_requests_total", "method=GET route=none status=404"] == 5
    assert found["http_request_seconds_count", f"method=POST route={route}"] == 1
    assert poid not in text
    assert "secret-name" not in text
    assert "BREW" not in text


def test_jobs_of_the_scheduler_are_counted_where_it_runs_here(world: HttpWorld) -> None:
    """A job that fails can be told from one that does not."""
    good, bad = Job("good", lambda: None, 60), Job("bad", lambda: "broken", 60)
    world.app.extensions[SCHEDULER_EXTENSION] = Scheduler((good, bad))
    good()
    bad()
    found = samples(world)

    assert found["job_runs_total", "job=good"] == found["job_runs_total", "job=bad"] == 1
    assert found["job_consecutive_failures", "job=good"] == 0
    assert found["job_consecutive_failures", "job=bad"] == found["job_failures_total", "job=bad"] == 1


def test_only_operators_may_read_metrics(world: HttpWorld) -> None:
    """Others are refused; without a key nothing is told."""
    assert world.get("/v1/metrics").status_code == 403
    assert world.app.test_client().get("/v1/metrics").status_code == 401
