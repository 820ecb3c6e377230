"""What `doctor` finds in `[proxy]`: whether its secret is there, and whether each certificate leads to a good key.

Rules kept here
 * The secret is fetched as the server would, and never shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from api.client_certificates import ClientCertificates
from api.settings import ArchiveSettings
from archive_core.catalogue.catalogue import Catalogue
from archive_core.errors import NotFoundError, SettingsError


def faults_of(settings: ArchiveSettings, catalogue: Catalogue, *, at: datetime) -> Iterator[tuple[str, str]]:
    """Each fault with its mend; none where there is no `[proxy]`, or all is well."""
    if settings.proxy is None:
        return
    try:
        ClientCertificates.under(settings.proxy, settings.home)
    except SettingsError as error:
        yield str(error), "make it anew, for the proxy and here: `openssl rand -hex 32`"
    for client in settings.proxy.clients:
        try:
            row = catalogue.key(client.key)
        except NotFoundError:
            yield f"{client.key}: there is no such key", "see `trusted-archive keys list`, and correct [[proxy.client]]"
            continue
        if row.revoked_at is not None or (row.expires is not None and row.expires <= at):
            yield f"{client.key}: was revoked, or has ended", "make a key, and name it in [[proxy.client]]"
