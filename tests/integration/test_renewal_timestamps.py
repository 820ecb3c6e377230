"""Time-stamp renewal of a whole archive: one call, one object, nothing rewritten; and what must not be renewed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from archive_core.archive import silent
from archive_core.errors import ClockNotTrustedError, RenewalPausedError, StoreUnavailableError, UnavailableError
from archive_core.evidence.basis_ers import assess_basis_ers
from archive_core.evidence.record import EvidenceRecord, parse_record
from archive_core.findings import SubIndication, Verdict
from archive_core.ports import ValidationData
from archive_core.renewal.covering import Covering
from archive_core.renewal.finishing import Finishing
from archive_core.renewal.means import Target
from policies.renewal_values import RenewalKind
from tests.renewal_world import YEAR, MortalTsa, RenewalWorld, facts, good
from tests.sampling import quick_first
from tests.world import OPERATOR


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RenewalWorld]:
    """Two batches of the default profile, the second one a few days later; nothing is renewed yet."""
    made = RenewalWorld(tmp_path)
    made.deposit({"a.txt": b"alpha", "b.txt": b"beta"})
    made.deposit({"c.txt": b"gamma"})
    made.preserve()
    made.clock.advance(days=3)
    made.deposit({"d.txt": b"delta"})
    made.preserve()
    yield made
    made.archive.close()


def _record(world: RenewalWorld, poid: str | None = None, line: str = "sha512") -> EvidenceRecord:
    files = world.archive.evidence(poid or min(world.told), actor=OPERATOR)
    return parse_record(next(file.der for file in files if file.line == line))


def _tsa(world: RenewalWorld) -> MortalTsa:
    return world.mortal["local-tsa-1"]


def _bytes(world: RenewalWorld, *kinds: str) -> dict[str, str]:
    """The digests of all files of objects of these kinds, in both stores."""
    return {
        str(path): hashlib.sha512(path.read_bytes()).hexdigest()
        for store in ("one", "two")
        for path in world.store(store).rglob("*")
        if path.is_file() and any(f"archive%3a{kind}" in str(path) for kind in kinds)
    }


# -- what it writes -----------------------------------------------------------------------------


def test_one_call_and_one_object_renew_all_batches_of_a_line(world: RenewalWorld) -> None:
    """Batches and documents keep every byte; each record has one more stamp, over the token before it alone."""
    before, asked = _bytes(world, "ba", "01"), _tsa(world).asked
    assert len(before) > 40
    world.clock.advance(days=365)
    (renewed,) = facts(good(world.renew()))

    assert _tsa(world).asked == asked + 1
    assert (renewed["batches"], renewed["tokens"], renewed["documents"]) == (2, 2, 3)
    assert {path: found for path, found in _bytes(world, "ba", "01").items() if path in before} == before
    record = _record(world)
    assert [len(chain.stamps) for chain in record.chains] == [2]
    assert record.chains[0].stamps[1].first_list == (hashlib.sha512(record.initial.token).digest(),)
    assert assess_basis_ers(record) == []
    world.prove()


@pytest.mark.slow
def test_a_second_renewal_covers_the_first_and_not_again_what_lies_below(world: RenewalWorld) -> None:
    """However many batches stand on a renewal, it is one leaf of the next."""
    good(world.renew())
    world.deposit({"e.txt": b"epsilon"})
    world.preserve()
    world.clock.advance(days=200)
    (renewed,) = facts(good(world.renew()))

    assert (renewed["tokens"], renewed["batches"]) == (2, 3)
    assert [len(chain.stamps) for chain in _record(world).chains] == [3]
    world.prove()


def test_records_stay_the_same_bytes_until_the_next_renewal(world: RenewalWorld) -> None:
    """Derived after a restart and from a rebuilt catalogue alike."""
    good(world.renew())
    first = world.archive.evidence(min(world.told), actor=OPERATOR)
    world.restart()
    world.clock.advance(days=100)
    again = world.archive.evidence(min(world.told), actor=OPERATOR)
    rebuilt, report = world.rebuilt("two")
    alike = rebuilt.evidence(min(world.told), actor=OPERATOR)
    rebuilt.close()

    assert first == again == alike
    assert report.findings == ()
    assert report.renewals == 1


def test_a_dry_run_says_what_would_be_done_and_does_nothing(world: RenewalWorld) -> None:
    """No call, no object, no event."""
    before, asked = _bytes(world, "rn", "tr"), _tsa(world).asked
    result = world.renew(dry_run=True)

    assert [view.batches for view in result.views] == [2]
    assert _tsa(world).asked == asked
    assert _bytes(world, "rn", "tr") == before


def test_a_token_without_its_data_is_completed_before_it_is_covered(tmp_path: Path) -> None:
    """The list that the authority keeps beside goes inside the covered octets; the batch keeps the token that came."""
    world = RenewalWorld(tmp_path, inside=False)
    told = world.deposit({"a.txt": b"alpha"})
    world.preserve()
    before = _record(world).initial.token
    world.clock.advance(days=10)
    _tsa(world).inside = True
    good(world.renew())
    record = _record(world)

    assert record.initial.token != before
    assert len(record.initial.token) > len(before)
    assert assess_basis_ers(record) == []
    assert world.archive.validator.assess(record.initial.token, at=world.clock.now()).verdict is Verdict.PASSED
    assert world.files("one", "tokens.bin")
    world.prove()
    world.clock.advance(days=10)
    good(world.renew())
    assert _record(world, told.poid).initial.token == record.initial.token
    assert world.audit().findings == []
    world.archive.close()


@pytest.mark.slow
def test_the_lines_of_a_batch_are_renewed_apart(world: RenewalWorld) -> None:
    """One authority is away: the other line is renewed, and this one at the next try, with nothing done twice."""
    told = world.deposit({"r.txt": b"redundant"}, profile="redundant-1")
    world.preserve()
    world.mortal["local-tsa-2"].away = True
    first = world.renew()
    waiting = [view for view in first.views if view.error]

    assert [view.line for view in waiting] == ["sha3-512"]
    assert not first.is_complete
    assert len(_record(world, told.poid).chains[0].stamps) == 2
    world.mortal["local-tsa-2"].away = False
    world.clock.advance(minutes=10)
    asked = _tsa(world).asked
    good(world.renew(which="due"))
    assert len(_record(world, told.poid, "sha3-512").chains[0].stamps) == 2
    assert _tsa(world).asked == asked
    world.prove()


# -- crashes ------------------------------------------------------------------------------------


def test_a_time_stamp_that_was_obtained_is_not_paid_for_twice(
    world: RenewalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stores fail after the authority has answered: the next run uses that answer."""
    write = Finishing._write

    def failing(*_: Any) -> None:
        raise StoreUnavailableError("the test took the store away")

    monkeypatch.setattr(Finishing, "_write", failing)
    asked = _tsa(world).asked
    assert world.renew().views[0].error is not None
    monkeypatch.setattr(Finishing, "_write", write)
    world.restart()
    world.clock.advance(minutes=20)
    good(world.renew())

    assert _tsa(world).asked == asked + 1
    assert len(world.archive.catalogue.renewals()) == 1
    world.prove()


