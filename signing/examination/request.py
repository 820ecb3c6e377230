"""What a child process is asked: which document, over which data, trusting whom, as of when.

Rules kept here
 * A request is one JSON document; certificates are DER in base64, documents are paths with the names to tell.
 * Trust is rebuilt in the child from the same octets, so that both sides judge alike.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from archive_core.findings import utc_text
from archive_core.ports import ValidationData
from policies import current_algorithms
from policies.algorithms import AlgorithmTable
from signing.examination.asks import Ask, base64_text
from signing.examination.documents import Document
from signing.examination.material import merged
from signing.examination.trust import ExaminationTrust, QualificationLookup


@dataclass(frozen=True)
class NamedPath:
    """A file and what reports and references call it."""

    path: Path
    name: str


@dataclass(frozen=True)
class TrustGiven:
    """Anchors and material as DER; trusted lists as files, or as an index that was made of them (`list_index`, with the
    SHA-256 of its octets); the algorithm table as its published bytes, or None for the newest that this program has."""

    anchors: tuple[bytes, ...] = ()
    test_anchors: tuple[bytes, ...] = ()
    material: ValidationData = field(default_factory=ValidationData)
    trusted_lists: tuple[Path, ...] = ()
    algorithms: bytes | None = None
    list_index: tuple[Path, str] | None = None

    def knowing(self, more: ValidationData | None) -> TrustGiven:
        """The same with further material."""
        return self if more is None else replace(self, material=merged(self.material, more))

    def built(
        self, *, at: datetime, existed: datetime | None = None, strict: bool = False, more: ValidationData | None = None
    ) -> ExaminationTrust:
        """Raises ValueError for an anchor, a list or a table that cannot be read. `more` is further material; the rest
        as for `ExaminationTrust`."""
        table = AlgorithmTable.load(self.algorithms) if self.algorithms is not None else current_algorithms()
        return ExaminationTrust(
            self.anchors,
            algorithms=table,
            test_anchors=self.test_anchors,
            extra=merged(self.material, more),
            lists=self._lists(at),
            existed=existed,
            strict=strict,
        )

    def _lists(self, at: datetime) -> QualificationLookup | None:
        if not self.trusted_lists and self.list_index is None:
            return None
        files = import_module("signing.trusted_lists.files")
        found: QualificationLookup
        if self.list_index is not None:
            found = files.indexed(*self.list_index, at=at)
        else:
            found = files.lookup_of(self.trusted_lists, at=at)
        return found


@dataclass(frozen=True)
class Request:
    """One document to examine. `existed` and `strict` as for `ExaminationTrust`. With `answers` (an empty tuple, too)
    what is missing is collected: each is an address, what was posted to it, and what it gave or why it gave nothing."""

    document: NamedPath
    at: datetime
    detached: tuple[NamedPath, ...] = ()
    trust: TrustGiven = field(default_factory=TrustGiven)
    existed: datetime | None = None
    strict: bool = False
    answers: tuple[tuple[Ask, bytes | str], ...] | None = None

    def to_bytes(self) -> bytes:
        trust = self.trust
        return json.dumps(
            {
                "document": _named(self.document),
                "detached": [_named(one) for one in self.detached],
                "at": utc_text(self.at),
                "anchors": _texts(trust.anchors),
                "test_anchors": _texts(trust.test_anchors),
                "certificates": _texts(trust.material.certificates),
                "crls": _texts(trust.material.crls),
                "ocsps": _texts(trust.material.ocsps),
                "trusted_lists": [str(path) for path in trust.trusted_lists],
                "list_index": [str(trust.list_index[0]), trust.list_index[1]] if trust.list_index else None,
                "algorithms": base64_text(trust.algorithms) if trust.algorithms is not None else None,
                "existed": utc_text(self.existed) if self.existed is not None else None,
                "strict": self.strict,
                "answers": None if self.answers is None else [_answer(*one) for one in self.answers],
            }
        ).encode("utf-8", "surrogateescape")

    @classmethod
    def from_bytes(cls, octets: bytes) -> Request:
        found: dict[str, Any] = json.loads(octets)
        material = ValidationData(*(_ders(found[name]) for name in ("certificates", "crls", "ocsps")))
        table, index = found["algorithms"], found["list_index"]
        trust = TrustGiven(
            _ders(found["anchors"]),
            _ders(found["test_anchors"]),
            material,
            tuple(Path(path) for path in found["trusted_lists"]),
            base64.b64decode(table) if table is not None else None,
            (Path(index[0]), index[1]) if index is not None else None,
        )
        return cls(
            _path(found["document"]),
            datetime.fromisoformat(found["at"]).astimezone(UTC),
            tuple(_path(one) for one in found["detached"]),
            trust,
            datetime.fromisoformat(found["existed"]).astimezone(UTC) if found["existed"] is not None else None,
            bool(found["strict"]),
            None if found["answers"] is None else tuple(_answered(one) for one in found["answers"]),
        )

    def documents(self) -> tuple[Document, tuple[Document, ...]]:
        """Raises OSError where a file cannot be read."""
        return _document(self.document), tuple(_document(one) for one in self.detached)


def _answer(ask: Ask, answer: bytes | str) -> list[str | None]:
    given = (base64_text(answer), None) if isinstance(answer, bytes) else (None, answer)
    return [ask.url, base64_text(ask.request), *given]


def _answered(parts: Sequence[str | None]) -> tuple[Ask, bytes | str]:
    url, posted, given, problem = parts
    return Ask(url or "", base64.b64decode(posted or "")), base64.b64decode(
        given
    ) if given is not None else problem or ""


def _document(named: NamedPath) -> Document:
    return Document(named.name, named.path)


def _named(named: NamedPath) -> list[str]:
    return [str(named.path), named.name]


def _path(pair: Sequence[str]) -> NamedPath:
    return NamedPath(Path(pair[0]), pair[1])


def _texts(ders: Sequence[bytes]) -> list[str]:
    return [base64_text(der) for der in ders]


def _ders(texts: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(base64.b64decode(text) for text in texts)
