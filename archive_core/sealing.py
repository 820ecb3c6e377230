"""Making one seal that is worth keeping, and knowing since when there is none to be had.

Rules kept here
 * No seal is used that does not verify, as of the instant it was made, over what was sealed: a device that
   answers wrongly, a certificate that ended or was revoked and data that could not be had stop sealing there.
 * Test trust is what it says: a seal on it is never taken for one that is not.
 * A key that does not answer is asked again after a while, which doubles (`outages`); one good seal ends it.
   Meanwhile deposits go on, and what awaits evidence waits.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from archive_core.catalogue.catalogue import Catalogue
from archive_core.errors import ArchiveError, SealKeyUnavailableError, SettingsError, UnavailableError
from archive_core.findings import Verdict, utc_text
from archive_core.outages import Outage, Outages
from archive_core.ports import (
    Clock,
    JsonSeal,
    JudgesJsonSeals,
    Seal,
    SealAssessment,
    Sealer,
    SealsJson,
    SealValidator,
)

T = TypeVar("T")

SEAL_KEY = "seal key"
"""Under what name an outage of the seal key is kept; no time-stamp authority has a space in its name."""


class Sealing:
    """The seals of an archive."""

    def __init__(self, sealer: Sealer, validator: SealValidator, catalogue: Catalogue, clock: Clock) -> None:
        self._sealer = sealer
        self._validator = validator
        self._outages = Outages(catalogue)
        self._clock = clock

    @property
    def test_trust(self) -> bool:
        """Of the key that is in force now."""
        return self.in_force(self._clock.now()).test_trust

    def in_force(self, at: datetime) -> Sealer:
        return self._sealer.in_force(at)

    def seal(self, content: bytes, *, at: datetime) -> Seal:
        """A seal that verifies. Raises `SealKeyUnavailableError` when there is none to be had now, and
        `SettingsError` when it never will be by these settings."""
        return self._watched(lambda: self._verified(content, at))

    def seal_json(self, content: bytes, *, at: datetime) -> JsonSeal:
        """The same as a JSON web signature."""
        return self._watched(lambda: self._verified_json(content, at))

    def _watched(self, make: Callable[[], T]) -> T:
        try:
            seal = make()
        except ArchiveError as error:
            if isinstance(error, UnavailableError):
                self._outages.failed(SEAL_KEY, error, self._clock.now())
            raise
        self._outages.answered(SEAL_KEY)
        return seal

    def _verified(self, content: bytes, at: datetime) -> Seal:
        seal = self._sealer.seal(content, at=at)
        judged = self._validator.assess_seal(seal.der, content, at=at, data=seal.validation_data)
        _require_good(judged, test_trust=seal.test_trust)
        return seal

    def _verified_json(self, content: bytes, at: datetime) -> JsonSeal:
        sealer, validator = self._sealer.in_force(at), self._validator
        if not isinstance(sealer, SealsJson) or not isinstance(validator, JudgesJsonSeals):
            raise SettingsError("this seal key makes no seals in JSON")
        seal = sealer.seal_json(content, at=at)
        judged = validator.assess_json_seal(seal.compact(), content, at=at, data=seal.validation_data)
        _require_good(judged, test_trust=seal.test_trust)
        return seal

    def outage(self) -> Outage | None:
        """Since when the key gives no seal that is good; None while it does, as far as is known."""
        return self._outages.of(SEAL_KEY)

    def waits(self, at: datetime) -> bool:
        """Whether the key is to be left alone at that instant."""
        outage = self.outage()
        return outage is not None and outage.waits(at)

    def status(self) -> dict[str, object]:
        """For `status`, beside that of the time-stamp authorities."""
        outage = self.outage()
        return {
            "ok": outage is None,
            "since": utc_text(outage.since) if outage else None,
            "failures": outage.failures if outage else 0,
            "error": outage.message if outage else None,
            "ask_again": utc_text(outage.ask_again) if outage else None,
        }

    def warnings(self) -> list[str]:
        outage = self.outage()
        if outage is None:
            return []
        since = utc_text(outage.since)
        return [f"the seal key gives no seal since {since} ({outage.failures} tries): {outage.message}"]


def _require_good(judged: SealAssessment, *, test_trust: bool) -> None:
    if judged.verdict is not Verdict.PASSED:
        raise SealKeyUnavailableError(
            f"the seal is not used: {judged.verdict} {judged.sub_indication or ''} {judged.message}".strip()
        )
    if judged.test_trust and not test_trust:
        raise SealKeyUnavailableError("the seal is not used: it is test trust, and is not said to be")
