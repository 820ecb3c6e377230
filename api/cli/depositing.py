"""`deposit` and `update`: files go in.

Rules kept here
 * Each PATH of a deposit is one object. One that is refused does not keep the others out; the exit code
   is that of the first refusal.
 * Many PATHs are made durable in groups. What was acknowledged is told, also when the rest was cancelled
   or failed.
"""

from __future__ import annotations

import argparse

from api.cli.answers import GOOD
from api.cli.console import Console, error_json, failure_json, path_text, shown
from api.cli.opening import actor, opened, settings_of
from api.cli.submissions import submission_of
from api.cli.words import told
from api.collector import leave_alone_what_is_there
from api.texts import text
from archive_core.archive import Archive
from archive_core.errors import ArchiveError, UsageError
from archive_core.lifecycle import Acknowledgement, SubmissionObject

MANY = 64
"""From so many objects on, processes of their own write the stores: to start them takes longer than a few
objects do."""


def deposit(arguments: argparse.Namespace, console: Console) -> int:
    """Exit 0 when every PATH is safe, else as the first refusal says."""
    if arguments.key is not None and len(arguments.paths) > 1:
        raise UsageError(text("one idempotency key stands for one object: deposit one PATH with --key"))
    if arguments.key is not None and arguments.once:
        raise UsageError(text("--once makes the key itself: leave out --key"))
    work = _Deposit(arguments, console)
    with opened(arguments, console, busy=len(arguments.paths) >= MANY) as archive:
        leave_alone_what_is_there()
        try:
            work.run(archive)
        except BaseException as failure:
            work.stopped_by(failure)
            raise
    work.tell()
    return work.exit_code


class _Deposit:
    """One deposit command under way."""

    def __init__(self, arguments: argparse.Namespace, console: Console) -> None:
        self._arguments = arguments
        self._paths: list[str] = arguments.paths
        self._console = console
        self._answers: list[dict[str, object]] = []
        self._lines: list[str] = []
        self._first_error: dict[str, object] | None = None
        self.exit_code = GOOD

    def run(self, archive: Archive) -> None:
        originator = self._arguments.organisation or settings_of(self._arguments).default_originator
        self._progress()
        archive.deposit_many(
            (self._submission(path, originator) for path in self._paths), actor=actor(), tell=self._told
        )

    def _submission(self, path: str, originator: str) -> SubmissionObject | ArchiveError:
        try:
            return submission_of(self._arguments, [path], originator)
        except ArchiveError as error:
            return error

    def _told(self, answer: Acknowledgement | ArchiveError) -> None:
        """Answers come in the order of the paths."""
        path = self._paths[len(self._answers)]
        if isinstance(answer, ArchiveError):
            self._refuse(path, answer)
        else:
            self._acknowledge(path, answer)
        self._progress()

    def _progress(self) -> None:
        self._console.progress("depositing", len(self._answers), len(self._paths))

    def _acknowledge(self, path: str, answer: Acknowledgement) -> None:
        self._answers.append({**answer.to_json(), "path": path_text(path)})
        again = f" ({text('as before')})" if answer.replayed else ""
        self._lines.append(
            f"{answer.poid}  v{answer.version}  {text(str(answer.status))}{again}  {shown(path_text(path))}"
        )

    def _refuse(self, path: str, error: ArchiveError) -> None:
        told_error = error_json(error)
        self._first_error = self._first_error or told_error
        self.exit_code = self.exit_code or error.exit_code
        self._answers.append({"path": path_text(path), "status": "refused", "error": told_error})
        self._lines.append(f"{shown(path_text(path))}: {text('REFUSED')}: {shown(told(error))}")

    def stopped_by(self, failure: BaseException) -> None:
        """What is safe already is told with the reason why the rest was not tried."""
        if self._answers:
            self._first_error = self._first_error or failure_json(failure)
            self.tell()

    def tell(self) -> None:
        document: dict[str, object] = {"objects": self._answers}
        if self._first_error:
            document["error"] = self._first_error
        self._console.result(document, self._lines)


def update(arguments: argparse.Namespace, console: Console) -> int:
    """The PATHs together are the complete new content."""
    with opened(arguments, console) as archive:
        submission = submission_of(arguments, arguments.paths, "")
        answer = archive.update(arguments.poid, submission, actor=actor())
    again = f" ({text('as before')})" if answer.replayed else ""
    document = {**answer.to_json(), "path": [path_text(path) for path in arguments.paths]}
    console.result(document, [f"{answer.poid}  v{answer.version}  {text(str(answer.status))}{again}"])
    return GOOD
