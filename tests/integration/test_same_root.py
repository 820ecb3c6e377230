"""Two authorities stamp the same root, where a profile asks for it: what becomes of it when one of them falls."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.home import default_settings
from api.settings import parse_settings
from api.wiring_signing import _cautions
from archive_core.findings import Verdict
from archive_core.lifecycle import Status
from policies.profiles import PreservationProfile, profile_by_id
from policies.renewal_values import RenewalKind
from tests.renewal_world import RenewalWorld, good
from tests.world import OPERATOR

PROFILE = "same-root-1"


def same_root() -> PreservationProfile:
    text = profile_by_id("redundant-1").source.decode()
    text = text.replace('id = "redundant-1"', f'id = "{PROFILE}"', 1)
    text = text.replace('name = "sha3-512"', 'name = "sha512-second"').replace(
        'digest = "sha3-512"', 'digest = "sha512"'
    )
    return PreservationProfile.load(text.replace("\n[title]", "\nsame_root = true\n\n[title]", 1).encode())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RenewalWorld]:
    world = RenewalWorld(tmp_path)
    world.archive.published._profiles[PROFILE] = same_root()
    world.archive.published.publish(world.archive.copies)
    yield world
    world.archive.close()


def imprints(world: RenewalWorld) -> list[tuple[str, str]]:
    """Authority and imprint of each line of the first batch."""
    batch = world.archive.catalogue.lines(1)
    found = []
    for path, line in zip(world.files("one", "token.tst"), batch, strict=True):
        assessed = world.archive.validator.assess(path.read_bytes(), at=world.clock.now())
        assert assessed.imprint is not None
        found.append((line.tsa, assessed.imprint.hex))
    return found


def test_two_authorities_stamp_the_same_root(world: RenewalWorld) -> None:
    """Two records of one tree; each proves the same by another authority, and both stand in the bundle."""
    poid = world.deposit({"a.txt": b"a", "b.txt": b"b"}, profile=PROFILE).poid
    world.preserve()
    (one, first), (two, second) = imprints(world)

    assert (one, two) == ("local-tsa-1", "local-tsa-2")
    assert first == second
    assert [world.mortal[name].asked for name in (one, two)] == [1, 1]
    assert len(world.archive.evidence(poid, None, actor=OPERATOR)) == 2
    world.prove(stores=False)


def test_one_that_is_away_is_waited_for_and_the_other_is_not_paid_twice(world: RenewalWorld) -> None:
    """A document is evidenced when both have stamped, and no sooner."""
    world.mortal["local-tsa-2"].away = True
    poid = world.deposit({"a.txt": b"a"}, profile=PROFILE).poid
    (view,) = world.archive.preserve(actor=OPERATOR)
    assert view.error is not None
    assert world.archive.show(poid, actor=OPERATOR).status is Status.REPLICATED
    world.mortal["local-tsa-2"].away = False
    world.clock.advance(minutes=10)
    world.preserve()

    assert world.archive.show(poid, actor=OPERATOR).status is Status.EVIDENCED
    assert world.mortal["local-tsa-1"].asked == 1
    assert len({imprint for _, imprint in imprints(world)}) == 1


@pytest.mark.slow
def test_neither_stands_in_for_the_other(world: RenewalWorld) -> None:
    """Also where the settings would let it: one authority never stamps both."""
    instead = {"local-tsa-2": ("local-tsa-1",)}
    world.archive._preservation._stamping._instead = instead
    world.mortal["local-tsa-2"].away = True
    world.deposit({"a.txt": b"a"}, profile=PROFILE)
    (view,) = world.archive.preserve(actor=OPERATOR)
    assert view.error is not None
    assert world.mortal["local-tsa-1"].asked == 1


@pytest.mark.slow
def test_the_fall_of_one_authority_leaves_the_proof_of_the_other(world: RenewalWorld) -> None:
    """Nobody trusts its root any more: its line proves nothing, and the object is proven still, by the same root."""
    poid = world.deposit({"a.txt": b"a"}, profile=PROFILE).poid
    world.preserve()
    world._anchors.remove(world.mortal["local-tsa-2"].anchor)
    world.archive = world._outfitted(world.archive)
    report = world.archive.verify(poid, None, actor=OPERATOR)

    assert report.verdict is Verdict.PASSED
    assert report.to_json()["lines"] == {"sha512": "PASSED", "sha512-second": "INDETERMINATE"}
    assert [finding.code for finding in report.findings] == ["LINE_NOT_PASSED"]


@pytest.mark.slow
def test_each_line_is_renewed_by_its_own_and_their_digests_part(world: RenewalWorld) -> None:
    """Time-stamps: each by its authority. Hash trees: of two lines on one digest one moves, so that the next digest
    that falls takes one of them."""
    world.deposit({"a.txt": b"a", "b.txt": b"b"}, profile=PROFILE)
    world.preserve()
    world.clock.advance(days=30)
    good(world.renew(kind=RenewalKind.TIMESTAMP))
    assert [world.mortal[name].asked for name in ("local-tsa-1", "local-tsa-2")] == [2, 2]
    world.clock.advance(days=30)
    good(world.rehash("sha3-512"))
    world.prove(bundles=False)
    assert world.audit().findings == []


def test_two_names_of_one_address_are_warned_of(tmp_path: Path) -> None:
    """What takes one takes the other; two addresses say nothing."""
    text = default_settings("x", "sqlite:///c.sqlite3")
    assert text.count('scheme = "local"') == 2
    one = text.replace('scheme = "local"', 'scheme = "http"\nurl = "https://tsa.example/tsr"')
    two = one.replace("tsa.example", "other.example", 1)

    assert any(
        "local-tsa-1 and local-tsa-2 have one address" in said for said in _cautions(parse_settings(one, tmp_path))
    )
    assert not any("have one address" in said for said in _cautions(parse_settings(two, tmp_path)))