def test_a_renewal_that_waited_too_long_is_given_up_and_made_anew(world: RenewalWorld) -> None:
    """What it covers has lapsed meanwhile: it is never stamped, and nothing claims a proof through it."""
    tsa = _tsa(world)
    tsa.away = True
    assert world.renew().views[0].error is not None
    world.clock.advance(days=6 * 365)
    tsa.away = False
    tsa.renew_unit()
    result = world.renew()

    (row,) = world.archive.catalogue.renewals()
    assert row.abandoned is not None
    assert "OUT_OF_BOUNDS_NO_POE" in row.abandoned
    assert [obstacle.code for view in result.views for obstacle in view.obstacles] == ["lapsed", "lapsed"]
    assert world.archive.verify(min(world.told), actor=OPERATOR).proof_of_existence is None


# -- what must not be renewed -------------------------------------------------------------------


def test_after_its_end_nothing_is_covered_again(world: RenewalWorld) -> None:
    """A renewal after expiry would leave a gap (5.3(2)): no call, no object, and no proof is claimed."""
    world.clock.advance(days=6 * 365)
    _tsa(world).renew_unit()
    asked = _tsa(world).asked
    (view,) = world.renew().views

    assert [obstacle.code for obstacle in view.obstacles] == ["lapsed", "lapsed"]
    assert _tsa(world).asked == asked + 1  # after years of silence the clock is confirmed by a time-stamp first
    assert world.archive.catalogue.renewals() == []
    report = world.archive.verify(min(world.told), actor=OPERATOR)
    assert (report.verdict, report.sub_indication) == (Verdict.INDETERMINATE, SubIndication.OUT_OF_BOUNDS_NO_POE)
    assert report.proof_of_existence is None


