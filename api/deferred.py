"""Sealers and validators that are built when they are first used.

Rules kept here
 * What they are built from (keys, certificates, settings) is read and checked before: a wrong setting
   stops the start. Only the libraries that do the work load late, because most commands seal and judge
   nothing.
 * Each is built once, also under several threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from archive_core.errors import SettingsError
from archive_core.ports import (
    JsonSeal,
    JudgesJsonSeals,
    JudgesMany,
    Seal,
    SealAssessment,
    Sealer,
    SealsDigests,
    SealsJson,
    SealsPdf,
    SealValidator,
    StampDigest,
    TimestampValidator,
    TokenAssessment,
    ValidationData,
)

T = TypeVar("T")


class _Once(Generic[T]):
    def __init__(self, build: Callable[[], T]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._built: T | None = None

    def get(self) -> T:
        with self._lock:
            if self._built is None:
                self._built = self._build()
            return self._built


class DeferredSealer:
    """A `Sealer`; whether it is test trust is known from the start."""

    def __init__(self, build: Callable[[], Sealer], *, test_trust: bool) -> None:
        self._sealer = _Once(build)
        self._test_trust = test_trust

    @property
    def test_trust(self) -> bool:
        return self._test_trust

    def in_force(self, at: datetime) -> Sealer:
        return self

    def seal(self, content: bytes, *, at: datetime) -> Seal:
        return self._sealer.get().seal(content, at=at)

    def seal_digest(self, digest: bytes, *, at: datetime, stamp: StampDigest) -> Seal:
        sealer = self._sealer.get()
        if not isinstance(sealer, SealsDigests):
            raise SettingsError("this seal key seals no PDF documents")
        return sealer.seal_digest(digest, at=at, stamp=stamp)

    def seal_json(self, content: bytes, *, at: datetime) -> JsonSeal:
        sealer = self._sealer.get()
        if not isinstance(sealer, SealsJson):
            raise SettingsError("this seal key makes no seals in JSON")
        return sealer.seal_json(content, at=at)


class DeferredTimestampValidator:
    """A `TimestampValidator`; `many` builds what judges many at once."""

    def __init__(self, build: Callable[[], TimestampValidator], many: Callable[[], JudgesMany]) -> None:
        self._validator = _Once(build)
        self._many = _Once(many)

    def assess(self, token: bytes, *, at: datetime, data: ValidationData | None = None) -> TokenAssessment:
        return self._validator.get().assess(token, at=at, data=data)

    def assess_many(self, tokens: Sequence[bytes], *, at: datetime) -> Sequence[TokenAssessment]:
        """Of each token by itself, on every core; see `ports.JudgesMany`."""
        return self._many.get().assess_many(tokens, at=at)


class DeferredSealValidator:
    """A `SealValidator`; `in_json` builds what judges seals in JSON."""

    def __init__(self, build: Callable[[], SealValidator], in_json: Callable[[], JudgesJsonSeals]) -> None:
        self._validator = _Once(build)
        self._in_json = _Once(in_json)

    def assess_seal(
        self, seal: bytes, content: bytes, *, at: datetime, data: ValidationData | None = None
    ) -> SealAssessment:
        return self._validator.get().assess_seal(seal, content, at=at, data=data)

    def assess_json_seal(
        self, seal: bytes, content: bytes, *, at: datetime, data: ValidationData | None = None
    ) -> SealAssessment:
        return self._in_json.get().assess_json_seal(seal, content, at=at, data=data)


class DeferredPdfSealer:
    """A `SealsPdf`."""

    def __init__(self, build: Callable[[], SealsPdf]) -> None:
        self._sealer = _Once(build)

    def seal_pdf(
        self, source: Path, out: Path, *, at: datetime, stamp: StampDigest, reason: str, lines: Sequence[str]
    ) -> bool:
        return self._sealer.get().seal_pdf(source, out, at=at, stamp=stamp, reason=reason, lines=lines)
