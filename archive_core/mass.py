"""Very many versions proven at the price of reading them: what all objects of a batch share is judged once.

The rules this follows
 * A version is proven here when every byte of its object was read in this run and has the digests that the
   catalogue and its batch's tree hold; when every node of that tree was computed again, so that its leaf leads
   to the root; and when another version of the same batch was judged in full (`assessment`) and PASSED: form,
   root, token, trust, algorithms, seal and receipt are the same octets for both.
 * Only the plain case is taken: one version, no hash-tree renewal (a time-stamp renewal covers the same tokens
   for all), an object as this program writes it, a batch without a finding. Anything else is left to
   `assessment`, which says what is wrong or that nothing is.
 * The report is, word for word, the one that `assessment` gives.
"""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from archive_core.admission import CONTENT_DIGEST
from archive_core.batch import FormedBatch
from archive_core.catalogue.catalogue import Catalogue
from archive_core.catalogue.rows import BatchRow, VersionRow
from archive_core.errors import ArchiveError, MalformedEvidenceError
from archive_core.evidence.hash_tree import group_leaf
from archive_core.findings import Report, Step, Verdict, utc_text
from archive_core.ocfl.plain import PlainObject
from archive_core.packaging import DESCRIPTION
from archive_core.plain_reading import Files, files_of
from archive_core.proofs import Proofs

KEPT_BATCHES = 4
_TRIES = 5


class MassProof:
    """Proves versions out of what was read of them."""

    def __init__(
        self, *, catalogue: Catalogue, proofs: Proofs, assess: Callable[[VersionRow, datetime], Report]
    ) -> None:
        self._catalogue = catalogue
        self._proofs = proofs
        self._assess = assess
        self._judged: OrderedDict[tuple[int, datetime], JudgedBatch] = OrderedDict()
        self._failed: dict[tuple[int, datetime], int] = {}

    def files_of(self, rows: Sequence[VersionRow]) -> Mapping[str, Files]:
        """The files of those of the versions that can be proven here, by POID."""
        return files_of(self._catalogue, rows)

    def batch_of(self, row: VersionRow, at: datetime) -> JudgedBatch | None:
        """The version's batch, judged as of `at`; None when it is not one of those that are judged once.

        The first version that asks is the one by which the batch is judged."""
        if row.batch is None or row.leaf is None:
            return None
        key = row.batch, at
        if key in self._judged:
            self._judged.move_to_end(key)
            return self._judged[key]
        if self._failed.get(key, 0) >= _TRIES:
            return None
        judged = self._judge(row, row.batch, at)
        if judged is None:
            self._failed[key] = self._failed.get(key, 0) + 1
            return None
        self._judged[key] = judged
        while len(self._judged) > KEPT_BATCHES:
            self._judged.popitem(last=False)
        return judged

    def _judge(self, row: VersionRow, number: int, at: datetime) -> JudgedBatch | None:
        batch = self._catalogue.batch(number)
        stamps = self._catalogue.stamps(number)
        if batch.evidenced_at is None or any(stamp.chain for stamp in stamps):
            return None
        try:
            report = self._assess(row, at)
            formed = self._proofs.batch(number).formed
            for tree in formed.trees.values():
                tree.verify()
        except (ArchiveError, MalformedEvidenceError):
            return None
        if report.verdict is not Verdict.PASSED or report.findings:
            return None
        return JudgedBatch(batch, formed, report)

    def algorithms_of(self, at: datetime) -> Callable[[VersionRow], Sequence[str]]:
        """Says in which digests a version is to be read."""

        def of(row: VersionRow) -> Sequence[str]:
            judged = self.batch_of(row, at)
            return judged.algorithms if judged else ()

        return of

    def forget(self) -> None:
        """Nothing that was judged counts any more; another run begins."""
        self._judged.clear()
        self._failed.clear()


class JudgedBatch:
    """A batch of which one version was judged in full and every node of every tree computed again."""

    def __init__(self, row: BatchRow, formed: FormedBatch, model: Report) -> None:
        self._since = row.evidenced_at
        self._formed = formed
        self._model = model
        self.algorithms = tuple(sorted({CONTENT_DIGEST} | {line.digest for line in formed.lines}))
        self._best = min(formed.lines, key=lambda line: line.line)

    def proves(self, row: VersionRow, found: PlainObject) -> bool:
        """Whether the set of digests that were found is the version's leaf, in every line."""
        if row.leaf is None or self._formed.members[row.leaf] != (row.poid, row.version):
            return False
        return all(
            group_leaf(line.digest, {bytes.fromhex(digests[line.digest]) for digests in found.files.values()})
            == self._formed.trees[line.line].leaf(row.leaf)
            for line in self._formed.lines
        )

    def report(self, row: VersionRow, files: Files, found: PlainObject) -> Report:
        """The report of a version that `proves` is true for."""
        assert row.leaf is not None
        paths = [DESCRIPTION, *files]
        digest = self._best.digest
        distinct = {found.files[path][digest]: path for path in reversed(paths)}.values()
        lists = len(self._formed.trees[self._best.line].path(row.leaf)) + 2
        since = utc_text(self._since) if self._since else None
        return dataclasses.replace(
            self._model,
            steps=tuple(self._steps(len(paths), lists, list(distinct))),
            facts={
                "poid": row.poid,
                "version": row.version,
                "lines": self._model.facts["lines"],
                "files": [{"path": path, "since_version": 1, "since": since} for path in sorted(files)],
            },
        )

    def _steps(self, count: int, lists: int, objects: Sequence[str]) -> Iterator[Step]:
        told, led = False, False
        for step in self._model.steps:
            if step.name == "content":
                yield _with(step, step.name, f"{count} files read from the stores and hashed again")
            elif step.name == "hash tree" and not led:  # of the first time-stamp; the others cover time-stamps
                led = True
                yield _with(step, step.name, f"leads to the imprint ({lists} lists)")
            elif not step.name.startswith("data object "):
                yield step
            elif not told:
                told = True
                for path in objects:
                    yield _with(step, f"data object {path}", step.message)


def _with(step: Step, name: str, message: str) -> Step:
    """The step under another name and with another message; `dataclasses.replace` takes several times as long."""
    return Step(name, step.verdict, step.sub_indication, message, step.where, step.clause, step.at)
