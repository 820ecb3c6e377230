"""The offline verifier accepts what is whole and refuses whatever was touched, and always answers."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms

from api.offline import texts
from archive_core import bundle_format as layout
from archive_core import canonical
from archive_core.findings import utc_text
from archive_core.receipts import Receipt, Statement
from tests.bundles import START, Stamped, Version, Workshop
from tests.offline import flipped, members_of, packed, run, unpacked
from tests.sampling import quick_first
from tests.vectors import REPOSITORY, suite

AT = utc_text(START + timedelta(days=1))
CONTENT = {"smlouva.pdf": b"%PDF-1.7 contract", "p\u0159\u00edlohy/a b.txt": b"attachment", "empty": b""}


@dataclass(frozen=True)
class Bench:
    """Two batches of one workshop: three deposits, then an update of the first and one more."""

    workshop: Workshop
    first: Stamped
    second: Stamped
    versions: tuple[Version, ...]
    updated: Version
    other: Version

    @property
    def trust(self) -> Path:
        return self.workshop.anchor_file


def _bench(folder: Path, digests: dict[str, str]) -> Bench:
    workshop = Workshop(folder, digests=digests)
    large = {"large.bin": bytes(range(256)) * 20_000}
    versions = (
        workshop.deposit(CONTENT, metadata=b'{"title": 1}'),
        workshop.deposit({"other.txt": b"other"}),
        workshop.deposit(large),
    )
    workshop.access(versions[0])
    first = workshop.batch(*versions)
    updated = workshop.deposit({"smlouva.pdf": CONTENT["smlouva.pdf"], "new.txt": b"new"}, previous=versions[0])
    other = workshop.deposit({"third.txt": b"third"})
    return Bench(workshop, first, workshop.batch(updated, other), versions, updated, other)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One evidence line."""
    return _bench(tmp_path_factory.mktemp("one") / "trust", {"sha512": "sha512"})


