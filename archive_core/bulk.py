"""Many submissions, one after the other, with the next ones admitted while the present are made durable.

Rules kept here
 * One answer for each submission, in their order; a refusal takes its place and keeps nobody out.
 * At most two groups are under way: one that is being written and one that waits for its turn.
 * Whoever stops asking, or is interrupted, leaves no thread writing: what was begun is finished.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from archive_core.committing import Answer, Committing, PreparedSubmission, StartedGroup
from archive_core.errors import ArchiveError

S = TypeVar("S")

GROUP = 200
"""Submissions that share the durable steps. Larger groups gain nothing and answer later."""

GROUP_BYTES = 256 * 1024 * 1024
"""A group that has reached this size waits for no more."""


@dataclass(frozen=True, slots=True)
class _Bulk:
    """A group under way; a place of `refused` that is None belongs to the next member of `group`."""

    refused: list[ArchiveError | None]
    group: StartedGroup


def deposit_in_groups(
    submissions: Iterable[S], prepare: Callable[[S], PreparedSubmission], committing: Committing
) -> Iterator[Answer]:
    """Commit every submission and answer each; `prepare` raises an `ArchiveError` for one that is refused."""
    under_way: list[_Bulk] = []
    try:
        for prepared in _groups(submissions, prepare):
            refused = [item if isinstance(item, ArchiveError) else None for item in prepared]
            accepted = [item for item in prepared if isinstance(item, PreparedSubmission)]
            under_way.append(_Bulk(refused, committing.start(accepted)))
            if len(under_way) > 1:
                yield from _finish_first(under_way, committing)
        while under_way:
            yield from _finish_first(under_way, committing)
    finally:
        for bulk in under_way:
            committing.finish(bulk.group)


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
            size += sum(file.size for file in prepared.accepted.files)
        if len(group) >= GROUP or size >= GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _finish_first(under_way: list[_Bulk], committing: Committing) -> list[Answer]:
    answers = iter(committing.finish(under_way[0].group))
    bulk = under_way.pop(0)
    return [next(answers) if refused is None else refused for refused in bulk.refused]
