"""The settings of the EU trusted lists: where they are, who may sign them, and how often to look for new ones.

Rules kept here
 * Nothing is fetched that no setting names; signers of the list of lists are files, from the Official Journal.
"""

from __future__ import annotations

from dataclasses import dataclass

from api.settings_table import SETTINGS_FILE, Table
from archive_core.errors import SettingsError


@dataclass(frozen=True, slots=True)
class ListSettings:
    """The EU trusted lists, on which "qualified" rests. Without addresses and files there are none."""

    addresses: tuple[str, ...] = ()
    """Addresses of lists, usually that of the list of lists alone."""
    files: tuple[str, ...] = ()
    """Files with lists."""
    fetch: tuple[str, ...] = ()
    """Beginnings of further addresses that may be asked, because a list of lists names them."""
    signers: tuple[str, ...] = ()
    """PEM files with the certificates that may sign the list of lists; needed with `addresses`."""
    territories: tuple[str, ...] = ()
    """Whose lists are wanted (`CZ`, `SK`, …); none for all."""
    hours: float = 24.0
    """(hours) How often the scheduler looks for new lists; 0.1 to 720."""
    timeout: float = 60.0
    """(seconds) For one fetch; 0.1 to 600."""
    proxy: str = ""
    """`http://HOST:PORT` of a proxy for fetching; empty for none."""

    @property
    def configured(self) -> bool:
        return bool(self.addresses or self.files)


def read_lists(table: Table) -> ListSettings:
    settings = ListSettings(
        addresses=table.texts("addresses"),
        files=table.texts("files"),
        fetch=table.texts("fetch"),
        signers=table.texts("signers"),
        territories=table.texts("territories"),
        hours=table.take("hours", float, 24.0),
        timeout=table.take("timeout", float, 60.0),
        proxy=table.take("proxy", str, ""),
    )
    table.done()
    where = f"{SETTINGS_FILE} [trusted_lists]"
    if not 0.1 <= settings.hours <= 720 or not 0.1 <= settings.timeout <= 600:
        raise SettingsError(f"{where}: hours is 0.1 to 720, timeout 0.1 to 600 seconds")
    if any(not one.startswith(("https://", "http://")) for one in (*settings.addresses, *settings.fetch)):
        raise SettingsError(f"{where}: addresses and fetch are http:// or https:// addresses")
    if settings.addresses and not settings.signers:
        raise SettingsError(f"{where}: name the signers of what is fetched: nobody else vouches for it")
    return settings
