"""Certificates that the caller trusts, and validation data that the caller brings.

Rules kept here
 * `--trust` names files or folders; each file is PEM (one or several blocks) or one DER certificate.
   Revocation lists among them are taken as validation data: they prove themselves by their signature.
 * A file that was named and holds nothing usable is an error of use. In a folder, other files (keys,
   notes) are passed over, but a folder without a single certificate is an error, too.
 * A certificate whose subject says TEST is test trust: what rests on it is labelled so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from asn1crypto import crl, ocsp, pem, x509

from archive_core.errors import UsageError
from archive_core.ports import ValidationData
from signing.certificates import load_certificate
from signing.judgement import PARSER_ERRORS

MAX_FILE = 16 * 1024 * 1024
MAX_FILES = 2_000

_TEST = re.compile(r"\bTEST\b")


@dataclass(frozen=True, slots=True)
class TrustMaterial:
    """Trust anchors (DER); `test_anchors` are those marked TEST."""

    anchors: tuple[bytes, ...]
    test_anchors: tuple[bytes, ...]
    data: ValidationData


@dataclass(frozen=True, slots=True)
class _Item:
    kind: str
    der: bytes


def read_trust(paths: Sequence[Path]) -> TrustMaterial:
    """Everything in these files and folders; raises `UsageError`."""
    items = [item for path in paths for item in _items(path, wanted="certificate")]
    anchors = _of_kind(items, "certificate")
    test = tuple(der for der in anchors if is_test(der))
    return TrustMaterial(anchors, test, ValidationData(crls=_of_kind(items, "crl")))


def read_validation(paths: Sequence[Path]) -> ValidationData:
    """Certificates, CRLs and OCSP responses that help but are not trusted; raises `UsageError`."""
    items = [item for path in paths for item in _items(path, wanted=None)]
    return ValidationData(_of_kind(items, "certificate"), _of_kind(items, "crl"), _of_kind(items, "ocsp"))


def is_test(certificate: bytes) -> bool:
    """Whether a certificate calls its subject a TEST."""
    return bool(_TEST.search(x509.Certificate.load(certificate).subject.human_friendly))


def _of_kind(items: Iterable[_Item], kind: str) -> tuple[bytes, ...]:
    return tuple(dict.fromkeys(item.der for item in items if item.kind == kind))


def _items(path: Path, *, wanted: str | None) -> list[_Item]:
    try:
        folder = path.is_dir()
        files = sorted(child for child in path.iterdir() if child.is_file()) if folder else [path]
        if len(files) > MAX_FILES:
            raise UsageError(f"{path} holds more than {MAX_FILES} files")
        found = [item for file in files for item in _read(file, strict=not folder)]
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    if not any(wanted in (None, item.kind) for item in found):
        raise UsageError(f"{path} holds no {wanted or 'certificate, revocation list or OCSP response'}")
    return found


def _read(file: Path, *, strict: bool) -> list[_Item]:
    if file.stat().st_size > MAX_FILE:
        if strict:
            raise UsageError(f"{file} has more than {MAX_FILE} bytes")
        return []
    found = list(_parsed(file.read_bytes()))
    if strict and not found:
        raise UsageError(f"{file} holds no certificate, revocation list or OCSP response")
    return found


def _parsed(data: bytes) -> Iterator[_Item]:
    for der in _blocks(data):
        for kind, load in _KINDS.items():
            if load(der):
                yield _Item(kind, der)
                break


def _blocks(data: bytes) -> list[bytes]:
    if b"-----BEGIN" not in data:
        return [data]
    try:
        return [der for name, _, der in pem.unarmor(data, multiple=True) if "PRIVATE" not in name]
    except ValueError:
        return []


def _is_certificate(der: bytes) -> bool:
    try:
        return isinstance(load_certificate(der).subject.human_friendly, str)
    except PARSER_ERRORS:
        return False


def _is_crl(der: bytes) -> bool:
    try:
        return bool(crl.CertificateList.load(der, strict=True).issuer.dump())
    except PARSER_ERRORS:
        return False


def _is_ocsp(der: bytes) -> bool:
    try:
        return bool(ocsp.OCSPResponse.load(der, strict=True)["response_status"].native == "successful")
    except PARSER_ERRORS:
        return False


_KINDS = {"certificate": _is_certificate, "crl": _is_crl, "ocsp": _is_ocsp}
