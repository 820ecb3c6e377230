"""The settings of access: `[access]` says who may bring documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archive_core.errors import SettingsError

ORIGINATORS = ("any", "registered")


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """Who may bring documents."""

    originators: str = "any"
    """`any`: for whatever organisation a key or an operator names; `registered`: for those alone that were added with
    `organisations add`."""

    @property
    def registered_only(self) -> bool:
        return self.originators == "registered"


def read_access(table: Any) -> AccessSettings:
    """The settings of a table of the settings file; raises `SettingsError` naming what to change."""
    settings = AccessSettings(originators=table.take("originators", str, AccessSettings().originators))
    table.done()
    if settings.originators not in ORIGINATORS:
        raise SettingsError(f"[access]: originators is one of {', '.join(ORIGINATORS)}")
    return settings
