"""What can go wrong, grouped by who has to act.

Rules kept here
 * Every problem document (RFC 9457) becomes an exception: of the class for its code, else of that for its status.
 * `retriable` says that the very same request may succeed later; of all others it is known that it will not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

TYPE_PREFIX = "urn:trusted-archive:problem:"


class ClientError(Exception):
    """Root of everything that this package raises on purpose."""


class UnreachableError(ClientError):
    """There was no answer until patience was at its end. Whether the last request was carried out is not known: make
    it again under the same key."""


class UnreadableSourceError(ClientError):
    """A file that was to be sent cannot be read, or changed its length meanwhile; nothing was deposited."""


class UnexpectedAnswerError(ClientError):
    """The answer is none that the store gives: is this its address, and is there a proxy before it?"""


class DamagedOnTheWayError(ClientError):
    """What arrived does not have the digest that the store told; nothing was kept."""


class ReceiptError(ClientError):
    """The receipt does not prove what it should."""


class WebhookError(ClientError):
    """The message is not genuine, or too old: answer 401 and do nothing with it."""


@dataclass(eq=False)
class ProblemError(ClientError):
    """The store refused. `code` is the stable end of its type, `detail` a sentence for people."""

    code: str
    status: int
    title: str = ""
    detail: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    retry_after: float | None = None
    """Seconds, where the store said so."""

    retriable: ClassVar[bool] = False

    def __str__(self) -> str:
        return f"{self.code}: {self.detail or self.title}"


class UsageError(ProblemError):
    """The request is malformed: a mistake of this program."""


class UnauthenticatedError(ProblemError):
    """The key is no key, or no longer."""


class NotPermittedError(ProblemError):
    """The key may not do that, or its organisation takes nothing in any more."""


class NotFoundError(ProblemError):
    """There is no such thing that the key may see."""


class EvidencePendingError(NotFoundError):
    """The object is safe and not yet evidenced: ask again after the next batch."""

    retriable = True


class DestroyedError(NotFoundError):
    """The object was destroyed on purpose; `Client.show` says when and why."""


class ConflictError(ProblemError):
    """The request contradicts what is held."""


class IdempotencyConflictError(ConflictError):
    """Another submission was deposited under this key."""


class NotAcceptedError(ProblemError):
    """The submission cannot be taken as it is, and nothing was stored: `detail` says what to change."""


class QuotaExceededError(NotAcceptedError):
    """The organisation has no room left: ask the operator."""


class ArrivedBrokenError(NotAcceptedError):
    """Something was lost or changed on the way to the store: the same once more is right."""

    retriable = True


class UnavailableError(ProblemError):
    """Something is out of reach for now."""

    retriable = True


class TooManyError(UnavailableError):
    """Too many requests in a short time."""


class ServerError(ProblemError):
    """The store failed: an operator must look."""


class DamageError(ServerError):
    """Stored bytes are damaged on every copy; wrong bytes are never handed out."""


_BY_CODE: Mapping[str, type[ProblemError]] = {
    "evidence-pending": EvidencePendingError,
    "object-destroyed": DestroyedError,
    "idempotency-conflict": IdempotencyConflictError,
    "quota-exceeded": QuotaExceededError,
    "size-limit": NotAcceptedError,
    "truncated-submission": ArrivedBrokenError,
    "stalled-upload": ArrivedBrokenError,
    "checksum-mismatch": ArrivedBrokenError,
    "rate-limited": TooManyError,
    "fixity": DamageError,
    "damage": DamageError,
    "inventory-corrupt": DamageError,
    "evidence-broken": DamageError,
}

_BY_STATUS: Mapping[int, type[ProblemError]] = {
    401: UnauthenticatedError,
    403: NotPermittedError,
    404: NotFoundError,
    408: ArrivedBrokenError,
    409: ConflictError,
    410: DestroyedError,
    413: NotAcceptedError,
    422: NotAcceptedError,
    423: UnavailableError,
    429: TooManyError,
    460: ArrivedBrokenError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


def problem_class(code: str, status: int) -> type[ProblemError]:
    """The class of exception for a problem; that of its family for a code which is not known here."""
    found = _BY_CODE.get(code) or _BY_STATUS.get(status)
    return found or (ServerError if status >= 500 else UsageError)


def problem_of(document: object, status: int, retry_after: float | None = None) -> ProblemError:
    """The exception for a problem document; raises `UnexpectedAnswerError` for what is none."""
    if not isinstance(document, dict) or not str(document.get("type", "")).startswith(TYPE_PREFIX):
        raise UnexpectedAnswerError(f"an answer with status {status} that is no problem document of the store")
    code = str(document["type"]).removeprefix(TYPE_PREFIX)
    facts = document.get("facts")
    return problem_class(code, status)(
        code,
        status,
        str(document.get("title", "")),
        str(document.get("detail", "")),
        facts if isinstance(facts, dict) else {},
        retry_after,
    )
