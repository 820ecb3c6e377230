"""Asks an authority for the time-stamp of a renewal, so that no answer is lost with this process, or it is told.

Rules kept here
 * That an authority is asked is noted before it is, and its answer as soon as it comes: one commit each.
 * A token that was noted is used by whoever finishes the renewal; nobody is asked again.
 * Where a profile demands qualified time-stamps, trusted lists are asked about those of renewals, too.
 * Where the note of the question is all that is left, the process ended before an answer was kept: the authority is
   asked again, and that one call may have cost twice is an event, and in the view of the renewal.
"""

from __future__ import annotations

from archive_core import canonical, reading
from archive_core.errors import (
    ArchiveError,
    CatalogueDamagedError,
    CatalogueUnavailableError,
    SettingsError,
    TimestampAuthorityUnavailableError,
    TimestampPendingError,
    TimestampRefusedError,
    UnavailableError,
)
from archive_core.findings import utc_text
from archive_core.identifiers import object_name
from archive_core.lifecycle import Actor
from archive_core.obtaining import AsksQualified, Obtained, accepted, obtain
from archive_core.outages import Outages
from archive_core.ports import TimestampAuthority
from archive_core.renewal.means import Means
from archive_core.renewal.stored import StoredRenewal
from archive_core.renewal.tracing import record_event
from archive_core.trail.events import Outcome
from archive_core.waiting_tokens import WaitingTokens
from policies.profiles import PreservationProfile


