"""The examination of what is deposited: each file apart, detached signatures with the files they are over.

Rules kept here
 * Files are examined as they lie, never changed; each in a process of its own with limits (`forking`), several at a
   time.
 * A file that by its first octets has no format that is known, or none that the profile asks for, starts no process and
   is told as not examined, by name.
 * A detached signature is tried over the files of the same deposit that it may be named after: `a.pdf` for
   `a.pdf.p7s` and `a.p7s`. Of several, the one whose digest fits counts.
 * What is missing for validation is asked for here, at addresses that the settings allow, and judged there
   (`collecting`). What could not be had is told, and is no reason to take nothing in.
 * Whoever the files are trusted by is read anew for each deposit: lists change.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from archive_core.errors import ArchiveError, ExaminationUnavailableError, SettingsError
from archive_core.findings import SubIndication, Verdict
from archive_core.ports import FileExamination, ValidationData
from policies.examination import ExaminationPolicy
from signing.examination.asks import Ask, Collected
from signing.examination.forking import Template
from signing.examination.report_json import to_json
from signing.examination.request import NamedPath, Request, TrustGiven
from signing.examination.sandbox import Limits, Runs, examine_and_ask
from signing.examination.sniffing import HEAD, may_be
from signing.examination.values import DocumentFormat, Examination, TimestampExamination

ROUNDS = 4
"""How often a document is examined at most, while answers bring further questions: issuers, then what they say."""
MAX_FETCHED = 64 * 1024 * 1024
"""Bytes that are fetched for one document."""
FETCHING = 60.0
"""Seconds after which nothing more is asked for one document."""

Fetch = Callable[[str, bytes | None], bytes]
Trusts = Callable[[datetime], TrustGiven]
"""Whom to trust as of an instant. Raises `SettingsError`."""

_WAITING = frozenset({SubIndication.TRY_LATER, SubIndication.NO_CERTIFICATE_CHAIN_FOUND})
"""What may be decided by something that can be had later."""


@dataclass(frozen=True)
class Reach:
    """What may be fetched from where; without it nothing is."""

    fetch: Fetch
    allows: Callable[[str], bool]


@dataclass
class _Asked:
    """What was asked for one document so far."""

    reach: Reach | None
    answers: dict[Ask, bytes | str] = field(default_factory=dict)
    fetched: int = 0
    began: float = field(default_factory=time.monotonic)

    def ask(self, one: Ask) -> None:
        self.answers[one] = self._answer(one)

    def _answer(self, one: Ask) -> bytes | str:
        if self.reach is None or not self.reach.allows(one.url):
            return f"{one.url[:200]} is not below an address that `fetch` in the settings allows"
        if self.fetched > MAX_FETCHED or time.monotonic() - self.began > FETCHING:
            return f"{one.url[:200]} was not asked: enough was fetched for this document"
        try:
            octets = self.reach.fetch(one.url, one.request or None)
        except ArchiveError as error:
            return str(error)[:300]
        self.fetched += len(octets)
        return octets


class DepositExaminer:
    """An `ExaminesDeposits`."""

    def __init__(
        self,
        trust: TrustGiven | Trusts,
        *,
        limits: Limits | None = None,
        reach: Reach | None = None,
        at_once: int | None = None,
    ) -> None:
        """`at_once` is how many files are examined side by side, by default as many as there are processors."""
        self._trust = trust
        self._limits = limits or Limits()
        self._reach = reach
        self._at_once = at_once or len(os.sched_getaffinity(0))
        self._template = Template()

    def examine(
        self,
        files: Sequence[tuple[str, Path | bytes]],
        *,
        at: datetime,
        policy: ExaminationPolicy,
        existed: datetime | None = None,
        material: ValidationData | None = None,
    ) -> Sequence[FileExamination]:
        """Raises `ExaminationUnavailableError` and `SettingsError`; see the port."""
        why = [_why_not(_head(source), policy) for _, source in files]
        if all(why):
            return [_passed_over(name, reason) for (name, _), reason in zip(files, why, strict=True)]
        trust = self._trust if isinstance(self._trust, TrustGiven) else self._trust(at)
        with ExitStack() as staged:
            paths = _staged(files, staged)
            work = _Work(self._template.run, trust, self._limits, self._reach, at, policy, existed, material)
            pool = staged.enter_context(ThreadPoolExecutor(self._at_once, thread_name_prefix="examine"))
            found = [
                _passed_over(name, reason) if reason else pool.submit(work.examined, name, path, paths)
                for (name, path), reason in zip(paths, why, strict=True)
            ]
            return [one if isinstance(one, FileExamination) else one.result() for one in found]


@dataclass(frozen=True)
class _Work:
    """One deposit's examination."""

    run: Runs
    trust: TrustGiven
    limits: Limits
    reach: Reach | None
    at: datetime
    policy: ExaminationPolicy
    existed: datetime | None
    material: ValidationData | None

    def examined(self, name: str, path: Path, files: Sequence[tuple[str, Path]]) -> FileExamination:
        detached = tuple(NamedPath(other, called) for called, other in _named_after(name, files))
        asked = _Asked(self.reach)
        for _ in range(ROUNDS):
            request = Request(
                NamedPath(path, name),
                self.at,
                detached,
                self.trust.knowing(self.material),
                self.existed,
                self.policy.freshness == "later",
                tuple(asked.answers.items()) if self.policy.collect else None,
            )
            try:
                apart = examine_and_ask(request, self.limits, run=self.run)
            except OSError as error:
                raise ExaminationUnavailableError(f"{name[:80]!a} cannot be examined: {error}") from error
            except ValueError as error:
                raise SettingsError(f"what is to be trusted for signatures cannot be read: {error}") from error
            new = [ask for ask in apart.collected.asks if ask not in asked.answers]
            if not new:
                break
            for ask in new:
                asked.ask(ask)
        return _told(name, apart.examination, apart.collected, self.policy)


