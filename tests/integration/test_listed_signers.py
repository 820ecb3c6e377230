"""Deposited signatures and the snapshots of trusted lists: what a signer was by the snapshot in force, now and later.

The union is one of tests; lists and signatures are real, the web is a dictionary, and documents are read in this
process (`tests/here.py`); `test_list_snapshots.py` has the whole on the command line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from archive_core.errors import SettingsError
from archive_core.list_snapshots import Snapshot
from policies.profiles import PreservationProfile, profile_by_id
from signing.examination.report_json import to_json
from signing.examination.request import NamedPath, Request, TrustGiven
from signing.trusted_lists import apart
from signing.trusted_lists.book import open_lists
from signing.trusted_lists.files import indexed
from signing.trusted_lists.index import index_bytes
from tests.here import examine_here, examined_here
from tests.integration.test_list_snapshots import BEGAN, LATER, Web, source
from tests.integration.test_list_snapshots import union as union
from tests.integration.test_list_snapshots import web as web
from tests.unit.signing.examination.signing_world import cms_by
from tests.unit.signing.trusted_lists.list_world import GRANTED, WITHDRAWN, Listed, State, Union
from tests.world import OPERATOR, World

EE = "https://tl.example/EE.xml"
PROFILE = "signers-listed-1"


@pytest.fixture
def world(tmp_path: Path, union: Union, web: Web) -> Iterator[World]:
    world = World(tmp_path, start=BEGAN)
    text = profile_by_id("signed-recorded-1").source.decode().replace("2026-11-01", "2025-01-01")
    profile = PreservationProfile.load(text.replace('id = "signed-recorded-1"', f'id = "{PROFILE}"', 1).encode())
    world.archive.published._profiles[PROFILE] = profile
    world.archive.published.publish(world.archive.copies)
    world.archive.lists.source = source(union, web)
    world.archive.lists.refresh(actor=OPERATOR)
    yield world
    world.archive.close()


def withdraw(union: Union, web: Web, issued: datetime) -> None:
    """The nation withdraws the status of those who certify its citizens."""
    states = (State("withdrawn", WITHDRAWN, ("ForeSignatures",)), State("granted", GRANTED, ("ForeSignatures",)))
    services = [Listed(union.citizens, "CA/QC", states, "Citizens' certificates")]
    recipe = union.other_national().but(services=services, issued=issued, next_update=issued + timedelta(days=180))
    web.pages[EE] = recipe.but(sequence=recipe.sequence * 5_000).octets()


def letter(union: Union) -> bytes:
    return cms_by(union.person, b"the letter", union.citizens)


def said(world: World, poid: str) -> dict[str, Any]:
    """What the report of the letter says of its signer's status."""
    report = json.loads(world.archive.signatures.document_report(poid, "letter.p7m", actor=OPERATOR))
    return dict(report["signatures"][0]["qualified"])


