"""What a receipt proves, recomputed here: the files, their description, and the root that the archive sealed.

Rules kept here
 * Nothing is taken from the archive's word: every digest on the way from the bytes to the sealed statement is computed
   or compared here (hash tree of RFC 4998 4.2 and 4.3; the group of a version is the set of the digests of its
   description and of each file that the description names).
 * The seal itself is judged by `verify_seal`, with OpenSSL and the certificate that you trust; without it a receipt
   says only what somebody wrote.
 * When the statement was time-stamped is in the evidence record; `trusted-archive-verify` judges a whole bundle.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from trusted_archive_client.errors import ReceiptError, UnexpectedAnswerError
from trusted_archive_client.sources import Source, sha512_of
from trusted_archive_client.values import Acknowledgement, Members

FORMAT = "trusted-archive/receipt/1"
DATA = "data/"
_HASHES = {"sha256", "sha384", "sha512", "sha3-256", "sha3-384", "sha3-512"}


@dataclass(frozen=True, slots=True)
class CheckedReceipt:
    """A receipt that agrees with itself: `statement` seals a root that these files are under."""

    poid: str
    version: int
    batch: int
    files: Mapping[str, str]
    """SHA-512 of each document by the depositor's path."""
    description: bytes
    statement: bytes
    seal: bytes
    test_trust: bool
    proof_of_existence: datetime


def check_receipt(
    receipt: bytes,
    *,
    acknowledged: Acknowledgement | None = None,
    files: Mapping[str, Source] | None = None,
) -> CheckedReceipt:
    """Raises `ReceiptError` unless the receipt is whole, is that of the deposit that was acknowledged, and holds these
    files and no other documents."""
    try:
        return _checked(Members(json.loads(receipt), "the receipt"), acknowledged, files)
    except (ValueError, UnexpectedAnswerError, KeyError, TypeError, AttributeError) as error:
        raise ReceiptError(f"the receipt cannot be read: {error}") from error


def _checked(
    given: Members, acknowledged: Acknowledgement | None, files: Mapping[str, Source] | None
) -> CheckedReceipt:
    if given.need("format", str) != FORMAT:
        raise ReceiptError("this is no receipt")
    description, statement = _octets(given, "description"), _octets(given, "statement")
    described, sealed = json.loads(description), json.loads(statement)
    named = given.need("poid", str), given.need("version", int)
    if (described["poid"], described["version"]) != named:
        raise ReceiptError("the description is that of another object")
    if acknowledged is not None:
        if named != (acknowledged.poid, acknowledged.version):
            raise ReceiptError("the receipt is that of another object")
        if hashlib.sha512(description).hexdigest() != acknowledged.description_sha512:
            raise ReceiptError("the description is not the one that was acknowledged")
    lines = given.need("path", dict)
    if not lines or set(lines) != set(sealed["roots"]):
        raise ReceiptError("the paths are not those of the evidence lines in the statement")
    for line, path in lines.items():
        _check_line(line, Members(path, f"the path of {line}"), description, described["files"], sealed["roots"][line])
    held = {file["path"].removeprefix(DATA): file["digests"]["sha512"] for file in described["files"] if _is_data(file)}
    if files is not None and held != {path: sha512_of(source).hex() for path, source in files.items()}:
        raise ReceiptError("the description holds other files than these")
    return CheckedReceipt(
        poid=named[0],
        version=named[1],
        batch=int(sealed["batch"]),
        files=held,
        description=description,
        statement=statement,
        seal=_octets(given, "seal"),
        test_trust=bool(sealed["test_trust"]) or given.need("test_trust", bool),
        proof_of_existence=given.when("proof_of_existence"),
    )


def _check_line(
    line: str, path: Members, description: bytes, files: Sequence[Mapping[str, Any]], root: Mapping[str, str]
) -> None:
    """The group of the version leads to the root that the statement names."""
    name = path.need("digest", str)
    if name not in _HASHES or root["digest"] != name:
        raise ReceiptError(f"{line}: a digest that is not known here, or not that of the statement")
    members = {_hash(name, [description]), *(bytes.fromhex(file["digests"][name]) for file in files)}
    if [bytes.fromhex(one) for one in path.need("leaf_members", list)] != sorted(members):
        raise ReceiptError(f"{line}: the group is not that of the description and its files")
    node = _combined(name, members)
    for sibling in path.need("siblings", list):
        node = _combined(name, (node, bytes.fromhex(sibling)))
    if node != bytes.fromhex(root["root"]):
        raise ReceiptError(f"{line}: the path does not lead to the root that was sealed")


def verify_seal(checked: CheckedReceipt, trust: Path, *, openssl: str = "openssl") -> None:
    """Raises `ReceiptError` unless the seal over the statement is good under a certificate of `trust` (PEM), as of the
    proof of existence. Revocation is not asked for: `trusted-archive-verify` does."""
    at = str(int(checked.proof_of_existence.timestamp()))
    with tempfile.TemporaryDirectory() as folder:
        statement, seal = Path(folder, "statement.json"), Path(folder, "statement.json.p7s")
        statement.write_bytes(checked.statement)
        seal.write_bytes(checked.seal)
        judge = [openssl, "cms", "-verify", "-binary", "-inform", "DER", "-in", str(seal), "-content", str(statement)]
        done = subprocess.run(  # noqa: S603 - no shell, and nothing of the receipt is a word of the command
            [*judge, "-CAfile", str(trust), "-purpose", "any", "-attime", at, "-out", str(Path(folder, "out"))],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    if done.returncode != 0:
        raise ReceiptError(f"the seal is not good: {done.stderr.strip()[:500]}")


def _is_data(file: Mapping[str, Any]) -> bool:
    return str(file["path"]).startswith(DATA)


def _octets(given: Members, name: str) -> bytes:
    try:
        return base64.b64decode(given.need(name, str), validate=True)
    except binascii.Error:
        raise ReceiptError(f"{name} is not base64") from None


def _hash(name: str, values: Iterable[bytes]) -> bytes:
    hasher = hashlib.new(name.replace("sha3-", "sha3_"))
    for value in values:
        hasher.update(value)
    return hasher.digest()


def _combined(name: str, values: Iterable[bytes]) -> bytes:
    """A node over hash values (RFC 4998 4.2): sorted, concatenated, hashed; one alone is itself."""
    ordered = sorted(values)
    return ordered[0] if len(ordered) == 1 else _hash(name, ordered)
