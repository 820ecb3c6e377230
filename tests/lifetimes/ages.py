"""Sixty years of one archive, 2026 to 2086: authorities, algorithms, sites and people come and go.

The rules this story keeps
 * What is due is decided by the archive; people only do what its page for operators says: found authorities, load
   lists of algorithms, confirm what asks, replace a lost site by a copy of the other one.
 * A scheduler's round comes every 40 days, and every 8 while something waits, unless the machine is off.
 * `at_new_year` is called at the end of every year and looks at whatever it likes.
 * Time-stamps and seals are judged by the archive's own validators. Their answers are remembered within the story by
   everything that they depend on (octets, instant, data, anchors, list of algorithms), so that sixty looks back at the
   same octets as of the same instant cost one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from archive_core.archive import Archive
from archive_core.ports import SealAssessment, SealValidator, TimestampValidator, TokenAssessment, ValidationData
from archive_core.renewal.running import RenewalResult
from policies.algorithms import AlgorithmTable
from policies.renewal_values import RenewalKind
from signing.keys import load_key
from signing.local_keys import ECDSA_P384, ML_DSA_65
from signing.local_trust import Making, create_local_trust
from signing.seal_validation import SealVerifier
from signing.seals import SoftwareSealer
from signing.timestamp_validation import TokenValidator
from tests.renewal_world import MortalTsa, RenewalWorld
from tests.world import OPERATOR

START = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
LAST_YEAR = 2086
ROUND, WATCHFUL = timedelta(days=40), timedelta(days=8)
UNIT_YEARS = 4.0
NEW_UNITS_EVERY = timedelta(days=1280)  # three years and a half

RSA, ECDSA, ML_DSA = "rsa3072", "p384", "mldsa65"

MACHINE_OFF = 2033
DELETION = 2036
SITE_LOST = 2038
AUTHORITIES_SILENT = 2044
UPDATED = 2035
SHA512_NEWS, SHA512_ENDS = 2041, "2043-01-01"
ECDSA_NEWS, ECDSA_ENDS = 2049, "2051-01-01"
RSA_REPLACED, ECDSA_REPLACED = 2028, 2049
NEW_SEALS = (2034, 2058, 2066, 2074, 2082)
ORDERED = {2056: "sha384", 2070: "sha3-384"}
NEWS = (SHA512_NEWS, ECDSA_NEWS)
FIRST_SHA3_PROFILE = 2041

AtNewYear = Callable[["LongLife", int], None]


class LongLife(RenewalWorld):
    """The archive with its authorities, and what was noticed on the way."""

    def __init__(self, folder: Path) -> None:
        self._memory: dict[Any, Any] = {}
        self._seal: SoftwareSealer | None = None
        self._seal_anchors: list[bytes] = []
        super().__init__(folder, start=START, years=UNIT_YEARS, key=RSA, root_key=RSA)
        self.new_seal(ECDSA_P384)
        self.results: list[tuple[datetime, RenewalResult]] = []
        self.deleted: list[str] = []
        self.notes: list[tuple[datetime, str]] = []

    def _outfitted(self, archive: Archive) -> Archive:
        archive = super()._outfitted(archive)
        if self._seal is None or not self.mortal:
            return archive
        anchors = tuple(self._anchors)
        tokens = TokenValidator(anchors, algorithms=self.table, test_anchors=self._local_anchors)
        test_anchors = (*self._local_anchors, *self._seal_anchors)
        seals = SealVerifier([], algorithms=self.table, test_anchors=test_anchors)
        archive.validator = RememberedTokens(tokens, self._memory, (anchors, self.table.source))
        archive._seal_validator = RememberedSeals(seals, self._memory, (test_anchors, self.table.source))
        archive._sealer = self._seal
        archive.published.algorithms = self.table
        archive.published.publish(archive.copies)
        return archive.over(archive.catalogue, archive.copies)

    # -- what operators do --------------------------------------------------------------------

    def new_seal(self, kind: str, digest: str = "sha512") -> None:
        """A seal key for the next ten years, below a certification authority of its own."""
        at = self.clock.now()
        trust = create_local_trust(self.folder / f"seal-{at:%Y}", at=at, making=Making(kind))
        key = load_key(trust.seal_key_address, certificates=trust.seal_certificate_file)
        source = trust.seal_validation_data
        self._seal = SoftwareSealer(key, test_trust=True, validation_source=source, digest=digest)
        self._seal_anchors.append(trust.anchor)
        self.archive = self._outfitted(self.archive)

    def new_generation(self, key: str, *, digest: str = "sha512", years: float) -> None:
        """Both authorities get a new root and a new unit; the old ones issue nothing more."""
        for name in list(self.mortal):
            self.found(
                MortalTsa.born(
                    name, self.clock, years=UNIT_YEARS, key=key, root_key=key, root_years=years, digest=digest
                )
            )

    def new_units(self, key: str) -> None:
        for tsa in self.mortal.values():
            tsa.renew_unit(years=UNIT_YEARS, key=key)

    def load_list(self, *, digest: tuple[str, str] | None = None, signature: tuple[str, str] | None = None) -> None:
        """A newer list of algorithms, in which a digest or a signature scheme ends on a day."""
        source = self.table.source.decode("utf-8")
        if digest:
            source = _ending(source, f'name = "{digest[0]}"', digest[1])
        if signature:
            source = _ending(source, f'names = ["{signature[0]}"]', signature[1])
        at = self.clock.now()
        source = source.replace(f'id = "{self.table.id}"', f'id = "algorithms-{at:%Y-%m}"', 1)
        source = source.replace(f"issued = {self.table.issued:%Y-%m-%d}", f"issued = {at:%Y-%m-%d}", 1)
        self.judge_by(AlgorithmTable.load(source.encode("utf-8")))

    def round(self, *, confirm: bool) -> RenewalResult:
        """The scheduler's round. What asks is confirmed as the page says, or waits until it cannot wait any longer;
        whatever was begun is done, and nothing drops out but what was deleted."""
        result = self.renew(which="due", patient=True)
        self.note(result)
        if result.question is not None and confirm:
            self.notes.append((self.clock.now(), "confirmed"))
            result = self.renew()
            self.note(result)
        assert result.question is not None or result.is_complete, result.to_json()
        assert all(view.error is None and not view.obstacles for view in result.views), result.to_json()
        assert {one.poid for view in result.views for one in view.dropped} <= set(self.deleted), result.to_json()
        return result

    def note(self, result: RenewalResult) -> None:
        if result.views:
            self.results.append((self.clock.now(), result))

    def stamped(self, kind: str) -> int:
        """How many renewals of a kind were stamped so far."""
        views = [view for _, result in self.results for view in result.views]
        return sum(view.kind == kind and view.gen_time is not None for view in views)

    # -- what happens -------------------------------------------------------------------------

    def lose_store(self, name: str) -> None:
        shutil.rmtree(self.store(name))

    def replace_store(self, name: str, by: str) -> None:
        """A new site, filled from the other one."""
        shutil.copytree(self.store(by), self.store(name))

    def destroy(self, poid: str) -> None:
        """An object is destroyed in every store, as an operator does it."""
        view = self.archive.destroy(poid, reason="disposal of 2037", actor=OPERATOR)
        assert (view.purged, view.owed) == (("one", "two"), ())
        self.deleted.append(poid)

    @property
    def living(self) -> dict[str, list[Any]]:
        """What everybody was told of the objects that are not deleted."""
        return {poid: versions for poid, versions in self.told.items() if poid not in self.deleted}


def _ending(source: str, name: str, day: str) -> str:
    """The table with an end for the last row of that name (the one without an end)."""
    head, _, rest = source.rpartition(name)
    row, gap, after = rest.partition("\n\n")
    if not head or "until" in row:
        raise ValueError(f"{name} has no open row")
    return f"{head}{name}{row}\nuntil = {day}{gap}{after}"


@dataclass(frozen=True)
class RememberedTokens:
    """A validator that is asked the same question once."""

    real: TimestampValidator
    memory: dict[Any, Any]
    world: tuple[Any, ...]

    def assess(self, token: bytes, *, at: datetime, data: ValidationData | None = None) -> TokenAssessment:
        key = (token, at, data, self.world)
        if key not in self.memory:
            self.memory[key] = self.real.assess(token, at=at, data=data)
        found: TokenAssessment = self.memory[key]
        return found


@dataclass(frozen=True)
class RememberedSeals:
    """The same for seals."""

    real: SealValidator
    memory: dict[Any, Any]
    world: tuple[Any, ...]

    def assess_seal(
        self, seal: bytes, content: bytes, *, at: datetime, data: ValidationData | None = None
    ) -> SealAssessment:
        key = (seal, content, at, data, self.world)
        if key not in self.memory:
            self.memory[key] = self.real.assess_seal(seal, content, at=at, data=data)
        found: SealAssessment = self.memory[key]
        return found


@dataclass
class Story:
    """The sixty years; `run` lives them."""

    world: LongLife
    at_new_year: AtNewYear
    until: int = LAST_YEAR
    key: str = RSA
    digest: str = "sha512"
    units_at: datetime = START
    step: timedelta = ROUND
    poids: dict[int, str] = field(default_factory=dict)

    def run(self) -> None:
        for year in range(START.year, self.until + 1):
            self._begin(year)
            self._people(year)
            self._rounds(year)
            self.at_new_year(self.world, year)

    def _begin(self, year: int) -> None:
        """Authorities, lists and keys of a new year."""
        if year == RSA_REPLACED:
            self.key = ECDSA
            self.world.new_generation(ECDSA, years=24)
            self.units_at = self.world.clock.now()
        if year == SHA512_NEWS:
            self.digest = "sha3-512"
            for tsa in self.world.mortal.values():
                tsa.digest = self.digest
            self.world.load_list(digest=("sha512", SHA512_ENDS))
        if year == ECDSA_REPLACED:
            self.key = ML_DSA
            self.world.new_generation(ML_DSA, digest=self.digest, years=45)
            self.units_at = self.world.clock.now()
            self.world.load_list(signature=("ecdsa", ECDSA_ENDS))
        if year in (SHA512_NEWS, ECDSA_REPLACED) or year in NEW_SEALS:
            self.world.new_seal(ML_DSA_65 if year >= SHA512_NEWS else ECDSA_P384, self.digest)

    def _people(self, year: int) -> None:
        """Deposits of the year, and what else is done or happens to it."""
        world = self.world
        if year == SITE_LOST:
            world.lose_store("two")
            self.at_new_year(world, year)
            world.replace_store("two", by="one")
        profile = "basic-2" if year >= FIRST_SHA3_PROFILE else "redundant-1" if year % 4 == 2 else None
        self.poids[year] = world.deposit({"a.txt": b"document of %d" % year, "b.txt": b"same"}, profile=profile).poid
        if year == DELETION:
            world.deposit({"c.txt": b"the neighbour of what is deleted"})
        if year == UPDATED:
            world.update(self.poids[START.year], {"a.txt": b"document of 2026", "new.txt": b"added in %d" % year})
        world.preserve()
        if year == DELETION + 1:
            world.destroy(self.poids[DELETION])
        if year in ORDERED:
            world.note(world.rehash(ORDERED[year]))

    def _rounds(self, year: int) -> None:
        """The scheduler until the end of the year; what the news of a year make due is confirmed in it."""
        world = self.world
        end = datetime(year + 1, 1, 1, tzinfo=UTC)
        while world.clock.now() + self.step < end:
            world.clock.advance(seconds=self.step.total_seconds())
            if year >= MACHINE_OFF and not self._was("off") and self._cannot_wait():
                self._machine_off()
            elif year >= AUTHORITIES_SILENT and not self._was("silent") and self._cannot_wait():
                self._nobody_answers()
            if world.clock.now() - self.units_at >= NEW_UNITS_EVERY:
                world.new_units(self.key)
                self.units_at = world.clock.now()
            self.step = WATCHFUL if world.round(confirm=year in NEWS).question else ROUND
        world.clock.advance(seconds=(end - world.clock.now()).total_seconds())

    def _was(self, what: str) -> bool:
        return any(note == what for _, note in self.world.notes)

    def _cannot_wait(self) -> bool:
        """Whether something that has waited will be renewed unasked by the next round."""
        if self.step == ROUND:
            return False
        result = self.world.renew(which="due", dry_run=True)
        return any(view.kind == RenewalKind.TIMESTAMP for view in result.views)

    def _machine_off(self) -> None:
        """A month without the machine, from the day on which a renewal could not wait any longer."""
        self.world.notes.append((self.world.clock.now(), "off"))
        self.world.clock.advance(days=31)

    def _nobody_answers(self) -> None:
        """A month in which no authority gives a time-stamp: each round says so, and nothing is lost."""
        world = self.world
        world.notes.append((world.clock.now(), "silent"))
        for tsa in world.mortal.values():
            tsa.away = True
        for _ in range(4):
            result = world.renew(which="due", patient=True)
            assert not result.is_complete
            assert any("away" in (view.error or "") for view in result.views), result.to_json()
            assert all(view.gen_time is None for view in result.views), result.to_json()
            world.clock.advance(days=8)
        for tsa in world.mortal.values():
            tsa.away = False
