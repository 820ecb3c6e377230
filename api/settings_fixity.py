"""The settings of fixity: `[fixity]` for all stores, `[[fixity.store]]` for single ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from archive_core.errors import SettingsError


@dataclass(frozen=True, slots=True)
class FixitySettings:
    """How the scheduler reads the stores again. A `[[fixity.store]]` says it for one store; what it does not say is as
    for all."""

    days_per_cycle: float = 90.0
    """(days) In how long everything is read once; 0.01 to 3650."""
    mib_per_second: float = 20.0
    """(MiB a second) How fast at most; 0 for as fast as it goes."""
    from_hour: float = 0.0
    """(hour of the day, UTC) From when on it is read; 0 to 23.99."""
    until_hour: float = 0.0
    """(hour of the day, UTC) Until when; the same as `from_hour` for all day."""
    stores: tuple[tuple[str, FixitySettings], ...] = ()


def read_fixity(table: Any) -> FixitySettings:
    """The settings of a table of the settings file; raises `SettingsError` naming what to change."""
    common = _pace(table, FixitySettings(), "[fixity]")

    def of_store(below: Any) -> tuple[str, FixitySettings]:
        name: str = below.take("name", str)
        settings = _pace(below, common, f"[[fixity.store]] {name}")
        below.done()
        return name, settings

    stores = table.take_tables("store", of_store)
    table.done()
    return replace(common, stores=stores)


def _pace(table: Any, defaults: FixitySettings, where: str) -> FixitySettings:
    settings = FixitySettings(
        days_per_cycle=table.take("days_per_cycle", float, defaults.days_per_cycle),
        mib_per_second=table.take("mib_per_second", float, defaults.mib_per_second),
        from_hour=table.take("from_hour", float, defaults.from_hour),
        until_hour=table.take("until_hour", float, defaults.until_hour),
    )
    hours = (settings.from_hour, settings.until_hour)
    if not 0.01 <= settings.days_per_cycle <= 3650 or not all(0 <= hour < 24 for hour in hours):
        raise SettingsError(f"{where}: days_per_cycle is 0.01 to 3650, from_hour and until_hour are 0 to 23.99 (UTC)")
    if settings.mib_per_second and not 0.01 <= settings.mib_per_second <= 1_000_000:
        raise SettingsError(f"{where}: mib_per_second is 0.01 to 1,000,000, or 0 for no limit")
    return settings