@pytest.fixture(scope="module")
def double(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Two redundant evidence lines in two families of digests."""
    return _bench(tmp_path_factory.mktemp("two") / "trust", {"sha512": "sha512", "second": "sha3-512"})


@pytest.fixture(scope="module")
def good(bench: Bench) -> dict[str, bytes]:
    """The members of a bundle with an earlier version, a metadata-free update."""
    return members_of(bench.second.bundle(bench.updated, [(bench.first, bench.versions[0])]))


def _verify(bench: Bench, bundle: bytes, tmp_path: Path, *more: object) -> tuple[int, dict[str, Any]]:
    (tmp_path / "bundle.zip").write_bytes(bundle)
    return run(tmp_path / "bundle.zip", "--trust", bench.trust, "--at", AT, *more)


def _refused(bench: Bench, members: dict[str, bytes], tmp_path: Path, *, adapt: bool = True) -> dict[str, Any]:
    code, answer = _verify(bench, packed(members, adapt_manifest=adapt), tmp_path)
    assert (code, answer["verdict"], answer["proof_of_existence"]) == (1, "FAILED", None)
    return answer


# -- what is whole ----------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_whole_bundle_passes(bench: Bench, index: int, tmp_path: Path) -> None:
    """Several files with metadata, one file, and a large one with its chunk list."""
    code, answer = _verify(bench, bench.first.bundle(bench.versions[index]), tmp_path)
    assert (code, answer["verdict"], answer["test_trust"]) == (0, "PASSED", True)
    assert answer["proof_of_existence"] == utc_text(bench.first.gen_time)
    assert answer["findings"] == []
    names = {step["name"] for step in answer["steps"]}
    assert names >= {"container", "manifest", "layout", "description", "files", "statement", "evidence record"}
    assert names >= {"receipt", "seal", "seal evidence", "trail", "data group", "sealed root"}


def test_both_redundant_records_pass(double: Bench, tmp_path: Path) -> None:
    """Each line has its own verdict; the earlier time is the proof."""
    code, answer = _verify(double, double.first.bundle(double.versions[0]), tmp_path)
    assert code == 0
    assert {line: report["verdict"] for line, report in answer["lines"].items()} == {
        "sha512": "PASSED",
        "second": "PASSED",
    }


def test_an_update_proves_each_file_since_its_earliest_version(
    bench: Bench, good: dict[str, bytes], tmp_path: Path
) -> None:
    """What was there before is proven by the earlier record, what is new by the new one."""
    code, answer = _verify(bench, packed(good, adapt_manifest=False), tmp_path)
    assert code == 0
    times = {file["path"]: (file["proof_of_existence"], file["proven_by_version"]) for file in answer["files"]}
    assert times == {
        "new.txt": (utc_text(bench.second.gen_time), 2),
        "smlouva.pdf": (utc_text(bench.first.gen_time), 1),
    }
    assert answer["proof_of_existence"] == utc_text(bench.second.gen_time)


def test_a_bundle_packed_again_by_a_stock_tool_passes(bench: Bench, tmp_path: Path) -> None:
    """How the container was packed proves nothing and harms nothing."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in reversed(members_of(bench.first.bundle(bench.versions[0])).items()):
            archive.writestr(name, content)
    assert _verify(bench, stream.getvalue(), tmp_path)[0] == 0


# -- trust and time ---------------------------------------------------------------------------


def test_without_trust_nothing_is_more_than_indeterminate(bench: Bench, tmp_path: Path) -> None:
    """Certificates in the bundle are never trust anchors."""
    (tmp_path / "b.zip").write_bytes(bench.first.bundle(bench.versions[0]))
    code, answer = run(tmp_path / "b.zip", "--at", AT)
    assert (code, answer["verdict"], answer["proof_of_existence"]) == (3, "INDETERMINATE", None)
    assert answer["sub_indication"] == "NO_CERTIFICATE_CHAIN_FOUND"


def test_another_trust_is_no_trust(bench: Bench, double: Bench, tmp_path: Path) -> None:
    """The authority of another home does not help, although its name is alike."""
    (tmp_path / "b.zip").write_bytes(bench.first.bundle(bench.versions[0]))
    assert run(tmp_path / "b.zip", "--trust", double.trust, "--at", AT)[0] == 3
    assert run(tmp_path / "b.zip", "--trust", double.trust, "--trust", bench.trust, "--at", AT)[0] == 0


def test_validation_data_is_not_trusted(bench: Bench, tmp_path: Path) -> None:
    """A CA certificate that is brought as validation data does not become an anchor."""
    (tmp_path / "b.zip").write_bytes(bench.first.bundle(bench.versions[0]))
    assert run(tmp_path / "b.zip", "--validation", bench.trust, "--at", AT)[0] == 3


def test_a_folder_of_certificates_is_trust(bench: Bench, tmp_path: Path) -> None:
    """Certificates in a folder are found among other files; DER is as good as PEM."""
    (tmp_path / "b.zip").write_bytes(bench.first.bundle(bench.versions[0]))
    folder = tmp_path / "anchors"
    folder.mkdir()
    (folder / "note.txt").write_text("not a certificate")
    (folder / "ca.der").write_bytes(bench.workshop.trust.anchor)
    assert run(tmp_path / "b.zip", "--trust", folder, "--at", AT)[0] == 0


@pytest.mark.parametrize("at", [utc_text(START - timedelta(days=10)), "2030-01-01", "2100-01-01T00:00:00Z"])
def test_a_time_for_which_nothing_is_known_is_indeterminate(bench: Bench, at: str, tmp_path: Path) -> None:
    """Before the stamp, and when certificates have ended, nothing passes (revocation data may be old, not void)."""
    (tmp_path / "b.zip").write_bytes(bench.first.bundle(bench.versions[0]))
    code, answer = run(tmp_path / "b.zip", "--trust", bench.trust, "--at", at)
    assert code in ((0,) if at.startswith("2030") else (3,)), answer


# -- what was touched -------------------------------------------------------------------------

MEMBERS = [
    "README.txt",
    "bundle.json",
    "description.json",
    "receipt.json",
    "statement.json",
    "statement.json.p7s",
    "evidence/sha512.ers",
    "seal-evidence/sha512.ers",
    "trail/events.jsonl",
    "trail/proof.json",
    "earlier/v1/description.json",
    "earlier/v1/evidence/sha512.ers",
    "data/smlouva.pdf",
    "data/new.txt",
    "validation/*.cer",
    "validation/*.crl",
]


def _expanded(good: dict[str, bytes], member: str) -> list[str]:
    if "*" not in member:
        return [member]
    return [name for name in good if name.startswith("validation/") and name.endswith(member[-4:])]


def _positions(content: bytes, count: int) -> list[int]:
    return sorted({round(step * (len(content) - 1) / (count - 1)) for step in range(count)})


@pytest.mark.parametrize("member", MEMBERS)
def test_one_changed_bit_in_any_member_fails(bench: Bench, good: dict[str, bytes], member: str, tmp_path: Path) -> None:
    """Wherever it is: beginning, middle, end."""
    for name in _expanded(good, member):
        for position in _positions(good[name], 3):
            _refused(bench, {**good, name: flipped(good[name], position)}, tmp_path, adapt=False)


@pytest.mark.parametrize(
    "member", quick_first((name for name in MEMBERS if name not in ("README.txt", "bundle.json")), 4)
)
def test_one_changed_bit_fails_also_when_the_manifest_was_adapted(
    bench: Bench, good: dict[str, bytes], member: str, tmp_path: Path
) -> None:
    """The manifest is only a list: everything that matters is under evidence, seal or signature. Of an
    earlier token, the certificates and lists beside its signature are not; other copies stand in for them."""
    for name in _expanded(good, member):
        positions = _positions(good[name], 7)
        if name.startswith("earlier/v1/evidence"):
            positions = [4, 90, 200, 440, len(good[name]) - 40, len(good[name]) - 1]
        for position in positions:
            _refused(bench, {**good, name: flipped(good[name], position)}, tmp_path)


def test_the_double_record_of_one_bit(double: Bench, tmp_path: Path) -> None:
    """A large file: a bit within any of its chunks, or in the list of their digests."""
    members = members_of(double.first.bundle(double.versions[2]))
    for position in (0, 4 * 1024 * 1024, 5_119_999):
        content = flipped(members["data/large.bin"], position)
        answer = _refused(double, {**members, "data/large.bin": content}, tmp_path)
        codes = {finding["code"] for finding in answer["findings"]}
        assert codes >= {"FILES", "CHUNK_LISTS"}
    changed = members["chunks/large.bin.json"].replace(b'"digests":["', b'"digests":["00', 1)
    _refused(double, {**members, "chunks/large.bin.json": changed}, tmp_path)


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("adapt", [False, True])
def test_a_missing_member_fails(bench: Bench, good: dict[str, bytes], member: str, adapt: bool, tmp_path: Path) -> None:
    """Nothing can be left out, whether or not the manifest still names it. When the manifest does not
    promise them, certificates and revocation lists may be left out, because the tokens hold their own,
    and so may an earlier record: the files are then proven since later."""
    for name in _expanded(good, member):
        left = {key: content for key, content in good.items() if key != name}
        if name == "bundle.json":
            _refused(bench, left, tmp_path, adapt=False)
        elif not (adapt and name.startswith(("validation/", "earlier/v1/evidence/"))):
            _refused(bench, left, tmp_path, adapt=adapt)


@pytest.mark.parametrize(
    "name",
    [
        "extra.txt",
        "data/extra.txt",
        "metadata.json",
        "chunks/new.txt.json",
        "evidence/second.ers",
        "validation/" + "0" * 64 + ".cer",
        "validation/x.cer",
        "earlier/v2/description.json",
        "earlier/v3/description.json",
        "earlier/v1/data/a",
        "trail/more.jsonl",
    ],
)
@pytest.mark.parametrize("adapt", [False, True])
def test_an_additional_member_fails(
    bench: Bench, good: dict[str, bytes], name: str, adapt: bool, tmp_path: Path
) -> None:
    """Nothing undeclared travels along, even when the manifest was made to name it."""
    _refused(bench, {**good, name: b"extra"}, tmp_path, adapt=adapt)


Forgery = Callable[[Bench, dict[str, bytes]], dict[str, bytes]]


def _from(source: Callable[[Bench], bytes], *names: str) -> Forgery:
    def forge(bench: Bench, good: dict[str, bytes]) -> dict[str, bytes]:
        other = members_of(source(bench))
        return {**good, **{name: other[name] for name in names}}

    return forge


def _neighbour(bench: Bench) -> bytes:
    return bench.second.bundle(bench.other)


def _before(bench: Bench) -> bytes:
    return bench.first.bundle(bench.versions[0])


def _swapped_contents(bench: Bench, good: dict[str, bytes]) -> dict[str, bytes]:
    return {**good, "data/new.txt": good["data/smlouva.pdf"], "data/smlouva.pdf": good["data/new.txt"]}


def _earlier_of_another(bench: Bench, good: dict[str, bytes]) -> dict[str, bytes]:
    foreign = members_of(bench.first.bundle(bench.versions[1]))
    return {
        **good,
        "earlier/v1/description.json": foreign["description.json"],
        "earlier/v1/evidence/sha512.ers": foreign["evidence/sha512.ers"],
    }


def _earlier_record_of_another(bench: Bench, good: dict[str, bytes]) -> dict[str, bytes]:
    return {**good, "earlier/v1/evidence/sha512.ers": bench.first.record(bench.versions[1], "sha512")}


def _later_time_in_receipt(bench: Bench, good: dict[str, bytes]) -> dict[str, bytes]:
    receipt = Receipt.parse(good["receipt.json"])
    changed = replace(receipt, proof_of_existence=receipt.proof_of_existence - timedelta(days=365))
    return {**good, "receipt.json": changed.to_bytes()}


def _trust_flag_in_receipt(bench: Bench, good: dict[str, bytes]) -> dict[str, bytes]:
    return {**good, "receipt.json": replace(Receipt.parse(good["receipt.json"]), test_trust=False).to_bytes()}


def _manifest_with(**members: object) -> Forgery:
    def forge(bench: Bench, good: dict[str, bytes]) -> dict[str, bytes]:
        return {**good, "bundle.json": canonical.write({**json.loads(good["bundle.json"]), **members})}

    return forge


def _description_with(**members: object) -> Forgery:
    def forge(bench: Bench, good: dict[str, bytes]) -> dict[str, bytes]:
        return {**good, "description.json": canonical.write({**json.loads(good["description.json"]), **members})}

    return forge


def _sealed_by_another_home(bench: Bench, good: dict[str, bytes]) -> dict[str, bytes]:
    statement = Statement.parse(good["statement.json"])
    forged = replace(statement, leaf_count=statement.leaf_count + 1).to_bytes()
    return {**good, "statement.json": forged}


def _one_event_left_out(bench: Bench, good: dict[str, bytes]) -> dict[str, bytes]:
    lines = good["trail/events.jsonl"].splitlines(keepends=True)
    proof = json.loads(good["trail/proof.json"])
    del lines[1], proof["entries"][1]
    return {**good, "trail/events.jsonl": b"".join(lines), "trail/proof.json": canonical.write(proof)}


def _no_events(bench: Bench, good: dict[str, bytes]) -> dict[str, bytes]:
    proof = {**json.loads(good["trail/proof.json"]), "entries": []}
    return {**good, "trail/events.jsonl": b"", "trail/proof.json": canonical.write(proof)}


def _seal_record_as_record(bench: Bench, good: dict[str, bytes]) -> dict[str, bytes]:
    return {**good, "evidence/sha512.ers": good["seal-evidence/sha512.ers"]}


def _record_as_seal_record(bench: Bench, good: dict[str, bytes]) -> dict[str, bytes]:
    return {**good, "seal-evidence/sha512.ers": good["evidence/sha512.ers"]}


FORGERIES: dict[str, Forgery] = {
    "the record of another object of the batch": _from(_neighbour, "evidence/sha512.ers"),
    "the record of the version before": _from(_before, "evidence/sha512.ers"),
    "the receipt of another object": _from(_neighbour, "receipt.json"),
    "the receipt of the version before": _from(_before, "receipt.json"),
    "statement and seal of another batch": _from(_before, "statement.json", "statement.json.p7s"),
    "the seal of another batch": _from(_before, "statement.json.p7s"),
    "statement, seal and seal record of another batch": _from(
        _before, "statement.json", "statement.json.p7s", "seal-evidence/sha512.ers"
    ),
    "the seal record of another batch": _from(_before, "seal-evidence/sha512.ers"),
    "the description of another object": _from(_neighbour, "description.json"),
    "the description of the version before": _from(_before, "description.json"),
    "everything of another object but the files": _from(
        _neighbour, "description.json", "evidence/sha512.ers", "receipt.json"
    ),
    "the events of another object": _from(_neighbour, "trail/events.jsonl", "trail/proof.json"),
    "the events as they were proven for the batch before": _from(_before, "trail/events.jsonl", "trail/proof.json"),
    "the trail proof of another log": _from(_before, "trail/proof.json"),
    "contents swapped between names": _swapped_contents,
    "an earlier version of another object": _earlier_of_another,
    "an earlier record of another object": _earlier_record_of_another,
    "an earlier time in the receipt": _later_time_in_receipt,
    "test trust denied in the receipt": _trust_flag_in_receipt,
    "test trust denied in the manifest": _manifest_with(test_trust=False),
    "another batch in the manifest": _manifest_with(batch=7),
    "another version in the manifest": _manifest_with(version=1),
    "another line in the manifest": _manifest_with(lines={"sha512": "sha384"}),
    "another originator": _description_with(originator="11111111"),
    "another time of deposit": _description_with(received="2020-01-01T00:00:00Z"),
    "another nonce": _description_with(nonce="00" * 32),
    "a statement that was changed after sealing": _sealed_by_another_home,
    "an event left out": _one_event_left_out,
    "no events at all": _no_events,
    "the seal's record in place of the object's": _seal_record_as_record,
    "the object's record in place of the seal's": _record_as_seal_record,
}


@pytest.mark.parametrize("forgery", sorted(FORGERIES))
def test_a_forged_bundle_fails(bench: Bench, good: dict[str, bytes], forgery: str, tmp_path: Path) -> None:
    """Genuine parts in the wrong place prove nothing, however well the manifest fits."""
    _refused(bench, FORGERIES[forgery](bench, good), tmp_path)


def test_a_bundle_made_by_somebody_else_is_not_trusted(bench: Bench, double: Bench, tmp_path: Path) -> None:
    """A flawless bundle under a foreign authority never passes."""
    code, answer = _verify(bench, double.first.bundle(double.versions[0]), tmp_path)
    assert (code, answer["verdict"]) == (3, "INDETERMINATE")


def test_one_good_redundant_record_is_enough_and_the_other_is_named(double: Bench, tmp_path: Path) -> None:
    """The rule for redundant lines: one that passes proves existence; the broken one is a finding."""
    members = members_of(double.first.bundle(double.versions[0]))
    token = double.first.tokens["second"]
    broken = token[:-1] + bytes([token[-1] ^ 1])  # the last byte of the token's signature
    for name in ("evidence/second.ers", "seal-evidence/second.ers"):
        assert members[name].count(token) == 1
        members[name] = members[name].replace(token, broken)
    code, answer = _verify(double, packed(members, adapt_manifest=True), tmp_path)
    assert (code, answer["verdict"]) == (0, "PASSED")
    named = [f["where"] for f in answer["findings"] if f["code"] == "LINE_NOT_PASSED"]
    assert [where.split(":")[0] for where in named] == ["evidence/second.ers", "seal-evidence/second.ers"]
    assert answer["lines"]["second"]["verdict"] == "FAILED"


def test_two_broken_redundant_records_fail(double: Bench, tmp_path: Path) -> None:
    """With no line left, nothing is proven."""
    members = members_of(double.first.bundle(double.versions[0]))
    for name in ("evidence/second.ers", "evidence/sha512.ers"):
        members[name] = flipped(members[name], len(members[name]) - 1)
    _refused(double, members, tmp_path)


def test_an_earlier_version_that_no_chain_reaches_fails(bench: Bench, tmp_path: Path) -> None:
    """A gap in the chain of predecessors is not stepped over."""
    third = bench.workshop.deposit({"smlouva.pdf": CONTENT["smlouva.pdf"]}, previous=bench.updated)
    batch = bench.workshop.batch(third)
    links = [(bench.first, bench.versions[0]), (bench.second, bench.updated)]
    whole = members_of(batch.bundle(third, links))
    assert _verify(bench, packed(whole, adapt_manifest=False), tmp_path)[0] == 0
    bare = {name: content for name, content in whole.items() if name != "earlier/v2/evidence/sha512.ers"}
    assert _verify(bench, packed(bare, adapt_manifest=True), tmp_path)[0] == 0
    _refused(bench, {n: c for n, c in bare.items() if n != "earlier/v2/description.json"}, tmp_path)


# -- any record -------------------------------------------------------------------------------


@pytest.fixture
def record(bench: Bench, tmp_path: Path) -> Path:
    """The first deposit's record and its group's files below `tmp_path`."""
    version = bench.versions[0]
    (tmp_path / "doc.ers").write_bytes(bench.first.record(version, "sha512"))
    (tmp_path / "description.json").write_bytes(version.description.to_bytes())
    for name, content in version.files.items():
        (tmp_path / name.replace("/", "_")).write_bytes(content)
    return tmp_path / "doc.ers"


def _group(record: Path) -> list[Path]:
    return sorted(path for path in record.parent.iterdir() if path.suffix != ".ers" and path.is_file())


def test_a_record_passes_over_its_whole_group(bench: Bench, record: Path) -> None:
    """DER and base64, options before or after the data."""
    code, answer = run("--record", record, "--trust", bench.trust, "--at", AT, *_group(record))
    assert (code, answer["verdict"], answer["findings"]) == (0, "PASSED", [])
    assert answer["proof_of_existence"] == utc_text(bench.first.gen_time)
    record.write_bytes(base64.encodebytes(record.read_bytes()))
    assert run(*_group(record), "--at", AT, "--trust", bench.trust, "--record", record)[0] == 0


def test_a_part_of_the_group_passes_with_a_finding(bench: Bench, record: Path) -> None:
    """One document is proven; that it was not alone is said."""
    code, answer = run("--record", record, "--trust", bench.trust, "--at", AT, _group(record)[0])
    assert code == 0
    assert [finding["code"] for finding in answer["findings"]] == ["GROUP_INCOMPLETE"]


def test_changed_data_fail(bench: Bench, record: Path) -> None:
    """One changed bit in one of the documents."""
    document = record.parent / "data_smlouva.pdf"
    document.write_bytes(flipped(document.read_bytes(), 3))
    assert run("--record", record, "--trust", bench.trust, "--at", AT, *_group(record))[0] == 1


def test_a_changed_record_fails(bench: Bench, record: Path) -> None:
    """Bits of the hash tree, of what the token says and of its signature. What a token merely carries
    along (issuers' certificates, revocation lists) is signed by its issuers and proves nothing here."""
    good, token = record.read_bytes(), bench.first.tokens["sha512"]
    signed_data = cms.ContentInfo.load(token)["content"]
    parts = [
        good[: good.index(token)],
        signed_data["encap_content_info"]["content"].contents,
        signed_data["signer_infos"][0]["signed_attrs"].contents,
        signed_data["signer_infos"][0]["signature"].contents,
    ]
    for part in parts:
        start = good.index(part)
        for position in range(start, start + len(part), 29):
            record.write_bytes(flipped(good, position))
            code, answer = run("--record", record, "--trust", bench.trust, "--at", AT, *_group(record))
            assert (code, answer["verdict"]) == (1, "FAILED"), position


def test_a_record_without_data_is_indeterminate(bench: Bench, record: Path) -> None:
    """A check that looked at no document concludes nothing."""
    code, answer = run("--record", record, "--trust", bench.trust, "--at", AT)
    assert (code, answer["sub_indication"]) == (3, "SIGNED_DATA_NOT_FOUND")


def test_a_record_without_trust_is_indeterminate(record: Path) -> None:
    """Intact, but trusted by nobody."""
    assert run("--record", record, "--at", AT, *_group(record))[0] == 3


@pytest.mark.parametrize("name", ["bc-ers", "tsa-tokens", "asn1-hostile"])
def test_foreign_files_as_records_get_an_answer(name: str, tmp_path: Path) -> None:
    """Whatever is handed over as a record: JSON, a verdict that is not PASSED without trust, an exit code."""
    files = [path for path in sorted(suite(name).rglob("*")) if path.is_file() and path.stat().st_size < 200_000]
    assert files
    for path in files[:60]:
        code, answer = run("--record", path, path)
        assert (code, answer["verdict"]) in ((1, "FAILED"), (3, "INDETERMINATE")), path


# -- wrong use and garbage --------------------------------------------------------------------


def test_wrong_use_is_answered_in_json(bench: Bench, record: Path, tmp_path: Path) -> None:
    """Exit code 2, a verdict that concludes nothing, and a finding that says what is wrong."""
    (tmp_path / "b.zip").write_bytes(bench.first.bundle(bench.versions[0]))
    (tmp_path / "empty").mkdir()
    (tmp_path / "nothing.pem").write_text("no certificate")
    key = next(bench.trust.parent.glob("*-key.pem"))
    for arguments in (
        [],
        ["--wrong"],
        [tmp_path / "absent.zip"],
        [tmp_path],
        [tmp_path / "b.zip", tmp_path / "b.zip"],
        [tmp_path / "b.zip", "--at", "yesterday"],
        [tmp_path / "b.zip", "--trust", tmp_path / "absent.pem"],
        [tmp_path / "b.zip", "--trust", tmp_path / "nothing.pem"],
        [tmp_path / "b.zip", "--trust", tmp_path / "empty"],
        [tmp_path / "b.zip", "--trust", key],
        [tmp_path / "b.zip", "--validation", tmp_path / "nothing.pem"],
        ["--record"],
        ["--record", tmp_path / "absent.ers"],
        ["--record", record, tmp_path / "absent.txt"],
        ["--trus", bench.trust, tmp_path / "b.zip"],
    ):
        code, answer = run(*arguments)
        assert (code, answer["verdict"]) == (2, "INDETERMINATE"), arguments
        assert [finding["code"] for finding in answer["findings"]] == ["USAGE"], arguments


@pytest.mark.parametrize(
    "garbage", [b"", b"\x00" * 100, b"PK\x05\x06" + bytes(18), b'{"a":1}', b"\x30\x80" * 5000, b"x" * 70_000]
)
def test_garbage_is_answered_in_json(garbage: bytes, tmp_path: Path) -> None:
    """As a bundle and as a record it fails, with a reason."""
    (tmp_path / "garbage").write_bytes(garbage)
    for arguments in ([tmp_path / "garbage"], ["--record", tmp_path / "garbage"]):
        code, answer = run(*arguments)
        assert (code, answer["verdict"], answer["sub_indication"]) == (1, "FAILED", "FORMAT_FAILURE")


def test_hostile_zip_files_as_bundles_fail(tmp_path: Path) -> None:
    """None of the public hostile ZIP files is a bundle, and each gets its answer."""
    folder = suite("zip-hostile")
    manifest = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))
    for case in manifest["cases"]:
        assert run(folder / case["principal"][0])[0] == 1, case["id"]


