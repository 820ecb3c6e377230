"""Revocation data that outlasts a time-stamp: fetched later, when what there was at first is about to say nothing more.

Rules kept here
 * An authority's list or response is mostly older than the time-stamp. It does while it is current; after that only one
   that was issued at or after genTime shows that the certificate was not revoked then (EN 319 102-1 5.2.5).
 * Whether what is kept beside a token lasts is asked by judging it as of a day before the end of its certificates. What
   does not last is fetched anew, once a round for each set of certificates, until it does, and becomes the next version
   of the batch object: files are added, none is changed.
 * Batches are looked at in order; how far all are done is kept in the catalogue. After a rebuild it begins anew.
 * Tokens of batches alone: one that was covered is judged as of what covers it, and holds what it needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from archive_core.batch import line_validation, stamped_package, validation_files
from archive_core.catalogue.rows import HeadRow
from archive_core.errors import ArchiveError, MalformedDocumentError
from archive_core.evidence.material import merged
from archive_core.findings import SubIndication, Verdict
from archive_core.identifiers import BATCH, number_of
from archive_core.ports import ValidationData
from archive_core.renewal.covering import Covering
from archive_core.renewal.means import Means

LEASE = "validation data"
AT_ONCE = 1000
"""Batches that are looked at in one round."""
_STATE = "validation-data-lasts"
_BEFORE_END = timedelta(days=1)
_LONGEST = timedelta(days=400)
"""How long a list may be waited for, and what is asked of a token whose certificates have no end that is known."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """One round: batches that got what lasts, those that still wait for it, and what went wrong, by batch."""

    batches: tuple[int, ...] = ()
    waiting: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()


class Refreshing:
    """Later validation data of batches; one process at a time. `changed` is called when something came."""

    def __init__(self, means: Means, changed: Callable[[], None]) -> None:
        self._means = means
        self._changed = changed

    def round(self) -> Refreshed:
        """Look at what is new and at what waits. Raises `LeaseHeldError` when another process is at it."""
        with self._means.holder.hold(LEASE):
            through, waiting = self._state()
            last = self._means.catalogue.last_batch()
            new = range(through + 1, min(last.number if last else 0, through + AT_ONCE) + 1)
            heads = self._means.catalogue.heads(numbers=[*waiting, *new])
            covering, done, still, problems = Covering(self._means), [], [], []
            evidenced = {head.batch for head in heads}
            end = next((number - 1 for number in new if number not in evidenced), new[-1] if new else through)
            oldest = self._means.clock.now() - _LONGEST
            for head in heads:
                if head.batch > end or number_of(head.storage_object, BATCH) is None or head.gen_time < oldest:
                    continue
                self._means.holder.renew()
                try:
                    got = self._lasting(head, covering)
                except ArchiveError as error:
                    problems.append(f"batch {head.batch}, line {head.line}: {error}")
                    got = False
                if got is False:
                    still.append(head.batch)
                elif got:
                    done.append(head.batch)
            left = tuple(dict.fromkeys(still))
            self._means.catalogue.meta_set(_STATE, json.dumps({"through": end, "waiting": left}))
            return Refreshed(tuple(dict.fromkeys(done)), left, tuple(problems))

    def _state(self) -> tuple[int, list[int]]:
        text = self._means.catalogue.meta_get(_STATE)
        if not text:
            return 0, []
        try:
            value = json.loads(text)
            return int(value["through"]), [int(number) for number in value["waiting"]]
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedDocumentError(f"{_STATE} in the catalogue cannot be read: {error}") from error

    def _lasting(self, head: HeadRow, covering: Covering) -> bool | None:
        """None where what is kept lasts, or nothing that is fetched could help; True where it was kept just now."""
        token, kept = covering.token(head), covering.kept(head)
        then = (head.trusted_until or head.gen_time + _LONGEST) - _BEFORE_END
        if not self._waits(token, kept, then):
            return None
        both = merged([kept, covering.fetch(head.tsa, token)])
        if both == kept or self._waits(token, both, then):
            return False
        self._keep(head, kept, both)
        return True

    def _waits(self, token: bytes, data: ValidationData, then: datetime) -> bool:
        assessed = self._means.validator.assess(token, at=then, data=data)
        return assessed.verdict is Verdict.INDETERMINATE and assessed.sub_indication is SubIndication.TRY_LATER

    def _keep(self, head: HeadRow, kept: ValidationData, both: ValidationData) -> None:
        folder = line_validation(head.line)
        known = validation_files(folder, kept)
        files = {path: data for path, data in validation_files(folder, both).items() if path not in known}
        previous = self._means.copies.inventory(head.storage_object, self._means.on_damage)
        message = "Validation data that came later"
        package = stamped_package(previous, files, at=self._means.clock.now(), message=message)
        self._means.copies.replicate_in_turn(package)
        self._changed()
