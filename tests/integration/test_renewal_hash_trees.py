"""Hash-tree renewal of a whole archive: read again, checked by the old digest first, and never sealed when damaged."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from archive_core.digests import hash_bytes
from archive_core.errors import (
    EvidenceBrokenError,
    RenewalPausedError,
    SettingsError,
    StoreUnavailableError,
    UsageError,
)
from archive_core.evidence.basis_ers import assess_basis_ers
from archive_core.evidence.coverage import DataObject
from archive_core.evidence.derivation import derive_record
from archive_core.evidence.hash_tree import renewed_hash
from archive_core.evidence.record import EvidenceRecord, parse_record
from archive_core.evidence.verification import assess_record
from archive_core.findings import Report, Verdict
from archive_core.ocfl.storage_root import StorageRoot
from archive_core.plain_reading import PlainReader
from archive_core.proofs import version_chains
from archive_core.renewal import rereading
from archive_core.renewal.examining import Examining
from policies.renewal_values import RenewalKind
from tests.renewal_world import RenewalWorld, facts, good
from tests.sampling import quick_first
from tests.world import OPERATOR

BIG = bytes(range(256)) * 4 * 1024 * 5 + b"the end"  # over 4 MiB: with a chunk list


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RenewalWorld]:
    """An object with twins among its files, one with a large file, one on two lines; a batch later an update."""
    made = RenewalWorld(tmp_path)
    first = made.deposit({"a.txt": b"alpha", "twin.txt": b"alpha", "b.txt": b"beta"}, metadata=b'{"title": "x"}')
    made.deposit({"big.bin": BIG})
    made.deposit({"r.txt": b"redundant"}, profile="redundant-1")
    made.preserve()
    made.clock.advance(days=3)
    made.update(first.poid, {"a.txt": b"alpha", "new.txt": b"new"})
    made.preserve()
    yield made
    made.archive.close()


def _record(world: RenewalWorld, poid: str | None = None, line: str = "sha512", version: int = 1) -> EvidenceRecord:
    files = world.archive.evidence(poid or min(world.told), version, actor=OPERATOR)
    return parse_record(next(file.der for file in files if file.line == line))


def _redundant(world: RenewalWorld) -> str:
    return next(poid for poid, ((_, files), *_) in world.told.items() if "r.txt" in files)


# -- what it makes --------------------------------------------------------------------------------


def test_a_new_chain_covers_the_documents_and_all_chains_before(world: RenewalWorld) -> None:
    """H(h || ha) in that order, ha over the whole sequence (5.2(3), 5.2(4)); the old chain keeps every octet."""
    good(world.renew())
    world.clock.advance(days=100)
    before = _record(world)
    good(world.rehash("sha384"))
    record = _record(world)

    assert record.digest_algorithms == ("sha512", "sha384")
    assert [len(chain.stamps) for chain in record.chains] == [2, 1]
    assert record.chains[0].raw == before.chains[0].raw
    earlier = hash_bytes("sha384", before.sequence_before(1))
    members = [
        b"alpha",
        b"beta",
        world.archive._content.description(world.archive.catalogue.version(min(world.told), 1)),
    ]
    for member in members:
        digest = hash_bytes("sha384", member)
        assert renewed_hash("sha384", digest, earlier) in record.chains[1].stamps[0].first_list
        if digest > earlier:
            assert renewed_hash("sha384", digest, earlier, in_order=True) not in record.chains[1].stamps[0].first_list
    assert assess_basis_ers(record) == []
    world.prove()


@pytest.mark.slow
def test_renewals_of_both_kinds_follow_each_other(world: RenewalWorld) -> None:
    """SHA-512, SHA-384, SHA3-384, with time-stamp renewals between and deposits going on."""
    good(world.rehash("sha384"))
    world.deposit({"later.txt": b"later"})
    world.preserve()
    good(world.renew())
    world.clock.advance(days=50)
    good(world.rehash("sha3-384"))
    good(world.renew())

    assert [chain.stamps[0].digest_algorithm for chain in _record(world).chains] == ["sha512", "sha384", "sha3-384"]
    assert [len(chain.stamps) for chain in _record(world).chains] == [1, 2, 2]
    world.prove()
    assert world.audit().findings == []


@pytest.mark.slow
def test_redundant_lines_never_end_on_one_digest(world: RenewalWorld) -> None:
    """One line moves, of its own family if it may; to where the other is, none does."""
    poid = _redundant(world)
    good(world.rehash("sha3-512"))
    assert [len(_record(world, poid, line).chains) for line in ("sha512", "sha3-512")] == [1, 1]
    good(world.rehash("sha384"))
    assert [len(_record(world, poid, line).chains) for line in ("sha512", "sha3-512")] == [2, 1]
    assert {chain.stamps[0].digest_algorithm for chain in _record(world).chains} == {"sha512", "sha3-512", "sha384"}
    world.prove(bundles=False, stores=False)


def test_many_objects_are_read_side_by_side_and_keep_their_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than one window of objects: every one is proven by its own values."""
    monkeypatch.setattr(rereading, "WINDOW", 8)
    world = RenewalWorld(tmp_path)
    for number in range(37):
        world.deposit({"n.txt": b"%d" % number})
    world.preserve()
    (renewed,) = facts(good(world.rehash("sha384")))

    assert renewed["documents"] == 37
    for poid in sorted(world.told)[::5]:
        assert world.archive.verify(poid, actor=OPERATOR).verdict is Verdict.PASSED
    world.archive.close()


