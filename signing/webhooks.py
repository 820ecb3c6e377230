"""Messages to receivers, signed with a secret that each shares with us (Standard Webhooks 1.0, symmetric).

Rules kept here
 * What is signed is `ID.TIMESTAMP.BODY` under HMAC-SHA-256; the signature stands beside the message as `v1,BASE64`.
   A receiver that compares it in constant time and refuses an old timestamp takes nothing from anybody else.
 * A message was taken when the receiver says 2xx, and in no other case. Nothing else of its answer is believed.
 * All that `http_transport` promises: only the configured address, no redirect, bounded time.
"""

from __future__ import annotations

import base64
import binascii
import copy
import hashlib
import hmac
import http.client
from datetime import datetime

from archive_core.errors import (
    SettingsError,
    TimestampAuthorityUnavailableError,
    TimestampRefusedError,
    WebhookRefusedError,
)
from signing.http_transport import HttpTransport

SECRET_PREFIX = "whsec_"  # noqa: S105 - how a secret begins, not one
LEAST_SECRET = 24
"""Octets of a secret: fewer can be guessed (Standard Webhooks asks for 24 to 64)."""

CONTENT_TYPE = "application/json"


def secret_octets(text: str, what: str) -> bytes:
    """The octets of a secret as it is written: `whsec_` and base64. Raises `SettingsError` without showing it."""
    try:
        octets = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        octets = b""
    if not text.startswith(SECRET_PREFIX) or len(octets) < LEAST_SECRET:
        raise SettingsError(f"{what}: a secret is {SECRET_PREFIX} and base64 of at least {LEAST_SECRET} random octets")
    return octets


def signature(secret: bytes, message_id: str, at: datetime, body: bytes) -> str:
    """What stands in `Webhook-Signature`."""
    signed = f"{message_id}.{int(at.timestamp())}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode("ascii")


class WebhookTransport(HttpTransport):
    """Offers messages to one address. Calling `offer` raises `WebhookRefusedError` when it was not taken."""

    _expected = None

    def offer(self, secret: bytes, message_id: str, at: datetime, body: bytes) -> None:
        once = copy.copy(self)
        once._headers = {
            **{name: value for name, value in self._headers.items() if name == "Authorization"},
            "Content-Type": CONTENT_TYPE,
            "Connection": "close",
            "User-Agent": "trusted-archive",
            "Webhook-Id": message_id,
            "Webhook-Timestamp": str(int(at.timestamp())),
            "Webhook-Signature": signature(secret, message_id, at, body),
        }
        try:
            once(body)
        except (TimestampAuthorityUnavailableError, TimestampRefusedError) as error:
            raise WebhookRefusedError(str(error)) from error

    def _check_head(self, response: http.client.HTTPResponse) -> None:
        if not 200 <= response.status < 300:
            raise WebhookRefusedError(f"{self._url}: HTTP {response.status}")

    def _body(self, response: http.client.HTTPResponse) -> bytes:
        """Nobody looks at it."""
        return b""
