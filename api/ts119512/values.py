"""The closed vocabularies of ETSI TS 119 512 (5.3, 5.4): operations, results, subjects, modes.

Rules kept here
 * Identifiers are compared character by character.
 * A minor code is given only where the operation's own clause states it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

_DSS = "urn:oasis:names:tc:dss:1.0:"
_ERROR, _WARNING = "http://uri.etsi.org/19512/error/", "http://uri.etsi.org/19512/warning/"


class Operation(enum.StrEnum):
    """TS 119 512 5.3.2 to 5.3.9."""

    RETRIEVE_INFO = "RetrieveInfo"
    PRESERVE_PO = "PreservePO"
    RETRIEVE_PO = "RetrievePO"
    DELETE_PO = "DeletePO"
    UPDATE_POC = "UpdatePOC"
    RETRIEVE_TRACE = "RetrieveTrace"
    VALIDATE_EVIDENCE = "ValidateEvidence"
    SEARCH = "Search"


class Major(enum.StrEnum):
    """The first half of a result (OASIS DSS 2.0, `Result`)."""

    SUCCESS = f"{_DSS}resultmajor:Success"
    REQUESTER_ERROR = f"{_DSS}resultmajor:RequesterError"
    RESPONDER_ERROR = f"{_DSS}resultmajor:ResponderError"
    INSUFFICIENT_INFORMATION = f"{_DSS}resultmajor:InsufficientInformation"
    PENDING = f"{_DSS}profiles:asynchronousprocessing:resultmajor:Pending"


class Minor(enum.StrEnum):
    """The second half: what was wrong, or what to know of a success."""

    NO_PERMISSION = f"{_ERROR}noPermission"
    INTERNAL_ERROR = f"{_ERROR}internalError"
    PARAMETER_ERROR = f"{_ERROR}parameterError"
    NOT_SUPPORTED = f"{_ERROR}notSupported"
    TRANSFER_ERROR = f"{_ERROR}transferError"
    NO_SPACE = f"{_ERROR}noSpaceError"
    UNKNOWN_PO_FORMAT = f"{_ERROR}unknownPOFormat"
    PO_FORMAT_ERROR = f"{_ERROR}POFormatError"
    EXTERNAL_SERVICE = f"{_ERROR}externalServiceUnavailable"
    UNKNOWN_EVIDENCE_FORMAT = f"{_ERROR}unknownEvidenceFormat"
    UNKNOWN_POID = f"{_ERROR}unknownPOID"
    UNKNOWN_VERSION = f"{_ERROR}unknownVersionID"
    UNKNOWN_MODE = f"{_ERROR}unknownMode"
    UNKNOWN_DELTA = f"{_ERROR}unknownDeltaPOCType"
    DELTA_PROBLEM = f"{_ERROR}DeltaPOCInternalProblem"
    PARTLY = f"{_WARNING}requestOnlyPartlySuccessful"


COMMON = frozenset({Minor.NO_PERMISSION, Minor.INTERNAL_ERROR, Minor.PARAMETER_ERROR, Minor.NOT_SUPPORTED})
"""The minor codes of every operation."""

_TAKING_IN = frozenset({Minor.TRANSFER_ERROR, Minor.NO_SPACE})

STATED: Mapping[Operation, frozenset[Minor]] = {
    Operation.RETRIEVE_INFO: COMMON,
    Operation.PRESERVE_PO: COMMON
    | _TAKING_IN
    | {Minor.UNKNOWN_PO_FORMAT, Minor.PO_FORMAT_ERROR, Minor.EXTERNAL_SERVICE},
    Operation.RETRIEVE_PO: COMMON
    | {
        Minor.UNKNOWN_PO_FORMAT,
        Minor.UNKNOWN_EVIDENCE_FORMAT,
        Minor.UNKNOWN_POID,
        Minor.UNKNOWN_VERSION,
        Minor.PARTLY,
    },
    Operation.DELETE_PO: COMMON | {Minor.UNKNOWN_POID, Minor.UNKNOWN_MODE},
    Operation.UPDATE_POC: COMMON | _TAKING_IN | {Minor.UNKNOWN_POID, Minor.UNKNOWN_DELTA, Minor.DELTA_PROBLEM},
    Operation.RETRIEVE_TRACE: COMMON | {Minor.UNKNOWN_POID},
    Operation.VALIDATE_EVIDENCE: COMMON,
    Operation.SEARCH: COMMON,
}
"""The minor codes that each operation's clause states (V1.2.1 5.3.2.2 to 5.3.9.2), as far as they are given here."""


class Subject(enum.StrEnum):
    """What is retrieved (5.4.9)."""

    PO = "PO"
    EVIDENCE = "Evidence"
    EMBEDDED = "POwithEmbeddedEvidence"
    DETACHED = "POwithDetachedEvidence"


class DeletionMode(enum.StrEnum):
    """What is deleted (5.4.2)."""

    ONLY_SUB_DOS = "OnlySubDOs"
    SUB_DOS_AND_EVIDENCE = "SubDOsAndEvidence"


class ProfileStatus(enum.StrEnum):
    """Which profiles are asked for (5.4.8). `all` stands in the text only, not in the published list of values."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    ALL = "all"


ALL_VERSIONS = "all"
"""Stands for every version in `versionId`."""
EVIDENCE_POLICY = "http://uri.etsi.org/19512/policy/preservation-evidence"
SIGNATURE_POLICY = "http://uri.etsi.org/19512/policy/signature-validation"
GOAL_SIGNATURES = "http://uri.etsi.org/19512/goal/pds"
EVIDENCE_RECORD = "urn:ietf:rfc:4998:EvidenceRecord"
SPECIFICATION = "https://www.etsi.org/deliver/etsi_ts/119500_119599/119512/01.02.01_60/ts_119512v010201p.pdf"
