"""How many copies make a deposit kept, and where they must be.

Rules kept here
 * Every required store must have it, and as many stores at as many sites as the settings say; what is more is desired.
 * A store that names no site is a site of its own.
 * A profile may say another rule for what is deposited under it; evidence and trail keep to that of the settings.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class CopyRule:
    """`required` stores, the least number of `stores` and of `sites`; `site_of` names the site of each store."""

    required: frozenset[str]
    stores: int
    sites: int = 1
    site_of: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def all_of(cls, names: Collection[str]) -> CopyRule:
        """Nothing less than everywhere."""
        return cls(frozenset(names), len(names))

    def among(self, members: Collection[str]) -> CopyRule:
        """The same rule where only these stores take part."""
        present = set(members)
        return replace(
            self,
            required=self.required & present or frozenset(sorted(present)[:1]),
            stores=min(self.stores, len(present)),
            sites=min(self.sites, len({self.site_of.get(name) or name for name in present})),
        )

    def shortfall(self, held: Collection[str]) -> str:
        """What these stores lack to be enough, in words; empty when they are enough."""
        if missing := sorted(self.required - set(held)):
            return f"the required store{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
        if len(held) < self.stores:
            return f"{self.stores - len(held)} more of the stores"
        sites = len({self.site_of.get(name) or name for name in held})
        return f"{self.sites - sites} more of the sites" if sites < self.sites else ""

    def tolerates(self, name: str) -> bool:
        """Whether a store may be away at all."""
        return name not in self.required
