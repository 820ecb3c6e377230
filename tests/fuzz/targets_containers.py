"""The ZIP reader, the bundle and its verifier, metadata and names."""

from __future__ import annotations

import io
import json
import zipfile
from functools import cache

from api.offline.checking import Judges
from api.offline.checks import check_bundle
from archive_core import bundle_format as layout
from archive_core.admission import admit
from archive_core.errors import NameNotAcceptedError, SubmissionError, UnsafeContainerError
from archive_core.findings import Verdict
from archive_core.lifecycle import SubmissionObject, SubmittedFile
from archive_core.names import verify_distinct, verify_path
from archive_core.ports import ValidationData
from archive_core.zip_reading import ZipContainer
from archive_core.zip_writing import ZipWriter
from policies.algorithms import current_algorithms
from policies.profiles import profile_by_id
from signing.seal_validation import SealVerifier
from signing.timestamp_validation import TokenValidator
from tests.fuzz import corpus
from tests.fuzz.mutation import MEMBER_MARK
from tests.fuzz.target import target
from tests.offline import members_of, packed

PROVEN = {layout.DESCRIPTION, layout.STATEMENT, layout.METADATA}
"""Members in which no bit may change, besides the content itself; a seal's or a record's unsigned parts may."""


@target(
    "zip",
    corpus.zips,
    refusals=(UnsafeContainerError,),
    tokens=(
        b"PK\1\2",
        b"PK\3\4",
        b"PK\5\6",
        b"PK\6\6",
        b"PK\6\7",
        b"PK\7\x08",
        b"\1\0\x10\0",
        b"../",
        b"\xff\xff\xff\xff",
    ),
)
def zip_container(data: bytes) -> None:
    """There is one way to read what is read: the standard library's reader sees the same."""
    container = ZipContainer(io.BytesIO(data))
    contents = {name: container.read(name, max_bytes=1 << 26) for name in container.entries}
    for name in contents:
        verify_path(name)
    verify_distinct(contents)
    with zipfile.ZipFile(io.BytesIO(data)) as other:
        seen = {info.filename: other.read(info) for info in other.infolist() if not info.is_dir()}
    assert seen == contents
    stream = io.BytesIO()
    writer = ZipWriter(stream)
    for name, content in contents.items():
        writer.add(name, content)
    writer.finish()
    again = ZipContainer(io.BytesIO(stream.getvalue()))
    assert {name: again.read(name, max_bytes=1 << 26) for name in again.entries} == contents


@target("bundle", lambda: {"small": corpus.small_bundle()[0]}, tokens=(b"PK\1\2", b"PK\3\4", b"PK\5\6"))
def bundle(data: bytes) -> bool:
    """A bundle with any byte changed is judged and does not pass: its manifest names every byte."""
    verdict = _judged(data)
    assert verdict is not Verdict.PASSED or members_of(data) == members_of(corpus.small_bundle()[0])
    return verdict is Verdict.PASSED


@target("bundle-member", corpus.bundle_members, kind="member")
def bundle_member(data: bytes) -> bool:
    """A member replaced and the manifest adapted: what is under evidence cannot be replaced."""
    raw_name, mark, content = data.partition(MEMBER_MARK)
    name = raw_name.decode("utf-8", "replace")
    members = dict(members_of(corpus.small_bundle()[0]))
    if not mark or name not in members:
        return False
    original = members[name]
    members[name] = content
    verdict = _judged(packed(members, adapt_manifest=name != layout.MANIFEST))
    if verdict is Verdict.PASSED and (name in PROVEN or name.startswith(layout.CONTENT)):
        assert content == original
    return verdict is Verdict.PASSED


def _judged(data: bytes) -> Verdict:
    path = corpus.scratch() / "bundle.zip"
    path.write_bytes(data)
    report = check_bundle(path, _judges())
    json.dumps(report.to_json())
    return report.verdict


@cache
def _judges() -> Judges:
    anchors = corpus.specimens().anchors
    table = current_algorithms()
    crls = ValidationData(crls=corpus.specimens().batches[0].validation.crls)
    validator = TokenValidator(anchors, algorithms=table, test_anchors=anchors, extra=crls)
    seals = SealVerifier(anchors, algorithms=table, test_anchors=anchors, extra=crls)
    return Judges(validator, seals, table, corpus.specimens().batches[0].gen_time)


@target(
    "metadata",
    lambda: {"title": '{"title": "Žádost", "n": [1, 2.5, null, {"a": true}]}'.encode(), "empty": b"{}"},
    refusals=(SubmissionError,),
    kind="json",
    tokens=(b"[" * 300, b'{"a":' * 70, b"1e400", b"\\ud800", b"9" * 5000),
)
def metadata(data: bytes) -> None:
    """Metadata that is taken is a JSON object for everybody."""
    source = corpus.scratch() / "file"
    source.write_bytes(b"x")
    submission = SubmissionObject((SubmittedFile("a", source),), "o", data)
    accepted = admit(submission, profile_by_id("basic-1"), at=corpus.AT)
    assert isinstance(json.loads(data), dict)
    assert {file.logical_path for file in accepted.files} == {"data/a", "metadata.json"}


@target(
    "names",
    lambda: {"some": "a/b.txt\na/ž\nc\nCON.d/x\n".encode(), "good": "a/b.txt\na/ž\nc".encode()},
    refusals=(NameNotAcceptedError,),
    kind="text",
    tokens=(b"/", b"\\", b"..", b"con", b"e\xcc\x81", b"\xc3\xa9", b"\xed\xa0\x80", b"a/" * 500),
)
def names(data: bytes) -> None:
    """Names that are taken make a tree of files in which nothing hides anything."""
    paths = data.decode("utf-8", "surrogateescape").split("\n")
    for path in paths:
        assert verify_path(path) == path
    verify_distinct(paths)
    folders = {"/".join(path.split("/")[:depth]) for path in paths for depth in range(1, path.count("/") + 1)}
    assert len(set(paths)) == len(paths)
    assert not folders & set(paths)
    assert len({path.casefold() for path in paths}) == len(paths)
