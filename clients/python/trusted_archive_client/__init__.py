"""Client of the trusted document store: deposits, evidence, changes, webhooks. Nothing but Python is needed."""

from trusted_archive_client.client import Client
from trusted_archive_client.errors import (
    ClientError,
    ConflictError,
    DamagedOnTheWayError,
    DamageError,
    DestroyedError,
    EvidencePendingError,
    IdempotencyConflictError,
    NotAcceptedError,
    NotFoundError,
    NotPermittedError,
    ProblemError,
    QuotaExceededError,
    ReceiptError,
    ServerError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
    UnreadableSourceError,
    UsageError,
    WebhookError,
)
from trusted_archive_client.receipts import CheckedReceipt, check_receipt, verify_seal
from trusted_archive_client.sources import NewObject, Source, UploadedFile
from trusted_archive_client.transport import Retry
from trusted_archive_client.values import Acknowledgement, Change, ChangePage, FileInfo, Outcome, Version
from trusted_archive_client.webhooks import Message, verify_webhook

__version__ = "0.1.0"

__all__ = [
    "Acknowledgement",
    "Change",
    "ChangePage",
    "CheckedReceipt",
    "Client",
    "ClientError",
    "ConflictError",
    "DamageError",
    "DamagedOnTheWayError",
    "DestroyedError",
    "EvidencePendingError",
    "FileInfo",
    "IdempotencyConflictError",
    "Message",
    "NewObject",
    "NotAcceptedError",
    "NotFoundError",
    "NotPermittedError",
    "Outcome",
    "ProblemError",
    "QuotaExceededError",
    "ReceiptError",
    "Retry",
    "ServerError",
    "Source",
    "TooManyError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnexpectedAnswerError",
    "UnreachableError",
    "UnreadableSourceError",
    "UploadedFile",
    "UsageError",
    "Version",
    "WebhookError",
    "check_receipt",
    "verify_seal",
    "verify_webhook",
]
