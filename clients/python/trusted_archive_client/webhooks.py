"""Is a webhook genuine? (Standard Webhooks 1.0: HMAC-SHA-256 over `ID.TIMESTAMP.BODY`)

Rules kept here
 * Nothing in a body is looked at before its signature fits and its timestamp is fresh.
 * Signatures are compared in constant time; one of several that fits is enough, for a secret that is being replaced.
 * Whoever gets a message may get it again: `Message.id` is the same then, and only then.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from trusted_archive_client.errors import UnexpectedAnswerError, WebhookError
from trusted_archive_client.values import Change, Members

TOLERANCE = 300.0
"""Seconds by which the sender's clock and ours may differ."""
LEAST_SECRET = 24
PREFIX = "whsec_"

_STAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Message:
    """A genuine message; `next` is the cursor behind its last change."""

    id: str
    receiver: str
    changes: tuple[Change, ...]
    next: str


def verify_webhook(secret: str, headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> Message:
    """What a message says; raises `WebhookError` for one that is not genuine and fresh, ValueError for a secret that is
    none. `headers` may be spelled in any case; `now` is seconds since 1970."""
    octets = _secret(secret)
    given = {name.lower(): value for name, value in headers.items()}
    message, stamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    at = time.time() if now is None else now
    if not message or not _STAMP.fullmatch(stamp) or abs(at - int(stamp)) > TOLERANCE:
        raise WebhookError("the message has no id, or is not fresh")
    signed = f"{message}.{stamp}.".encode() + body
    expected = b"v1," + base64.b64encode(hmac.new(octets, signed, hashlib.sha256).digest())
    fits = [hmac.compare_digest(expected, one.encode()) for one in given.get("webhook-signature", "").split(" ")]
    if not any(fits):
        raise WebhookError("the signature does not fit")
    try:
        said = Members(json.loads(body), "the message")
        return Message(message, said.need("receiver", str), said.each("changes", Change.of), said.need("next", str))
    except (ValueError, UnexpectedAnswerError) as error:
        raise WebhookError(f"genuine, but not what is expected: {error}") from error


def _secret(text: str) -> bytes:
    try:
        octets = base64.b64decode(text.strip().removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        octets = b""
    if not text.strip().startswith(PREFIX) or len(octets) < LEAST_SECRET:
        raise ValueError(f"a secret is {PREFIX} and the base64 of at least {LEAST_SECRET} octets")
    return octets
