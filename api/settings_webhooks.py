"""The settings of webhooks: `[[webhook]]` names each receiver that is told what changes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from api.settings_services import ConnectionSettings, read_connection
from api.settings_table import SETTINGS_FILE, Secret, Table
from archive_core.changes import KINDS
from archive_core.errors import SettingsError

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_ADDRESS = re.compile(r"https?://[^\s/@?#]+(/[^\s#]*)?")


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """A receiver that is told what changes."""

    name: str
    """What the receiver is called; small letters, digits and `-`, no two alike."""
    url: str
    """The `http://` or `https://` address that messages are posted to, without user and password."""
    secret: Secret
    """What it shares with us, `whsec_…`, to sign messages by."""
    organisation: str = ""
    """Whose objects it is told of; empty for all."""
    changes: tuple[str, ...] = KINDS
    """Which changes it is told of."""
    days: float = 7.0
    """(days) For how long a message is offered again and again; above 0 and up to 365."""
    from_start: bool = False
    """Whether it is told everything from the beginning; else what happens from now on."""
    connection: ConnectionSettings = field(default_factory=ConnectionSettings)


def read_webhook(table: Table) -> WebhookSettings:
    """The settings of one receiver; raises `SettingsError` naming what to change."""
    settings = WebhookSettings(
        name=table.take("name", str),
        url=table.take("url", str),
        secret=Secret(table.take("secret", str)),
        organisation=table.take("organisation", str, ""),
        changes=tuple(str(one) for one in table.take("changes", list, list(KINDS))),
        days=table.take("days", float, 7.0),
        from_start=table.take("from_start", bool, False),
        connection=read_connection(table),
    )
    table.done()
    where = f"{SETTINGS_FILE} [[webhook]] {settings.name[:40]!a}"
    if not _NAME.fullmatch(settings.name):
        raise SettingsError(f"{where}: a name is up to 40 small letters, digits and `-`")
    if not _ADDRESS.fullmatch(settings.url):
        raise SettingsError(f"{where}: url is an http:// or https:// address without user and password")
    if not settings.changes or set(settings.changes) - set(KINDS):
        raise SettingsError(f"{where}: changes are some of {', '.join(KINDS)}")
    if not 0 < settings.days <= 365:
        raise SettingsError(f"{where}: days is above 0 and up to 365")
    return settings
