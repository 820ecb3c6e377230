"""Which authority stamps the renewal of a line.

Rules kept here
 * A renewed time-stamp is of the class that the profile asks for, or better (RFC 4998 7).
 * The lines of a batch never end on one authority: what falls takes one line, not both.
 * An authority that left the settings is replaced by the one that the profiles in force name for the line,
   else by any that may be taken; an operator's word goes before, within the rules above.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from archive_core.catalogue.rows import HeadRow
from archive_core.errors import SettingsError
from archive_core.publishing import Published
from policies.profiles import TRUST_CLASSES, LineRule, PreservationProfile


@dataclass(frozen=True, slots=True)
class Choosing:
    """Chooses among the authorities of the settings (`trust_classes` by name) as of an instant. `wanted` is
    an operator's choice."""

    published: Published
    trust_classes: Mapping[str, str]
    at: datetime
    wanted: str | None = None

    def authority(self, profile_id: str, line: str, first: str, others: Iterable[str]) -> str:
        """The authority for a line of batches under a profile. `first` is the one that stamped them at first,
        `others` are those of the batches' other lines. Raises `SettingsError` saying what to change."""
        profile = self.published.profile(profile_id)
        taken = set(others)
        candidates = [self.wanted] if self.wanted else self._candidates(profile, line, first)
        for name in candidates:
            if name not in taken and self._is_allowed(profile, line, name):
                return name
        if self.wanted:
            why = "it stamps another line of the same batches" if self.wanted in taken else "it is not in the settings"
            if self.wanted in self.trust_classes and self.wanted not in taken:
                why = f"it gives {self.trust_classes[self.wanted]} time-stamps, which the profile does not accept"
            raise SettingsError(f"the TSA {self.wanted} cannot renew the line {line} of profile {profile_id}: {why}")
        raise SettingsError(
            f"no TSA in the settings may renew the line {line} of profile {profile_id}: the line was stamped by "
            f"{first}; add a TSA of the class {_required(profile, line)} that stamps no other line"
        )

    def allows(self, profile_id: str, line: str, name: str) -> bool:
        """Whether an authority may stamp that line of batches under a profile."""
        return self._is_allowed(self.published.profile(profile_id), line, name)

    def _candidates(self, profile: PreservationProfile, line: str, first: str) -> list[str]:
        active = sorted(
            (one for one in self.published.profiles if one.is_active(self.at)),
            key=lambda one: (one.id != profile.id, -one.valid_from.timestamp()),
        )
        named = [rule.tsa for one in active for rule in one.lines if rule.name == line]
        return list(dict.fromkeys([first, *named, *sorted(self.trust_classes)]))

    def _is_allowed(self, profile: PreservationProfile, line: str, name: str) -> bool:
        offered = self.trust_classes.get(name)
        if offered is None or (offered == "test" and not profile.accepts_test_trust):
            return False
        return TRUST_CLASSES.index(offered) >= TRUST_CLASSES.index(_required(profile, line))


def _required(profile: PreservationProfile, line: str) -> str:
    rule: LineRule | None = next((rule for rule in profile.lines if rule.name == line), None)
    if rule is None:
        raise SettingsError(f"the profile {profile.id} has no line {line}")
    return rule.trust_class_required


def others_of(heads: Iterable[HeadRow]) -> dict[tuple[int, str], frozenset[str]]:
    """For every line of every batch, the authorities that stamped the batch's other lines."""
    by_batch: dict[int, list[HeadRow]] = {}
    for head in heads:
        by_batch.setdefault(head.batch, []).append(head)
    known: dict[frozenset[str], frozenset[str]] = {}  # few differ, and there may be a hundred thousand
    found = {}
    for rows in by_batch.values():
        for head in rows:
            others = frozenset(other.tsa for other in rows if other.line != head.line)
            found[head.batch, head.line] = known.setdefault(others, others)
    return found
