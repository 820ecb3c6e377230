"""Many submissions, one after the other, with the next ones admitted while the present are made durable.

Rules kept here
 * Each submission is answered once, in their order; a refusal takes its place and keeps nobody out.
 * As many groups are under way as stores take at once, and one more whose rows are entered meanwhile.
 * Whoever is interrupted leaves nothing half done and nobody unanswered: what was begun is finished and
   told, and only then the interruption goes on. Ctrl-C is held while a group is begun, finished and told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from archive_core.committing import Answer, Committing, StartedGroup
from archive_core.errors import ArchiveError
from archive_core.interruption import interruption_held
from archive_core.lifecycle import PreparedSubmission
from archive_core.replication import UNDER_WAY

S = TypeVar("S")

GROUP = 128
"""Submissions that share the durable steps. Larger groups gain nothing, answer later and take more memory."""

GROUP_BYTES = 32 * 1024 * 1024
"""A group that has reached this size waits for no more."""


@dataclass(frozen=True, slots=True)
class _Bulk:
    """A group under way; a place of `refused` that is None belongs to the next member of `group`."""

    refused: list[ArchiveError | None]
    group: StartedGroup


def deposit_in_groups(
    submissions: Iterable[S],
    prepare: Callable[[S], PreparedSubmission],
    committing: Committing,
    tell: Callable[[Answer], None],
) -> None:
    """Commit every submission and `tell` the answer of each, in their order; `prepare` raises an
    `ArchiveError` for one that is refused."""
    under_way: deque[_Bulk] = deque()
    try:
        for prepared in _groups(submissions, prepare):
            refused = [item if isinstance(item, ArchiveError) else None for item in prepared]
            accepted = [item for item in prepared if isinstance(item, PreparedSubmission)]
            with interruption_held():
                under_way.append(_Bulk(refused, committing.start(accepted)))
                if len(under_way) > UNDER_WAY:
                    _finish_first(under_way, committing, tell)
    finally:
        with interruption_held():
            while under_way:
                _finish_first(under_way, committing, tell)


def _groups(
    submissions: Iterable[S], prepare: Callable[[S], PreparedSubmission]
) -> Iterator[list[PreparedSubmission | ArchiveError]]:
    group: list[PreparedSubmission | ArchiveError] = []
    size = 0
    for submission in submissions:
        try:
            prepared = prepare(submission)
        except ArchiveError as error:
            group.append(error)
        else:
            group.append(prepared)
            size += prepared.accepted.size
        if len(group) >= GROUP or size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _finish_first(under_way: deque[_Bulk], committing: Committing, tell: Callable[[Answer], None]) -> None:
    """The first group is done, whatever became of it, and told."""
    bulk = under_way[0]
    answers = iter(committing.finish(bulk.group))
    under_way.popleft()
    for refused in bulk.refused:
        tell(next(answers) if refused is None else refused)
