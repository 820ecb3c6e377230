"""Preservation profiles as the protocol shows them (TS 119 512 5.4.7, TS 119 511 6.4).

Rules kept here
 * A profile's identifier is that of the storage object in which it was published: it names the same bytes for ever.
 * A retired profile is shown as it was, with the end of its validity; whoever asks for active ones does not get it.
 * The operations are those that this service offers for an object of any profile; who may use them is a matter of keys.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from api.ts119512.formats import CONTAINERS, METADATA, TAKEN
from api.ts119512.values import (
    EVIDENCE_POLICY,
    GOAL_SIGNATURES,
    SIGNATURE_POLICY,
    SPECIFICATION,
    Operation,
    ProfileStatus,
)
from archive_core.errors import UnknownProfileError
from archive_core.findings import utc_text
from archive_core.identifiers import named_object
from policies.profiles import PreservationProfile

ERS = "https://www.rfc-editor.org/rfc/rfc4998"


def identifier_of(profile: PreservationProfile) -> str:
    """The URI of a profile."""
    return named_object(f"profile-{profile.id}")


def profile_of(identifier: str, profiles: Iterable[PreservationProfile]) -> PreservationProfile:
    """The profile of a URI, in force or not; raises `UnknownProfileError`."""
    for profile in profiles:
        if identifier_of(profile) == identifier:
            return profile
    raise UnknownProfileError(f"there is no profile {identifier[:120]!a}")


def is_wanted(profile: PreservationProfile, status: ProfileStatus, *, at: datetime) -> bool:
    return status is ProfileStatus.ALL or profile.is_active(at) == (status is ProfileStatus.ACTIVE)


def profile_json(profile: PreservationProfile) -> dict[str, Any]:
    identifier = identifier_of(profile)
    validity = {"vfrom": utc_text(profile.valid_from)}
    if profile.valid_until is not None:
        validity["vuntl"] = utc_text(profile.valid_until)
    return {
        "pid": identifier,
        "spec": [SPECIFICATION],
        "description": [
            *({"value": title, "lang": language} for language, title in sorted(profile.title.items())),
            {"value": profile.description, "lang": "en"},
        ],
        "op": [_operation_json(operation) for operation in Operation],
        "pol": _policies_json(profile, identifier),
        "sid": profile.scheme,
        "pvp": validity,
        "psm": profile.storage_model,
        "pg": list(profile.goals),
        "ef": [{"fid": profile.evidence_format, "spec": ERS, "def": True}],
        "eed": f"P{profile.expected_evidence_years}Y",
    }


def _policies_json(profile: PreservationProfile, identifier: str) -> list[dict[str, Any]]:
    """The profile is its own evidence policy: lines, digests, authorities, and when evidence is made."""
    found = [{"type": EVIDENCE_POLICY, "pbref": {"polid": identifier}}]
    if GOAL_SIGNATURES in profile.goals:
        found.append({"type": SIGNATURE_POLICY, "pbref": {"polid": f"{identifier}#examination"}})
    return found


def _operation_json(operation: Operation) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": str(operation), "spec": SPECIFICATION}
    if operation in (Operation.PRESERVE_PO, Operation.UPDATE_POC):
        taken: list[dict[str, Any]] = [{"fid": one, "spec": SPECIFICATION} for one in TAKEN]
        if operation is Operation.PRESERVE_PO:
            taken.append({"fid": METADATA})
        shown["in"] = [{"name": "PO" if operation is Operation.PRESERVE_PO else "DeltaPOC", "form": taken}]
    if operation is Operation.RETRIEVE_PO:
        first = next(iter(CONTAINERS))
        shown["out"] = [{"name": "PO", "form": [{"fid": one, "def": one == first} for one in CONTAINERS]}]
    return shown