# -- what must not be -----------------------------------------------------------------------------


def _harm(world: RenewalWorld, ending: str, *stores: str) -> None:
    """Change one byte of a stored file."""
    for store in stores:
        for path in world.files(store, ending):
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_damage_in_one_copy_is_named_and_the_other_is_read(world: RenewalWorld) -> None:
    """Nothing drops out; the damage is an event of the object."""
    _harm(world, "data/b.txt", "one")
    good(world.rehash("sha384"))

    assert any(event["type"] == "fixity check" for event in world.archive.trace(min(world.told), actor=OPERATOR))
    assert world.archive.verify(min(world.told), 1, actor=OPERATOR).verdict is Verdict.PASSED


@pytest.mark.slow
def test_damage_in_every_copy_drops_out_and_is_never_sealed_again(world: RenewalWorld) -> None:
    """Named with its POID, in the trail and in the renewal; the others are renewed; its own chains stay as they are."""
    poid = min(world.told)
    before = _record(world)
    _harm(world, "data/b.txt", "one", "two")
    result = world.rehash("sha384")
    dropped = [one for view in result.views for one in view.dropped]

    assert result.is_complete
    assert [(one.poid, one.version) for one in dropped] == [(poid, 1)]
    assert _record(world).raw == before.raw
    assert len(_record(world, version=2).chains) == 2
    assert any(
        (event["type"], event["outcome"], event["code"]) == ("hash-tree renewal", "failure", "dropped")
        for event in world.archive.trace(poid, actor=OPERATOR)
    )
    assert world.archive.verify(poid, 1, actor=OPERATOR).verdict is Verdict.FAILED
    again = world.rehash("sha3-384")
    assert [(one.poid, one.version) for view in again.views for one in view.dropped] == [(poid, 1)]


def test_a_dropped_object_is_covered_until_then_when_it_comes_back(world: RenewalWorld) -> None:
    """A copy found later proves it as far as its chains go, and the report says where they end."""
    poid = min(world.told)
    (path,) = world.files("one", "v1/content/data/b.txt")
    _harm(world, "data/b.txt", "one", "two")
    assert world.rehash("sha384").is_complete
    path.write_bytes(b"beta")
    report = world.archive.verify(poid, 1, actor=OPERATOR)

    assert report.verdict is Verdict.PASSED
    assert [finding.code for finding in report.findings] == ["COVERAGE_ENDED"]
    (before,) = [row for row in world.archive.catalogue.stamps(1) if row.chain == 0]
    assert before.trusted_until is not None
    assert f"covered until {before.trusted_until:%Y-%m-%d}" in report.findings[0].message
    world.clock.advance(days=6 * 365)
    late = world.archive.verify(poid, 1, actor=OPERATOR)
    assert late.verdict is Verdict.INDETERMINATE
    assert late.proof_of_existence is None


