"""Who is told what changes, from the settings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from api.settings import ArchiveSettings
from api.wiring_signing import connection
from archive_core.notifying import Message, Receiver, Send
from signing.webhooks import WebhookTransport, secret_octets


def build_receivers(settings: ArchiveSettings) -> Sequence[Receiver]:
    return [
        Receiver(
            name=one.name,
            originator=one.organisation or None,
            kinds=one.changes,
            patience=timedelta(days=one.days),
            from_start=one.from_start,
        )
        for one in settings.webhooks
    ]


def build_sender(settings: ArchiveSettings) -> Send:
    """What offers a message to a receiver. Addresses and connections are made now, so that what cannot be is refused
    at the start; a secret is fetched whenever one is signed with it."""
    reached = {}
    for one in settings.webhooks:
        how = connection(settings.home, one.connection, f"webhook {one.name}")
        reached[one.name] = WebhookTransport(
            one.url,
            timeout=how.timeout,
            tls=how.tls,
            credentials=how.credentials,
            proxy=how.proxy,
            proxy_credentials=how.proxy_credentials,
        )
        secret_octets(one.secret.reveal(settings.home), f"webhook {one.name}")
    secrets = {one.name: one.secret for one in settings.webhooks}

    def send(name: str, message: Message) -> None:
        secret = secret_octets(secrets[name].reveal(settings.home), f"webhook {name}")
        reached[name].offer(secret, message.id, message.at, message.body)

    return send
