"""The journal of a hash-tree renewal's first phase: what was read of which data object of a batch.

Rules kept here
 * One file for each line of a batch and new digest, on this machine. Losing it costs the reading again.
 * Each line is one data object, in leaf order. A line that an interruption cut off is cut off whole, and
   reading goes on there.
 * The first line says what the journal is about; a journal about anything else is begun anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from archive_core.digests import digest_size
from archive_core.errors import MalformedDocumentError

FORMAT = "trusted-archive/digests/1"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a journal is about: a line of a batch (by its statement's sha512) on its way from the digest of
    its chain number `chain` to another one. `initial` is the digest of its first chain."""

    batch: int
    line: str
    statement: str
    chain: int
    initial: str
    digest: str
    new_digest: str

    def to_text(self) -> str:
        return " ".join(
            (
                FORMAT,
                str(self.batch),
                self.line,
                self.statement,
                str(self.chain),
                self.initial,
                self.digest,
                self.new_digest,
            )
        )

    def path(self, workspace: Path) -> Path:
        return journal_path(workspace, self.batch, self.line, self.new_digest)


def journal_path(workspace: Path, batch: int, line: str, new_digest: str) -> Path:
    return workspace / f"digests-{new_digest}-{line}-ba{batch:010d}.txt"


@dataclass(frozen=True, slots=True)
class Examined:
    """A data object that was read: its group's digests in the initial digest and in the new one, or, when
    `problem` says why, an object that drops out."""

    initial: tuple[bytes, ...] = ()
    new: tuple[bytes, ...] = ()
    problem: str | None = None

    def to_text(self, leaf: int) -> str:
        if self.problem is not None:
            return f"{leaf} dropped {json.dumps(self.problem)}"
        return f"{leaf} good {_hex(self.initial)} {_hex(self.new)}"


class DigestJournal:
    """A journal that is written; `count` data objects are in it."""

    def __init__(self, subject: Subject, workspace: Path) -> None:
        """Open the journal of a subject and cut off what an interruption left; a new one is begun."""
        workspace.mkdir(parents=True, exist_ok=True)
        self._subject = subject
        self.path = subject.path(workspace)
        self._stream = self.path.open("a+b")
        self.count = self._recovered()

    def append(self, examined: Sequence[Examined]) -> None:
        """The next data objects, durable when this returns."""
        lines = [one.to_text(self.count + place) for place, one in enumerate(examined)]
        self._stream.write("".join(f"{line}\n" for line in lines).encode("ascii"))
        self._sync()
        self.count += len(lines)

    def close(self) -> None:
        self._stream.close()

    def _recovered(self) -> int:
        """Cut the file behind its last whole line; how many data objects it holds."""
        self._stream.seek(0)
        good = count = 0
        for number, line in enumerate(self._stream):
            if number == 0:
                if line != f"{self._subject.to_text()}\n".encode("ascii"):
                    break
            elif not line.endswith(b"\n") or not line.startswith(f"{number - 1} ".encode("ascii")):
                break
            else:
                count += 1
            good += len(line)
        self._stream.truncate(good)
        self._stream.seek(0, os.SEEK_END)
        if not good:
            self._stream.write(f"{self._subject.to_text()}\n".encode("ascii"))
        self._sync()
        return count

    def _sync(self) -> None:
        self._stream.flush()
        os.fsync(self._stream.fileno())


def read_journal(subject: Subject, workspace: Path) -> Iterator[Examined]:
    """Every data object of a journal, in leaf order; raises `MalformedDocumentError` when a line cannot be
    read or the journal is about something else."""
    with subject.path(workspace).open("rb") as stream:
        if next(stream, b"") != f"{subject.to_text()}\n".encode("ascii"):
            raise MalformedDocumentError(f"{stream.name} is about another batch, line or digest")
        for leaf, line in enumerate(stream):
            yield _parsed(line, leaf, subject)


def _parsed(line: bytes, leaf: int, subject: Subject) -> Examined:
    try:
        number, state, rest = line.decode("ascii").rstrip("\n").split(" ", 2)
        if number != str(leaf):
            raise ValueError
        if state == "dropped":
            return Examined(problem=str(json.loads(rest)))
        initial, new = rest.split(" ")
        if state != "good":
            raise ValueError
        return Examined(_values(initial, subject.initial), _values(new, subject.new_digest))
    except ValueError as error:
        raise MalformedDocumentError(f"line {leaf} of a digest journal cannot be read") from error


def _hex(values: Sequence[bytes]) -> str:
    return ",".join(value.hex() for value in values)


def _values(text: str, digest: str) -> tuple[bytes, ...]:
    values = tuple(bytes.fromhex(item) for item in text.split(","))
    if any(len(value) != digest_size(digest) for value in values):
        raise ValueError
    return values