def test_content_that_is_another_is_found_by_the_newest_chain(
    world: RenewalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SHA-512 is broken and somebody swapped the bytes under it: the SHA-384 chain tells, and nothing is sealed."""
    good(world.rehash("sha384"))
    digests = Examining._digests

    def swapped(self: Examining, row: Any, description: Any) -> Any:
        found = dict(digests(self, row, description))
        if row.version == 2:
            for path, known in found.items():
                if path.endswith("new.txt"):
                    found[path] = {name: type(digest).of(name, b"forged") for name, digest in known.items()}
        return found

    monkeypatch.setattr(Examining, "_digests", swapped)
    result = world.rehash("sha3-384")
    dropped = [one for view in result.views for one in view.dropped]

    assert [(one.poid, one.version) for one in dropped] == [(min(world.told), 2)]
    assert "sha384" in dropped[0].message


def test_an_old_digest_that_is_broken_is_not_renewed(world: RenewalWorld) -> None:
    """It had to be good until the next chain (5.3(2)): too late is said, nothing is read, nothing is stamped."""
    world.clock.advance(days=365)
    world.judge_by(world.table_without("sha512", "2027-01-01"))
    asked = world.mortal["local-tsa-1"].asked
    views = world.rehash("sha384").views

    ended = [view for view in views if view.line == "sha512"]
    assert ended
    assert all("would leave a gap" in (view.error or "") for view in ended)
    assert world.mortal["local-tsa-1"].asked == asked
    report = world.archive.verify(min(world.told), 1, actor=OPERATOR)
    assert report.verdict is Verdict.INDETERMINATE
    assert report.proof_of_existence is None


@pytest.mark.parametrize("digest", quick_first(["sha1", "sha256", "sha224"]))
def test_a_digest_that_is_not_for_new_evidence_is_refused(world: RenewalWorld, digest: str) -> None:
    """Ended, on its way out, or too narrow for evidence that is to last."""
    views = world.rehash(digest).views

    assert views
    assert all("may not be used for new evidence" in (view.error or "") for view in views)
    assert world.archive.catalogue.renewals() == []


def test_a_digest_that_nobody_can_compute_is_refused(world: RenewalWorld) -> None:
    """By name; and without a name there is nothing to move to."""
    with pytest.raises(SettingsError, match="cannot be computed"):
        world.rehash("sha4-512")
    with pytest.raises(UsageError):
        world.renew(kind=RenewalKind.HASH_TREE)


def test_an_authority_that_will_not_stamp_such_a_digest_blocks_nobody(world: RenewalWorld) -> None:
    """Its refusal ends the attempt; time-stamp renewals go on, and another authority may be asked."""
    world.mortal["local-tsa-1"].refused_digests = frozenset({"sha3-384"})
    result = world.rehash("sha3-384")

    assert any("rejection" in (view.error or "") for view in result.views)
    assert all(row.abandoned for row in world.archive.catalogue.renewals() if row.tsa == "local-tsa-1")
    good(world.renew())
    world.prove(bundles=False, stores=False)


# -- forged records -------------------------------------------------------------------------------


def _judge(world: RenewalWorld, record: bytes) -> Report:
    """The record of the first version, over its real data."""
    poid = min(world.told)
    row = world.archive.catalogue.version(poid, 1)
    _, files = world.told[poid][0]
    contents = [world.archive._content.description(row), b'{"title": "x"}', *dict.fromkeys(files.values())]
    return assess_record(
        record,
        [DataObject.of_bytes(str(number), content) for number, content in enumerate(contents)],
        validator=world.archive.validator,
        algorithms=world.table,
        at=world.clock.now(),
    )


def test_records_put_together_wrongly_never_pass(world: RenewalWorld) -> None:
    """Chains swapped, a chain left out, the token of another batch, one octet of a covered token, a chain that covers
    less than all before: none is passed, and none proves a time."""
    good(world.renew())
    world.clock.advance(days=10)
    good(world.rehash("sha384"))
    world.clock.advance(days=10)
    good(world.renew())
    proof = world.archive._proofs.proof(world.archive.catalogue.version(min(world.told), 1))
    chains = version_chains(proof.batch, proof.lines["sha512"], proof.leaf, proof.description)
    other = world.archive._proofs.batch(3)
    right = derive_record(chains)
    assert _judge(world, right).verdict is Verdict.PASSED

    flipped = bytearray(right)
    place = right.index(chains[0][0].token) + len(chains[0][0].token) - 5
    flipped[place] ^= 1
    wrong = {
        "swapped chains": derive_record(chains[::-1]),
        "first chain left out": derive_record(chains[1:]),
        "first renewal left out": derive_record([chains[0][:1], *chains[1:]]),
        "stamps swapped": derive_record([chains[0][::-1], chains[1]]),
        "octet of a covered token": bytes(flipped),
    }
    for what, record in wrong.items():
        report = _judge(world, record)
        assert report.verdict is not Verdict.PASSED, what
        assert report.proof_of_existence is None, what
    stranger = replace(chains[0][0], token=other.tokens["sha512"])
    with pytest.raises(EvidenceBrokenError):  # what does not meet its token is not even handed out
        derive_record([[stranger, *chains[0][1:]], chains[1]])


# -- crashes and pauses ---------------------------------------------------------------------------


@pytest.mark.slow
def test_reading_goes_on_where_it_was_broken_off(world: RenewalWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store goes away in the middle: what was read stays read, and is not read again; then the journal is gone."""
    for number in range(40):
        world.deposit({"n.txt": b"%d" % number})
    world.preserve()
    last = world.archive.catalogue.batches()[-1].number
    read: list[tuple[str, int]] = []
    most = [30]
    one, version = PlainReader._one, Examining.version

    def counted(self: PlainReader, row: Any, algorithms: Any) -> Any:
        read.append((row.poid, row.version))
        return None if len(read) > most[0] else one(self, row, algorithms)

    def away(self: Examining, row: Any, leaf: int) -> Any:
        if len(read) > most[0]:
            raise StoreUnavailableError("the test took the store away")
        return version(self, row, leaf)

    monkeypatch.setattr(PlainReader, "_one", counted)
    monkeypatch.setattr(Examining, "version", away)
    monkeypatch.setattr(rereading, "WINDOW", 8)
    assert not world.rehash("sha384").is_complete
    journal = _journals(world)[-1]
    done = [(row.poid, row.version) for row in world.archive.catalogue.members(last)][: _lines(journal)]
    assert 5 < len(done) < 40
    read.clear()
    most[0] = 10**6
    journal.write_bytes(journal.read_bytes() + b"%d good 00" % len(done))  # the line that a crash cut off
    world.restart()
    good(world.rehash("sha384"))

    assert not set(done) & set(read)
    assert _journals(world) == []
    world.prove()


@pytest.mark.slow
def test_what_is_not_plain_or_not_what_is_expected_is_examined_by_itself(
    world: RenewalWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An update and what was updated; then all, because a file was not among what was read of each."""
    examined: list[tuple[str, int]] = []
    version, plain = Examining.version, Examining.plain
    told = sorted(world.told)

    def counted(self: Examining, row: Any, leaf: int) -> Any:
        examined.append((row.poid, row.version))
        return version(self, row, leaf)

    def lacking(self: Examining, leaf: int, files: Any) -> Any:
        return plain(self, leaf, dict(list(files.items())[1:]))

    monkeypatch.setattr(Examining, "version", counted)
    good(world.rehash("sha384"))
    assert {(told[0], 1), (told[0], 2)} == set(examined)
    examined.clear()
    monkeypatch.setattr(Examining, "plain", lacking)
    good(world.rehash("sha3-384"))

    assert {(poid, 1) for poid in told} <= set(examined)
    world.prove(bundles=False)


def test_reading_is_no_faster_than_was_allowed(world: RenewalWorld) -> None:
    """The bytes of a batch, at so many a second; the next batch waits."""
    hash_trees = world.archive.renewing._hash_trees
    size = sum(row.size for row in world.archive.catalogue.members(1))
    hash_trees._means = replace(hash_trees._means, bytes_per_second=size // 2)
    began = time.monotonic()
    good(world.rehash("sha384"))

    assert time.monotonic() - began > 2


def test_a_pause_is_heard_while_a_budget_is_waited_for(world: RenewalWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A year's worth of bytes does not hold a process for a year."""
    hash_trees = world.archive.renewing._hash_trees
    hash_trees._means = replace(hash_trees._means, bytes_per_second=1)
    monkeypatch.setattr(time, "sleep", lambda _: world.archive.renewing.pause(paused=True, actor=OPERATOR))
    with pytest.raises(RenewalPausedError):
        world.rehash("sha384")


def test_a_lease_is_kept_while_something_long_is_read(world: RenewalWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that takes longer than a lease lasts; another process does not begin beside this one."""
    monkeypatch.setattr(rereading, "BEAT", 0.01)
    one, slowed = PlainReader._one, list[str]()

    def slow(self: PlainReader, row: Any, algorithms: Any) -> Any:
        for _ in range(15):
            if not slowed:
                world.clock.advance(seconds=10)
                time.sleep(0.1)
        slowed.append(row.poid)
        return one(self, row, algorithms)

    monkeypatch.setattr(PlainReader, "_one", slow)
    good(world.rehash("sha384"))

    assert len(slowed) > 1


def _journals(world: RenewalWorld) -> list[Path]:
    return sorted((world.archive.copies.scratch / "renewal").glob("digests-*"))


def _lines(journal: Path) -> int:
    """How many data objects a journal holds."""
    return journal.read_bytes().count(b"\n") - 1


@pytest.mark.slow
def test_a_pause_ends_the_reading_and_resume_goes_on(world: RenewalWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two windows; nothing is half done."""
    version = Examining.version

    def pausing(self: Examining, row: Any, leaf: int) -> Any:
        world.archive.renewing.pause(paused=True, actor=OPERATOR)
        return version(self, row, leaf)

    monkeypatch.setattr(Examining, "version", pausing)
    with pytest.raises(RenewalPausedError):
        world.rehash("sha384")
    monkeypatch.setattr(Examining, "version", version)
    assert world.archive.catalogue.unfinished_renewals() == []
    world.archive.renewing.pause(paused=False, actor=OPERATOR)
    good(world.rehash("sha384"))
    world.prove(bundles=False)


@pytest.mark.slow
def test_a_time_stamp_renewal_may_come_between_the_phases(world: RenewalWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read stays good: `ha` is over the sequence as it is when the new chain is made."""
    form = world.archive.renewing._hash_trees._form

    def later(moves: Any, folder: Any, progress: Any) -> Any:
        raise StoreUnavailableError("the test took the store away")

    monkeypatch.setattr(world.archive.renewing._hash_trees, "_form", later)
    assert not world.rehash("sha384").is_complete
    monkeypatch.setattr(world.archive.renewing._hash_trees, "_form", form)
    good(world.renew())
    world.clock.advance(days=1)
    good(world.rehash("sha384"))

    assert [len(chain.stamps) for chain in _record(world).chains] == [2, 1]
    world.prove(bundles=False)


def test_a_journal_that_was_harmed_is_read_anew(world: RenewalWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of it makes no sense: the batch is refused once, and read again at the next try."""
    form = world.archive.renewing._hash_trees._form

    def harming(moves: Any, folder: Any, progress: Any) -> Any:
        for path in _journals(world):
            text = path.read_text("ascii").split("\n")
            path.write_text("\n".join([text[0], text[1].replace("good", "fine"), *text[2:]]), "ascii")
        return form(moves, folder, progress)

    monkeypatch.setattr(world.archive.renewing._hash_trees, "_form", harming)
    assert not world.rehash("sha384").is_complete
    monkeypatch.setattr(world.archive.renewing._hash_trees, "_form", form)
    for _ in range(3):
        if world.rehash("sha384").is_complete:
            break
    world.prove(bundles=False, stores=False)
    assert len(_record(world).chains) == 2


def test_the_tree_is_over_all_objects_and_the_seal(world: RenewalWorld) -> None:
    """One leaf for each object of each batch and one for its statement and seal, in both stores alike."""
    good(world.rehash("sha384"))
    row = next(row for row in world.archive.catalogue.renewals() if row.line == "sha512")
    leaves = sum(batch.leaf_count + 1 for batch in world.archive.catalogue.batches())

    assert row.leaf_count == leaves
    roots: list[StorageRoot] = list(world.archive.copies.roots)
    trees = {root.read_file(row.storage_object, 1, "tree.bin", 10**6) for root in roots}
    assert len(trees) == 1
    assert len(hashlib.sha384().digest()) * leaves <= len(trees.pop())
