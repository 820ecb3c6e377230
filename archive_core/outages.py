"""Which time-stamp authorities give no usable time-stamps, since when, and when each is asked again.

Rules kept here
 * An authority that failed, silent or lying alike, is not asked again before its wait is over. The wait
   doubles from `FIRST_WAIT` to `LONGEST_WAIT`; one good time-stamp ends it. An operator who asks for
   evidence now need not wait, but no authority is asked twice in one round after it failed.
 * What is known stands in the catalogue, so that all processes keep to it and `status` can tell it. A
   rebuilt catalogue knows of no outage and finds out by asking.
 * Waiting costs nothing but time: deposits go on, and what waits for evidence is not lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from archive_core import canonical, reading
from archive_core.catalogue.catalogue import Catalogue
from archive_core.errors import ArchiveError
from archive_core.findings import utc_text

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=5)
MAX_MESSAGE = 500
"""Characters that are kept of what an authority or the network said."""

_MEMBERS = ("tsa", "since", "last", "failures", "code", "message")


@dataclass(frozen=True, slots=True)
class Outage:
    """An authority that failed `failures` times in a row, from `since` to `last`; `code` and `message`
    are of the last failure."""

    tsa: str
    since: datetime
    last: datetime
    failures: int
    code: str
    message: str

    @property
    def ask_again(self) -> datetime:
        """The instant from which on the authority is asked again."""
        return self.last + min(LONGEST_WAIT, FIRST_WAIT * (1 << min(self.failures - 1, 20)))

    def waits(self, at: datetime) -> bool:
        """Whether the authority is left alone at `at`. A clock that went back makes nobody wait."""
        return self.last <= at < self.ask_again

    def to_json(self) -> dict[str, object]:
        return {
            "tsa": self.tsa,
            "since": utc_text(self.since),
            "last": utc_text(self.last),
            "failures": self.failures,
            "code": self.code,
            "message": self.message,
        }

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The inverse of the canonical form of `to_json`; raises `MalformedDocumentError`."""
        value = reading.members(canonical.read_canonical(data), _MEMBERS, "the outage")
        return cls(
            tsa=reading.text(value["tsa"], "tsa"),
            since=reading.instant(value["since"], "since"),
            last=reading.instant(value["last"], "last"),
            failures=reading.integer(value["failures"], "failures", least=1),
            code=reading.text(value["code"], "code"),
            message=reading.text(value["message"], "message", least=0, most=4 * MAX_MESSAGE),
        )


class Outages:
    """The outages of all authorities, as the catalogue knows them."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def of(self, tsa: str) -> Outage | None:
        """The outage that an authority is in, if it is in one."""
        noted = self._catalogue.meta_get(_name(tsa))
        return Outage.parse(noted.encode("utf-8")) if noted else None

    def all(self, authorities: Iterable[str]) -> list[Outage]:
        """The outages of these authorities, longest first."""
        found = [outage for tsa in authorities if (outage := self.of(tsa))]
        return sorted(found, key=lambda outage: (outage.since, outage.tsa))

    def failed(self, tsa: str, error: ArchiveError, at: datetime) -> Outage:
        """An authority was asked at `at` and gave nothing usable."""
        before = self.of(tsa)
        outage = Outage(
            tsa=tsa,
            since=before.since if before else at,
            last=at,
            failures=before.failures + 1 if before else 1,
            code=error.code,
            message=str(error)[:MAX_MESSAGE].encode("utf-8", "replace").decode("utf-8"),
        )
        self._catalogue.meta_set(_name(tsa), canonical.write(outage.to_json()).decode("utf-8"))
        return outage

    def answered(self, tsa: str) -> None:
        """An authority gave a good time-stamp: whatever was, is over."""
        if self.of(tsa):
            self._catalogue.meta_set(_name(tsa), "")


def _name(tsa: str) -> str:
    return f"outage:{tsa}"
