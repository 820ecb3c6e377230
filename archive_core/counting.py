"""How many time-stamps each authority gave in a calendar month: they are paid for, and a budget may end.

Rules kept here
 * Every time-stamp that is asked for counts, for whatever: evidence, renewals, the clock; what was asked and not
   answered well may have been paid all the same. It is counted when the call has ended, in whatever way: between
   question and answer nothing of ours may fail. A process that dies in the call leaves it uncounted.
 * An answer is worth more than its count: what the catalogue does not take now is counted with the next one.
 * Months are those of UTC by the clock of the archive.
 * A budget is told of when most of it is used, and stops nothing: evidence that is due is worth more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from archive_core.catalogue.catalogue import Catalogue
from archive_core.digests import Digest
from archive_core.errors import ArchiveError, CatalogueDamagedError, CatalogueUnavailableError
from archive_core.ports import Clock, TimestampAuthority, TimestampToken, ValidationData

WARN_FROM = 0.8
"""Share of a budget from which on it is warned of."""


@dataclass(frozen=True, slots=True)
class Used:
    """Time-stamps of one authority in one month: `asked` for, and `obtained`."""

    month: str
    asked: int
    obtained: int


class Counting:
    """What was asked of authorities, as the catalogue knows it. `budgets` are time-stamps of a month, by name."""

    def __init__(self, catalogue: Catalogue, clock: Clock, budgets: Mapping[str, int]) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self.budgets = dict(budgets)
        self._owed: Counter[str] = Counter()
        self._lock = Lock()

    def counted(self, authority: TimestampAuthority) -> CountedAuthority:
        """The authority, whose time-stamps count from now on; one that is counted elsewhere counts only here."""
        return CountedAuthority(authority.counts if isinstance(authority, CountedAuthority) else authority, self)

    def ended(self, tsa: str, *, obtained: bool) -> None:
        """A call has ended, with a good answer or without."""
        month = _month(self._clock.now())
        with self._lock:
            self._owed.update(_name(tsa, month, what) for what in ((ASKED, OBTAINED) if obtained else (ASKED,)))
            try:
                for name in list(self._owed):
                    self._catalogue.meta_add(name, self._owed[name])
                    del self._owed[name]
            except (CatalogueUnavailableError, CatalogueDamagedError):
                return  # whoever keeps the answer will meet it and tell

    def used(self, tsa: str) -> Used:
        """This month's time-stamps."""
        month = _month(self._clock.now())
        asked, obtained = (int(self._catalogue.meta_get(_name(tsa, month, what)) or 0) for what in (ASKED, OBTAINED))
        return Used(month, asked, obtained)

    def to_json(self, tsa: str) -> dict[str, object]:
        used = self.used(tsa)
        budget = self.budgets.get(tsa) or None
        return {"month": used.month, "asked": used.asked, "obtained": used.obtained, "budget": budget}

    def warnings(self) -> list[str]:
        """A sentence for each budget that is used up or nearly so."""
        found = []
        for tsa, budget in sorted(self.budgets.items()):
            used = self.used(tsa)
            if budget and used.asked >= WARN_FROM * budget:
                which = f"{used.asked} of the {budget} time-stamps of {used.month} are used"
                found.append(f"time-stamp authority {tsa}: {which}")
        return found


ASKED, OBTAINED = "asked", "obtained"


class CountedAuthority:
    """A `TimestampAuthority` whose time-stamps are counted; `counts` is the one behind it."""

    def __init__(self, authority: TimestampAuthority, counting: Counting) -> None:
        self.counts = authority
        self._counting = counting

    @property
    def name(self) -> str:
        return self.counts.name

    @property
    def test_trust(self) -> bool:
        return self.counts.test_trust

    def timestamp(self, imprint: Digest) -> TimestampToken:
        try:
            token = self.counts.timestamp(imprint)
        except ArchiveError:
            self._counting.ended(self.name, obtained=False)
            raise
        self._counting.ended(self.name, obtained=True)
        return token

    def validation_data(self, token: bytes) -> ValidationData:
        return self.counts.validation_data(token)


def _month(at: datetime) -> str:
    return f"{at:%Y-%m}"


def _name(tsa: str, month: str, what: str) -> str:
    return f"stamps:{month}:{what}:{tsa}"
