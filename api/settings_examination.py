"""The settings of the examination of deposited signatures: whom to trust, what may be fetched, and the limits.

Rules kept here
 * Trust is explicit: files that the settings name, and trusted lists that somebody named.
 * Which deposits are examined is for their profile to say, never for the settings.
"""

from __future__ import annotations

from dataclasses import dataclass

from api.settings_table import ADDRESSES, SETTINGS_FILE, Secret, Table
from archive_core.errors import SettingsError


@dataclass(frozen=True, slots=True)
class ExaminationSettings:
    """How signatures in deposits are examined. Which deposits are is said by their profiles."""

    trust: tuple[str, ...] = ()
    """PEM files with the certificates that signers may lead to, besides the archive's `trust_anchors`."""
    fetch: tuple[str, ...] = ()
    """Beginnings of addresses from which chains and revocation data may be fetched; nothing else is asked."""
    timeout: float = 10.0
    """(seconds) For one fetch; 0.1 to 600."""
    proxy: str = ""
    """`http://HOST:PORT` of a proxy for fetching; empty for none."""
    proxy_user: str = ""
    """Who asks the proxy; together with `proxy_password`."""
    proxy_password: Secret | None = None
    """The password at the proxy."""
    memory_mib: int = 1024
    """(MiB) The memory for the examination of one file; 256 or more."""
    cpu_seconds: int = 60
    """(seconds) The processor's time for one file; 1 to 3600."""
    wall_seconds: float = 120.0
    """(seconds) The time for one file in all; 0.1 to 3600."""
    at_once: int = 0
    """How many files are examined side by side, up to 256; 0 for as many as there are processors."""
    retry_minutes: float = 15.0
    """(minutes) How long after a try in vain the next one comes, 0.1 to 1440; each further one comes after twice as
    long, a day at most."""
    alarm_hours: float = 48.0
    """(hours) After how long without success it is an alarm; 0.1 to 8760."""


def read_examination(table: Table) -> ExaminationSettings:
    defaults = ExaminationSettings()
    password = table.take("proxy_password", str, "")
    settings = ExaminationSettings(
        trust=table.texts("trust"),
        fetch=table.texts("fetch"),
        timeout=table.take("timeout", float, defaults.timeout),
        proxy=table.take("proxy", str, ""),
        proxy_user=table.take("proxy_user", str, ""),
        proxy_password=Secret(password) if password else None,
        memory_mib=table.take("memory_mib", int, defaults.memory_mib),
        cpu_seconds=table.take("cpu_seconds", int, defaults.cpu_seconds),
        wall_seconds=table.take("wall_seconds", float, defaults.wall_seconds),
        at_once=table.take("at_once", int, defaults.at_once),
        retry_minutes=table.take("retry_minutes", float, defaults.retry_minutes),
        alarm_hours=table.take("alarm_hours", float, defaults.alarm_hours),
    )
    table.done()
    if password and not password.startswith(ADDRESSES):
        raise SettingsError(f"{SETTINGS_FILE} [examination]: proxy_password is the address of a secret, never itself")
    if bool(settings.proxy_user) != bool(password):
        raise SettingsError(f"{SETTINGS_FILE} [examination]: proxy_user and proxy_password are written together")
    _verify_limits(settings)
    return settings


def _verify_limits(settings: ExaminationSettings) -> None:
    where = f"{SETTINGS_FILE} [examination]"
    if not 0.1 <= settings.timeout <= 600 or not 0.1 <= settings.wall_seconds <= 3600:
        raise SettingsError(f"{where}: timeout is 0.1 to 600 seconds, wall_seconds 0.1 to 3600")
    if not 256 <= settings.memory_mib <= 1024 * 1024 or not 1 <= settings.cpu_seconds <= 3600:
        raise SettingsError(f"{where}: memory_mib is 256 or more, cpu_seconds 1 to 3600")
    if not 0 <= settings.at_once <= 256:
        raise SettingsError(f"{where}: at_once is 1 to 256, or 0 for as many as there are processors")
    if not 0.1 <= settings.retry_minutes <= 1440 or not 0.1 <= settings.alarm_hours <= 8760:
        raise SettingsError(f"{where}: retry_minutes is 0.1 to 1440, alarm_hours 0.1 to 8760")