def test_the_snapshot_in_force_says_what_a_signer_is_and_repeats_it_ten_years_later(
    world: World, union: Union, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Qualified before the withdrawal, not after it, undecided when the lists are stale; each report names the list
    that said so. Ten years later the lists of that snapshot say the same of the same octets as of that day, from one
    store alone, with nobody to ask."""
    examine_here(monkeypatch)
    monkeypatch.setattr(apart, "index_apart", Making())
    deposits = [world.deposit({"letter.p7m": letter(union)}, profile=PROFILE).poid]
    withdraw(union, web, LATER)
    world.clock.advance(days=70)
    world.archive.lists.refresh(actor=OPERATOR)
    deposits.append(world.deposit({"letter.p7m": letter(union)}, profile=PROFILE).poid)
    world.clock.advance(days=200)
    deposits.append(world.deposit({"letter.p7m": letter(union)}, profile=PROFILE).poid)
    statuses = [said(world, poid) for poid in deposits]
    first, second = (world.archive.lists.snapshot(number) for number in (1, 2))

    assert [one["qualification"] for one in statuses] == ["QESig", "AdES", "INDETERMINATE"]
    assert "withdrawn" in statuses[1]["reason"]
    assert "stale" in statuses[2]["reason"]
    for status, snapshot in zip(statuses, (first, second, second), strict=True):
        assert status["list_sha256"] == next(one.sha256 for one in snapshot.lists if one.territory == "EE")
        assert (status["territory"], status["service"]) == ("EE", "Citizens' certificates")
    reports = [world.archive.signatures.report(poid, actor=OPERATOR) for poid in deposits]
    assert [report["lists"] for report in reports] == [[one["list_sha256"]] for one in statuses]
    world.preserve()
    assert world.audit().findings == []

    world.clock.advance(days=3650)
    web.pages.clear()
    rebuilt, found = world.rebuilt("two")
    try:
        assert found.findings == ()
        for poid, status, report, number in zip(deposits, statuses, reports, (1, 2, 2), strict=True):
            octets = b"".join(rebuilt.stream_file(poid, 1, "letter.p7m", actor=OPERATOR))
            at = datetime.fromisoformat(report["at"])
            assert again(rebuilt.lists.octets(rebuilt.lists.snapshot(number)), octets, at, tmp_path) == status
    finally:
        rebuilt.close()


def again(lists: dict[str, bytes], octets: bytes, at: datetime, folder: Path) -> dict[str, Any]:
    """What these lists say of a document as of an instant, as `examine --trusted-list … --at` asks them."""
    paths = []
    for sha256, content in lists.items():
        paths.append(folder / f"{sha256}.xml")
        paths[-1].write_bytes(content)
    document = folder / "again.p7m"
    document.write_bytes(octets)
    request = Request(NamedPath(document, "letter.p7m"), at, trust=TrustGiven(trusted_lists=tuple(paths)))
    return dict(to_json(examined_here(request).examination)["signatures"][0]["qualified"])


# -- the index ------------------------------------------------------------------------------------------


class Making:
    """Makes an index here, and counts."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, paths: list[Path]) -> bytes:
        self.made += 1
        return index_bytes(open_lists([path.read_bytes() for path in paths]))


def test_the_index_is_made_once_for_the_same_lists(world: World, union: Union, web: Web, tmp_path: Path) -> None:
    """Also for the next process; anew for other lists, and in another form."""
    make, folder = Making(), tmp_path / "lists"
    first = world.archive.lists.index(folder, "1", make)  # type: ignore[arg-type]
    assert first is not None
    assert world.archive.lists.index(folder, "1", make) == first  # type: ignore[arg-type]
    other = world.open()
    try:
        assert other.lists.index(folder, "1", make) == first  # type: ignore[arg-type]
        assert make.made == 1
        withdraw(union, web, BEGAN)
        world.archive.lists.refresh(actor=OPERATOR)
        second = other.lists.index(folder, "1", make)  # type: ignore[arg-type]
        assert second not in (None, first)
        assert other.lists.index(folder, "2", make) not in (first, second)  # type: ignore[arg-type]
        assert make.made == 3
    finally:
        other.close()


@pytest.mark.parametrize("damage", ["changed", "gone", "empty"])
def test_an_index_that_is_another_is_made_anew(world: World, tmp_path: Path, damage: str) -> None:
    """The catalogue knows its digest; whoever is told another one does not read it."""
    make, folder = Making(), tmp_path / "lists"
    made = world.archive.lists.index(folder, "1", make)  # type: ignore[arg-type]
    assert made is not None
    path, sha256 = made
    octets = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(octets.replace(b"granted", b"grantEd") if damage == "changed" else b"")
        with pytest.raises(ValueError, match="was changed"):
            indexed(path, sha256, at=BEGAN)
    assert (path.read_bytes() if path.exists() else b"") != octets
    assert world.archive.lists.index(folder, "1", make) == made  # type: ignore[arg-type]
    assert (make.made, hashlib.sha256(path.read_bytes()).hexdigest()) == (2, sha256)


def test_without_lists_there_is_no_index(tmp_path: Path) -> None:
    """And nothing is made."""
    world, make = World(tmp_path, start=BEGAN), Making()
    try:
        assert world.archive.lists.index(tmp_path / "lists", "1", make) is None  # type: ignore[arg-type]
        assert make.made == 0
    finally:
        world.archive.close()


@pytest.mark.slow
def test_lists_that_do_not_fit_make_no_index(world: World, tmp_path: Path) -> None:
    """In the process apart all are verified as ever; one that is not accepted leaves no index without it."""
    snapshot: Snapshot | None = world.archive.lists.newest()
    assert snapshot is not None
    paths = []
    for number, octets in enumerate(world.archive.lists.octets(snapshot).values()):
        paths.append(tmp_path / f"{number}.xml")
        paths[-1].write_bytes(octets)
    good = apart.index_apart(paths)
    assert good == Making()(paths)
    paths[0].write_bytes(paths[0].read_bytes().replace(b"granted", b"grantEd").replace(b"Operator", b"0perator"))
    with pytest.raises(SettingsError, match="the trusted lists cannot be used"):
        apart.index_apart(paths)
