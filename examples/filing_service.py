"""A filing service deposits a day's records, follows what becomes of them, and keeps their proofs.

    pip install ./clients/python
    python examples/filing_service.py --url http://127.0.0.1:8080 --key-file key --records 2026-11-23 \\
        --book book.sqlite3

Each folder below `--records` is a record: its documents, and `metadata.json` if it has some. The name of the folder,
behind that of the day, is the idempotency key. Ends with 0 when every record is proven, with 1 when some were refused,
and with 2 when patience was at its end: then, or after anything else that stops it, start it again.

Rules kept here
 * What was done is in the book, durably, before it is relied on; what the book does not know is done again under the
   same key. So this may be killed at any place, and the store may be restarted at any time.
 * The cursor of the changes is kept in the same transaction as what they changed.
 * A record is proven when its receipt leads from the very files that lie here to a root that the store has sealed.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from trusted_archive_client import (
    Acknowledgement,
    ChangePage,
    Client,
    NewObject,
    Outcome,
    ProblemError,
    Retry,
    Source,
    check_receipt,
    verify_seal,
)

METADATA = "metadata.json"
LARGE = 32 * 1024 * 1024
"""Bytes of a record from which on its documents are uploaded one by one, so that a break costs little."""
DEPOSITED, EVIDENCED, PROVEN, REFUSED = "deposited", "evidenced", "proven", "refused"


class Book:
    """What this service knows: a line for each record, the cursor, and uploads that were begun."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path)
        self._database.execute("PRAGMA synchronous = FULL")
        with self._database:
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, state TEXT NOT NULL, poid TEXT UNIQUE,"
                " acknowledgement TEXT, reason TEXT)"
            )
            self._database.execute("CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL)")

    def close(self) -> None:
        self._database.close()

    def keys(self, *states: str) -> list[str]:
        """Of the records in these states; of all without."""
        rows = self._database.execute("SELECT key, state FROM records ORDER BY key").fetchall()
        return [key for key, state in rows if not states or state in states]

    def acknowledged(self, key: str, made: Acknowledgement, *, evidenced: bool) -> None:
        told = json.dumps({**{name: getattr(made, name) for name in _KEPT}, "received": made.received.isoformat()})
        with self._database:
            self._database.execute(
                "INSERT INTO records VALUES (?, ?, ?, ?, NULL)",
                (key, EVIDENCED if evidenced else DEPOSITED, made.poid, told),
            )

    def acknowledgement(self, key: str) -> Acknowledgement:
        (told,) = self._database.execute("SELECT acknowledgement FROM records WHERE key = ?", (key,)).fetchone()
        return Acknowledgement.of(json.loads(told))

    def refused(self, key: str, reason: str) -> None:
        with self._database:
            self._database.execute("INSERT INTO records VALUES (?, ?, NULL, NULL, ?)", (key, REFUSED, reason))

    def followed(self, page: ChangePage) -> None:
        """What a page says of our records, and the place behind it, at once."""
        with self._database:
            for change in page.changes:
                if change.change == "evidenced":
                    self._database.execute(
                        "UPDATE records SET state = ? WHERE poid = ? AND state = ?", (EVIDENCED, change.poid, DEPOSITED)
                    )
            self._note("cursor", page.next)

    def proven(self, key: str) -> None:
        with self._database:
            self._database.execute("UPDATE records SET state = ? WHERE key = ?", (PROVEN, key))

    def note(self, name: str, value: str) -> None:
        with self._database:
            self._note(name, value)

    def noted(self, name: str) -> str | None:
        found = self._database.execute("SELECT value FROM notes WHERE name = ?", (name,)).fetchone()
        return None if found is None else str(found[0])

    def _note(self, name: str, value: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, value))


_KEPT = ("poid", "version", "status", "originator", "profile", "size", "file_count", "description_sha512", "stores",
         "replayed")  # fmt: skip


