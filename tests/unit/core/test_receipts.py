"""Statements and receipts are strict, and a receipt's path leads to the sealed root or is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from archive_core import canonical
from archive_core.digests import hash_bytes
from archive_core.errors import EvidenceBrokenError, MalformedDocumentError
from archive_core.evidence.hash_tree import HashTree, group_leaf
from archive_core.receipts import Named, Receipt, ReceiptPath, Root, Statement
from archive_core.trail.merkle import EMPTY_HEAD

DIGESTS = {"sha512": "sha512", "second": "sha3-512"}
GROUPS = [
    {line: tuple(sorted(hash_bytes(digest, b"%d/%d" % (number, member)) for member in range(1 + number)))
     for line, digest in DIGESTS.items()}
    for number in range(5)
]  # fmt: skip
TREES = {
    line: HashTree.build(digest, [group_leaf(digest, group[line]) for group in GROUPS])
    for line, digest in DIGESTS.items()
}
STATEMENT = Statement(
    batch=12,
    previous=(11, "cd" * 64),
    leaf_count=5,
    roots={line: Root(digest, TREES[line].root) for line, digest in DIGESTS.items()},
    trail_size=0,
    trail_head=EMPTY_HEAD,
    profile=Named("basic-1", "01" * 64),
    algorithms=Named("algorithms-2026-06", "02" * 64),
    derivation_version=1,
    time=datetime(2026, 3, 1, tzinfo=UTC),
    test_trust=True,
)


def _receipt(index: int) -> Receipt:
    return Receipt(
        poid="0199b0c27d3e7000a000000000000001",
        version=1,
        description=b"description",
        statement=STATEMENT.to_bytes(),
        seal=b"\x30\x00",
        path={
            line: ReceiptPath(digest, GROUPS[index][line], TREES[line].path(index)) for line, digest in DIGESTS.items()
        },
        test_trust=True,
        proof_of_existence=datetime(2026, 3, 1, 0, 0, 1, tzinfo=UTC),
    )


def test_statement_and_receipt_read_back_as_they_were_written() -> None:
    """Values and canonical bytes are interchangeable."""
    assert Statement.parse(STATEMENT.to_bytes()) == STATEMENT
    assert Receipt.parse(_receipt(3).to_bytes()) == _receipt(3)


@pytest.mark.parametrize("index", range(5))
def test_every_path_leads_to_the_sealed_root(index: int) -> None:
    """Also the lone last leaf, which is carried up."""
    _receipt(index).verify_paths(STATEMENT, GROUPS[index])


def test_a_path_for_another_group_is_refused() -> None:
    """A swapped receipt is no receipt for this object."""
    with pytest.raises(EvidenceBrokenError, match="data group"):
        _receipt(1).verify_paths(STATEMENT, GROUPS[2])


def test_a_changed_sibling_is_refused() -> None:
    """Each sibling of each line counts."""
    receipt = _receipt(1)
    for line, path in receipt.path.items():
        for number in range(len(path.siblings)):
            wrong = list(path.siblings)
            wrong[number] = bytes([wrong[number][0] ^ 1]) + wrong[number][1:]
            changed = replace(receipt, path={**receipt.path, line: replace(path, siblings=tuple(wrong))})
            with pytest.raises(EvidenceBrokenError, match="root"):
                changed.verify_paths(STATEMENT, GROUPS[1])


def test_a_missing_line_is_refused() -> None:
    """A receipt proves every line that the statement seals."""
    receipt = replace(_receipt(1), path={"sha512": _receipt(1).path["sha512"]})
    with pytest.raises(EvidenceBrokenError, match="lines"):
        receipt.verify_paths(STATEMENT, GROUPS[1])


def test_a_line_in_another_digest_is_refused() -> None:
    """The digests of receipt and statement agree."""
    receipt = _receipt(1)
    swapped = replace(receipt, path={"sha512": receipt.path["second"], "second": receipt.path["sha512"]})
    with pytest.raises(EvidenceBrokenError, match="different digests"):
        swapped.verify_paths(STATEMENT, {"sha512": GROUPS[1]["second"], "second": GROUPS[1]["sha512"]})


def _without(path: str) -> Callable[[dict[str, Any]], object]:
    return lambda document: document.pop(path)


def _set(value: object, *path: str) -> Callable[[dict[str, Any]], object]:
    def change(document: dict[str, Any]) -> None:
        for name in path[:-1]:
            document = document[name]
        document[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set("trusted-archive/receipt/1", "format"),
        _set(0, "batch"),
        _set(None, "previous"),
        _set({"batch": 12, "sha512": "cd" * 64}, "previous"),
        _set({"batch": 11, "sha512": "cd" * 32}, "previous"),
        _set(0, "leaf_count"),
        _set({}, "roots"),
        _set("00", "roots", "sha512", "root"),
        _set("sha999", "roots", "sha512", "digest"),
        _set({"digest": "sha512", "root": "00" * 64}, "roots", "../x"),
        _set({"digest": "sha512", "root": "00" * 64}, "roots", "Upper"),
        _set(-1, "trail", "size"),
        _set("00" * 63, "trail", "head"),
        _set("", "profile", "id"),
        _set("01" * 63, "algorithms", "sha512"),
        _set(0, "derivation_version"),
        _set("yesterday", "time"),
        _set(1, "test_trust"),
        _without("trail"),
        _set(1, "extra"),
    ],
)
def test_a_statement_that_is_not_exactly_one_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    """Every member is there, of its kind, and nothing else is."""
    value = json.loads(STATEMENT.to_bytes())
    change(value)
    with pytest.raises(MalformedDocumentError):
        Statement.parse(canonical.write(value))


@pytest.mark.parametrize(
    "change",
    [
        _set("trusted-archive/statement/1", "format"),
        _set("replicated", "status"),
        _set("x", "poid"),
        _set(0, "version"),
        _set("MAA", "seal"),
        _set("MB==", "seal"),
        _set("MA ==", "seal"),
        _set(7, "statement"),
        _set({}, "path"),
        _set([], "path", "sha512", "leaf_members"),
        _set(["00" * 64, "00" * 64], "path", "sha512", "leaf_members"),
        _set(["01" * 64, "00" * 64], "path", "sha512", "leaf_members"),
        _set(["00" * 32], "path", "sha512", "siblings"),
        _set(["00" * 64] * 65, "path", "sha512", "siblings"),
        _set(None, "proof_of_existence"),
        _without("seal"),
    ],
)
def test_a_receipt_that_is_not_exactly_one_is_refused(change: Callable[[dict[str, Any]], object]) -> None:
    """Base64 in its one spelling, members as a sorted set, bounded paths, the one status."""
    value = json.loads(_receipt(1).to_bytes())
    change(value)
    with pytest.raises(MalformedDocumentError):
        Receipt.parse(canonical.write(value))
