"""The list of lists, its pivots, and the national lists that it points to, verified as a whole (TS 119 615 4.1, 4.2).

Rules kept here
 * The list of lists is signed by one of the certificates that were configured (from the Official Journal), or by
   one that a chain of pivots leads to: each pivot is signed by whom the one before it announces.
 * A national list is signed by one of the certificates that the list of lists names for its territory.
 * Lists that were handed over without a list of lists and without configured signers are vouched for by whoever
   hands them over; their own signature must fit.
 * A list that is not accepted is not used, and said so; one that is older than its NextUpdate is kept and marked.
 * Nothing is fetched. Octets are kept: a decision names the lists that it used by SHA-256.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archive_core.findings import Finding
from signing.trusted_lists.reading import read_list
from signing.trusted_lists.signature import verify_list_signature
from signing.trusted_lists.values import Pointer, TrustedList, TrustedListRefusedError

MAX_LISTS = 100
MAX_PIVOTS = 50


@dataclass(frozen=True)
class ListBook:
    """The accepted lists (national ones; `list_of_lists` apart) and what is to be said about the others. `snapshots`
    are the octets of every accepted list, pivots included, by SHA-256."""

    lists: tuple[TrustedList, ...]
    list_of_lists: TrustedList | None
    findings: tuple[Finding, ...]
    snapshots: Mapping[str, bytes]


def open_lists(files: Sequence[bytes], *, signers: Sequence[bytes] | None = None) -> ListBook:
    """Sort, verify and keep the lists in `files` (in any order): national lists, a list of lists, its pivots.

    `signers` (DER) may sign the list of lists or, where there is none, the national lists. Raises
    `TrustedListRefusedError` when nothing remains: with one file, why it is not accepted.
    """
    if not files:
        raise TrustedListRefusedError("no trusted list was given")
    if len(files) > MAX_LISTS:
        raise TrustedListRefusedError(f"more than {MAX_LISTS} trusted lists")
    findings: list[Finding] = []
    read: list[tuple[TrustedList, bytes]] = []
    for octets in dict.fromkeys(files):
        try:
            read.append((read_list(octets), octets))
        except TrustedListRefusedError as error:
            findings.append(_refused("a trusted list", error))
    upper = sorted((one for one in read if one[0].is_list_of_lists), key=lambda one: one[0].sequence)
    national = [one for one in read if not one[0].is_list_of_lists]
    snapshots: dict[str, bytes] = {}
    top = _top(upper, signers, findings, snapshots) if upper else None
    accepted: list[TrustedList] = []
    for one, octets in national:
        try:
            allowed = _signers_of(one, top) if upper else signers
            verify_list_signature(octets, allowed, issued=one.issued)
        except TrustedListRefusedError as error:
            findings.append(_refused(f"the trusted list of {one.territory or 'nobody'}", error))
            continue
        accepted.append(one)
        snapshots[one.sha256] = octets
    kept = _newest(accepted, findings)
    if not kept and top is None:
        raise TrustedListRefusedError(findings[0].message if findings else "no trusted list was accepted")
    return ListBook(tuple(kept), top, tuple(findings), snapshots)


def _refused(what: str, error: TrustedListRefusedError) -> Finding:
    return Finding("TRUSTED_LIST_REFUSED", f"{what} is not used: {error}", clause="TS 119 615 4.1")


def _top(
    upper: Sequence[tuple[TrustedList, bytes]],
    signers: Sequence[bytes] | None,
    findings: list[Finding],
    snapshots: dict[str, bytes],
) -> TrustedList | None:
    """The newest list of lists that is signed by whom the configuration or the pivots before it name."""
    known = signers
    top: TrustedList | None = None
    for one, octets in upper[-MAX_PIVOTS:]:
        try:
            verify_list_signature(octets, known, issued=one.issued)
        except TrustedListRefusedError as error:
            findings.append(_refused(f"the list of lists number {one.sequence}", error))
            continue
        top = one
        snapshots[one.sha256] = octets
        own = [pointer for pointer in one.pointers if _points_to(pointer, one.territory, one.type)]
        announced = tuple(der for pointer in own for der in pointer.signers)
        if known is not None and announced:
            known = tuple(dict.fromkeys((*known, *announced)))
    newest = upper[-1][0]
    if top is not None and top.sequence != newest.sequence:
        return None  # an older one is no answer to a newest that is not good
    return top


def _points_to(pointer: Pointer, territory: str, kind: str) -> bool:
    xml = not pointer.mime_type or "xml" in pointer.mime_type
    return xml and pointer.territory == territory and (not pointer.type or pointer.type == kind)


def _signers_of(one: TrustedList, top: TrustedList | None) -> tuple[bytes, ...]:
    if top is None:
        raise TrustedListRefusedError("there is no list of lists that is accepted")
    found = tuple(
        der for pointer in top.pointers if _points_to(pointer, one.territory, one.type) for der in pointer.signers
    )
    if not found:
        raise TrustedListRefusedError("the list of lists does not point to it")
    return found


def _newest(lists: Sequence[TrustedList], findings: list[Finding]) -> list[TrustedList]:
    """Of several lists of one territory the one with the highest sequence number."""
    newest: dict[str, TrustedList] = {}
    for one in sorted(lists, key=lambda one: (one.sequence, one.issued)):
        if one.territory in newest:
            text = f"of several lists of {one.territory} the newest, number {one.sequence}, is used"
            findings.append(Finding("TRUSTED_LIST_OLDER", text))
        newest[one.territory] = one
    return list(newest.values())
