"""Trusted lists for the archive: gathered from configured places, verified as a whole, asked about tokens and seals.

Rules kept here
 * Only allowed addresses are asked. What came is believed when its signature is by whom the configuration names, or the
   list of lists that is.
 * An answer is qualified, not qualified, or none (INDETERMINATE): a stale list decides nothing.
 * What is in a token or seal never raises: what cannot be read is not qualified.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from archive_core.errors import SettingsError, UnavailableError
from archive_core.findings import Finding, utc_text
from archive_core.ports import GatheredLists, KeptList, QualifiedAnswer, ValidationData
from signing.cms import SignedMessage, parse_signed_message, signer_certificate
from signing.examination.values import Qualification, QualifiedStatus
from signing.judgement import PARSER_ERRORS, Judgement
from signing.trusted_lists.book import ListBook, open_lists
from signing.trusted_lists.gathering import AllowedAddresses, Fetch, gather
from signing.trusted_lists.index import ListIndex
from signing.trusted_lists.qualification import TrustedListLookup
from signing.trusted_lists.reading import MAX_LIST
from signing.trusted_lists.values import TrustedList, TrustedListRefusedError
from signing.tst_info import parse_tst_info


@dataclass(frozen=True)
class Places:
    """Where lists are: addresses (usually that of the list of lists), and files. `signers` (DER) may sign the list of
    lists or, without one, the national lists; without any, whoever configured the places vouches for them.
    `territories` are those whose lists are wanted, None for all."""

    addresses: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    signers: tuple[bytes, ...] | None = None
    territories: Collection[str] | None = None


class ConfiguredLists:
    """A `ListSource`."""

    def __init__(self, places: Places, *, fetch: Fetch, allowed: AllowedAddresses) -> None:
        self._places = places
        self._fetch = fetch
        self._allowed = allowed

    def gather(self) -> GatheredLists:
        """Raises `UnavailableError` when none can be had, `SettingsError` for a file that cannot be read."""
        octets: list[bytes] = []
        findings: list[Finding] = []
        for path in self._places.files:
            try:
                with path.open("rb") as stream:
                    octets.append(stream.read(MAX_LIST + 1))
            except OSError as error:
                raise SettingsError(f"cannot read the trusted list {path}: {error.strerror}") from error
        for address in self._places.addresses:
            try:
                got = gather(address, fetch=self._fetch, allowed=self._allowed, territories=self._places.territories)
            except TrustedListRefusedError as error:
                findings.append(Finding("TRUSTED_LIST_NOT_HAD", str(error), clause="TS 119 615 4.1"))
                continue
            octets += got.octets
            findings += got.findings
        try:
            book = open_lists(tuple(dict.fromkeys(octets)), signers=self._places.signers)
        except TrustedListRefusedError as error:
            why = "; ".join([*(finding.message for finding in findings), str(error)])
            raise UnavailableError(f"no trusted list can be had: {why}"[:2000]) from error
        return GatheredLists(tuple(_kept(book)), (*findings, *book.findings))


def _kept(book: ListBook) -> list[KeptList]:
    """Every accepted list, pivots of the list of lists included: later answers need the same octets."""
    told: dict[str, TrustedList] = {one.sha256: one for one in book.lists}
    if book.list_of_lists is not None:
        told[book.list_of_lists.sha256] = book.list_of_lists
    return [
        KeptList(
            sha256=one.sha256,
            territory=one.territory,
            sequence=one.sequence,
            issued=one.issued,
            next_update=one.next_update,
            list_of_lists=one.is_list_of_lists,
            octets=book.snapshots[one.sha256],
        )
        for one in told.values()
    ]


class ListQuestions:
    """An `AsksLists`. Opening the lists of the Union takes seconds, so the last ones stay open."""

    def __init__(self) -> None:
        self._open: tuple[tuple[bytes, ...], ListIndex] | None = None

    def timestamp(
        self, lists: Sequence[bytes], token: bytes, *, at: datetime, data: ValidationData | None = None
    ) -> QualifiedAnswer:
        """Raises `SettingsError` for lists that are none."""
        try:
            message = parse_signed_message(token)
            info, chain = parse_tst_info(message), _chain(message, data)
        except (Judgement, *PARSER_ERRORS) as error:
            return QualifiedAnswer(False, f"the time-stamp cannot be read: {error}"[:300], {})
        status = self._lookup(lists, at).timestamp_status(chain, at=info.gen_time)
        return _answer(status, Qualification.QUALIFIED_TIMESTAMP)

    def seal(
        self, lists: Sequence[bytes], seal: bytes, *, at: datetime, data: ValidationData | None = None
    ) -> QualifiedAnswer:
        """Raises `SettingsError` for lists that are none."""
        try:
            chain = _chain(parse_signed_message(seal), data)
        except (Judgement, *PARSER_ERRORS) as error:
            return QualifiedAnswer(False, f"the seal cannot be read: {error}"[:300], {})
        return _answer(self._lookup(lists, at).signature_status(chain, at=at), Qualification.QUALIFIED_SEAL)

    def _lookup(self, lists: Sequence[bytes], at: datetime) -> TrustedListLookup:
        octets = tuple(lists)
        if self._open is None or self._open[0] != octets:
            try:
                self._open = octets, ListIndex.of(open_lists(octets))
            except TrustedListRefusedError as error:
                raise SettingsError(f"the trusted lists cannot be used: {error}") from error
        return TrustedListLookup(self._open[1], at=at)


def _chain(message: SignedMessage, data: ValidationData | None) -> list[bytes]:
    """The signer's certificate first, then whatever may be its issuers."""
    signer = signer_certificate(message)
    others = [one.dump() for one in message.certificates if one is not signer]
    return [bytes(signer.dump()), *others, *(data.certificates if data is not None else ())]


def _answer(status: QualifiedStatus, wanted: Qualification) -> QualifiedAnswer:
    undecided = status.qualification is Qualification.INDETERMINATE
    facts: dict[str, str | int | None] = {
        "qualification": str(status.qualification),
        "reason": status.reason,
        "at": utc_text(status.at) if status.at else None,
        "territory": status.territory,
        "provider": status.provider,
        "service": status.service,
        "list_sequence": status.list_sequence,
        "list_sha256": status.list_sha256,
    }
    return QualifiedAnswer(None if undecided else status.qualification is wanted, status.reason, facts)


__all__ = ["ConfiguredLists", "ListQuestions", "Places"]
