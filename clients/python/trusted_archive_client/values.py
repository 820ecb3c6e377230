"""What the store says, as frozen values.

Rules kept here
 * A member that is missing or of another type is an `UnexpectedAnswerError` that names it; one that is not known here
   is left alone, so that a newer store can be spoken to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from trusted_archive_client.errors import ProblemError, UnexpectedAnswerError, problem_of

T = TypeVar("T")


class Members:
    """The members of a JSON object in an answer."""

    def __init__(self, value: object, what: str) -> None:
        if not isinstance(value, dict):
            raise UnexpectedAnswerError(f"{what} is no JSON object")
        self._value: Mapping[str, Any] = value
        self._what = what

    def need(self, name: str, kind: type[T]) -> T:
        found = self.take(name, kind)
        if found is None:
            raise UnexpectedAnswerError(f"{self._what} has no {name}")
        return found

    def take(self, name: str, kind: type[T]) -> T | None:
        """A member, or None where it is null or absent."""
        value = self._value.get(name)
        if value is None:
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UnexpectedAnswerError(f"{name} in {self._what} is no {kind.__name__}")
        return value

    def each(self, name: str, make: Callable[[object], T]) -> tuple[T, ...]:
        return tuple(make(one) for one in self.need(name, list))

    def instant(self, name: str) -> datetime | None:
        text = self.take(name, str)
        if text is None:
            return None
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except ValueError:
            raise UnexpectedAnswerError(f"{name} in {self._what} is no instant") from None

    def when(self, name: str) -> datetime:
        found = self.instant(name)
        if found is None:
            raise UnexpectedAnswerError(f"{self._what} has no {name}")
        return found


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """A deposit is durable on every required copy. `replayed`: it had been deposited before."""

    poid: str
    version: int
    status: str
    originator: str
    profile: str
    received: datetime
    size: int
    file_count: int
    description_sha512: str
    stores: tuple[str, ...]
    replayed: bool

    @classmethod
    def of(cls, value: object) -> Acknowledgement:
        given = Members(value, "the acknowledgement")
        return cls(
            poid=given.need("poid", str),
            version=given.need("version", int),
            status=given.need("status", str),
            originator=given.need("originator", str),
            profile=given.need("profile", str),
            received=given.when("received"),
            size=given.need("size", int),
            file_count=given.need("file_count", int),
            description_sha512=given.need("description_sha512", str),
            stores=given.each("stores", str),
            replayed=given.need("replayed", bool),
        )


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file of a version; `path` is the depositor's."""

    path: str
    role: str
    size: int
    sha512: str

    @classmethod
    def of(cls, value: object) -> FileInfo:
        given = Members(value, "the file")
        return cls(given.need("path", str), given.need("role", str), given.need("size", int), given.need("sha512", str))


@dataclass(frozen=True, slots=True)
class Version:
    """A version of an object. `status` is `replicated`, `quarantined`, `evidenced` or `destroyed`."""

    poid: str
    version: int
    status: str
    originator: str
    profile: str
    received: datetime
    idempotency_key: str | None
    size: int
    description_sha512: str
    proof_of_existence: datetime | None
    test_trust: bool
    files: tuple[FileInfo, ...]
    versions: tuple[int, ...]

    @classmethod
    def of(cls, value: object) -> Version:
        given = Members(value, "the version")
        return cls(
            poid=given.need("poid", str),
            version=given.need("version", int),
            status=given.need("status", str),
            originator=given.need("originator", str),
            profile=given.need("profile", str),
            received=given.when("received"),
            idempotency_key=given.take("idempotency_key", str),
            size=given.need("size", int),
            description_sha512=given.need("description_sha512", str),
            proof_of_existence=given.instant("proof_of_existence"),
            test_trust=given.need("test_trust", bool),
            files=given.each("files", FileInfo.of) if given.take("files", list) else (),
            versions=tuple(given.take("versions", list) or ()),
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What became true of a version; `cursor` is the place behind it."""

    change: str
    poid: str
    version: int | None
    organisation: str
    time: datetime
    cursor: str

    @classmethod
    def of(cls, value: object) -> Change:
        given = Members(value, "the change")
        return cls(
            given.need("change", str),
            given.need("poid", str),
            given.take("version", int),
            given.need("organisation", str),
            given.when("time"),
            given.need("cursor", str),
        )


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes in the order of the trail; go on with `next`, at once where there is `more`."""

    changes: tuple[Change, ...]
    next: str
    more: bool

    @classmethod
    def of(cls, value: object) -> ChangePage:
        given = Members(value, "the page of changes")
        return cls(given.each("changes", Change.of), given.need("next", str), given.need("more", bool))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one object of many: an acknowledgement, or the problem for which it was refused."""

    key: str
    acknowledgement: Acknowledgement | None
    problem: ProblemError | None

    @classmethod
    def of(cls, key: str, value: object) -> Outcome:
        given = Members(value, "the outcome")
        if given.take("key", str) != key:
            raise UnexpectedAnswerError("the outcomes are not those of the objects sent, in their order")
        made, refused = given.take("acknowledgement", dict), given.take("problem", dict)
        if (made is None) == (refused is None):
            raise UnexpectedAnswerError("an outcome is an acknowledgement or a problem")
        if made is not None:
            return cls(key, Acknowledgement.of(made), None)
        return cls(key, None, problem_of(refused, given.need("status", int), given.take("retry_after", int)))