@pytest.mark.parametrize(
    "name",
    sorted(
        {
            "description.json",
            "statement.json",
            "receipt.json",
            "bundle.json",
            "trail/proof.json",
            "trail/events.jsonl",
            "evidence/sha512.ers",
        }
    ),
)
@pytest.mark.parametrize("content", [b"", b"{}\n", b"[" * 100_000, b"\xff" * 100, b"null\n"])
def test_garbage_in_place_of_a_member_fails(
    bench: Bench, good: dict[str, bytes], name: str, content: bytes, tmp_path: Path
) -> None:
    """Hostile bytes in each place are refused as they are anywhere else."""
    _refused(bench, {**good, name: content}, tmp_path, adapt=name != "bundle.json")


# -- people -----------------------------------------------------------------------------------


def test_every_text_is_there_in_both_languages() -> None:
    """Nothing is missing in Czech, nothing is left in English, and no archive is claimed."""
    assert set(texts.ENGLISH) == set(texts.CZECH)
    same = {key for key, text in texts.CZECH.items() if text == texts.ENGLISH[key]}
    assert same == set()
    assert "archiv" not in " ".join(texts.CZECH.values()).lower().replace("trusted-archive-verify", "")


def _as_people(bench: Bench, bundle: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api.offline.cli", str(bundle), "--trust", str(bench.trust), "--at", AT],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_people_read_their_language(bench: Bench, tmp_path: Path) -> None:
    """LANG decides; a terminal without Unicode still gets every line."""
    bundle = tmp_path / "b.zip"
    bundle.write_bytes(bench.first.bundle(bench.versions[0]))
    czech = _as_people(bench, bundle, LANG="cs_CZ.UTF-8", PYTHONIOENCODING="utf-8")
    assert czech.returncode == 0
    assert "OVĚŘENO" in czech.stdout
    assert "TESTOVACÍ" in czech.stdout
    assert "příl" in czech.stdout
    english = _as_people(bench, bundle, LANG="C", PYTHONIOENCODING="ascii:strict")
    assert english.returncode == 0
    assert "PASSED" in english.stdout
    assert utc_text(bench.first.gen_time) in english.stdout
    assert "TEST trust" in english.stdout


_GUARD = """
import sys, socket
FORBIDDEN = {"flask", "sqlalchemy", "alembic", "pyhanko", "boto3", "botocore", "apscheduler", "gunicorn", "requests",
             "aiohttp", "psycopg", "sqlite3", "storage_backends", "urllib3", "jinja2", "werkzeug"}
class Guard:
    def find_spec(self, name, path=None, target=None):
        own = name.split(".")
        if own[0] in FORBIDDEN or (own[0] == "api" and own[1:2] not in ([], ["offline"])):
            raise AssertionError("imports " + name)
        if own[0] == "archive_core" and own[1:2] == ["catalogue"]:
            raise AssertionError("imports " + name)
sys.meta_path.insert(0, Guard())
def refuse(*_, **__):
    raise AssertionError("speaks to the network")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.create_connection = refuse
from api.offline.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_no_server_no_database_no_network(bench: Bench, good: dict[str, bytes], record: Path, tmp_path: Path) -> None:
    """A watch on imports and sockets stands over a whole check of a bundle and of a record."""
    bundle = tmp_path / "b.zip"
    bundle.write_bytes(packed(good, adapt_manifest=False))
    for arguments in ([bundle], ["--record", record, *_group(record)]):
        ran = subprocess.run(
            [sys.executable, "-c", _GUARD, "--json", "--trust", bench.trust, "--at", AT, *arguments],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode in (0, 1), ran.stderr
        assert json.loads(ran.stdout)["verdict"] in ("PASSED", "FAILED")
        assert ran.stderr == ""


# -- by hand ----------------------------------------------------------------------------------


def _by_hand(bench: Bench, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the commands of README.txt as they stand there."""
    shutil.copy(bench.trust, folder / "trust.pem")
    text = (folder / "README.txt").read_text(encoding="utf-8")
    return subprocess.run(
        ["/bin/sh"],
        input=text[text.index("#!/bin/sh") :],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_commands_of_the_readme_check_the_bundle(double: Bench, tmp_path: Path) -> None:
    """OpenSSL finds the root that the statement seals, the time-stamps over it and the seal good."""
    for number, version in enumerate(double.versions):
        folder = unpacked(double.first.bundle(version), tmp_path / str(number))
        ran = _by_hand(double, folder)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.count("the sealed statement holds this root") == 2
        assert (ran.stdout + ran.stderr).count("Verification: OK") == 2
        assert "CMS Verification successful" in ran.stderr


@pytest.mark.parametrize(
    "name", ["data/smlouva.pdf", "description.json", "metadata.json", "statement.json", "statement.json.p7s"]
)
def test_the_commands_of_the_readme_refuse_what_was_touched(double: Bench, name: str, tmp_path: Path) -> None:
    """A changed bit in a document, description, metadata, statement or seal is refused by hand, too."""
    folder = unpacked(double.first.bundle(double.versions[0]), tmp_path / "bundle")
    path = folder / name
    path.write_bytes(flipped(path.read_bytes(), len(path.read_bytes()) // 2))
    assert _by_hand(double, folder).returncode != 0


def test_the_commands_of_the_readme_refuse_another_trust(bench: Bench, double: Bench, tmp_path: Path) -> None:
    """What the reader does not trust does not pass by hand."""
    folder = unpacked(double.first.bundle(double.versions[0]), tmp_path / "bundle")
    assert _by_hand(bench, folder).returncode != 0


def test_the_readme_speaks_both_languages_and_labels_test_trust(bench: Bench) -> None:
    """English and Czech, the label in both, no claim of qualification, no archive in Czech."""
    text = members_of(bench.first.bundle(bench.versions[0]))[layout.README].decode()
    assert "EVIDENCE BUNDLE" in text
    assert "BALÍČEK S DŮKAZY" in text
    assert "TEST time-stamps" in text
    assert "TESTOVACÍMI časovými razítky" in text
    czech = text[text.index("BALÍČEK") : text.index("#!/bin/sh")].replace("trusted-archive-verify", "")
    assert "archiv" not in czech.lower()
    assert "kvalifikovan" not in czech.lower()