def test_a_gap_made_by_force_is_seen_by_every_verifier(world: RenewalWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if a renewal came too late, the record does not pass: each token is judged at the next one's time."""
    real = world.archive.validator
    world.clock.advance(days=6 * 365)
    _tsa(world).renew_unit()
    before = world.clock.now() - timedelta(days=3 * 365)

    class Blind:
        """A validator that looks at old tokens as of years ago."""

        def assess(self, token: bytes, *, at: Any, data: ValidationData | None = None) -> Any:
            judged = real.assess(token, at=at, data=data)
            return judged if judged.verdict is Verdict.PASSED else real.assess(token, at=before, data=data)

    monkeypatch.setattr(world.archive, "validator", Blind())
    blind = world.archive.over(world.archive.catalogue, world.archive.copies)
    monkeypatch.setattr(world, "archive", blind)
    good(world.renew())
    monkeypatch.undo()
    report = world.archive.verify(min(world.told), actor=OPERATOR)

    assert report.verdict is Verdict.INDETERMINATE
    assert report.sub_indication is SubIndication.OUT_OF_BOUNDS_NO_POE
    assert report.proof_of_existence is None
    assert world.judge_bundle(min(world.told)).verdict is Verdict.INDETERMINATE


def test_without_chain_and_revocation_data_nothing_is_covered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing inside, nothing beside, nothing to be had: named, left as it is, and covered once it is there."""
    world = RenewalWorld(tmp_path, inside=False)
    world.deposit({"a.txt": b"alpha"})
    world.preserve()
    world.clock.advance(days=40)
    _tsa(world).offers = False
    with monkeypatch.context() as patched:
        patched.setattr(Covering, "kept", lambda *_: ValidationData())
        (view,) = world.renew().views
    assert [obstacle.code for obstacle in view.obstacles] == ["validation-data"]
    assert world.archive.catalogue.renewals() == []
    _tsa(world).offers = True
    good(world.renew())
    world.prove()
    world.archive.close()


def test_a_revoked_unit_is_not_covered(world: RenewalWorld) -> None:
    """Compromised before anything covered it: the list of the day says so, and no proof is claimed through it."""
    tsa = _tsa(world)
    tsa.revoked.append((tsa.unit, world.clock.now(), None))
    world.clock.advance(days=1)
    tsa.renew_unit()
    asked = tsa.asked
    (view,) = world.renew().views

    assert {obstacle.code for obstacle in view.obstacles} == {"revoked"}
    assert tsa.asked == asked


def test_equal_times_are_no_renewal(world: RenewalWorld) -> None:
    """A time-stamp that is not later than what it covers is not used (5.3); the next one is."""
    tsa = _tsa(world)
    newest = world.archive.catalogue.newest_stamp_time()
    assert newest is not None
    tsa.frozen = newest
    (view,) = world.renew().views
    assert "not later" in (view.error or "")
    assert view.gen_time is None
    assert len(_record(world).stamps) == 1
    tsa.frozen = None
    world.clock.advance(minutes=20)
    good(world.renew())
    assert len(world.archive.catalogue.renewals()) == 1
    world.prove()


@pytest.mark.parametrize("days", [-1, 1])
def test_a_time_stamp_of_another_time_is_refused(world: RenewalWorld, days: int) -> None:
    """The authority's clock is a day off: one of two clocks is wrong, and nothing is renewed by either."""
    _tsa(world).ahead = timedelta(days=days)
    (view,) = world.renew().views

    assert "is not used" in (view.error or "")
    assert len(_record(world).stamps) == 1


def test_a_chain_whose_digest_has_ended_is_not_stamped_again(world: RenewalWorld) -> None:
    """Only a hash-tree renewal in time would have helped; a time-stamp over a broken digest is not sold as proof."""
    world.clock.advance(days=365)
    world.judge_by(world.table_without("sha512", "2027-01-01"))
    asked = _tsa(world).asked
    views = world.renew(kind=RenewalKind.TIMESTAMP).views

    assert views
    assert all("no longer good" in (view.error or "") and "--hash-tree" in (view.error or "") for view in views)
    assert _tsa(world).asked == asked


# -- a later token that turns bad -----------------------------------------------------------------


@pytest.mark.slow
def test_renewal_starts_again_below_a_token_that_turned_bad(world: RenewalWorld) -> None:
    """The second unit is compromised; the first one's token still holds: it is covered anew, and the record goes
    round the bad one. The bad renewal stays where it is."""
    tsa = _tsa(world)
    first_unit = tsa.unit
    world.clock.advance(days=365)
    tsa.renew_unit()
    good(world.renew())
    world.prove(bundles=False, stores=False)
    world.clock.advance(days=10)
    tsa.revoked.append((tsa.unit, world.clock.now(), None))
    tsa.renew_unit()
    world.clock.advance(days=1)
    assert {obstacle.code for view in world.renew().views for obstacle in view.obstacles} == {"revoked"}

    renewal = world.archive.renewing._timestamps
    targets = [Target(batch, "sha512", "the unit was compromised", restart_from=0) for batch in (1, 2)]
    (view,) = renewal.run(targets, actor=OPERATOR, progress=silent)

    assert view.error is None
    assert (view.number, view.tokens) == (2, 2)
    assert len(_record(world).stamps) == 2
    assert first_unit is not tsa.unit
    assert world.files("one", "rn0000000001/v2/content/token.tst")
    world.prove()
    good(world.renew())
    world.prove()


# -- who decides ----------------------------------------------------------------------------------


def test_while_paused_nothing_is_renewed(world: RenewalWorld) -> None:
    """An operator's order, kept by every process, until another one ends it."""
    world.archive.renewing.pause(paused=True, actor=OPERATOR)
    world.restart()
    with pytest.raises(RenewalPausedError, match="renewal resume"):
        world.renew()
    assert world.archive.renewing.status()["paused_since"]
    world.archive.renewing.pause(paused=False, actor=OPERATOR)
    good(world.renew())


@pytest.mark.slow
def test_what_is_due_all_at_once_waits_for_a_word(tmp_path: Path) -> None:
    """More than half of the holding by one mistake: a question, and nothing done; `--all` is the answer."""
    world = RenewalWorld(tmp_path, years=5)
    for number in range(12):
        world.deposit({"a.txt": b"%d" % number})
        world.preserve()
    world.clock.advance(days=30)
    world.judge_by(world.table_without("sha512", "2028-01-01"))
    result = world.renew(which="due")

    assert result.question is not None
    assert result.waiting == 12
    assert result.views == ()
    assert not result.is_complete
    confirmed = good(world.renew())
    assert [(view.kind, view.digest, view.batches) for view in confirmed.views] == [
        ("timestamp", "sha512", 12),
        ("hash-tree", "sha3-512", 12),
    ]
    again = world.renew(which="due")
    assert (again.question, again.views) == (None, ())
    world.prove(bundles=False, stores=False)
    world.archive.close()


def test_nothing_is_renewed_by_a_clock_that_is_wrong(world: RenewalWorld) -> None:
    """Set back by a day: refused. Ten years ahead while the authority knows better: refused, and said."""
    world.clock.advance(days=-4)
    with pytest.raises(ClockNotTrustedError, match="set the clock"):
        world.renew()
    world.clock.advance(days=4 + 3650)
    _tsa(world).ahead = world.mortal["local-tsa-2"].ahead = -10 * YEAR
    with pytest.raises(ClockNotTrustedError, match="a time-stamp made just now"):
        world.renew()
    assert world.archive.catalogue.renewals() == []


@pytest.mark.parametrize(
    ("days", "silent_authorities", "why"),
    [
        (-1, False, "the archive holds a time-stamp of"),
        (3650, False, "a time-stamp made just now"),
        (3650, True, "is away"),
    ],
)
def test_a_wrong_clock_renews_nothing_by_itself_and_is_an_alarm(
    world: RenewalWorld, days: int, silent_authorities: bool, why: str
) -> None:
    """A day back, ten years ahead of authorities that know better, ten years ahead and nobody to ask: the scheduler's
    round does nothing, says so once, and goes on when the clock is right again."""
    world.clock.advance(days=60)
    world.deposit({"e.txt": b"epsilon"})
    world.preserve()
    ends = world.clock.now() + timedelta(days=340)
    world.judge_by(world.table_without("sha512", f"{ends:%Y-%m-%d}"))  # that is due from now on
    world.clock.advance(days=days)
    for tsa in world.mortal.values():
        tsa.ahead, tsa.away = timedelta(days=-days), silent_authorities
    for _ in range(3):
        with pytest.raises(UnavailableError, match=why):
            world.renew(which="due")
    told = [event for event in _events(world) if event["code"] == "clock-not-trusted"]

    assert world.archive.catalogue.renewals() == []
    assert len(told) == (0 if silent_authorities else 1)
    assert any("clock says" in said for said in world.archive.renewing.warnings()) is not silent_authorities
    for tsa in world.mortal.values():
        tsa.ahead, tsa.away = timedelta(0), False
    world.clock.advance(days=-days)
    good(world.renew(which="due"))
    assert not any("clock says" in said for said in world.archive.renewing.warnings())


def _events(world: RenewalWorld) -> list[dict[str, Any]]:
    """Every event that lies in a segment of the trail."""
    world.archive.flush_trail()
    return [json.loads(line) for path in world.files("one", "events.jsonl") for line in path.read_text().splitlines()]


def test_an_authority_that_is_gone_is_replaced_within_the_rules(world: RenewalWorld) -> None:
    """The other one of the settings takes over, unless it stamps another line of the same batches already."""
    told = world.deposit({"r.txt": b"redundant"}, profile="redundant-1")
    world.preserve()
    del world.mortal["local-tsa-1"]
    world.archive._trust_classes = {"local-tsa-2": "test"}
    world.archive = world._outfitted(world.archive)
    views = world.renew().views

    assert {(view.line, view.tsa) for view in views if view.error is None} >= {("sha512", "local-tsa-2")}
    assert any("stamps no other line" in (view.error or "") for view in views)
    assert len(_record(world, told.poid, "sha3-512").stamps) == 2


# -- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", quick_first(["renewal.json", "covers.txt", "tree.bin", "token.tst", "line.json"]))
def test_a_damaged_renewal_is_named_and_the_other_copy_serves(world: RenewalWorld, name: str) -> None:
    """One bit in one store."""
    good(world.renew())
    (path,) = [path for path in world.files("one", f"content/{name}") if "rn0000000001" in str(path)]
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    found = world.audit()

    assert any("rn0000000001" in entry.path for entry in found.findings)
    world.prove(bundles=False, stores=False)
    world.check("two")


def test_a_foreign_renewal_under_the_number_is_found(world: RenewalWorld) -> None:
    """Sound in itself and not the one that was written: the catalogue's digests tell, and the good copy is taken."""
    good(world.renew())
    world.clock.advance(days=1)
    good(world.renew())
    first, second = (next(world.store("one").rglob(f"*rn000000000{n}")) for n in (1, 2))
    shutil.rmtree(first)
    shutil.copytree(second, first)
    for path in first.rglob("inventory.json"):
        text = path.read_text().replace("rn0000000002", "rn0000000001")
        path.write_text(text)
        digest = hashlib.sha512(text.encode()).hexdigest()
        (path.parent / "inventory.json.sha512").write_text(f"{digest} inventory.json\n")
    found = {entry.code for entry in world.audit().findings}

    assert "CONTENT_DIFFERS" in found
    world.prove(bundles=False, stores=False)