class Service:
    """One day's records on their way into the store."""

    def __init__(self, archive: Client, book: Book, records: Path, receipts: Path, trust: Path | None) -> None:
        self._archive = archive
        self._book = book
        self._records = {f"{records.name}/{one.name}": one for one in sorted(records.iterdir()) if one.is_dir()}
        self._receipts = receipts
        self._trust = trust

    def deposit(self) -> None:
        """Whatever the book does not know: small records many at a time, large ones for themselves."""
        known = set(self._book.keys())
        small: list[NewObject] = []
        for key in self._records.keys() - known:
            one = NewObject(key, self._files(key), self._metadata(key))
            if one.size >= LARGE:
                self._deposit_large(one)
            else:
                small.append(one)
        for outcome in self._archive.deposit_many(sorted(small, key=lambda one: one.key)):
            self._answered(outcome)

    def follow(self) -> None:
        """What has changed since the last time."""
        for page in self._archive.follow(self._book.noted("cursor")):
            self._book.followed(page)

    def prove(self) -> None:
        """A receipt for every record that is evidenced, checked against the files here, and kept."""
        for key in self._book.keys(EVIDENCED):
            made = self._book.acknowledgement(key)
            receipt = self._archive.receipt(made.poid, made.version)
            checked = check_receipt(receipt, acknowledged=made, files=self._files(key))
            if self._trust is not None:
                verify_seal(checked, self._trust)
            kept = self._receipts / f"{made.poid}.json"
            kept.write_bytes(receipt)
            self._book.proven(key)
            say(f"{key}: proven, exists since {checked.proof_of_existence.isoformat()}")

    def done(self) -> bool:
        return set(self._book.keys(PROVEN, REFUSED)) >= self._records.keys()

    def _deposit_large(self, one: NewObject) -> None:
        try:
            uploads = {
                path: self._archive.upload(source, upload=self._book.noted(note), begun=self._begun(note))
                for path, source in one.files.items()
                if isinstance(source, Path)
                for note in (f"upload {one.key} {path}",)
            }
            made = self._archive.deposit_uploads(uploads, key=one.key, metadata=one.metadata)
        except ProblemError as problem:
            self._answered(Outcome(one.key, None, problem))
        else:
            self._answered(Outcome(one.key, made, None))

    def _begun(self, note: str) -> Any:
        return lambda upload: self._book.note(note, upload)

    def _answered(self, outcome: Outcome) -> None:
        if outcome.acknowledgement is not None:
            made = outcome.acknowledgement
            # One that was deposited before this book knew of it may have been evidenced behind the cursor already.
            evidenced = made.replayed and self._archive.show(made.poid, made.version).proof_of_existence is not None
            self._book.acknowledged(outcome.key, made, evidenced=evidenced)
        elif outcome.problem is not None and outcome.problem.retriable:
            say(f"{outcome.key}: not now ({outcome.problem})")
        else:
            self._book.refused(outcome.key, str(outcome.problem))
            say(f"{outcome.key}: REFUSED: {outcome.problem}")

    def _files(self, key: str) -> Mapping[str, Source]:
        folder = self._records[key]
        found = (path for path in sorted(folder.rglob("*")) if path.is_file())
        return {path.relative_to(folder).as_posix(): path for path in found if path != folder / METADATA}

    def _metadata(self, key: str) -> dict[str, Any] | None:
        path = self._records[key] / METADATA
        return json.loads(path.read_bytes()) if path.exists() else None


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def run(service: Service, patience: float, pause: float) -> bool:
    """Deposit, follow and prove until all is done; False when patience was at its end."""
    until = time.monotonic() + patience
    service.deposit()
    while True:
        service.follow()
        service.prove()
        if service.done():
            return True
        if time.monotonic() > until:
            return False
        time.sleep(pause)
        service.deposit()


def main(words: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Deposits a day's records and keeps their proofs.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--key-file", type=Path, required=True)
    parser.add_argument("--records", type=Path, required=True)
    parser.add_argument("--book", type=Path, required=True)
    parser.add_argument("--receipts", type=Path, default=Path("receipts"))
    parser.add_argument("--trust", type=Path, help="certificate (PEM) under which the seals must be good")
    parser.add_argument("--patience", type=float, default=3600.0, help="seconds in all")
    parser.add_argument("--pause", type=float, default=5.0, help="seconds between two looks at the changes")
    given = parser.parse_args(None if words is None else list(words))
    given.receipts.mkdir(parents=True, exist_ok=True)
    key = given.key_file.read_text("ascii").strip()
    retry = Retry(give_up_after=given.patience, most=5.0)
    with Client(given.url, key, retry=retry) as archive, closing(Book(given.book)) as book:
        service = Service(archive, book, given.records.resolve(), given.receipts, given.trust)
        done = run(service, given.patience, given.pause)
        for key in book.keys(PROVEN):
            say(f"proven   {key}")
        return (1 if book.keys(REFUSED) else 0) if done else 2


if __name__ == "__main__":
    sys.exit(main())
