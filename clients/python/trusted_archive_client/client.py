"""What a filing service asks of the store, one method for each.

Rules kept here
 * Whatever is deposited has an idempotency key, so that every call may be made again.
 * A file that is fetched appears under its name when all of it has come and has its digest, or not at all.
"""

from __future__ import annotations

import base64
import hashlib
import os
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self
from urllib.parse import quote, urlencode, urlsplit

from trusted_archive_client.errors import (
    ConflictError,
    DamagedOnTheWayError,
    EvidencePendingError,
    ProblemError,
    UnexpectedAnswerError,
    UnreachableError,
)
from trusted_archive_client.sources import (
    Body,
    Form,
    NewObject,
    Source,
    UploadedFile,
    bulk_form,
    metadata_bytes,
    sha512_of,
    size_of,
)
from trusted_archive_client.transport import Answer, Retry, Transport, Trying, blocks_of_answer
from trusted_archive_client.values import Acknowledgement, ChangePage, Members, Outcome, Version

OBJECTS = "/v1/preservation-objects"
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = 8 * 1024 * 1024
"""Bytes of an upload that are sent in one request: no more than so many are sent again after a break."""


class Client:
    """One store, one key, one thread."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout: float = 60.0,
        retry: Retry | None = None,
        context: ssl.SSLContext | None = None,
        language: str = "en",
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`url` is the address before `/v1`; `timeout` is for one send or receive, in seconds; `context` says which
        certificates are trusted and may hold a client's own; `language` (`en`, `cs`) is that of problems."""
        self._transport = Transport(
            url, key, timeout=timeout, retry=retry or Retry(), context=context, language=language, sleep=sleep, now=now
        )
        self._sleep = sleep
        self._now = now

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    # -- depositing ---------------------------------------------------------------------------

    def deposit(
        self,
        files: Mapping[str, Source],
        *,
        key: str,
        metadata: Mapping[str, Any] | bytes | None = None,
        profile: str | None = None,
        originator: str | None = None,
    ) -> Acknowledgement:
        """A new object of files by their paths; metadata that are bytes are kept byte for byte."""
        return self._submit(OBJECTS, files, key, metadata, profile, originator)

    def update(
        self,
        poid: str,
        files: Mapping[str, Source],
        *,
        key: str,
        metadata: Mapping[str, Any] | bytes | None = None,
        profile: str | None = None,
    ) -> Acknowledgement:
        """The complete new content of an object, as its next version."""
        return self._submit(f"{_object(poid)}/versions", files, key, metadata, profile, None)

    def _submit(
        self,
        address: str,
        files: Mapping[str, Source],
        key: str,
        metadata: Mapping[str, Any] | bytes | None,
        profile: str | None,
        originator: str | None,
    ) -> Acknowledgement:
        form = Form()
        if metadata is not None:
            form.add("metadata", metadata_bytes(metadata))
        for name, text in (("profile", profile), ("originator", originator)):
            if text is not None:
                form.add(name, text.encode())
        for path, source in files.items():
            form.add("file", source, path)
        answer = self._transport.call("POST", address, body=form.body(), headers=_key(key))
        return Acknowledgement.of(answer.json())

    def deposit_many(
        self, objects: Iterable[NewObject], *, most: int = 500, most_bytes: int = 64 * 1024 * 1024
    ) -> Iterator[Outcome]:
        """An outcome for each object, in order; at most so many objects and bytes go in one request. Those that may be
        taken later are sent again, as any other call is."""
        for group in _groups(objects, most, most_bytes):
            yield from self._deposit_group(group)

    def _deposit_group(self, group: Sequence[NewObject]) -> list[Outcome]:
        trying = self._transport.trying()
        known: dict[int, Outcome] = {}
        left = list(range(len(group)))
        while True:
            sent = [group[place] for place in left]
            answer = self._transport.call("POST", "/v1/bulk-deposits", body=bulk_form(sent), trying=trying)
            told = Members(answer.json(), "the answer").need("outcomes", list)
            if len(told) != len(sent):
                raise UnexpectedAnswerError("there is not one outcome for each object")
            known.update((at, Outcome.of(one.key, value)) for at, one, value in zip(left, sent, told, strict=True))
            left = [at for at in left if (problem := known[at].problem) is not None and problem.retriable]
            if not left or not trying.again(_longest(known[at].problem for at in left)):
                return [known[at] for at in range(len(group))]

    # -- large files --------------------------------------------------------------------------

    def upload(
        self,
        source: Path,
        *,
        upload: str | None = None,
        begun: Callable[[str], None] | None = None,
        piece: int = PIECE,
    ) -> UploadedFile:
        """Send a file so that a break costs one piece. `begun` is told the id of a new upload: given as `upload`, the
        same file is gone on with, also in another process. An upload that the store has let go of raises
        `NotFoundError`."""
        size = size_of(source)
        if upload is None:
            made = self._transport.call("POST", "/v1/uploads", headers={**TUS, "Upload-Length": str(size)})
            upload = urlsplit(made.headers.get("location", "")).path.rpartition("/")[2]
            if begun is not None:
                begun(upload)
        address, trying = f"/v1/uploads/{quote(upload, safe='')}", self._transport.trying()
        while True:
            offset = _offset(self._transport.call("HEAD", address, headers=TUS, trying=trying))
            if offset == size:
                return UploadedFile(upload, sha512_of(source).hex())
            try:
                while offset < size:
                    offset = self._piece(address, source, offset, min(size, offset + piece))
                    trying = self._transport.trying()  # it goes on: patience begins anew
            except (ProblemError, UnreachableError) as error:
                elsewhere = isinstance(error, ConflictError)  # the next piece is another one: HEAD tells which
                if not (trying.again(None) if elsewhere else trying.worth(error)):
                    raise

    def _piece(self, address: str, source: Source, start: int, stop: int) -> int:
        checksum = base64.b64encode(sha512_of(source, start, stop)).decode()
        headers = {**TUS, "Upload-Offset": str(start), "Upload-Checksum": f"sha512 {checksum}"}
        body = Body("application/offset+octet-stream", [(source, start, stop)])
        with self._transport.once("PATCH", address, body=body, headers=headers) as response:
            offset = response.headers.get("Upload-Offset", "")
            response.read()
        if not offset.isdecimal():
            raise UnexpectedAnswerError("the store does not say how much has come")
        return int(offset)

    def deposit_uploads(
        self,
        files: Mapping[str, UploadedFile],
        *,
        key: str,
        metadata: Mapping[str, Any] | None = None,
        profile: str | None = None,
        originator: str | None = None,
    ) -> Acknowledgement:
        """A new object of files that were uploaded."""
        listed = [{"path": path, "upload": one.upload, "sha512": one.sha512} for path, one in files.items()]
        asked = {"files": listed, "metadata": metadata, "profile": profile, "originator": originator}
        answer = self._transport.call("POST", "/v1/deposits", body=Body.of_json(asked), headers=_key(key))
        return Acknowledgement.of(answer.json())

    # -- what became of it --------------------------------------------------------------------

    def show(self, poid: str, version: int | None = None) -> Version:
        """A version with its files; the newest without a number."""
        return Version.of(self._get(_object(poid), version=version).json())

    def changes(self, since: str | None = None, *, limit: int = 100, change: str | None = None) -> ChangePage:
        """What became true of objects behind a cursor; from the beginning without one."""
        return ChangePage.of(self._get("/v1/changes", since=since, limit=limit, change=change).json())

    def follow(self, since: str | None = None, *, limit: int = 1000) -> Iterator[ChangePage]:
        """Every page that there is now. Keep `next` of a page together with what you did about it."""
        while True:
            page = self.changes(since, limit=limit)
            yield page
            if not page.more:
                return
            since = page.next

    def wait_for_evidence(self, poid: str, version: int | None = None, *, within: float, every: float = 5.0) -> Version:
        """The version, once it is evidenced; raises `EvidencePendingError` after so many seconds."""
        until = self._now() + within
        while True:
            shown = self.show(poid, version)
            if shown.proof_of_existence is not None:
                return shown
            if self._now() + every > until:
                raise EvidencePendingError("evidence-pending", 404, detail=f"{poid} is {shown.status} as yet")
            self._sleep(every)

    # -- getting it back ----------------------------------------------------------------------

    def download(self, poid: str, path: str, to: Path, *, version: int | None = None) -> str:
        """Fetch a document into a file, which is replaced when all of it has come with its digest; its SHA-512. A break
        costs what was under way: it goes on there."""
        address = f"{_object(poid)}/files/{quote(path)}{_query(version=version)}"
        return self._fetched(to, lambda out, trying: self._document(address, out, trying))

    def bundle(self, poid: str, to: Path, *, version: int | None = None, form: str = "bundle") -> str:
        """Fetch everything that `trusted-archive-verify` needs, as a ZIP (or `form="asic-e"`); its SHA-512."""
        address = f"{_object(poid)}/bundle{_query(version=version, format=form)}"
        return self._fetched(to, lambda out, trying: self._whole(address, out, trying))

    def receipt(self, poid: str, version: int | None = None) -> bytes:
        """The sealed receipt; raises `EvidencePendingError` at once where there is none yet."""
        return self._evidence(f"{_object(poid)}/receipt{_query(version=version)}")

    def evidence(self, poid: str, version: int | None = None, *, line: str | None = None) -> bytes:
        """An evidence record (RFC 4998, DER); as `receipt`."""
        return self._evidence(f"{_object(poid)}/evidence{_query(version=version, line=line)}")

    def search(self, text: str | None = None, *, limit: int = 100, **more: str) -> Iterator[Version]:
        """Versions that hold all the words, newest first; `more` are the other parameters of `/v1/search`."""
        cursor: str | None = None
        while True:
            page = Members(self._get("/v1/search", text=text, limit=limit, cursor=cursor, **more).json(), "the page")
            yield from page.each("objects", Version.of)
            cursor = page.take("next", str)
            if cursor is None:
                return

    def _evidence(self, address: str) -> bytes:
        trying = self._transport.trying()
        while True:
            try:
                with self._transport.once("GET", address) as response:
                    return b"".join(blocks_of_answer(response))
            except EvidencePendingError:
                raise  # it takes a batch, not a moment
            except (ProblemError, UnreachableError) as error:
                if not trying.worth(error):
                    raise

    def _get(self, address: str, **query: str | int | None) -> Answer:
        return self._transport.call("GET", address + _query(**query))

    def _fetched(self, to: Path, fetch: Callable[[BinaryIO, Trying], str]) -> str:
        aside = to.with_name(f".{to.name}.{os.getpid()}.part")
        try:
            with aside.open("wb") as out:
                digest = fetch(out, self._transport.trying())
                out.flush()
                os.fsync(out.fileno())
            aside.replace(to)
        finally:
            aside.unlink(missing_ok=True)
        return digest

    def _document(self, address: str, out: BinaryIO, trying: Trying) -> str:
        hasher, etag = hashlib.sha512(), ""
        while True:
            resumed = {"Range": f"bytes={out.tell()}-", "If-Range": etag} if out.tell() else {}
            try:
                for head, block in self._blocks(address, resumed):
                    if head is not None:
                        etag = head.headers.get("etag", "")
                        if resumed and head.status != 206:
                            hasher = hashlib.sha512()
                            out.seek(0)
                            out.truncate()
                    hasher.update(block)
                    out.write(block)
                break
            except (ProblemError, UnreachableError) as error:
                if not trying.worth(error):
                    raise
        if hasher.hexdigest() != etag.strip('"'):
            raise DamagedOnTheWayError(f"what came has the SHA-512 {hasher.hexdigest()}, the store says {etag}")
        return hasher.hexdigest()

    def _whole(self, address: str, out: BinaryIO, trying: Trying) -> str:
        while True:
            hasher = hashlib.sha512()
            out.seek(0)
            out.truncate()
            try:
                for _, block in self._blocks(address, {}):
                    hasher.update(block)
                    out.write(block)
                return hasher.hexdigest()
            except EvidencePendingError:
                raise
            except (ProblemError, UnreachableError) as error:
                if not trying.worth(error):
                    raise

    def _blocks(self, address: str, headers: Mapping[str, str]) -> Iterator[tuple[Answer | None, bytes]]:
        """The head of an answer with nothing, then its blocks."""
        with self._transport.once("GET", address, headers=headers) as response:
            yield Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, b""), b""
            for block in blocks_of_answer(response):
                yield None, block


def _groups(objects: Iterable[NewObject], most: int, most_bytes: int) -> Iterator[list[NewObject]]:
    group: list[NewObject] = []
    size = 0
    for one in objects:
        if group and (len(group) >= most or size + one.size > most_bytes):
            yield group
            group, size = [], 0
        group.append(one)
        size += one.size
    if group:
        yield group


def _longest(problems: Iterable[ProblemError | None]) -> float | None:
    return max((one.retry_after for one in problems if one is not None and one.retry_after is not None), default=None)


def _object(poid: str) -> str:
    return f"{OBJECTS}/{quote(poid, safe='')}"


def _query(**given: str | int | None) -> str:
    """`?…` of what is not None."""
    said = {name: value for name, value in given.items() if value is not None}
    return f"?{urlencode(said)}" if said else ""


def _key(key: str) -> dict[str, str | bytes]:
    return {"Idempotency-Key": key.encode()}


def _offset(answer: Answer) -> int:
    text = answer.headers.get("upload-offset", "")
    if not text.isdecimal():
        raise UnexpectedAnswerError("the store does not say how much has come")
    return int(text)
