"""Refusals that only the HTTP edge can utter; all belong to families of `archive_core.errors`.

Rules kept here
 * A refusal names what was wrong and what to send instead; it never repeats a secret.
"""

from __future__ import annotations

from archive_core.errors import UnavailableError, UsageError


class UnknownFieldError(UsageError):
    """The request holds a field or parameter that is not part of the interface."""


class MalformedUploadError(UsageError):
    """The request body is not the multipart/form-data that it announces to be."""


class UnsupportedMediaTypeError(UsageError):
    """The body must be of another media type or without a content coding."""

    http_status = 415


class StalledUploadError(UsageError):
    """The body came too slowly; send it again."""

    http_status = 408


class RangeNotSatisfiableError(UsageError):
    """The file has no byte in the range that was asked for."""

    http_status = 416


class PreconditionFailedError(UsageError):
    """The file is not the one named in If-Match."""

    http_status = 412


class TusVersionError(UsageError):
    """Say which version of tus you speak: `Tus-Resumable: 1.0.0`."""

    http_status = 412


class ChecksumMismatchError(UsageError):
    """The piece arrived with another checksum than claimed and was not kept; send it again."""

    http_status = 460


class UploadBusyError(UnavailableError):
    """Another request is writing or depositing this upload; try again when it has ended."""

    http_status = 423


class StagingUnavailableError(UnavailableError):
    """There is no room to take the upload in; nothing was stored, try again later."""
