"""Every error of the archive, grouped by who has to act.

Rules kept here
 * A family says who acts; a member says what happened; the docstring is the default message.
 * Facts go in as keyword arguments, are safe to show to the caller and never hold a secret.
 * `http_status` and `exit_code` of a family are the only place where those numbers are written;
   `api/problems.py` and `api/cli` read them from here.
 * No library exception (botocore, pyhanko, sqlalchemy) leaves an adapter: it becomes one of these,
   with the original as `__cause__`.

| family             | who acts                  | HTTP | exit |
| ------------------ | ------------------------- | ---- | ---- |
| `UsageError`       | the caller, now           | 400  | 2    |
| `UnauthenticatedError`, `NotPermittedError` | the caller, or an operator | 401, 403 | 13 |
| `RateLimitedError` | the caller, later         | 429  | 75   |
| `SubmissionError`  | the depositor             | 422  | 10   |
| `NotFoundError`    | the caller                | 404  | 11   |
| `ConflictError`    | the caller                | 409  | 12   |
| `UnavailableError` | nobody yet: try again     | 503  | 75   |
| `SettingsError`    | whoever deploys           | 500  | 78   |
| `DamageError`      | the operator, now         | 500  | 90   |
"""

from __future__ import annotations

import inspect
from typing import ClassVar


class ArchiveError(Exception):
    """The archive could not do what was asked."""

    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 70

    def __init__(self, message: str | None = None, **facts: object) -> None:
        super().__init__(message or inspect.getdoc(type(self)) or type(self).__name__)
        self.facts = facts

    @property
    def code(self) -> str:
        """A stable identifier: the class name in kebab case, without `Error`."""
        name = type(self).__name__.strip("_").removesuffix("Error")
        return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).strip("-")


# -- the caller, now --------------------------------------------------------------------------


class UsageError(ArchiveError):
    """The request itself is malformed."""

    http_status = 400
    exit_code = 2


class UnauthenticatedError(ArchiveError):
    """An API key is needed: send it as `Authorization: Bearer KEY`."""

    http_status = 401
    exit_code = 13


class TokenRefusedError(UnauthenticatedError):
    """The token opens nothing here; `reason` says why."""


class CertificateRefusedError(UnauthenticatedError):
    """The client certificate opens nothing here; `reason` says why."""


class NotPermittedError(ArchiveError):
    """This key may not do that; ask an operator for a key with the right role."""

    http_status = 403
    exit_code = 13


class RateLimitedError(ArchiveError):
    """Too many requests in a short time; wait as long as `Retry-After` says."""

    http_status = 429
    exit_code = 75


# -- the depositor ----------------------------------------------------------------------------


class SubmissionError(ArchiveError):
    """The submission cannot be accepted as it is; nothing was stored."""

    http_status = 422
    exit_code = 10


class EmptySubmissionError(SubmissionError):
    """A submission needs at least one file."""


class NameNotAcceptedError(SubmissionError):
    """A file name in the submission cannot be kept safely."""


class MetadataNotAcceptedError(SubmissionError):
    """The metadata is not a JSON object within the limits."""


class DigestMismatchError(SubmissionError):
    """A file's bytes do not have the digest that was claimed for them."""


class SizeLimitError(SubmissionError):
    """The submission exceeds a limit of its preservation profile."""

    http_status = 413


class TruncatedSubmissionError(SubmissionError):
    """The submission ended before its announced length."""

    http_status = 400


class OrganisationNotActiveError(SubmissionError):
    """Nothing more is taken in for this organisation; ask an operator."""

    http_status = 403


class QuotaExceededError(SubmissionError):
    """The organisation has no room left for this; nothing was stored. Ask an operator for a larger quota."""


class ProfileNotActiveError(SubmissionError):
    """The preservation profile does not take new submissions at this time."""


class SignaturesNotAcceptedError(SubmissionError):
    """The signatures in the submission are not as its preservation profile asks; nothing was stored."""


# -- the caller -------------------------------------------------------------------------------


class NotFoundError(ArchiveError):
    """There is nothing by that name that you may see."""

    http_status = 404
    exit_code = 11


class UnknownObjectError(NotFoundError):
    """There is no such preservation object, version or file that you may see."""


class ObjectDestroyedError(NotFoundError):
    """The object was destroyed on purpose; its tombstone says when and why."""

    http_status = 410


class UnknownOrganisationError(NotFoundError):
    """There is no such organisation that you may see."""


class UnknownProfileError(NotFoundError):
    """There is no such preservation profile."""