class Asking:
    """Time-stamps of formed renewals; whoever calls holds the lease."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._outages = Outages(means.catalogue)
        self._waiting = WaitingTokens(means.catalogue)

    def ask(self, stored: StoredRenewal, tsa: str, *, patient: bool) -> Obtained:
        """A time-stamp over the tree, judged and noted in the catalogue. With `patient`, an authority in an outage is
        left alone. Raises `TimestampAuthorityUnavailableError`, `TimestampRefusedError` or `SettingsError`."""
        authority = self._authority(tsa)
        outage = self._outages.of(tsa)
        if patient and outage is not None and outage.waits(self._means.clock.now()):
            raise TimestampAuthorityUnavailableError(f"{tsa} is not asked again yet: {outage.message}", tsa=tsa)
        self._note_asked(stored, tsa)
        try:
            obtained = obtain(
                authority,
                stored.root,
                accepts_test=self._means.trust_classes[tsa] == "test",
                validator=self._means.validator,
                clock=self._means.clock,
                # A token that was paid for is not lost with this process: it waits until the stores have it.
                keep=lambda token: self._waiting.keep(_waiting_name(stored), token),
                qualified=self._demanded(stored),
            )
        except (CatalogueUnavailableError, CatalogueDamagedError):
            raise  # the answer could not be kept: the note of the question says so to whoever comes next
        except TimestampPendingError:
            self._means.catalogue.meta_set(_asked_name(stored), "")  # it was answered, and the answer is kept
            raise
        except ArchiveError as error:  # an answer of a kind: the caller makes an event of it
            if isinstance(error, UnavailableError):
                self._outages.failed(tsa, error, self._means.clock.now())
            self.forget(stored)
            raise
        self._outages.answered(tsa)
        return obtained

    def _demanded(self, stored: StoredRenewal) -> AsksQualified | None:
        """Who says whether the time-stamp is a qualified one, where the profile of a line that goes on with it demands
        that (TS 119 511 OVR-A-03). Raises `SettingsError` where nobody can."""
        line = stored.document.line
        if not any(_demands_qualified(profile, line) for profile in self._means.published.profiles):
            return None  # nor need any head of the line be read
        objects = {*(covered.head for covered in stored.covers), *stored.document.abandons}
        behind = (head for head in self._means.catalogue.heads(line) if object_name(head.storage_object) in objects)
        profiles = [self._means.published.profile(name) for name in sorted({head.profile for head in behind})]
        demanding = [profile for profile in profiles if _demands_qualified(profile, line)]
        if not demanding:
            return None
        if (lists := self._means.lists) is None:
            raise SettingsError(
                f"the profile {demanding[0].id} demands qualified time-stamps, and no trusted lists are asked"
            )
        return lambda token, data: lists.timestamp(token, at=self._means.clock.now(), data=data)

    def _note_asked(self, stored: StoredRenewal, tsa: str) -> None:
        asked = {"tsa": tsa, "time": utc_text(self._means.clock.now())}
        self._means.catalogue.meta_set(_asked_name(stored), canonical.write(asked).decode("utf-8"))

    def lost(self, stored: StoredRenewal, actor: Actor) -> str | None:
        """What is told of an answer that no process lived to keep, if there may have been one."""
        noted = self._means.catalogue.meta_get(_asked_name(stored))
        if not noted:
            return None
        value = reading.members(canonical.read_canonical(noted.encode("utf-8")), ("tsa", "time"), "the note")
        tsa, time = reading.text(value["tsa"], "tsa"), reading.instant(value["time"], "time")
        said = (
            f"{tsa} was asked at {utc_text(time)} and the process ended before an answer was kept: it is asked again, "
            "so that one time-stamp over this tree may have been paid for in vain"
        )
        record_event(self._means, stored, Outcome.FAILURE, "answer-lost", actor, {"message": said}, again=True)
        self._means.catalogue.meta_set(_asked_name(stored), "")
        return said

    def waiting(self, stored: StoredRenewal, actor: Actor, *, instead: str | None = None) -> Obtained | None:
        """The token that an interrupted round had obtained, if it is good for this renewal; that it is good no
        more is an event. Raises `TimestampPendingError` while it cannot be judged, unless another authority is to be
        asked `instead`."""
        tsa = self._waiting.tsa(_waiting_name(stored))
        if tsa is None or tsa not in self._means.authorities:
            return None
        authority = self._authority(tsa)
        token = self._waiting.token(_waiting_name(stored), stored.root, authority)
        if token is None:
            return None  # the number was used again, for another tree
        try:
            return accepted(
                authority,
                token,
                stored.root,
                asked=None,
                accepts_test=self._means.trust_classes[tsa] == "test",
                validator=self._means.validator,
                clock=self._means.clock,
                qualified=self._demanded(stored),
            )
        except (TimestampRefusedError, TimestampPendingError) as error:
            if isinstance(error, TimestampPendingError) and instead in (None, tsa):
                raise
            record_event(self._means, stored, Outcome.FAILURE, "answer-unusable", actor, {"message": str(error)[:2000]})
            self.forget(stored)
            return None

    def may_be_lost(self, number: int) -> dict[str, str] | None:
        """Who was asked for the time-stamp of a renewal, and when, where no answer has been kept."""
        noted = self._means.catalogue.meta_get(f"renewal-asked:{number}")
        if not noted or self._waiting.tsa(f"renewal-token:{number}") is not None:
            return None
        value = reading.members(canonical.read_canonical(noted.encode("utf-8")), ("tsa", "time"), "the note")
        return {"tsa": reading.text(value["tsa"], "tsa"), "time": reading.text(value["time"], "time")}

    def forget(self, stored: StoredRenewal) -> None:
        """Nothing waits any more: the stores have it, or it is of no use."""
        for name in (_waiting_name(stored), _asked_name(stored)):
            self._waiting.forget(name)

    def _authority(self, tsa: str) -> TimestampAuthority:
        authority = self._means.authorities.get(tsa)
        if authority is None:
            raise SettingsError(
                f"the TSA {tsa} is no longer in the settings: `trusted-archive renewal run --tsa NAME` takes another"
            )
        return authority


def _demands_qualified(profile: PreservationProfile, line: str) -> bool:
    return any(rule.name == line and rule.trust_class_required == "qualified" for rule in profile.lines)


def _waiting_name(stored: StoredRenewal) -> str:
    return f"renewal-token:{stored.number}"


def _asked_name(stored: StoredRenewal) -> str:
    return f"renewal-asked:{stored.number}"
