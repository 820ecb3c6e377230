"""The composition root of examinations: settings to the adapter that looks into deposited signatures.

Rules kept here
 * Nothing is loaded before the first file is examined, and libraries that read signatures are loaded in the processes
   that examine, never here.
 * Trust is read anew for each deposit, so that a list that was renewed counts at once. Lists are opened and verified
   once, and made into an index; every process that examines gets that with its digest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from api.settings import ArchiveSettings
from api.wiring_signing import build_algorithms, read_certificates, trust_anchors
from archive_core.archive import Archive
from archive_core.ports import ExaminesDeposits, FileExamination, ValidationData
from policies.examination import ExaminationPolicy

Lists = Callable[[datetime], tuple[Path, str] | None]
"""The index of the trusted lists that count at an instant, and its SHA-256; None where there are no lists."""


def list_index(made: Sequence[Archive], folder: Path) -> Lists:
    """That of an archive's newest snapshot, made in a process apart when the lists are others than before. `made` gets
    the archive as soon as it is there."""

    def index(_at: datetime) -> tuple[Path, str] | None:
        from signing.trusted_lists.apart import index_apart
        from signing.trusted_lists.values import INDEX_FORMAT

        return made[0].lists.index(folder, INDEX_FORMAT, index_apart)

    return index


class DeferredExaminer:
    """An `ExaminesDeposits` that is made when the first deposit needs it."""

    def __init__(self, build: Callable[[], ExaminesDeposits]) -> None:
        self._build = build
        self._made: ExaminesDeposits | None = None

    def examine(
        self,
        files: Sequence[tuple[str, Path | bytes]],
        *,
        at: datetime,
        policy: ExaminationPolicy,
        existed: datetime | None = None,
        material: ValidationData | None = None,
    ) -> Sequence[FileExamination]:
        """See the port."""
        if self._made is None:
            self._made = self._build()
        return self._made.examine(files, at=at, policy=policy, existed=existed, material=material)


def build_examiner(settings: ArchiveSettings, lists: Lists | None = None) -> ExaminesDeposits:
    """Whoever looks into the signatures of deposits."""

    def build() -> ExaminesDeposits:
        from signing.examination.at_deposit import DepositExaminer, Reach
        from signing.examination.request import TrustGiven
        from signing.examination.sandbox import Limits
        from signing.fetching import over_http
        from signing.http_fetch import Allowed

        given = settings.examination
        allowed = Allowed(given.fetch)
        credentials = None
        if given.proxy_password is not None:
            credentials = (given.proxy_user, given.proxy_password.reveal(settings.home))
        fetch = over_http(given.timeout, proxy=given.proxy or None, proxy_credentials=credentials)

        def trust(at: datetime) -> TrustGiven:
            anchors, test_anchors = trust_anchors(settings)
            named = [der for name in given.trust for der in read_certificates(settings.home / name)]
            return TrustGiven(
                anchors=tuple(dict.fromkeys([*anchors, *named])),
                test_anchors=tuple(test_anchors),
                algorithms=build_algorithms(settings).source,
                list_index=lists(at) if lists is not None else None,
            )

        return DepositExaminer(
            trust,
            limits=Limits(
                memory=given.memory_mib * 2**20, cpu_seconds=given.cpu_seconds, wall_seconds=given.wall_seconds
            ),
            reach=Reach(fetch, allowed.allows) if allowed else None,
            at_once=given.at_once or None,
        )

    return DeferredExaminer(build)