class EvidencePendingError(NotFoundError):
    """The object is safely stored but not yet evidenced; try again after the next batch."""


class ConflictError(ArchiveError):
    """The request contradicts what the archive already holds."""

    http_status = 409
    exit_code = 12


class IdempotencyConflictError(ConflictError):
    """This idempotency key was used before for a different submission."""


class ConcurrentChangeError(ConflictError):
    """Somebody else changed the same thing first; read it again and decide anew."""


class AlreadyExistsError(ConflictError):
    """That key or number is already taken, by different content."""


class NotSealableError(ConflictError):
    """The document cannot be sealed as it is; the message says why."""


class InQuarantineError(ConflictError):
    """The version is set aside because of its signatures; an operator releases or rejects it."""


class NotInQuarantineError(ConflictError):
    """The version is not set aside; there is nothing to be decided about it."""


class UnderLegalHoldError(ConflictError):
    """The object is under a legal hold; it can be destroyed when the last one is lifted."""


class NotUnderLegalHoldError(ConflictError):
    """The object is under no such legal hold; there is nothing to be lifted."""


class DestructionBegunError(ConflictError):
    """The destruction of the object was begun before; it can be put under no legal hold any more."""


# -- nobody yet -------------------------------------------------------------------------------


class UnavailableError(ArchiveError):
    """Something the archive needs is out of reach for now; it will try again."""

    http_status = 503
    exit_code = 75


class StoreUnavailableError(UnavailableError):
    """A required store does not answer or cannot be written."""

    @property
    def of_the_medium(self) -> bool:
        """Whether the device says that it cannot read these very bytes: that is damage, and no outage."""
        return self.facts.get("error") in {"EIO", "EBADMSG", "EUCLEAN", "ENODATA", "EILSEQ"}


class CatalogueUnavailableError(UnavailableError):
    """The catalogue's database does not answer, is locked or cannot be written."""


class TimestampAuthorityUnavailableError(UnavailableError):
    """The time-stamp authority does not answer."""


class TimestampRefusedError(UnavailableError):
    """The time-stamp authority's answer is not a time-stamp over what was asked; it is not used."""


class TimestampPendingError(UnavailableError):
    """The time-stamp is kept, and judged again when the chain and revocation data for it can be had."""


class ExaminationUnavailableError(UnavailableError):
    """The signatures in the submission cannot be examined for now; nothing was stored."""


class SealKeyUnavailableError(UnavailableError):
    """The seal key does not answer."""


class WebhookRefusedError(UnavailableError):
    """The receiver did not take the message; it is offered again."""


class LeaseHeldError(UnavailableError):
    """Another process is doing this just now."""


class ReadOnlyError(UnavailableError):
    """The archive was restored and is read-only: `trusted-archive restore --release --yes` lets it be written to."""


class RenewalPausedError(UnavailableError):
    """Renewal is paused: `trusted-archive renewal resume` lets it go on."""


class ClockNotTrustedError(UnavailableError):
    """The clock of this machine contradicts what is known of the time; nothing is renewed by it."""


# -- whoever deploys --------------------------------------------------------------------------


class SettingsError(ArchiveError):
    """The settings do not describe an archive that can start."""

    exit_code = 78


class SchemaOutOfDateError(SettingsError):
    """The catalogue has another schema than this program; run `trusted-archive upgrade`."""


class CatalogueUnfinishedError(SettingsError):
    """A rebuild of the catalogue was broken off; run `trusted-archive rebuild-catalogue` again."""


# -- the operator, now ------------------------------------------------------------------------


class DamageError(ArchiveError):
    """Stored bytes are not what they were; wrong bytes are never handed out."""

    exit_code = 90


class FixityError(DamageError):
    """A stored file does not have its recorded digest, and no other copy is good."""


class InventoryCorruptError(DamageError):
    """An OCFL inventory cannot be read or contradicts its sidecar."""


class CatalogueDamagedError(DamageError):
    """The catalogue's database is damaged; the stores are the truth: run `trusted-archive rebuild-catalogue`."""


class EvidenceBrokenError(DamageError):
    """Stored evidence does not verify."""


class MalformedEvidenceError(ArchiveError):
    """The bytes are not an RFC 4998 evidence record (or token) within the limits."""

    http_status = 422
    exit_code = 1


class MalformedDocumentError(ArchiveError):
    """The bytes are not a JSON document of the expected format within the limits."""

    http_status = 422
    exit_code = 1


class UnsafeContainerError(ArchiveError):
    """The ZIP file is damaged, contradicts itself or cannot be read safely within the limits."""

    http_status = 422
    exit_code = 1
