"""Refusals that only this protocol utters; each knows its minor code.

Rules kept here
 * They belong to the families of `archive_core.errors`, so that logs, metrics and the trail treat them like any other.
"""

from __future__ import annotations

from typing import ClassVar

from api.ts119512.values import Minor
from archive_core.errors import UsageError


class ProtocolRefusalError(UsageError):
    """The request asks for something that this protocol does not give here."""

    minor: ClassVar[Minor] = Minor.PARAMETER_ERROR


class NotSupportedError(ProtocolRefusalError):
    """This service does not do that; its profiles say what it does."""

    minor = Minor.NOT_SUPPORTED


class UnknownFormatError(ProtocolRefusalError):
    """The format identifier of a preservation object is not one that is taken or given here."""

    minor = Minor.UNKNOWN_PO_FORMAT


class FormatMismatchError(ProtocolRefusalError):
    """The bytes of a preservation object cannot be of the format that is claimed for them."""

    minor = Minor.PO_FORMAT_ERROR


class UnknownEvidenceFormatError(ProtocolRefusalError):
    """Evidence is not given in that format."""

    minor = Minor.UNKNOWN_EVIDENCE_FORMAT


class UnknownVersionError(ProtocolRefusalError):
    """The preservation object has no such version."""

    minor = Minor.UNKNOWN_VERSION


class UnknownModeError(ProtocolRefusalError):
    """There is no such mode of deletion."""

    minor = Minor.UNKNOWN_MODE


class UnknownDeltaError(ProtocolRefusalError):
    """A change of that format is not understood here."""

    minor = Minor.UNKNOWN_DELTA


class DeltaProblemError(ProtocolRefusalError):
    """The change cannot be applied to what is held."""

    minor = Minor.DELTA_PROBLEM