def _told(name: str, found: Examination, collected: Collected, policy: ExaminationPolicy) -> FileExamination:
    from signing.examination.report_xml import to_xml  # loads lxml

    report = json.dumps(to_json(found), ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
    subs = [one.sub_indication for one in found.signatures] + [one.sub_indication for one in _stamps(found)]
    later = policy.collect and found.verdict is Verdict.INDETERMINATE and not _WAITING.isdisjoint(_main(found))
    if later and SubIndication.TRY_LATER not in _main(found) and not collected.problems:
        later = False  # nobody could have been asked: no anchor, and nothing that leads to one
    return FileExamination(
        path=name,
        verdict=_verdict(found),
        examined=found.examined,
        signatures=len(found.signatures),
        report=report.encode("utf-8", "backslashreplace"),
        xml=to_xml(found),
        format=str(found.format),
        reason=found.reason or _incomplete(found),
        timestamps=len(found.timestamps),
        sub_indications=tuple(dict.fromkeys(str(one) for one in subs if one is not None)),
        later=later,
        material=collected.material,
        problems=collected.problems,
        lists=_lists(found),
    )


def _incomplete(found: Examination) -> str:
    """Why a document was not examined whole."""
    if found.complete or not found.findings:
        return ""
    return f"not examined whole: {found.findings[0].message}"[:300]


def _stamps(found: Examination) -> list[TimestampExamination]:
    """Every time-stamp, in signatures and by itself."""
    return [*found.timestamps, *(one for signature in found.signatures for one in signature.timestamps)]


def _main(found: Examination) -> set[SubIndication | None]:
    """What was said of signatures, and of time-stamps that stand by themselves."""
    return {one.sub_indication for one in found.signatures} | {one.sub_indication for one in found.timestamps}


def _lists(found: Examination) -> tuple[str, ...]:
    named = [one.qualified.list_sha256 for one in found.signatures]
    named += [one.qualified.list_sha256 for one in _stamps(found)]
    return tuple(sorted({digest for digest in named if digest}))


def _verdict(found: Examination) -> Verdict | None:
    """A format that is not known here (a picture, a text) is not examined, and that is no doubt about a signature."""
    foreign = not found.examined and found.complete and found.format is DocumentFormat.UNKNOWN
    return None if foreign else found.verdict


def _head(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return bytes(source[:HEAD])
    try:
        with source.open("rb") as stream:
            return stream.read(HEAD)
    except OSError as error:
        raise ExaminationUnavailableError(f"a file cannot be examined: {error.strerror}") from error


def _why_not(head: bytes, policy: ExaminationPolicy) -> str:
    """Why nobody looks into a file; empty when somebody does."""
    formats = may_be(head)
    if not formats:
        return "not examined: empty" if not head else "not examined: no format that is known here"
    if not set(formats) & set(policy.formats):
        return f"not examined: the profile does not look into {', '.join(formats)}"
    return ""


def _passed_over(name: str, reason: str) -> FileExamination:
    return FileExamination(name, None, examined=False, signatures=0, report=b"", reason=reason)


def _staged(files: Sequence[tuple[str, Path | bytes]], staged: ExitStack) -> list[tuple[str, Path]]:
    """Every file where another process can read it; small ones are kept in memory until now."""
    folder: Path | None = None
    paths: list[tuple[str, Path]] = []
    for number, (name, source) in enumerate(files):
        if isinstance(source, bytes):
            try:
                folder = folder or Path(staged.enter_context(tempfile.TemporaryDirectory(prefix="trusted-archive-")))
                path = folder / str(number)
                path.write_bytes(source)
            except OSError as error:
                raise ExaminationUnavailableError(f"there is no room to examine {name[:80]!a}: {error}") from error
            paths.append((name, path))
        else:
            paths.append((name, source.resolve()))
    return paths


def _named_after(name: str, files: Sequence[tuple[str, Path]]) -> Iterator[tuple[str, Path]]:
    """The other files whose name, with or without its ending, is this one's without its ending."""
    stem = name.rpartition(".")[0]
    for called, path in files:
        if stem and called != name and stem in (called, called.rpartition(".")[0]):
            yield called, path
