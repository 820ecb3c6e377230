"""The settings of access: `[access]` says who may bring documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archive_core.errors import SettingsError

ORIGINATORS = ("any", "registered")


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """`originators`: whether documents are taken in for `any` organisation that a key or an operator names, or for
    those alone that were `registered` with `organisations add`."""

    originators: str = "any"

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
