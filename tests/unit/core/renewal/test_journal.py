"""The journal of what was read: it goes on where it was cut off, and is never about something else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from archive_core.errors import MalformedDocumentError
from archive_core.renewal.journal import DigestJournal, Examined, Subject, journal_path, read_journal

SUBJECT = Subject(
    batch=12,
    line="sha512",
    statement="ab" * 64,
    chain=0,
    initial="sha512",
    digest="sha512",
    new_digest="sha384",
)


def found(number: int) -> Examined:
    """A data object with two documents, or one that drops out."""
    if number % 5 == 4:
        return Examined(problem=f'no good copy of "ž" is left\n{number}')
    return Examined((bytes([number]) * 64, bytes([number, 1]) * 32), (bytes([number]) * 48,))


def written(workspace: Path, count: int, subject: Subject = SUBJECT) -> Path:
    journal = DigestJournal(subject, workspace)
    journal.append([found(number) for number in range(journal.count, count)])
    journal.close()
    return journal.path


def read(workspace: Path) -> list[Examined]:
    return list(read_journal(SUBJECT, workspace))


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Digests, and why an object drops out, whatever it is written with."""
    written(tmp_path / "made", 12)

    assert read(tmp_path / "made") == [found(number) for number in range(12)]


def test_a_journal_goes_on_where_it_ends(tmp_path: Path) -> None:
    """Opened again it counts what is there."""
    for count in (3, 3, 7, 12):
        written(tmp_path, count)
        assert DigestJournal(SUBJECT, tmp_path).count == count

    assert read(tmp_path) == [found(number) for number in range(12)]


@pytest.mark.slow
def test_a_journal_may_end_anywhere(tmp_path: Path) -> None:
    """Cut off at each of its octets: whole lines stay, what is cut goes, and the rest is written again."""
    path = written(tmp_path, 6)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        journal = DigestJournal(SUBJECT, tmp_path)
        journal.close()
        kept = whole[:length].count(b"\n") - 1
        assert journal.count == max(kept, 0)
        written(tmp_path, 6)
        assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "other",
    [
        {"batch": 13},
        {"line": "sha3-512"},
        {"statement": "cd" * 64},
        {"chain": 1},
        {"initial": "sha384"},
        {"digest": "sha384"},
        {"new_digest": "sha3-384"},
    ],
)
def test_a_journal_about_something_else_is_begun_anew(tmp_path: Path, other: dict[str, object]) -> None:
    """Another batch, line, statement, chain or digest: nothing of it counts, and it cannot be read."""
    path = written(tmp_path, 4)
    changed = replace(SUBJECT, **other)  # type: ignore[arg-type]
    there = changed.path(tmp_path)
    there.write_bytes(path.read_bytes())
    with pytest.raises(MalformedDocumentError, match="about another"):
        list(read_journal(changed, tmp_path))
    journal = DigestJournal(changed, tmp_path)
    journal.close()

    assert journal.count == 0
    assert list(read_journal(changed, tmp_path)) == []


@pytest.mark.parametrize(
    "line",
    [
        b"4 good",
        b"4 good 00 00",
        b"4 good " + b"00" * 64 + b" " + b"00" * 64,
        b"4 good " + b"00" * 64 + b" ",
        b"4 good " + b"zz" * 64 + b" " + b"00" * 48,
        b"4 fine " + b"00" * 64 + b" " + b"00" * 48,
        b"4 dropped",
        b"4 dropped {",
        b"5 good " + b"00" * 64 + b" " + b"00" * 48,
        b"\xff good",
        b"",
    ],
)
def test_a_line_that_cannot_be_read_is_told(tmp_path: Path, line: bytes) -> None:
    """With its number; what stands before it is read."""
    path = written(tmp_path, 4)
    path.write_bytes(path.read_bytes() + line + b"\n")
    reading = read_journal(SUBJECT, tmp_path)

    assert [next(reading) for _ in range(4)] == [found(number) for number in range(4)]
    with pytest.raises(MalformedDocumentError, match="line 4 "):
        next(reading)


def test_a_line_in_another_place_is_cut_off_with_all_behind_it(tmp_path: Path) -> None:
    """Lines are in leaf order, or they are nothing."""
    path = written(tmp_path, 4)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], lines[4], lines[3]]))
    journal = DigestJournal(SUBJECT, tmp_path)
    journal.close()

    assert journal.count == 2
    assert read(tmp_path) == [found(0), found(1)]


def test_no_journal_is_no_empty_one(tmp_path: Path) -> None:
    """A phase that never ran is told from one that read nothing."""
    with pytest.raises(FileNotFoundError):
        next(read_journal(SUBJECT, tmp_path))


def test_each_line_of_a_batch_has_a_journal_of_its_own(tmp_path: Path) -> None:
    """By new digest, line and batch; the names are those that are cleared at the end."""
    paths = {
        replace(SUBJECT, batch=batch, line=line, new_digest=new).path(tmp_path)
        for batch in (1, 2)
        for line in ("sha512", "sha3-512")
        for new in ("sha384", "sha3-384")
    }

    assert len(paths) == 8
    assert journal_path(tmp_path, 1, "sha512", "sha384") in paths
    assert all(path.name.startswith("digests-") for path in paths)
