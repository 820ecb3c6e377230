"""Use case: what will have to be renewed, planned from what the catalogue knows of every chain.

The rules it follows
 * Nothing is changed and no authority is asked: the catalogue is read once, and some content to measure the speed.
 * A speed is measured or given, never supposed: the documents are read through the same verification that a hash-tree
   renewal reads them through, and hashed once more.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from archive_core.catalogue.rows import FileRow, VersionRow
from archive_core.catalogue.sizes import batch_sizes
from archive_core.content import Content
from archive_core.digests import new_hasher
from archive_core.renewal.means import Means
from archive_core.renewal.running import Renewing
from policies.forecast import forecast
from policies.forecast_values import Assumptions, Forecast
from policies.renewal_values import RenewalPolicy

NEW_DIGEST = "sha3-512"
"""What is hashed with, beside the stored digest: the slowest of the digests that a renewal moves to."""

SAMPLE_BYTES = 64 * 1024**2
SAMPLE_SECONDS = 3.0
LEAST_SAMPLE = 1024**2
"""Below this a measurement says nothing of the holding."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Content read, verified and hashed: bytes, seconds, and over how many files."""

    read: int
    seconds: float
    files: int

    @property
    def bytes_per_second(self) -> float | None:
        """None when too little was there to measure."""
        return self.read / self.seconds if self.read >= LEAST_SAMPLE and self.seconds > 0 else None


class Forecasting:
    """Plans over one archive."""

    def __init__(self, means: Means, renewing: Renewing) -> None:
        self._means = means
        self._renewing = renewing

    def plan(self, *, assumptions: Assumptions, policy: RenewalPolicy, at: datetime, until: datetime) -> Forecast:
        """The renewals from `at` until `until`."""
        return forecast(
            self._renewing.chains(),
            batch_sizes(self._means.catalogue),
            table=self._means.published.algorithms,
            policy=policy,
            assumptions=assumptions,
            at=at,
            until=until,
        )

    def measured(self, assumptions: Assumptions) -> tuple[Assumptions, Speed]:
        """The assumptions with the measured speed, and the measurement."""
        speed = self.measure()
        return replace(assumptions, bytes_per_second=speed.bytes_per_second), speed

    def measure(self) -> Speed:
        """Read some content of the holding, for a few seconds at most; raises `DamageError` and
        `UnavailableError` as reading does."""
        means = self._means
        content = Content(catalogue=means.catalogue, copies=means.copies, on_damage=means.on_damage)
        read = files = 0
        began = time.perf_counter()
        for row, file in self._some():
            hasher = new_hasher(NEW_DIGEST)
            for piece in content.stream_file(row, file):
                hasher.update(piece)
                read += len(piece)
                if read >= SAMPLE_BYTES or time.perf_counter() - began > SAMPLE_SECONDS:
                    return Speed(read, time.perf_counter() - began, files + 1)
            files += 1
        return Speed(read, time.perf_counter() - began, files)

    def _some(self) -> Iterator[tuple[VersionRow, FileRow]]:
        """Files of the first objects: renewals read all, so any will do, and the oldest are least likely to be in
        the machine's memory."""
        for row in self._means.catalogue.objects(limit=1000, living=True):
            for file in self._means.catalogue.files(row.poid, row.version):
                yield row, file
